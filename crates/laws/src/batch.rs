//! vmap is a stack of slices, whichever operands are mapped and along whichever axis.

use pullback::op::Batch;
use pullback::transform::{out_axis, vmap};
use pullback::{Array, Kind, fun};

use crate::case::Case;
use crate::elements::{Rng, close, epsilon, values};
use crate::report::{Outcome, said};

/// Slice `k` of every operand that has an axis.
fn slice(args: &[Array], axes: &[Option<usize>], k: usize) -> pullback::Result<Vec<Array>> {
    let one = |(x, axis): (&Array, &Option<usize>)| match axis {
        Some(axis) => fun::reshape(&fun::narrow(x, *axis, k, 1)?, x.shape().without(*axis)),
        None => Ok(x.clone()),
    };
    args.iter().zip(axes).map(one).collect()
}

fn check_one(case: &Case, axes: &[Option<usize>], size: usize, rng: &mut Rng) -> Result<(), String> {
    let args = case.batched(rng, axes, size).map_err(said)?;
    let f = |x: &[Array]| case.apply(x);
    let mapped = vmap(&f, &args, axes, None).map_err(said)?;
    let shapes = case.infer().map_err(said)?;
    for (number, (result, aval)) in mapped.iter().zip(&shapes).enumerate() {
        let stacked = out_axis(result, Some(0), size).map_err(said)?;
        if *stacked.aval() != aval.reshaped(aval.shape.with(0, size)) {
            return Err(format!("result {} of slices of {aval}", stacked.aval()));
        }
        let found = values(&[stacked]).map_err(said)?.swap_remove(0);
        let mut want = Vec::new();
        for k in 0..size {
            let outs = case.apply(&slice(&args, axes, k).map_err(said)?).map_err(said)?;
            want.extend(values(&[outs[number].clone()]).map_err(said)?.swap_remove(0));
        }
        let exact = aval.dtype.kind() < Kind::Float;
        // A batch may be computed by another kernel: within what the row allows, twice.
        let tolerance = if exact { 0. } else { 2. * case.op.test.ulps * epsilon(aval.dtype) };
        let scale = want.iter().fold(0., |acc: f64, x| acc.max(x.abs()));
        close(&found, &want, tolerance, scale)?;
    }
    Ok(())
}

/// The batching law for sizes 0, 1, 3, every choice of mapped operands and every axis.
///
/// # Errors
/// What differs.
pub fn check(case: &Case, sizes: &[usize]) -> Outcome {
    if matches!(case.op.batch, Batch::Missing(_)) {
        return Ok(0);
    }
    let mut rng = Rng::of(&case.name());
    let mut asked = 0;
    for &size in sizes {
        for mask in 1..1usize << case.avals.len() {
            let places = case.avals.iter().map(|aval| aval.shape.ndim() + 1).max().unwrap_or(1);
            for place in 0..places {
                let axis = |i: usize| (mask >> i & 1 == 1).then(|| place % (case.avals[i].shape.ndim() + 1));
                let axes: Vec<Option<usize>> = (0..case.avals.len()).map(axis).collect();
                check_one(case, &axes, size, &mut rng)
                    .map_err(|text| format!("size {size}, axes {axes:?}: {text}"))?;
                asked += 1;
            }
        }
    }
    Ok(asked)
}
