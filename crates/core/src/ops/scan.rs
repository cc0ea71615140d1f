//! Running results along an axis.

use pullback_base::{Aval, Result};
use pullback_kernels::{Cumulate, Whole};

use super::{F32, I32, SHIFT, has_axes};
use crate::array::Array;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, OpDef, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Running sum along an axis, forwards or backwards, with or without the element itself.
    CUMSUM = "cumsum" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| has_axes("cumsum", params, x[0]).map(|()| x[0].clone())),
        diff: Diff::Linear(&[Some(|params, _, g| Array::apply(&CUMSUM, turned(params), &[g]))]),
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, _| call(Cumulate::Sum, params, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| scan(params, x, 0., |acc, x| acc + x)),
            samples: &[FORWARDS, BACKWARDS, BEFORE, AFTER],
            ulps: 4.,
        },
    }
    /// Running product along an axis, forwards or backwards, with or without the element itself. Its derivative
    /// is right at zeros too.
    CUMPROD = "cumprod" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| has_axes("cumprod", params, x[0]).map(|()| x[0].clone())),
        diff: Diff::Custom {
            // y[i] = x[i] y[i-1], so t[i] = x[i] t[i-1] + y[i-1] tx[i].
            jvp: |params, x, _, t| {
                let Some(t) = &t[0] else { return Ok(vec![None]) };
                let (axis, reverse, inclusive) = parts(params);
                let before = fun::scan::cumulate(&CUMPROD, &x[0], axis, reverse, false)?;
                let all = fun::scan::recurrence(&x[0], &(before * t), axis, reverse)?;
                Ok(vec![Some(if inclusive { all } else { fun::scan::delay(&all, axis, reverse, 0.)? })])
            },
            // c[i] = g[i] + x[i+1] c[i+1] is what y[i] is worth; of that y[i-1] c[i] is worth x[i].
            vjp: |params, x, _, g| {
                let Some(g) = &g[0] else { return Ok(vec![None]) };
                let (axis, reverse, inclusive) = parts(params);
                let before = fun::scan::cumulate(&CUMPROD, &x[0], axis, reverse, false)?;
                let g = if inclusive { g.clone() } else { fun::scan::delay(g, axis, !reverse, 0.)? };
                let next = fun::scan::delay(&x[0], axis, !reverse, 1.)?;
                Ok(vec![Some(before * fun::scan::recurrence(&next, &g, axis, !reverse)?)])
            },
        },
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, _| call(Cumulate::Prod, params, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| scan(params, x, 1., |acc, x| acc * x)),
            samples: &[FORWARDS, BACKWARDS, BEFORE, AFTER],
            ulps: 4.,
        },
    }
    /// Running maximum along an axis, forwards or backwards, with or without the element itself. Of equal elements
    /// the latest has the derivative.
    CUMMAX = "cummax" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| has_axes("cummax", params, x[0]).map(|()| x[0].clone())),
        diff: Diff::Custom {
            jvp: |params, x, _, t| record_jvp(&CUMMAX, params, x, t),
            vjp: |params, x, _, g| record_vjp(&CUMMAX, params, x, g),
        },
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, _| call(Cumulate::Max, params, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| scan(params, x, f64::NEG_INFINITY, f64::max)),
            samples: &[FORWARDS, BACKWARDS, INTEGERS],
            ulps: 0.,
        },
    }
    /// Running minimum along an axis, forwards or backwards, with or without the element itself. Of equal elements
    /// the latest has the derivative.
    CUMMIN = "cummin" ("a") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| has_axes("cummin", params, x[0]).map(|()| x[0].clone())),
        diff: Diff::Custom {
            jvp: |params, x, _, t| record_jvp(&CUMMIN, params, x, t),
            vjp: |params, x, _, g| record_vjp(&CUMMIN, params, x, g),
        },
        batch: SHIFT,
        kernel: Kernel::Whole(|params, x, _| call(Cumulate::Min, params, x)),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|params, x, _| scan(params, x, f64::INFINITY, f64::min)),
            samples: &[FORWARDS, BACKWARDS, INTEGERS],
            ulps: 0.,
        },
    }
}

