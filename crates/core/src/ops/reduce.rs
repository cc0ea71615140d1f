//! Reductions over axes. The reduced axes vanish from the shape.

use pullback_base::{Aval, Dtype, Error, Result, Shape};
use pullback_kernels::Fold;

use super::scan::CUMPROD;
use super::shape::inverse;
use super::{SHIFT, has_axes, kept};
use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test};
use crate::ops;
use crate::params::Params;

/// The axes gone, one by one, together, and none of them.
const SAMPLES: &[Sample] = &[
    Sample { shapes: &[&[2, 3]], dtypes: super::F32, params: || Params::Axes(vec![1]), domain: (-2., 2.) },
    Sample {
        shapes: &[&[2, 3, 2]],
        dtypes: super::F32,
        params: || Params::Axes(vec![0, 2]),
        domain: (-2., 2.),
    },
    Sample { shapes: &[&[3, 2]], dtypes: super::F32, params: || Params::Axes(vec![0, 1]), domain: (-2., 2.) },
];

const TRUTHS: &[Sample] = &[Sample {
    shapes: &[&[2, 3, 2]],
    dtypes: &[Dtype::Bool],
    params: || Params::Axes(vec![1]),
    domain: (0., 1.),
}];

ops! {
    /// Sum of elements over axes.
    SUM = "sum" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::One(drop_axes),
        diff: Diff::Linear(&[Some(|params, x, g| spread(g, x[0].aval(), params.axes()))]),
        batch: SHIFT,
        kernel: Kernel::Fold(Fold::Sum),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| fold(params, x, out, 0., |acc, x| acc + x)),
            samples: SAMPLES,
            ulps: 4.,
        },
    }
    /// Product of elements over axes. Its derivative is right at zeros too.
    PROD = "prod" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::One(drop_axes),
        diff: Diff::Custom {
            jvp: |params, x, _, t| along(params, &others(params, &x[0])?, t),
            vjp: |params, x, _, g| back(params, x, &others(params, &x[0])?, g),
        },
        batch: SHIFT,
        kernel: Kernel::Fold(Fold::Prod),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| fold(params, x, out, 1., |acc, x| acc * x)),
            samples: SAMPLES,
            ulps: 4.,
        },
    }
    /// Largest element over axes; NaN if there is one. Equal elements share the derivative.
    MAX = "max" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::One(|params, x| extreme("max", params, x)),
        diff: Diff::Custom {
            jvp: |params, x, y, t| along(params, &shares(params, &x[0], &y[0])?, t),
            vjp: |params, x, y, g| back(params, x, &shares(params, &x[0], &y[0])?, g),
        },
        batch: SHIFT,
        kernel: Kernel::Fold(Fold::Max),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| fold(params, x, out, f64::NEG_INFINITY, f64::max)),
            samples: SAMPLES,
            ulps: 0.,
        },
    }
    /// Smallest element over axes; NaN if there is one. Equal elements share the derivative.
    MIN = "min" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::One(|params, x| extreme("min", params, x)),
        diff: Diff::Custom {
            jvp: |params, x, y, t| along(params, &shares(params, &x[0], &y[0])?, t),
            vjp: |params, x, y, g| back(params, x, &shares(params, &x[0], &y[0])?, g),
        },
        batch: SHIFT,
        kernel: Kernel::Fold(Fold::Min),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| fold(params, x, out, f64::INFINITY, f64::min)),
            samples: SAMPLES,
            ulps: 0.,
        },
    }
    /// Whether any element over axes is true. Numbers are compared with 0.
    ANY = "any" ("a") {
        dtypes: Dtypes::Bool,
        infer: Infer::One(drop_axes),
        diff: Diff::Zero,
        batch: SHIFT,
        kernel: Kernel::Fold(Fold::Max),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| fold(params, x, out, 0., f64::max)),
            samples: TRUTHS,
            ulps: 0.,
        },
    }
    /// Whether all elements over axes are true. Numbers are compared with 0.
    ALL = "all" ("a") {
        dtypes: Dtypes::Bool,
        infer: Infer::One(drop_axes),
        diff: Diff::Zero,
        batch: SHIFT,
        kernel: Kernel::Fold(Fold::Min),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, out| fold(params, x, out, 1., f64::min)),
            samples: TRUTHS,
            ulps: 0.,
        },
    }
}

