//! A recorded function is the function, and one device is as good as the other.

use pullback::transform::{jvp_dense, trace};
use pullback::{Array, Device, Kind};

use crate::case::Case;
use crate::elements::{Rng, close, direction, epsilon, values};
use crate::report::{Outcome, said};

/// compile(f) = f: recorded, replayed, and recorded around its derivative.
///
/// # Errors
/// What differs.
pub fn check(case: &Case) -> Outcome {
    if case.avals.is_empty() {
        return Ok(0);
    }
    let mut rng = Rng::of(&case.name());
    let inputs = case.inputs(&mut rng).map_err(said)?;
    let f = |x: &[Array]| case.apply(x);
    let recorded = trace(&f, &case.avals).map_err(said)?;
    for inputs in [inputs.clone(), case.inputs(&mut rng).map_err(said)?] {
        let found = values(&recorded.call(&inputs).map_err(said)?).map_err(said)?;
        let want = values(&f(&inputs).map_err(said)?).map_err(said)?;
        found.iter().zip(&want).try_for_each(|(found, want)| close(found, want, 0., 0.))?;
    }
    if !case.is_differentiable() {
        return Ok(2);
    }
    let ts: pullback::Result<Vec<Array>> = inputs.iter().map(|x| direction(&mut rng, x)).collect();
    let ts = ts.map_err(said)?;
    let tangent = |x: &[Array]| Ok(jvp_dense(&f, x, &ts)?.1);
    let found = trace(&tangent, &case.avals).and_then(|recorded| recorded.call(&inputs)).map_err(said)?;
    let want = tangent(&inputs).map_err(said)?;
    let pairs = values(&found).map_err(said)?.into_iter().zip(values(&want).map_err(said)?);
    pairs.into_iter().try_for_each(|(found, want)| close(&found, &want, 0., 0.))?;
    Ok(3)
}

/// CPU = GPU within what the row allows for each.
///
/// # Errors
/// What differs.
pub fn devices(case: &Case) -> Outcome {
    let inputs = case.inputs(&mut Rng::of(&case.name())).map_err(said)?;
    let on = |device: Device| {
        let _here = pullback::place::on(Some(device));
        let outs = case.apply(&inputs)?;
        Ok((values(&outs)?, outs))
    };
    let ((cpu, outs), (gpu, _)) = (on(Device::Cpu).map_err(said)?, on(Device::Gpu).map_err(said)?);
    for ((cpu, gpu), out) in cpu.iter().zip(&gpu).zip(&outs) {
        let exact = out.dtype().kind() < Kind::Float;
        let tolerance = if exact { 0. } else { 2. * case.op.test.ulps * epsilon(out.dtype()) };
        close(gpu, cpu, tolerance, cpu.iter().fold(0., |acc: f64, x| acc.max(x.abs())))?;
    }
    Ok(1)
}
