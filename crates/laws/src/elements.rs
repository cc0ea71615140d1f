//! Elements: drawn, read, and compared. A complex number is two: its real part, then its imaginary one.

use pullback::{Array, Aval, Dtype, Error, Kind, Result, from_bytes, from_f64, host, to_f64};

/// A small generator, so that a failure repeats.
pub struct Rng(u64);

impl Rng {
    /// A generator of its own for every subject.
    pub fn of(subject: &str) -> Rng {
        Rng(subject.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// A number from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from an interval, as the type can hold it.
    pub fn number(&mut self, (low, high): (f64, f64), dtype: Dtype) -> f64 {
        let x = low + (high - low) * self.unit();
        match dtype.kind() {
            Kind::Bool => f64::from(self.unit() < 0.5),
            Kind::Unsigned => x.round().max(0.),
            Kind::Signed => x.round(),
            _ => x,
        }
    }
}

/// An array of elements from an interval.
///
/// # Errors
/// `Memory`.
pub fn drawn(rng: &mut Rng, aval: &Aval, domain: (f64, f64)) -> Result<Array> {
    let count = aval.size() * parts(aval.dtype);
    let elements: Vec<f64> = (0..count).map(|_| rng.number(domain, aval.dtype)).collect();
    made(&elements, aval.clone())
}

/// How many numbers an element is.
pub fn parts(dtype: Dtype) -> usize {
    if dtype == Dtype::C64 { 2 } else { 1 }
}

/// An array of these elements.
///
/// # Errors
/// `Memory`.
pub fn made(elements: &[f64], aval: Aval) -> Result<Array> {
    if aval.dtype != Dtype::C64 {
        return from_f64(elements, aval);
    }
    let bytes: Vec<u8> = elements.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
    from_bytes(&bytes, aval)
}

fn read(array: &Array) -> Result<Vec<f64>> {
    if array.dtype() != Dtype::C64 {
        return to_f64(array);
    }
    let block = host(array, &mut || Ok(()))?;
    let bytes = block.host().ok_or_else(|| Error::internal("[laws] expected a block of the host"))?;
    let (floats, _) = bytes.as_chunks::<4>();
    Ok(floats.iter().take(2 * array.size()).map(|&x| f64::from(f32::from_le_bytes(x))).collect())
}

/// A direction: numbers from -1 to 1 in the type of `x`.
///
/// # Errors
/// `Memory`.
pub fn direction(rng: &mut Rng, x: &Array) -> Result<Array> {
    drawn(rng, x.aval(), (-1., 1.))
}

/// Elements of all arrays.
///
/// # Errors
/// As evaluation.
pub fn values(arrays: &[Array]) -> Result<Vec<Vec<f64>>> {
    pullback::eval(arrays, &mut || Ok(()))?;
    arrays.iter().map(read).collect()
}

/// Distance from 1 to the next number of the type; 0 for what has no fractions.
pub fn epsilon(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F16 => 2f64.powi(-10),
        Dtype::Bf16 => 2f64.powi(-7),
        Dtype::F32 | Dtype::C64 => 2f64.powi(-23),
        Dtype::F64 => 2f64.powi(-52),
        _ => 0.,
    }
}

/// Whether numbers differ by no more than `tolerance` times the larger of themselves and `scale`; equal infinities
/// and two NaN are no difference.
///
/// # Errors
/// The first that differ.
pub fn close(found: &[f64], expected: &[f64], tolerance: f64, scale: f64) -> std::result::Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} elements, expected {}", found.len(), expected.len()));
    }
    for (at, (&x, &y)) in found.iter().zip(expected).enumerate() {
        let same = x == y || (x.is_nan() && y.is_nan());
        // Not `>`: a NaN on one side is a difference.
        let near = (x - y).abs() <= tolerance * x.abs().max(y.abs()).max(scale);
        if !same && !near {
            return Err(format!(
                "element {at} is {x:e}, expected {y:e} within {tolerance:e} (scale {scale})"
            ));
        }
    }
    Ok(())
}
