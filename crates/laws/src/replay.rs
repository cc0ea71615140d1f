//! A recorded function is the function, and one device is as good as the other.

use pullback::exported::{Entry, Export, Program, read, write};
use pullback::transform::{jvp_dense, trace};
use pullback::{Array, Device, Dtype, Kind};

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

/// A function that was written to a file and read is the function; and what is written of it in any other way is an
/// error, or another function, and no panic.
///
/// # Errors
/// What differs.
pub fn exported(case: &Case) -> Outcome {
    let mut rng = Rng::of(&case.name());
    let inputs = case.inputs(&mut rng).map_err(said)?;
    let traced = trace(&|x| case.apply(x), &case.avals).map_err(said)?;
    let program = Program::of(&traced, &mut || Ok(())).map_err(said)?.into();
    let entry = Entry { positional: case.avals.len(), keywords: vec![], program };
    let bytes = write(&Export { metadata: "m".into(), entries: vec![entry] }).map_err(said)?;
    let found = read(&bytes).map_err(said)?;
    let found = found.entries[0].program.call(&inputs).map_err(said)?;
    let (found, want) =
        (values(&found).map_err(said)?, values(&case.apply(&inputs).map_err(said)?).map_err(said)?);
    found.iter().zip(&want).try_for_each(|(found, want)| close(found, want, 0., 0.))?;
    for at in 0..bytes.len() {
        if read(&bytes[..at]).is_ok() {
            return Err(format!("{at} of {} bytes were read as a file", bytes.len()));
        }
        for byte in [0, 1, 2, 3, 9, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            let _ = read(&changed);
        }
    }
    Ok(bytes.len())
}

/// CPU = GPU within what the row allows for each, in the sample's types and in `complex64` where the row takes it.
///
/// # Errors
/// What differs.
pub fn devices(case: &Case) -> Outcome {
    let asked = agree(case)?;
    match case.retyped(Dtype::C64) {
        None => Ok(asked),
        Some(complex) => Ok(asked + agree(&complex).map_err(|text| format!("in complex64: {text}"))?),
    }
}

/// What a complex quotient may be off, in units of 2^-23: rows state what real ones may.
const QUOTIENT: f64 = 6.;

fn agree(case: &Case) -> Outcome {
    let inputs = case.inputs(&mut Rng::of(&case.name())).map_err(said)?;
    let on = |device: Device| {
        let _here = pullback::place::on(Some(device));
        let outs = case.apply(&inputs)?;
        Ok((values(&outs)?, outs))
    };
    let ((cpu, outs), (gpu, _)) = (on(Device::Cpu).map_err(said)?, on(Device::Gpu).map_err(said)?);
    for ((cpu, gpu), out) in cpu.iter().zip(&gpu).zip(&outs) {
        let exact = out.dtype().kind() < Kind::Float;
        let complex = case.avals.iter().any(|aval| aval.dtype == Dtype::C64);
        let ulps = if complex { case.op.test.ulps.max(QUOTIENT) } else { case.op.test.ulps };
        let tolerance = if exact { 0. } else { 2. * ulps * epsilon(out.dtype()) };
        close(gpu, cpu, tolerance, cpu.iter().fold(0., |acc: f64, x| acc.max(x.abs())))?;
    }
    Ok(1)
}
