//! Reductions over axes. The reduced axes vanish from the shape.

use pullback_base::{Aval, Result};
use pullback_kernels::Fold;

use super::{SHIFT, kept};
use crate::array::Array;
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
}

/// Undoes the loss of `axes` in a reduction from `aval`.
pub(crate) fn spread(g: &Array, aval: &Aval, axes: &[usize]) -> Result<Array> {
    let ones = aval.shape.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n });
    fun::broadcast_to(&fun::reshape(g, ones.collect())?, &aval.shape)
}

pub(super) fn drop_axes(params: &Params, x: &[&Aval]) -> Result<Aval> {
    let shape: Vec<usize> = kept(x[0], params.axes()).into_iter().map(|axis| x[0].shape[axis]).collect();
    Ok(x[0].reshaped(shape))
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
