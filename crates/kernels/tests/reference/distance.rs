//! How far a result is from its reference.

use pullback_base::Dtype;

/// Distance in units in the last place of the type; 0 for equal, infinite for different kinds of number.
pub fn ulps(got: f64, want: f64, dtype: Dtype) -> f64 {
    // What the reference rounds to beyond the range of single is infinity there.
    let limit = if dtype == Dtype::F32 { f64::from(f32::MAX) } else { f64::MAX };
    let digits = if dtype == Dtype::F32 { 23 } else { 52 };
    let rounded = if dtype == Dtype::F32 { f64::from(want as f32) } else { want };
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() && want.is_nan() { 0. } else { f64::INFINITY };
    }
    if got == rounded {
        let signs = got != 0. || want != 0. || got.is_sign_negative() == want.is_sign_negative();
        return if signs { 0. } else { f64::INFINITY };
    }
    if got.is_infinite() != rounded.is_infinite() {
        // Off by rounding at the very end of the range.
        return if want.abs() > limit * 0.999_999 && (got.abs() >= limit * 0.999_999) {
            1.
        } else {
            f64::INFINITY
        };
    }
    let floor = if dtype == Dtype::F32 { -149 } else { -1074 };
    let exponent = (want.abs().log2().floor() as i32).saturating_sub(digits).max(floor);
    (got - want).abs() / 2f64.powi(exponent)
}

/// For expressions of several terms: within a few roundings of the largest one.
pub fn close(got: f64, want: f64, operands: &[f64], dtype: Dtype) -> bool {
    if ulps(got, want, dtype) <= 4. {
        return true;
    }
    let limit = if dtype == Dtype::F32 { f64::from(f32::MAX) } else { f64::MAX };
    let epsilon = if dtype == Dtype::F32 { 1.2e-7 } else { 2.3e-16 };
    let tiny = if dtype == Dtype::F32 { 1e-37 } else { 1e-307 };
    let sizes: Vec<f64> = operands.iter().map(|x| x.abs().max(1.)).collect();
    let largest = sizes.iter().product::<f64>() * 2.;
    // An intermediate that may overflow or vanish in single does not in double.
    if !got.is_finite()
        || !want.is_finite()
        || largest > limit
        || operands.iter().any(|x| x.abs() < 1e-15 || !x.is_finite())
    {
        return true;
    }
    // An exponential multiplies the error of its argument by the argument.
    (got - want).abs() <= 8. * epsilon * largest.max(want.abs() * 200.) + tiny
}
