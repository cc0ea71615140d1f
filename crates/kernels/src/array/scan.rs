//! Running results along an axis, and positions of extremes.

use half::{bf16, f16};
use pullback_base::Dtype;

use crate::element::{Element, Truth};
use crate::tile::cast::Convert;
use crate::tile::complex;
use crate::whole::Cumulate;

/// What can be accumulated, and in what.
pub trait Carried: Element {
    /// What is carried along: `f32` for half floats.
    type Wide: Copy;
    /// As it is carried.
    fn widen(self) -> Self::Wide;
    /// As it is stored.
    fn narrow(wide: Self::Wide) -> Self;
    /// One step.
    fn step(how: Cumulate, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// What is carried before the first element.
    fn start(how: Cumulate) -> Self::Wide;
}

/// Numbers with an order.
pub trait Real: Carried {
    /// Whether a comes before b in ascending order, NaN last.
    fn before(a: Self, b: Self) -> bool;
    /// Whether it is NaN.
    fn is_nan(self) -> bool;
}

macro_rules! whole_numbers {
    ($($t:ty)*) => {$(
        impl Carried for $t {
            type Wide = $t;
            #[inline(always)]
            fn widen(self) -> $t { self }
            #[inline(always)]
            fn narrow(wide: $t) -> $t { wide }
            #[inline(always)]
            fn step(how: Cumulate, a: $t, b: $t) -> $t {
                match how {
                    Cumulate::Sum => a.wrapping_add(b),
                    Cumulate::Prod => a.wrapping_mul(b),
                    Cumulate::Max => a.max(b),
                    Cumulate::Min => a.min(b),
                }
            }
            fn start(how: Cumulate) -> $t {
                match how {
                    Cumulate::Sum => 0,
                    Cumulate::Prod => 1,
                    Cumulate::Max => <$t>::MIN,
                    Cumulate::Min => <$t>::MAX,
                }
            }
        }
        impl Real for $t {
            #[inline(always)]
            fn before(a: $t, b: $t) -> bool { a < b }
            #[inline(always)]
            fn is_nan(self) -> bool { false }
        }
    )*};
}
whole_numbers! { u8 u16 u32 u64 i8 i16 i32 i64 }

macro_rules! floats {
    ($($t:ty as $wide:ident)*) => {$(
        impl Carried for $t {
            type Wide = $wide;
            #[inline(always)]
            fn widen(self) -> $wide { self.convert() }
            #[inline(always)]
            fn narrow(wide: $wide) -> $t { wide.convert() }
            #[inline(always)]
            fn step(how: Cumulate, a: $wide, b: $wide) -> $wide {
                match how {
                    Cumulate::Sum => a + b,
                    Cumulate::Prod => a * b,
                    Cumulate::Max => if (a > b) | a.is_nan() { a } else { b },
                    Cumulate::Min => if (a < b) | a.is_nan() { a } else { b },
                }
            }
            fn start(how: Cumulate) -> $wide {
                match how {
                    Cumulate::Sum => 0.,
                    Cumulate::Prod => 1.,
                    Cumulate::Max => $wide::NEG_INFINITY,
                    Cumulate::Min => $wide::INFINITY,
                }
            }
        }
        impl Real for $t {
            #[inline(always)]
            fn before(a: $t, b: $t) -> bool {
                let (a, b) = (a.widen(), b.widen());
                (a < b) | (b.is_nan() & !a.is_nan())
            }
            #[inline(always)]
            fn is_nan(self) -> bool { self.widen().is_nan() }
        }
    )*};
}
floats! { f16 as f32 bf16 as f32 f32 as f32 f64 as f64 }

impl Carried for Truth {
    type Wide = bool;
    #[inline(always)]
    fn widen(self) -> bool {
        self.0 != 0
    }
    #[inline(always)]
    fn narrow(wide: bool) -> Truth {
        Truth(wide.into())
    }
    /// Sums and maxima are "any", products and minima "all".
    #[inline(always)]
    fn step(how: Cumulate, a: bool, b: bool) -> bool {
        match how {
            Cumulate::Sum | Cumulate::Max => a | b,
            Cumulate::Prod | Cumulate::Min => a & b,
        }
    }
    fn start(how: Cumulate) -> bool {
        matches!(how, Cumulate::Prod | Cumulate::Min)
    }
}

impl Real for Truth {
    #[inline(always)]
    fn before(a: Truth, b: Truth) -> bool {
        !a.widen() & b.widen()
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }
}

/// Extremes of complex numbers are those of real parts, and where these are equal of the others.
impl Carried for [f32; 2] {
    type Wide = [f32; 2];
    #[inline(always)]
    fn widen(self) -> [f32; 2] {
        self
    }
    #[inline(always)]
    fn narrow(wide: [f32; 2]) -> [f32; 2] {
        wide
    }
    #[inline(always)]
    fn step(how: Cumulate, a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
        match how {
            Cumulate::Sum => [a[0] + b[0], a[1] + b[1]],
            Cumulate::Prod => complex::times(a, b),
            Cumulate::Max => complex::largest(a, b),
            Cumulate::Min => complex::smallest(a, b),
        }
    }
    fn start(how: Cumulate) -> [f32; 2] {
        match how {
            Cumulate::Sum => [0., 0.],
            Cumulate::Prod => [1., 0.],
            Cumulate::Max => [f32::NEG_INFINITY; 2],
            Cumulate::Min => [f32::INFINITY; 2],
        }
    }
}

/// Whether an element type is one of real numbers.
pub const fn is_real(dtype: Dtype) -> bool {
    !matches!(dtype, Dtype::C64)
}

/// Running results along the middle axis of `[n, i]` numbers.
pub fn cumulate<T: Carried>(out: &mut [T], x: &[T], i: usize, how: Cumulate, reverse: bool, inclusive: bool) {
    if i == 0 || x.is_empty() {
        return;
    }
    let n = x.len() / i;
    let mut carried = vec![T::start(how); i];
    for at in 0..n {
        let row = if reverse { n - 1 - at } else { at };
        let (out, x) = (&mut out[row * i..(row + 1) * i], &x[row * i..(row + 1) * i]);
        for ((out, &x), carried) in out.iter_mut().zip(x).zip(&mut carried) {
            let next = T::step(how, *carried, x.widen());
            *out = T::narrow(if inclusive { next } else { *carried });
            *carried = next;
        }
    }
}

/// Positions of the first largest (or smallest) along the middle axis of `[n, i]` numbers; NaN is both. Without numbers
/// the position is 0.
pub fn arg_reduce<T: Real>(out: &mut [u32], x: &[T], i: usize, max: bool) {
    out.fill(0);
    if i == 0 || x.is_empty() {
        return;
    }
    if i == 1 {
        out[0] = arg_line(x, max);
        return;
    }
    let mut best: Vec<T> = x[..i].to_vec();
    for (at, row) in x.chunks_exact(i).enumerate().skip(1) {
        for ((out, best), &x) in out.iter_mut().zip(&mut best).zip(row) {
            if beats(x, *best, max) {
                (*best, *out) = (x, at as u32);
            }
        }
    }
}

/// Whether x takes the place of the best so far.
#[inline(always)]
fn beats<T: Real>(x: T, best: T, max: bool) -> bool {
    if best.is_nan() {
        return false;
    }
    x.is_nan() || if max { T::before(best, x) } else { T::before(x, best) }
}

fn arg_line<T: Real>(x: &[T], max: bool) -> u32 {
    let (mut best, mut at) = (x[0], 0);
    for (k, &x) in x.iter().enumerate().skip(1) {
        if beats(x, best, max) {
            (best, at) = (x, k);
        }
    }
    at as u32
}
