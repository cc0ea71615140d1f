//! Rows written by position.

use pullback_base::{Aval, Dtype, Result, Shape};
use pullback_kernels::{Scatter, Whole};

use super::index::{lead, merge};
use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// `a` with rows replaced along its first axis, by position. Of equal positions the last wins. Positions out of
    /// range are left out.
    SCATTER_SET = "scatter_set" ("a", "indices", "updates") {
        dtypes: Dtypes::Any,
        infer: Infer::One(scatter_infer),
        diff: Diff::Linear(&[
            Some(|_, x, g| fun::index::scatter(&SCATTER_SET, g, &x[1], &x[2].zeros_like())),
            None,
            Some(|_, x, g| winners(g, &x[1])),
        ]),
        batch: Batch::Custom(|_, x, axes, size| scatter_batch(&SCATTER_SET, x, axes, size)),
        kernel: Kernel::Whole(|_, x, _| scatter_kernel(Scatter::Set, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| scatter_reference(x, |_, new| new)),
            samples: SCATTER_SAMPLES,
            ulps: 0.,
        },
    }
    /// `a` with rows added to it along its first axis, by position. Positions out of range are left out.
    SCATTER_ADD = "scatter_add" ("a", "indices", "updates") {
        dtypes: Dtypes::Any,
        infer: Infer::One(scatter_infer),
        diff: Diff::Linear(&[Some(|_, _, g| Ok(g.clone())), None, Some(|_, x, g| fun::index::take_valid(g, &x[1]))]),
        batch: Batch::Custom(|_, x, axes, size| scatter_batch(&SCATTER_ADD, x, axes, size)),
        kernel: Kernel::Whole(|_, x, _| scatter_kernel(Scatter::Add, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| scatter_reference(x, |old, new| old + new)),
            samples: SCATTER_SAMPLES,
            ulps: 2.,
        },
    }
    /// `a` with rows multiplied along its first axis, by position. Positions out of range are left out. The
    /// derivative is right where one factor is zero; its own derivative is that of the factors which are not.
    SCATTER_PROD = "scatter_prod" ("a", "indices", "updates") {
        dtypes: Dtypes::Number,
        infer: Infer::One(scatter_infer),
        diff: Diff::Custom {
            jvp: |_, x, _, t| push(&x[1], &others(x)?, t),
            vjp: |_, x, _, g| pull(&x[1], &others(x)?, g),
        },
        batch: Batch::Custom(|_, x, axes, size| scatter_batch(&SCATTER_PROD, x, axes, size)),
        kernel: Kernel::Whole(|_, x, _| scatter_kernel(Scatter::Prod, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| scatter_reference(x, |old, new| old * new)),
            samples: SCATTER_SAMPLES,
            ulps: 2.,
        },
    }
    /// `a` with the larger of itself and rows along its first axis, by position. Positions out of range are left
    /// out. Equal elements share the derivative.
    SCATTER_MAX = "scatter_max" ("a", "indices", "updates") {
        dtypes: Dtypes::Any,
        infer: Infer::One(scatter_infer),
        diff: Diff::Custom {
            jvp: |_, x, y, t| push(&x[1], &shares(x, &y[0])?, t),
            vjp: |_, x, y, g| pull(&x[1], &shares(x, &y[0])?, g),
        },
        batch: Batch::Custom(|_, x, axes, size| scatter_batch(&SCATTER_MAX, x, axes, size)),
        kernel: Kernel::Whole(|_, x, _| scatter_kernel(Scatter::Max, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| scatter_reference(x, f64::max)),
            samples: SCATTER_SAMPLES,
            ulps: 0.,
        },
    }
    /// `a` with the smaller of itself and rows along its first axis, by position. Positions out of range are left
    /// out. Equal elements share the derivative.
    SCATTER_MIN = "scatter_min" ("a", "indices", "updates") {
        dtypes: Dtypes::Any,
        infer: Infer::One(scatter_infer),
        diff: Diff::Custom {
            jvp: |_, x, y, t| push(&x[1], &shares(x, &y[0])?, t),
            vjp: |_, x, y, g| pull(&x[1], &shares(x, &y[0])?, g),
        },
        batch: Batch::Custom(|_, x, axes, size| scatter_batch(&SCATTER_MIN, x, axes, size)),
        kernel: Kernel::Whole(|_, x, _| scatter_kernel(Scatter::Min, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, _| scatter_reference(x, f64::min)),
            samples: SCATTER_SAMPLES,
            ulps: 0.,
        },
    }
}

const SCATTER_SAMPLES: &[Sample] = &[Sample {
    shapes: &[&[4, 3], &[5], &[5, 3]],
    dtypes: &[Dtype::F32, Dtype::I32, Dtype::F32],
    params: || Params::None,
    domain: (-4., 3.),
}];

fn scatter_infer(_: &Params, x: &[&Aval]) -> Result<Aval> {
    let fits = !x[0].shape.is_empty()
        && x[1].dtype == Dtype::I32
        && x[0].dtype == x[2].dtype
        && x[2].shape[..] == [&x[1].shape[..], &x[0].shape[1..]].concat()[..];
    if fits {
        Ok(x[0].clone())
    } else {
        Err(mismatch("scatter", "an array, int32 indices and a row for each", x))
    }
}

