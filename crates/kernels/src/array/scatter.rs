//! Rows written by position, in order.

use half::{bf16, f16};

use super::index::exact;
use crate::element::{Element, Truth};
use crate::tile::cast::Convert;
use crate::tile::complex;
use crate::whole::Scatter;

/// Numbers that can be combined where a scatter writes.
pub trait Combine: Element {
    /// What stands there after `update` was written onto `old`.
    fn combine(how: Scatter, old: Self, update: Self) -> Self;
}

macro_rules! whole_numbers {
    ($($t:ty)*) => {$(
        impl Combine for $t {
            #[inline(always)]
            fn combine(how: Scatter, old: $t, update: $t) -> $t {
                match how {
                    Scatter::Set => update,
                    Scatter::Add => old.wrapping_add(update),
                    Scatter::Prod => old.wrapping_mul(update),
                    Scatter::Max => old.max(update),
                    Scatter::Min => old.min(update),
                }
            }
        }
    )*};
}
whole_numbers! { u8 u16 u32 u64 i8 i16 i32 i64 }

macro_rules! floats {
    ($($t:ty as $wide:ident)*) => {$(
        impl Combine for $t {
            #[inline(always)]
            fn combine(how: Scatter, old: $t, update: $t) -> $t {
                let (a, b): ($wide, $wide) = (old.convert(), update.convert());
                match how {
                    Scatter::Set => update,
                    Scatter::Add => (a + b).convert(),
                    Scatter::Prod => (a * b).convert(),
                    Scatter::Max => if (a > b) | a.is_nan() { old } else { update },
                    Scatter::Min => if (a < b) | a.is_nan() { old } else { update },
                }
            }
        }
    )*};
}
floats! { f16 as f32 bf16 as f32 f32 as f32 f64 as f64 }

impl Combine for Truth {
    #[inline(always)]
    fn combine(how: Scatter, old: Truth, update: Truth) -> Truth {
        match how {
            Scatter::Set => update,
            Scatter::Add | Scatter::Max => Truth(old.0 | update.0),
            Scatter::Prod | Scatter::Min => Truth(old.0 & update.0),
        }
    }
}

impl Combine for [f32; 2] {
    fn combine(how: Scatter, old: [f32; 2], update: [f32; 2]) -> [f32; 2] {
        match how {
            Scatter::Set => update,
            Scatter::Add => [old[0] + update[0], old[1] + update[1]],
            Scatter::Prod => complex::times(old, update),
            Scatter::Max => complex::largest(old, update),
            Scatter::Min => complex::smallest(old, update),
        }
    }
}

/// Writes rows of `i` updates to the rows of `x [n, i]` that `index` names, as far as they are among `rows`; what `index`
/// names beyond is left out. `x` starts with the first of these rows.
pub fn scatter<T: Combine>(
    how: Scatter,
    x: &mut [T],
    (n, i): (usize, usize),
    index: &[i32],
    updates: &[T],
    rows: std::ops::Range<usize>,
) {
    if i == 0 {
        return;
    }
    for (&position, update) in index.iter().zip(updates.chunks_exact(i)) {
        let Some(row) = exact(position, n).filter(|row| rows.contains(row)) else { continue };
        let row = row - rows.start;
        let old = &mut x[row * i..(row + 1) * i];
        if how == Scatter::Set {
            old.copy_from_slice(update);
        } else {
            old.iter_mut().zip(update).for_each(|(old, &update)| *old = T::combine(how, *old, update));
        }
    }
}
