//! Rows picked by position.

use pullback_base::{Dtype, Error, Result, Shape};
use pullback_kernels::Whole;

use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Rows of `a` along its first axis, by position. Negative positions count from the end; what is still out
    /// of range takes the nearest row.
    TAKE = "take" ("a", "indices") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|_, x| {
            if x[0].shape.is_empty() || x[1].dtype != Dtype::I32 {
                return Err(mismatch("take", "an array with an axis and int32 indices", x));
            }
            if x[0].shape[0] == 0 && x[1].size() > 0 {
                let text = format!("[take] expected an axis with elements to take from, got {}", x[0]);
                return Err(Error::index(text));
            }
            Ok(x[0].reshaped([&x[1].shape[..], &x[0].shape[1..]].concat()))
        }),
        diff: Diff::Linear(&[
            Some(|_, x, g| {
                let index = fun::index::within(&x[1], x[0].shape()[0])?;
                fun::index::scatter(&super::scatter::SCATTER_ADD, &x[0].zeros_like(), &index, g)
            }),
            None,
        ]),
        batch: Batch::Custom(take_batch),
        kernel: Kernel::Whole(|_, x, out| {
            let (n, k) = (x[0].shape[0], x[1].size());
            let inner: usize = x[0].shape[1..].iter().product();
            debug_assert_eq!(out.size(), k * inner);
            WholeCall {
                whole: Whole::Take,
                shapes: vec![Shape::from([n, inner]), Shape::from([k])],
                shape: Shape::from([k, inner]),
            }
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| {
                let inner: usize = x[0].0.shape[1..].iter().product();
                let row = |&at: &f64| {
                    let n = x[0].0.shape[0] as f64;
                    let at = (if at < 0. { at + n } else { at }).clamp(0., n - 1.) as usize;
                    x[0].1[at * inner..(at + 1) * inner].to_vec()
                };
                x[1].1.iter().flat_map(row).collect()
            }),
            samples: &[Sample {
                shapes: &[&[4, 3], &[2, 3]],
                dtypes: &[Dtype::F32, Dtype::I32],
                params: || Params::None,
                domain: (-4., 3.),
            }],
            ulps: 0.,
        },
    }
}

/// A batch of tables is one long table: positions move by the rows before theirs.
fn take_batch(
    _: &Params,
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let (table, index) = (&x[0], &x[1]);
    let y = match (axes[0], axes[1]) {
        (None, _) => fun::index::take(table, index)?,
        (Some(_), lead) => {
            let index = if lead.is_some() { index.clone() } else { repeat(index, size)? };
            let n = table.shape()[1];
            let index = fun::index::offset(&fun::index::within(&index, n)?, size, n)?;
            fun::index::take(&merge(table)?, &index)?
        }
    };
    Ok(vec![(y, Some(0))])
}

/// Operand `i` with the batch axis in front.
pub(super) fn lead(x: &[Array], axes: &[Option<usize>], i: usize, size: usize) -> Result<Array> {
    if axes[i].is_some() { Ok(x[i].clone()) } else { repeat(&x[i], size) }
}

fn repeat(x: &Array, size: usize) -> Result<Array> {
    fun::broadcast_to(x, &x.shape().with(0, size))
}

/// The first two axes as one.
pub(super) fn merge(x: &Array) -> Result<Array> {
    let shape = x.shape();
    fun::reshape(x, Shape::from([&[shape[0] * shape[1]], &shape[2..]].concat()))
}