const FORWARDS: Sample = Sample {
    shapes: &[&[2, 5, 3]],
    dtypes: F32,
    params: || Params::Scan { axis: 1, reverse: false, inclusive: true },
    domain: (-2., 2.),
};
const BACKWARDS: Sample =
    Sample { params: || Params::Scan { axis: 1, reverse: true, inclusive: true }, ..FORWARDS };
const BEFORE: Sample =
    Sample { params: || Params::Scan { axis: 1, reverse: false, inclusive: false }, ..FORWARDS };
const AFTER: Sample =
    Sample { params: || Params::Scan { axis: 2, reverse: true, inclusive: false }, ..FORWARDS };
const INTEGERS: Sample = Sample { dtypes: I32, domain: (-9., 9.), ..FORWARDS };

/// Axis, whether backwards, whether with the element itself.
fn parts(params: &Params) -> (usize, bool, bool) {
    match *params {
        Params::Scan { axis, reverse, inclusive } => (axis, reverse, inclusive),
        ref other => unreachable!("a scan has scan params, found {other:?}"),
    }
}

fn turned(params: &Params) -> Params {
    let (axis, reverse, inclusive) = parts(params);
    Params::Scan { axis, reverse: !reverse, inclusive }
}

fn call(how: Cumulate, params: &Params, x: &[&Aval]) -> WholeCall {
    let (axis, reverse, inclusive) = parts(params);
    let shape = fun::around(&x[0].shape, axis);
    WholeCall { whole: Whole::Cumulate { how, reverse, inclusive }, shapes: vec![shape.clone()], shape }
}

/// Where the record in force was set: positions along the axis, for every element.
fn holders(op: &'static OpDef, x: &Array, axis: usize, reverse: bool) -> Result<Array> {
    let record = fun::scan::cumulate(op, x, axis, reverse, true)?;
    let at = fun::index::iota_along(x.shape(), axis)?;
    let (latest, nowhere): (&'static OpDef, usize) =
        if reverse { (&CUMMIN, x.shape()[axis]) } else { (&CUMMAX, 0) };
    let set = fun::where_(&fun::equal(x, &record)?, &at, &fun::index::int(nowhere))?;
    fun::scan::cumulate(latest, &set, axis, reverse, true)
}

type Sides = Result<Vec<Option<Array>>>;

fn record_jvp(op: &'static OpDef, params: &Params, x: &[Array], t: &[Option<Array>]) -> Sides {
    let Some(t) = &t[0] else { return Ok(vec![None]) };
    let (axis, reverse, inclusive) = parts(params);
    let all = fun::index::gather_along(t, &holders(op, &x[0], axis, reverse)?, axis)?;
    Ok(vec![Some(if inclusive { all } else { fun::scan::delay(&all, axis, reverse, 0.)? })])
}

fn record_vjp(op: &'static OpDef, params: &Params, x: &[Array], g: &[Option<Array>]) -> Sides {
    let Some(g) = &g[0] else { return Ok(vec![None]) };
    let (axis, reverse, inclusive) = parts(params);
    let g = if inclusive { g.clone() } else { fun::scan::delay(g, axis, !reverse, 0.)? };
    let at = holders(op, &x[0], axis, reverse)?;
    Ok(vec![Some(fun::index::collect_along(x[0].shape(), &at, &g, axis)?)])
}

/// The running result by its definition, in f64.
fn scan(params: &Params, x: &[(&Aval, &[f64])], start: f64, step: fn(f64, f64) -> f64) -> Vec<f64> {
    let (axis, reverse, inclusive) = parts(params);
    let (aval, values) = x[0];
    let around = fun::around(&aval.shape, axis);
    let (n, inner) = (around[1], around[2]);
    let mut result = vec![0.; values.len()];
    for lane in 0..around[0] * inner {
        let mut acc = start;
        for i in 0..n {
            let i = if reverse { n - 1 - i } else { i };
            let at = (lane / inner * n + i) * inner + lane % inner;
            let next = step(acc, values[at]);
            result[at] = if inclusive { next } else { acc };
            acc = next;
        }
    }
    result
}
