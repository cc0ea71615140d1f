//! Reductions. A fold keeps 32 lanes whatever the instruction set, so that the order of additions, and the
//! result, is the same everywhere; tiles are joined in `f64`, so that long sums stay accurate.

use pullback_base::Dtype;

use super::for_isa;
use crate::element::Element;
use crate::isa::Isa;
use crate::map::Fold;

const LANES: usize = 32;

/// How elements of one type are joined.
pub(crate) trait Lanes {
    type In: Copy;
    /// What joining starts from.
    const START: Self::In;
    fn join(a: Self::In, b: Self::In) -> Self::In;
    /// Joins a tile's result to the running one, which is kept as 64 bits.
    fn add(cell: u64, tile: Self::In) -> u64;
    /// Writes the running result as an element.
    fn finish(cell: u64) -> Self::In;
    /// The cell of nothing.
    fn empty() -> u64;
}

/// One tile into a cell.
#[inline(always)]
pub(crate) fn fold_lanes<O: Lanes>(cell: &mut u64, src: &[O::In]) {
    let mut lanes = [O::START; LANES];
    let (chunks, rest) = src.as_chunks::<LANES>();
    for chunk in chunks {
        for j in 0..LANES {
            lanes[j] = O::join(lanes[j], chunk[j]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = O::join(*lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for j in 0..width {
            lanes[j] = O::join(lanes[j], lanes[j + width]);
        }
        width /= 2;
    }
    *cell = O::add(*cell, lanes[0]);
}

/// The functions of one reduction on one type.
#[derive(Clone, Copy)]
pub struct Reducer {
    /// A tile into a cell.
    ///
    /// # Safety
    /// As `Kernel`.
    pub fold: unsafe fn(cell: &mut u64, src: &[u8]),
    /// A row into a row of partial results.
    ///
    /// # Safety
    /// As `Kernel`; both are equally long.
    pub accumulate: unsafe fn(partial: &mut [u8], src: &[u8]),
    /// Joins two cells.
    pub join: fn(u64, u64) -> u64,
    /// Writes a cell as an element, low bytes first.
    pub finish: fn(u64) -> u64,
    /// The cell of nothing.
    pub empty: u64,
    /// The element that joining starts from, as bits.
    pub start: u64,
}

macro_rules! lanes {
    ($($t:ident $dtype:ident via $wide:ident { $($fold:ident from $start:expr => |$a:ident, $b:ident| $join:expr, $wide_join:expr;)* })*) => {
        fn real(fold: Fold, dtype: Dtype, isa: Isa) -> Option<Reducer> {
            Some(match (fold, dtype) {
                $($((Fold::$fold, Dtype::$dtype) => {
                    struct Row;
                    impl Lanes for Row {
                        type In = $t;
                        const START: $t = $start;
                        #[inline(always)]
                        fn join($a: $t, $b: $t) -> $t { $join }
                        #[inline(always)]
                        fn add(cell: u64, tile: $t) -> u64 { bits::$wide(wide_join(wide::$wide(cell), tile as $wide)) }
                        fn finish(cell: u64) -> $t { wide::$wide(cell) as $t }
                        fn empty() -> u64 { bits::$wide($start as $wide) }
                    }
                    #[inline(always)]
                    fn wide_join($a: $wide, $b: $wide) -> $wide { $wide_join }
                    fn join(a: u64, b: u64) -> u64 { bits::$wide(wide_join(wide::$wide(a), wide::$wide(b))) }
                    fn finish(cell: u64) -> u64 { Element::bits(Row::finish(cell)) }
                    Reducer {
                        fold: for_isa!(isa, fold, Row),
                        accumulate: for_isa!(isa, accumulate, Row),
                        join,
                        finish,
                        empty: Row::empty(),
                        start: Element::bits(Row::START),
                    }
                })*)*
                _ => return None,
            })
        }
    };
}

/// Cells as numbers, and back.
mod wide {
    pub(super) fn f64(cell: u64) -> f64 {
        f64::from_bits(cell)
    }
    pub(super) fn i64(cell: u64) -> i64 {
        cell as i64
    }
    pub(super) fn u64(cell: u64) -> u64 {
        cell
    }
}
mod bits {
    pub(super) fn f64(value: f64) -> u64 {
        value.to_bits()
    }
    pub(super) fn i64(value: i64) -> u64 {
        value as u64
    }
    pub(super) fn u64(value: u64) -> u64 {
        value
    }
}

lanes! {
    f32 F32 via f64 {
        Sum from 0. => |a, b| a + b, a + b;
        Prod from 1. => |a, b| a * b, a * b;
        Max from f32::NEG_INFINITY => |a, b| if (a > b) | a.is_nan() { a } else { b }, if (a > b) | a.is_nan() { a } else { b };
        Min from f32::INFINITY => |a, b| if (a < b) | a.is_nan() { a } else { b }, if (a < b) | a.is_nan() { a } else { b };
    }
    f64 F64 via f64 {
        Sum from 0. => |a, b| a + b, a + b;
        Prod from 1. => |a, b| a * b, a * b;
        Max from f64::NEG_INFINITY => |a, b| if (a > b) | a.is_nan() { a } else { b }, if (a > b) | a.is_nan() { a } else { b };
        Min from f64::INFINITY => |a, b| if (a < b) | a.is_nan() { a } else { b }, if (a < b) | a.is_nan() { a } else { b };
    }
    i32 I32 via i64 {
        Sum from 0 => |a, b| a.wrapping_add(b), a.wrapping_add(b);
        Prod from 1 => |a, b| a.wrapping_mul(b), a.wrapping_mul(b);
        Max from i32::MIN => |a, b| a.max(b), a.max(b);
        Min from i32::MAX => |a, b| a.min(b), a.min(b);
    }
    u32 U32 via i64 {
        Sum from 0 => |a, b| a.wrapping_add(b), a.wrapping_add(b);
        Prod from 1 => |a, b| a.wrapping_mul(b), a.wrapping_mul(b);
        Max from u32::MIN => |a, b| a.max(b), a.max(b);
        Min from u32::MAX => |a, b| a.min(b), a.min(b);
    }
    i64 I64 via i64 {
        Sum from 0 => |a, b| a.wrapping_add(b), a.wrapping_add(b);
        Prod from 1 => |a, b| a.wrapping_mul(b), a.wrapping_mul(b);
        Max from i64::MIN => |a, b| a.max(b), a.max(b);
        Min from i64::MAX => |a, b| a.min(b), a.min(b);
    }
    u64 U64 via u64 {
        Sum from 0 => |a, b| a.wrapping_add(b), a.wrapping_add(b);
        Prod from 1 => |a, b| a.wrapping_mul(b), a.wrapping_mul(b);
        Max from u64::MIN => |a, b| a.max(b), a.max(b);
        Min from u64::MAX => |a, b| a.min(b), a.min(b);
    }
    u8 Bool via u64 {
        Sum from 0 => |a, b| a | b, a | b;
        Prod from 1 => |a, b| a & b, a & b;
        Max from 0 => |a, b| a | b, a | b;
        Min from 1 => |a, b| a & b, a & b;
    }
}

/// Sums and products of complex numbers: cells hold both parts.
macro_rules! complex {
    ($($row:ident from $start:expr => |$a:ident, $b:ident| $join:expr;)*) => {$(
        struct $row;
        impl Lanes for $row {
            type In = [f32; 2];
            const START: [f32; 2] = $start;
            #[inline(always)]
            fn join($a: [f32; 2], $b: [f32; 2]) -> [f32; 2] { $join }
            #[inline(always)]
            fn add(cell: u64, tile: [f32; 2]) -> u64 { Self::join(parts(cell), tile).bits() }
            fn finish(cell: u64) -> [f32; 2] { parts(cell) }
            fn empty() -> u64 { Self::START.bits() }
        }
    )*};
}
complex! {
    ComplexSum from [0., 0.] => |a, b| [a[0] + b[0], a[1] + b[1]];
    ComplexProd from [1., 0.] => |a, b| super::complex::times(a, b);
}

fn parts(cell: u64) -> [f32; 2] {
    [f32::from_bits(cell as u32), f32::from_bits((cell >> 32) as u32)]
}

fn complex<O: Lanes<In = [f32; 2]>>() -> Reducer {
    Reducer {
        fold: super::base::fold::<O>,
        accumulate: super::base::accumulate::<O>,
        join: |a, b| O::join(parts(a), parts(b)).bits(),
        finish: |cell| cell,
        empty: O::empty(),
        start: O::START.bits(),
    }
}

/// The reduction `fold` on `dtype`. On truth values sums and maxima are "any", products and minima "all".
pub fn reducer(fold: Fold, dtype: Dtype, isa: Isa) -> Option<Reducer> {
    match (fold, dtype) {
        (Fold::Sum, Dtype::C64) => Some(complex::<ComplexSum>()),
        (Fold::Prod, Dtype::C64) => Some(complex::<ComplexProd>()),
        _ => real(fold, dtype, isa),
    }
}
