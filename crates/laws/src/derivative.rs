//! Forward mode is a difference quotient, reverse mode is the transpose of forward mode; at any order, because the
//! law is asked of derivatives again.

use pullback::transform::{jvp_dense, vjp};
use pullback::{Array, Dtype, Result};

use crate::Fun;
use crate::case::Case;
use crate::elements::{Rng, close, direction, made, values};
use crate::report::{Outcome, said};

/// How a derivative is compared.
struct Exactness {
    /// Half the distance of the points of the difference quotient.
    step: f64,
    /// How far the quotient may be off.
    quotient: f64,
    /// How far the inner products of both modes may be apart.
    product: f64,
}

const DOUBLE: Exactness = Exactness { step: 1e-5, quotient: 2e-6, product: 1e-10 };
/// Functions that have no `float64` are linear, and a long step is as right as a short one.
const SINGLE: Exactness = Exactness { step: 0.25, quotient: 2e-5, product: 1e-5 };

impl Exactness {
    fn of(xs: &[Array]) -> Exactness {
        let single = |x: &Array| matches!(x.dtype(), Dtype::F32 | Dtype::C64);
        if xs.iter().any(single) { SINGLE } else { DOUBLE }
    }
}

/// A case as a function of those operands that can be differentiated; the others are held.
fn float_part<'a>(case: &'a Case, inputs: &[Array]) -> (Vec<Array>, Box<Fun<'a>>) {
    let held = inputs.to_vec();
    let free: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].is_inexact()).collect();
    let arguments = free.iter().map(|&i| inputs[i].clone()).collect();
    let f = move |x: &[Array]| {
        let mut all = held.clone();
        free.iter().zip(x).for_each(|(&i, x)| all[i] = x.clone());
        Ok(case.apply(&all)?.into_iter().filter(Array::is_inexact).collect())
    };
    (arguments, Box::new(f))
}

fn moved(xs: &[Array], ts: &[Array], by: f64) -> Result<Vec<Array>> {
    let (x, t) = (values(xs)?, values(ts)?);
    let shift = |i: usize| {
        let sum: Vec<f64> = x[i].iter().zip(&t[i]).map(|(x, t)| x + by * t).collect();
        made(&sum, xs[i].aval().clone())
    };
    (0..xs.len()).map(shift).collect()
}

fn dot(xs: &[Array], ys: &[Array]) -> Result<f64> {
    let (x, y) = (values(xs)?, values(ys)?);
    let pair = |i: usize| -> f64 {
        // Of a product of complex numbers the real part: imaginary parts count against it.
        let turn = |at: usize| if xs[i].dtype() == Dtype::C64 && at % 2 == 1 { -1. } else { 1. };
        x[i].iter().zip(&y[i]).enumerate().map(|(at, (x, y))| turn(at) * x * y).sum()
    };
    Ok((0..xs.len()).map(pair).sum())
}

fn directions(rng: &mut Rng, xs: &[Array]) -> Result<Vec<Array>> {
    xs.iter().map(|x| direction(rng, x)).collect()
}

/// Whether the derivatives of `f` at `xs`, in `float64` where it has that, are right to an order.
///
/// # Errors
/// What differs.
pub fn check_grads(f: &Fun, xs: &[Array], order: usize, rng: &mut Rng) -> Outcome {
    let ts = directions(rng, xs).map_err(said)?;
    let gs = directions(rng, &f(xs).map_err(said)?).map_err(said)?;
    if order > 1 {
        let forward = |xs: &[Array]| Ok(jvp_dense(f, xs, &ts)?.1);
        let reverse = |xs: &[Array]| vjp(f, xs)?.1.call_dense(&gs);
        let n = check_grads(&forward, xs, order - 1, rng).map_err(|text| format!("of the jvp: {text}"))?;
        return Ok(
            n + check_grads(&reverse, xs, order - 1, rng).map_err(|text| format!("of the vjp: {text}"))?
        );
    }
    let (_, pushed) = jvp_dense(f, xs, &ts).map_err(said)?;
    let found = values(&pushed).map_err(said)?;
    let exact = Exactness::of(xs);
    let at = |by: f64| values(&f(&moved(xs, &ts, by)?)?);
    let (high, low) = (at(exact.step).map_err(said)?, at(-exact.step).map_err(said)?);
    for ((found, high), low) in found.iter().zip(&high).zip(&low) {
        let quotient: Vec<f64> =
            high.iter().zip(low).map(|(high, low)| (high - low) / (2. * exact.step)).collect();
        close(found, &quotient, exact.quotient, 1.)
            .map_err(|text| format!("jvp is not the difference quotient: {text}"))?;
    }
    let pulled = vjp(f, xs).and_then(|(_, back)| back.call_dense(&gs)).map_err(said)?;
    let (here, there) = (dot(&pulled, &ts).map_err(said)?, dot(&gs, &pushed).map_err(said)?);
    close(&[here], &[there], exact.product, 1.)
        .map_err(|text| format!("vjp is not the transpose of jvp: {text}"))?;
    Ok(2)
}