/// Undoes the loss of `axes` in a reduction from `aval`.
pub(crate) fn spread(g: &Array, aval: &Aval, axes: &[usize]) -> Result<Array> {
    let ones = aval.shape.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n });
    fun::broadcast_to(&fun::reshape(g, ones.collect())?, &aval.shape)
}

pub(super) fn drop_axes(params: &Params, x: &[&Aval]) -> Result<Aval> {
    has_axes("reduce", params, x[0])?;
    if !params.axes().is_sorted_by(|a, b| a < b) {
        return Err(mismatch("reduce", "axes in order, each once", x));
    }
    let shape: Vec<usize> = kept(x[0], params.axes()).into_iter().map(|axis| x[0].shape[axis]).collect();
    Ok(x[0].reshaped(shape))
}

fn extreme(op: &str, params: &Params, x: &[&Aval]) -> Result<Aval> {
    let out = drop_axes(params, x)?;
    if x[0].size() == 0 && out.size() > 0 {
        return Err(Error::value(format!(
            "[{op}] expected at least one element to choose from, got {}",
            x[0]
        )));
    }
    Ok(out)
}

type Sides = Result<Vec<Option<Array>>>;

/// The tangent of a reduction whose derivatives by the elements are `partials`.
fn along(params: &Params, partials: &Array, t: &[Option<Array>]) -> Sides {
    Ok(vec![t[0].as_ref().map(|t| fun::sum(&(t * partials), params.axes())).transpose()?])
}

/// The cotangent, likewise.
fn back(params: &Params, x: &[Array], partials: &Array, g: &[Option<Array>]) -> Sides {
    let spread = g[0].as_ref().map(|g| spread(g, x[0].aval(), params.axes())).transpose()?;
    Ok(vec![spread.map(|g| g * partials)])
}

/// Of each element, its share in the extreme.
fn shares(params: &Params, x: &Array, y: &Array) -> Result<Array> {
    let over = |y: &Array| spread(y, x.aval(), params.axes());
    let hit = fun::cast(&fun::equal(x, &over(y)?)?, x.dtype())?;
    let count = over(&fun::sum(&hit, params.axes())?)?;
    Ok(hit / count)
}

/// Of each factor, the product of the others: of those before it and those after it.
fn others(params: &Params, x: &Array) -> Result<Array> {
    let axes = params.axes();
    let order: Vec<usize> = kept(x.aval(), axes).into_iter().chain(axes.iter().copied()).collect();
    let moved = fun::transpose(x, &order)?;
    let n: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    let outer: usize = kept(x.aval(), axes).iter().map(|&axis| x.shape()[axis]).product();
    let flat = fun::reshape(&moved, Shape::from([outer, n]))?;
    let side = |reverse| fun::scan::cumulate(&CUMPROD, &flat, 1, reverse, false);
    let rest = fun::reshape(&(side(false)? * side(true)?), moved.shape().clone())?;
    fun::transpose(&rest, &inverse(&order))
}

/// The reduction by the definition, in f64.
pub(super) fn fold(
    params: &Params,
    x: &[(&Aval, &[f64])],
    out: &Aval,
    start: f64,
    step: fn(f64, f64) -> f64,
) -> Vec<f64> {
    let (aval, values) = x[0];
    let kept = kept(aval, params.axes());
    let (strides, to) = (aval.shape.strides(), out.shape.strides());
    let mut acc = vec![start; out.size()];
    for (at, &value) in values.iter().enumerate() {
        let index = |axis: usize| (at as isize / strides[axis]) as usize % aval.shape[axis];
        let cell: usize = kept.iter().zip(&to).map(|(&axis, &stride)| index(axis) * stride as usize).sum();
        acc[cell] = step(acc[cell], value);
    }
    acc
}