fn scatter_kernel(how: Scatter, x: &[&Aval]) -> WholeCall {
    let (n, k) = (x[0].shape[0], x[1].size());
    let inner: usize = x[0].shape[1..].iter().product();
    WholeCall {
        whole: Whole::Scatter(how),
        shapes: vec![Shape::from([n, inner]), Shape::from([k]), Shape::from([k, inner])],
        shape: Shape::from([n, inner]),
    }
}

/// The scatter by its definition, in f64.
fn scatter_reference(x: &[(&Aval, &[f64])], combine: fn(f64, f64) -> f64) -> Vec<f64> {
    let inner: usize = x[0].0.shape[1..].iter().product();
    let n = x[0].0.shape[0] as f64;
    let mut result = x[0].1.to_vec();
    for (k, &at) in x[1].1.iter().enumerate() {
        let at = if at < 0. { at + n } else { at };
        if at >= 0. && at < n {
            for i in 0..inner {
                let cell = &mut result[at as usize * inner + i];
                *cell = combine(*cell, x[2].1[k * inner + i]);
            }
        }
    }
    result
}

fn scatter_batch(
    op: &'static crate::op::OpDef,
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let operand = |i: usize| lead(x, axes, i, size);
    let (table, index, updates) = (operand(0)?, operand(1)?, operand(2)?);
    let n = table.shape()[1];
    let index = fun::index::offset_or_drop(&index, size, n)?;
    let y = fun::index::scatter(op, &merge(&table)?, &index, &updates)?;
    Ok(vec![(fun::reshape(&y, table.shape().clone())?, Some(0))])
}

/// Rows of `g` for the updates that won their position, zeros for those that lost it or had none.
fn winners(g: &Array, index: &Array) -> Result<Array> {
    let count = fun::reshape(&fun::index::iota(index.size(), Dtype::I32)?, index.shape().clone())?;
    let nobody = Array::full(pullback_base::Scalar::Int(-1), &Aval::new([g.shape()[0]], Dtype::I32));
    let owner = fun::index::scatter(&SCATTER_SET, &nobody, index, &count)?;
    let won = fun::equal(&fun::index::take(&owner, index)?, &count)?;
    let rows = fun::index::take_valid(g, index)?;
    let ones: Shape = (0..rows.ndim()).map(|axis| index.shape().get(axis).copied().unwrap_or(1)).collect();
    fun::where_(&fun::reshape(&won, ones)?, &rows, &rows.zeros_like())
}

/// Derivatives of the result by the old rows, and by the updates.
struct Partials {
    old: Array,
    new: Array,
}

type Sides = Result<Vec<Option<Array>>>;

fn push(index: &Array, partials: &Partials, t: &[Option<Array>]) -> Sides {
    let old = t[0].as_ref().map_or_else(|| partials.old.zeros_like(), |t| t * &partials.old);
    let Some(new) = t[2].as_ref().map(|t| t * &partials.new) else { return Ok(vec![Some(old)]) };
    Ok(vec![Some(fun::index::scatter(&SCATTER_ADD, &old, index, &new)?)])
}

fn pull(index: &Array, partials: &Partials, g: &[Option<Array>]) -> Sides {
    let Some(g) = &g[0] else { return Ok(vec![None; 3]) };
    let new = fun::index::take_valid(g, index)? * &partials.new;
    Ok(vec![Some(g * &partials.old), None, Some(new)])
}

/// Of each factor, the product of the others that met it.
fn others(x: &[Array]) -> Result<Partials> {
    let (old, index, new) = (&x[0], &x[1], &x[2]);
    let zero = |x: &Array| fun::equal(x, &x.weak(0.));
    let nonzero = |x: &Array| fun::where_(&zero(x)?, &x.weak(1.), x);
    let product = fun::index::scatter(&SCATTER_PROD, &nonzero(old)?, index, &nonzero(new)?)?;
    let count = |x: &Array| fun::cast(&zero(x)?, Dtype::I32);
    let zeros = fun::index::scatter(&SCATTER_ADD, &count(old)?, index, &count(new)?)?;
    let rest = |x: &Array, product: &Array, zeros: &Array| {
        let none = fun::equal(zeros, &count(x)?)?;
        fun::where_(&none, &fun::divide(product, &nonzero(x)?)?, &x.weak(0.))
    };
    let at = |x: &Array| fun::index::take_valid(x, index);
    Ok(Partials { old: rest(old, &product, &zeros)?, new: rest(new, &at(&product)?, &at(&zeros)?)? })
}

/// Of each element, its share in the extreme of those that met it.
fn shares(x: &[Array], y: &Array) -> Result<Partials> {
    let (old, index, new) = (&x[0], &x[1], &x[2]);
    let hit = |x: &Array, y: &Array| fun::cast(&fun::equal(x, y)?, x.dtype());
    let (old, new) = (hit(old, y)?, hit(new, &fun::index::take(y, index)?)?);
    let count = fun::index::scatter(&SCATTER_ADD, &old, index, &new)?;
    Ok(Partials { old: old / &count, new: new / fun::index::take(&count, index)? })
}
