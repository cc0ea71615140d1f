//! The value of a row is that of its reference, in every float type.

use pullback::op::Reference;
use pullback::{Array, Aval, Dtype, Kind};

use crate::case::Case;
use crate::elements::{Rng, close, epsilon, values};
use crate::report::{Outcome, said};

/// The expected elements and how large what they are made of was.
fn expected(case: &Case, inputs: &[Vec<f64>], out: &Aval) -> Option<(Vec<f64>, f64)> {
    match &case.op.test.reference {
        Reference::Each(f) => {
            let cell = |i: usize| f(&inputs.iter().map(|x| x[i]).collect::<Vec<_>>());
            Some(((0..out.size()).map(cell).collect(), 0.))
        }
        Reference::Whole(f) => {
            let pairs: Vec<(&Aval, &[f64])> =
                case.avals.iter().zip(inputs).map(|(a, x)| (a, &x[..])).collect();
            // What is added up may cancel: the error is that of the terms.
            let scale = inputs.iter().flatten().fold(0., |acc: f64, x| acc.max(x.abs()));
            Some((f(&case.params, &pairs, out), scale))
        }
        Reference::Elsewhere(_) => None,
    }
}

/// How far a result may be from the reference, relatively.
///
/// In `float32` the row says how far. Half floats are computed on in `float32`, so that one rounding is added to what
/// the row says there; only whole-array kernels may round on the way, and get as many units as the row. In
/// `float64` the reference has errors of its own.
pub fn tolerance(case: &Case, dtype: Dtype) -> f64 {
    let ulps = case.op.test.ulps;
    match (dtype.kind(), dtype) {
        (Kind::Float, Dtype::F16 | Dtype::Bf16) => (0.51 + ulps) * epsilon(dtype),
        (Kind::Float, Dtype::F64) if ulps > 0. => (16. + 4. * ulps) * epsilon(dtype),
        _ => ulps * epsilon(dtype),
    }
}

/// What is left of a number in the words of a type: integers wrap, and of booleans there are two.
fn wrapped(x: f64, dtype: Dtype) -> f64 {
    let bits = 8 * dtype.size() as u32;
    match dtype.kind() {
        Kind::Bool => f64::from(x != 0.),
        Kind::Unsigned => (x as i128).rem_euclid(1 << bits) as f64,
        Kind::Signed => ((x as i128 + (1 << (bits - 1))).rem_euclid(1 << bits) - (1 << (bits - 1))) as f64,
        _ => x,
    }
}

/// The value law, in the sample's types and with `float32` replaced by each of `dtypes`.
///
/// # Errors
/// What differs.
pub fn check(case: &Case, dtypes: &[Dtype]) -> Outcome {
    let mut asked = 0;
    let others = dtypes.iter().filter_map(|&dtype| case.retyped(dtype));
    for case in [case.clone()].into_iter().chain(others) {
        let mut rng = Rng::of(&case.name());
        let inputs: Vec<Array> = case.inputs(&mut rng).map_err(said)?;
        let outs = case.apply(&inputs).map_err(said)?;
        let (found, operands) = (values(&outs).map_err(said)?, values(&inputs).map_err(said)?);
        let Some((want, scale)) = expected(&case, &operands, outs[0].aval()) else { continue };
        let dtype = outs[0].dtype();
        let want: Vec<f64> = want.into_iter().map(|x| wrapped(x, dtype)).collect();
        close(&found[0], &want, tolerance(&case, dtype), scale)
            .map_err(|text| format!("in {dtype}: {text}"))?;
        asked += 1;
    }
    Ok(asked)
}
