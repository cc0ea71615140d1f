//! Order: positions of extremes, and sorting.

use pullback_base::{Aval, Dtype, Error, Result};
use pullback_kernels::Whole;

use super::{F32, I32, SHIFT, has_axes};
use crate::array::Array;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Position of the first largest element along an axis, which vanishes. NaN counts as largest.
    ARGMAX = "argmax" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::One(|params, x| positions("argmax", params, x)),
        diff: Diff::Zero,
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, out| arg_reduce(true, params, x, out)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| lanes(params, x, |lane| vec![first(lane, |a, b| a > b)])),
            samples: SAMPLES,
            ulps: 0.,
        },
    }
    /// Position of the first smallest element along an axis, which vanishes. NaN counts as smallest.
    ARGMIN = "argmin" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::One(|params, x| positions("argmin", params, x)),
        diff: Diff::Zero,
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, out| arg_reduce(false, params, x, out)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| lanes(params, x, |lane| vec![first(lane, |a, b| a < b)])),
            samples: SAMPLES,
            ulps: 0.,
        },
    }
    /// Elements along an axis in ascending order, NaN last.
    SORT = "sort" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::One(|params, x| has_axes("sort", params, x[0]).map(|()| x[0].clone())),
        diff: Diff::Custom {
            jvp: |params, x, _, t| {
                let Some(t) = &t[0] else { return Ok(vec![None]) };
                Ok(vec![Some(fun::index::gather_along(t, &order(params, &x[0])?, params.axis())?)])
            },
            vjp: |params, x, _, g| {
                let Some(g) = &g[0] else { return Ok(vec![None]) };
                let at = order(params, &x[0])?;
                Ok(vec![Some(fun::index::collect_along(x[0].shape(), &at, g, params.axis())?)])
            },
        },
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, out| same(Whole::Sort, params, x, out)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| {
                lanes(params, x, |lane| sorted(lane).into_iter().map(|i| lane[i]).collect())
            }),
            samples: SAMPLES,
            ulps: 0.,
        },
    }
    /// Positions that would sort the elements along an axis; equal elements keep their order.
    ARGSORT = "argsort" ("a") {
        dtypes: Dtypes::Real,
        infer: Infer::One(|params, x| has_axes("argsort", params, x[0]).map(|()| x[0].retyped(Dtype::U32))),
        diff: Diff::Zero,
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, out| same(Whole::ArgSort, params, x, out)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| {
                lanes(params, x, |lane| sorted(lane).into_iter().map(|i| i as f64).collect())
            }),
            samples: SAMPLES,
            ulps: 0.,
        },
    }
}

const SAMPLES: &[Sample] = &[
    Sample { shapes: &[&[2, 5, 3]], dtypes: F32, params: || Params::Axis(1), domain: (-2., 2.) },
    Sample { shapes: &[&[7]], dtypes: F32, params: || Params::Axis(0), domain: (-2., 2.) },
    Sample { shapes: &[&[3, 6]], dtypes: I32, params: || Params::Axis(1), domain: (-4., 4.) },
];

fn positions(op: &str, params: &Params, x: &[&Aval]) -> Result<Aval> {
    has_axes(op, params, x[0])?;
    let out = Aval::new(x[0].shape.without(params.axis()), Dtype::U32);
    if out.size() > 0 && x[0].shape[params.axis()] == 0 {
        return Err(Error::value(format!("[{op}] expected an axis with elements, got {}", x[0])));
    }
    Ok(out)
}

fn arg_reduce(max: bool, params: &Params, x: &[&Aval], _: &Aval) -> WholeCall {
    let shape = fun::around(&x[0].shape, params.axis());
    WholeCall { whole: Whole::ArgReduce { max }, shape: shape.without(1), shapes: vec![shape] }
}

fn same(whole: Whole, params: &Params, x: &[&Aval], _: &Aval) -> WholeCall {
    let shape = fun::around(&x[0].shape, params.axis());
    WholeCall { whole, shapes: vec![shape.clone()], shape }
}

/// Positions that sort, fit for indexing.
fn order(params: &Params, x: &Array) -> Result<Array> {
    fun::cast(&Array::apply(&ARGSORT, params.clone(), &[x])?, Dtype::I32)
}

fn first(lane: &[f64], better: fn(f64, f64) -> bool) -> f64 {
    let best = (0..lane.len()).reduce(|best, i| if better(lane[i], lane[best]) { i } else { best });
    best.unwrap_or(0) as f64
}

fn sorted(lane: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lane.len()).collect();
    order.sort_by(|&i, &j| lane[i].total_cmp(&lane[j]));
    order
}

/// A function of every run of elements along the axis, in f64.
fn lanes(params: &Params, x: &[(&Aval, &[f64])], f: fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let around = fun::around(&x[0].0.shape, params.axis());
    let (outer, n, inner) = (around[0], around[1], around[2]);
    let cell = |o: usize, i: usize, k: usize| x[0].1[(o * n + k) * inner + i];
    let results: Vec<Vec<f64>> = (0..outer * inner)
        .map(|lane| f(&(0..n).map(|k| cell(lane / inner, lane % inner, k)).collect::<Vec<_>>()))
        .collect();
    let m = results.first().map_or(0, Vec::len);
    let value = |at: usize| results[at / (m * inner) * inner + at % inner][at / inner % m];
    (0..outer * m * inner).map(value).collect()
}