/// The derivative laws of a case at an order, in `float64` where the row takes that.
///
/// # Errors
/// What differs.
pub fn check(case: &Case, order: usize) -> Outcome {
    let case = case.retyped(Dtype::F64).unwrap_or_else(|| case.clone());
    if !case.is_differentiable() {
        return Ok(0);
    }
    let mut rng = Rng::of(&case.name());
    let inputs = case.inputs(&mut rng).map_err(said)?;
    let (xs, f) = float_part(&case, &inputs);
    check_grads(&f, &xs, order, &mut rng)
}

/// Directions, and what both modes make of them.
struct Modes {
    tangents: Vec<Vec<f64>>,
    cotangents: Vec<Vec<f64>>,
    pushed: Vec<Vec<f64>>,
    pulled: Vec<Vec<f64>>,
}

impl Modes {
    /// Both modes of a case, in the directions of another run if there was one.
    fn of(case: &Case, inputs: &[Array], before: Option<&Modes>, rng: &mut Rng) -> Result<Modes> {
        let (xs, f) = float_part(case, inputs);
        let outs = f(&xs)?;
        let like = |of: &[Array], elements: &[Vec<f64>]| -> Result<Vec<Array>> {
            of.iter().zip(elements).map(|(x, t)| made(t, x.aval().clone())).collect()
        };
        let (ts, gs) = match before {
            Some(modes) => (like(&xs, &modes.tangents)?, like(&outs, &modes.cotangents)?),
            None => (directions(rng, &xs)?, directions(rng, &outs)?),
        };
        Ok(Modes {
            pushed: values(&jvp_dense(&f, &xs, &ts)?.1)?,
            pulled: values(&vjp(&f, &xs)?.1.call_dense(&gs)?)?,
            tangents: values(&ts)?,
            cotangents: values(&gs)?,
        })
    }
}

/// Both modes in `float32` on the current device agree with `float64` on the CPU; where a row does not take that, they
/// obey the laws.
///
/// # Errors
/// What differs.
pub fn check_single(case: &Case) -> Outcome {
    let Some(wide) = case.retyped(Dtype::F64) else { return check(case, 1) };
    if !wide.is_differentiable() {
        return Ok(0);
    }
    let mut rng = Rng::of(&case.name());
    let narrow = case.inputs(&mut rng).map_err(said)?;
    let single = Modes::of(case, &narrow, None, &mut rng).map_err(said)?;
    let _cpu = pullback::place::on(Some(pullback::Device::Cpu));
    let same = values(&narrow).map_err(said)?;
    let copies: Result<Vec<Array>> =
        wide.avals.iter().zip(&same).map(|(aval, x)| made(x, aval.clone())).collect();
    let double = Modes::of(&wide, &copies.map_err(said)?, Some(&single), &mut rng).map_err(said)?;
    let pairs = [("jvp", &single.pushed, &double.pushed), ("vjp", &single.pulled, &double.pulled)];
    for (mode, found, want) in pairs {
        for (found, want) in found.iter().zip(want) {
            close(found, want, 1e-4, 1.).map_err(|text| format!("{mode} in float32: {text}"))?;
        }
    }
    Ok(2)
}
