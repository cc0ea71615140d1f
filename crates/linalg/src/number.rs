//! What elements must be able to do.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use faer::c32;
use faer::traits::math_utils::{is_finite, nan};
use faer::traits::{ComplexField, RealField};

/// `f32` and `f64`.
pub trait Real: RealField + Copy + Default + Send + Sync + Neg<Output = Self> {}

impl Real for f32 {}
impl Real for f64 {}

/// `f32`, `f64` and complex numbers of two `f32`.
pub trait Number:
    ComplexField<Real: Real>
    + Copy
    + Default
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
}

impl Number for f32 {}
impl Number for f64 {}
impl Number for c32 {}

/// Whether no element is infinite or NaN.
pub(crate) fn finite<T: ComplexField>(x: &[T]) -> bool {
    x.iter().all(is_finite)
}

/// Makes every element NaN.
pub(crate) fn lose<T: ComplexField>(x: &mut [T]) {
    x.iter_mut().for_each(|x| *x = nan());
}
