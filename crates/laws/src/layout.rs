//! The value does not depend on how operands lie in memory.

use pullback::{Array, Kind, Result, Shape, fun};

use crate::case::Case;
use crate::elements::{Rng, close, drawn, epsilon, made, parts, values};
use crate::report::{Outcome, said};

/// Ways to come by an array that lies otherwise.
const WAYS: [(&str, Way); 4] =
    [("transposed", transposed), ("offset", offset), ("reversed", reversed), ("broadcast", broadcast)];

type Way = fn(&mut Rng, &Array, (f64, f64)) -> Result<Array>;

fn transposed(rng: &mut Rng, x: &Array, domain: (f64, f64)) -> Result<Array> {
    let back: Vec<usize> = (0..x.ndim()).rev().collect();
    let shape: Shape = x.shape().iter().rev().copied().collect();
    fun::transpose(&drawn(rng, &x.aval().reshaped(shape), domain)?, &back)
}

/// Every second element behind a few others.
fn offset(rng: &mut Rng, x: &Array, domain: (f64, f64)) -> Result<Array> {
    let wide: Shape = x.shape().iter().map(|n| 2 * n + 3).collect();
    let block = drawn(rng, &x.aval().reshaped(wide), domain)?;
    fun::slice(&block, &vec![2; x.ndim()], &vec![2; x.ndim()], x.shape())
}

fn reversed(rng: &mut Rng, x: &Array, domain: (f64, f64)) -> Result<Array> {
    fun::flip(&drawn(rng, x.aval(), domain)?, None)
}

/// One element along the first axis, for all of it.
fn broadcast(rng: &mut Rng, x: &Array, domain: (f64, f64)) -> Result<Array> {
    if x.ndim() == 0 {
        return Ok(x.clone());
    }
    let narrow = drawn(rng, &x.aval().reshaped(x.shape().without(0).with(0, 1)), domain)?;
    fun::broadcast_to(&narrow, x.shape())
}

/// The layout law, one operand at a time and all together, and for operands without elements.
///
/// # Errors
/// What differs.
pub fn check(case: &Case) -> Outcome {
    let mut rng = Rng::of(&case.name());
    let mut asked = 0;
    for (name, way) in WAYS {
        for which in 0..=case.avals.len() {
            let mut inputs = case.inputs(&mut rng).map_err(said)?;
            for (i, x) in inputs.iter_mut().enumerate() {
                if i == which || which == case.avals.len() {
                    *x = way(&mut rng, x, case.domain).map_err(said)?;
                }
            }
            same(case, &inputs).map_err(|text| format!("{name}, operand {which}: {text}"))?;
            asked += 1;
        }
    }
    Ok(asked + empty(case)?)
}

/// The same elements, packed, give the same results.
fn same(case: &Case, inputs: &[Array]) -> std::result::Result<(), String> {
    let found = values(&case.apply(inputs).map_err(said)?).map_err(said)?;
    let packed: Result<Vec<Array>> = values(inputs)
        .map_err(said)?
        .iter()
        .zip(inputs)
        .map(|(elements, x)| made(elements, x.aval().clone()))
        .collect();
    let outs = case.apply(&packed.map_err(said)?).map_err(said)?;
    let want = values(&outs).map_err(said)?;
    for ((found, want), out) in found.iter().zip(&want).zip(&outs) {
        let exact = out.dtype().kind() < Kind::Float;
        let tolerance = if exact { 0. } else { 2. * case.op.test.ulps * epsilon(out.dtype()) };
        close(found, want, tolerance, want.iter().fold(0., |acc: f64, x| acc.max(x.abs())))?;
    }
    Ok(())
}

/// Every size of the sample in turn is 0 instead: an error, or results of the right size.
fn empty(case: &Case) -> Outcome {
    let mut sizes: Vec<usize> = case.avals.iter().flat_map(|aval| aval.shape.to_vec()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut asked = 0;
    for gone in sizes {
        let Some(case) = case.reshaped(|n| if n == gone { 0 } else { n }) else { continue };
        let inputs = case.inputs(&mut Rng::of(&case.name())).map_err(said)?;
        let outs = case.apply(&inputs).map_err(said)?;
        for (found, aval) in values(&outs).map_err(said)?.iter().zip(case.infer().map_err(said)?) {
            if found.len() != aval.size() * parts(aval.dtype) {
                return Err(format!("without size {gone}: {} elements for {aval}", found.len()));
            }
        }
        asked += 1;
    }
    Ok(asked)
}
