//! Contractions.

use pullback_base::{Aval, Result, Shape};
use pullback_kernels::Whole;

use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Product of matrices, over equal leading axes: `[.., m, k] x [.., k, n] -> [.., m, n]`.
    MATMUL = "matmul" ("a", "b") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|_, x| {
            let (r, s) = (x[0].shape.ndim(), x[1].shape.ndim());
            let fits = r == s && r >= 2
                && x[0].dtype == x[1].dtype
                && x[0].shape[..r - 2] == x[1].shape[..r - 2]
                && x[0].shape[r - 1] == x[1].shape[r - 2];
            if !fits {
                return Err(mismatch("matmul", "matrices [.., m, k] and [.., k, n]", x));
            }
            Ok(x[0].reshaped([&x[0].shape[..r - 1], &x[1].shape[r - 1..]].concat()))
        }),
        diff: Diff::Bilinear(
            |_, y, _, g| multiply(g, &fun::swap_last(y)?),
            |_, x, _, g| multiply(&fun::swap_last(x)?, g),
        ),
        batch: Batch::Custom(batch),
        kernel: Kernel::Whole(|_, x, out| {
            let flat = |shape: &Shape| {
                let r = shape.ndim();
                Shape::from([shape[..r - 2].iter().product(), shape[r - 2], shape[r - 1]])
            };
            WholeCall {
                whole: Whole::Matmul,
                shapes: x.iter().map(|aval| flat(&aval.shape)).collect(),
                shape: flat(&out.shape),
            }
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, out| product(x, out)),
            samples: &[
                Sample {
                    shapes: &[&[2, 3], &[3, 4]],
                    dtypes: super::F32_2,
                    params: || Params::None,
                    domain: (-2., 2.),
                },
                Sample {
                    shapes: &[&[2, 2, 3], &[2, 3, 1]],
                    dtypes: super::F32_2,
                    params: || Params::None,
                    domain: (-2., 2.),
                },
            ],
            ulps: 8.,
        },
    }
}

/// The row applied.
pub(crate) fn multiply(x: &Array, y: &Array) -> Result<Array> {
    Array::apply(&MATMUL, Params::None, &[x, y])
}

/// A batch of products with one factor in common is one product with more rows, or more columns: the fast case
/// of a layer applied to examples.
fn batch(
    _: &Params,
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let plain = |x: &Array| x.ndim() == 2;
    let y = match (axes[0], axes[1]) {
        (Some(_), None) if plain(&x[1]) => {
            let (m, k, n) = (x[0].shape()[1], x[0].shape()[2], x[1].shape()[1]);
            let y = multiply(&fun::reshape(&x[0], Shape::from([size * m, k]))?, &x[1])?;
            fun::reshape(&y, Shape::from([size, m, n]))?
        }
        (None, Some(_)) if plain(&x[0]) => {
            let (m, k, n) = (x[0].shape()[0], x[0].shape()[1], x[1].shape()[2]);
            let wide = fun::reshape(&fun::transpose(&x[1], &[1, 0, 2])?, Shape::from([k, size * n]))?;
            let y = fun::reshape(&multiply(&x[0], &wide)?, Shape::from([m, size, n]))?;
            fun::transpose(&y, &[1, 0, 2])?
        }
        _ => {
            let lead = |i: usize| match axes[i] {
                Some(_) => Ok(x[i].clone()),
                None => fun::broadcast_to(&x[i], &x[i].shape().with(0, size)),
            };
            multiply(&lead(0)?, &lead(1)?)?
        }
    };
    Ok(vec![(y, Some(0))])
}

/// The product by its definition, in f64.
fn product(x: &[(&Aval, &[f64])], out: &Aval) -> Vec<f64> {
    let r = out.shape.ndim();
    let (m, n, k) = (out.shape[r - 2], out.shape[r - 1], x[0].0.shape[r - 1]);
    let cell = |at: usize| {
        let (b, i, j) = (at / (m * n), at / n % m, at % n);
        (0..k).map(|l| x[0].1[b * m * k + i * k + l] * x[1].1[b * k * n + l * n + j]).sum()
    };
    (0..out.size()).map(cell).collect()
}
