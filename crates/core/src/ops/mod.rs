//! The rows. A file holds one family; the reading order is the order of the list.

pub mod angle;
pub mod arith;
pub mod bits;
pub mod complex;
pub mod contract;
pub mod conv;
pub mod convert;
pub mod exponential;
pub mod fft;
pub mod index;
mod linalg;
pub mod logic;
pub mod make;
pub mod order;
pub mod packed;
pub mod reduce;
pub mod scan;
pub mod scatter;
pub mod shape;
pub mod solve;
pub mod special;
pub mod spectrum;

use pullback_base::{Aval, Dtype, Error, Result};

use crate::array::Array;
use crate::op::{Batch, OpDef, Sample};
use crate::params::Params;

/// Every operation there is.
pub fn all() -> impl Iterator<Item = &'static OpDef> {
    [
        arith::ROWS,
        exponential::ROWS,
        angle::ROWS,
        special::ROWS,
        logic::ROWS,
        bits::ROWS,
        convert::ROWS,
        reduce::ROWS,
        scan::ROWS,
        shape::ROWS,
        index::ROWS,
        scatter::ROWS,
        order::ROWS,
        complex::ROWS,
        contract::ROWS,
        conv::ROWS,
        packed::ROWS,
        fft::ROWS,
        solve::ROWS,
        spectrum::ROWS,
        make::ROWS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The operation of this name.
pub fn named(name: &str) -> Option<&'static OpDef> {
    all().find(|op| op.name == name)
}

/// Batching that leaves the params alone.
pub(crate) const SAME: Batch = Batch::Lead(|params, _, _| params.clone());
/// Batching that moves every axis param over by one.
pub(crate) const SHIFT: Batch = Batch::Lead(|params, _, _| match params {
    Params::Axis(axis) => Params::Axis(axis + 1),
    Params::Axes(axes) => Params::Axes(axes.iter().map(|axis| axis + 1).collect()),
    Params::Scan { axis, reverse, inclusive } => {
        Params::Scan { axis: axis + 1, reverse: *reverse, inclusive: *inclusive }
    }
    Params::Fourier(axis, fourier) => Params::Fourier(axis + 1, *fourier),
    other => other.clone(),
});

const F32: &[Dtype] = &[Dtype::F32];
const I32: &[Dtype] = &[Dtype::I32];
const C64: &[Dtype] = &[Dtype::C64];
const F32_2: &[Dtype] = &[Dtype::F32, Dtype::F32];

/// One operand, drawn from an interval.
const fn unary(lo: f64, hi: f64) -> Sample {
    Sample { shapes: &[&[2, 3]], dtypes: F32, params: || Params::None, domain: (lo, hi) }
}
/// One operand of a type of its own.
const fn unary_of(dtypes: &'static [Dtype], lo: f64, hi: f64) -> Sample {
    Sample { shapes: &[&[2, 3]], dtypes, params: || Params::None, domain: (lo, hi) }
}
/// Two operands, drawn from an interval.
const fn binary(lo: f64, hi: f64) -> Sample {
    Sample { shapes: &[&[2, 3], &[2, 3]], dtypes: F32_2, params: || Params::None, domain: (lo, hi) }
}
/// Two operands of a type of their own.
const fn binary_of(dtypes: &'static [Dtype], lo: f64, hi: f64) -> Sample {
    Sample { shapes: &[&[2, 3], &[2, 3]], dtypes, params: || Params::None, domain: (lo, hi) }
}

/// The axes of `aval` but those in `axes`.
pub(crate) fn kept(aval: &Aval, axes: &[usize]) -> Vec<usize> {
    (0..aval.shape.ndim()).filter(|axis| !axes.contains(axis)).collect()
}

/// Refuses axes that the operand does not have.
pub(crate) fn has_axes(op: &str, params: &Params, x: &Aval) -> Result<()> {
    let (one, list);
    let axes = match params {
        Params::Axes(axes) => {
            list = axes;
            &list[..]
        }
        other => {
            one = [other.axis()];
            &one[..]
        }
    };
    match axes.iter().find(|&&axis| axis >= x.shape.ndim()) {
        Some(axis) => Err(Error::value(format!("[{op}] expected an array with axis {axis}, got {x}"))),
        None => Ok(()),
    }
}

/// What a derivative is made of: functions of operands that have met before, so that they fit.
///
/// # Panics
/// If they do not: the row is wrong.
pub(crate) fn sure(array: Result<Array>) -> Array {
    array.unwrap_or_else(|error| panic!("{error}"))
}
