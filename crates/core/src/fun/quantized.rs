//! Products with quantised matrices.
//!
//! They are products with the numbers that the codes stand for: derivatives in `x`, and in scales and biases that are
//! floats, are those of the composition. Codes are integers, and have none.

use pullback_base::{Dtype, Error, Kind, Result, Shape};

use super::index::iota;
use super::quantize::{Mode, Quantized, Scheme, dequantize, met, quantize};
use super::{add, broadcast_to, cast, matmul, reshape, stop_gradient, subtract, swap_last, take};
use crate::array::{Array, mismatch};

/// Whether a matrix is multiplied as it is, or its rows with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `x @ w`
    Plain,
    /// `x @ w.T`
    Transposed,
}

fn product(x: &Array, w: &Array, orientation: Orientation) -> Result<Array> {
    match orientation {
        Orientation::Plain => matmul(x, w),
        Orientation::Transposed => matmul(x, &swap_last(w)?),
    }
}

/// The product of `x` with a quantised matrix.
///
/// # Errors
/// `Type` for `x` that is no float, `Value` for shapes that do not fit; and those of `dequantize`.
pub fn quantized_matmul(x: &Array, w: &Quantized, orientation: Orientation, scheme: Scheme) -> Result<Array> {
    let op = "quantized_matmul";
    let dtype = met(op, x, w)?;
    fits(op, x, w, orientation, scheme)?;
    product(&cast(x, dtype)?, &dequantize(w, scheme, None, Some(dtype))?, orientation)
}

/// Refuses a product of sizes that do not meet, in the words of the quantised matrix.
fn fits(op: &str, x: &Array, w: &Quantized, orientation: Orientation, scheme: Scheme) -> Result<()> {
    let columns = scheme.check(&w.codes, &w.scales, w.biases.as_ref())?;
    let rows = w.codes.shape()[w.codes.ndim() - 2];
    let want = if orientation == Orientation::Transposed { columns } else { rows };
    if x.ndim() == 0 || x.shape()[x.ndim() - 1] != want {
        let expected = format!("x with a last axis of {want}, for a quantised matrix {rows} x {columns}");
        return Err(mismatch(op, &expected, &[x.aval()]));
    }
    Ok(())
}

/// Matrices picked by position among all matrices of `x`.
fn picked(op: &str, x: &Array, at: &Array) -> Result<Array> {
    if x.ndim() < 2 {
        return Err(mismatch(op, "matrices, of two axes or more", &[x.aval()]));
    }
    if !at.dtype().is_integer() {
        return Err(Error::type_(format!("[{op}] expected integer indices, got {}", at.aval())));
    }
    let lead = x.ndim() - 2;
    let count = x.shape()[..lead].iter().product::<usize>();
    let flat = reshape(x, Shape::from([&[count], &x.shape()[lead..]].concat()))?;
    take(&flat, at, Some(0))
}

/// Positions of matrices, for both factors: where none are given, all of them in order.
fn positions(op: &str, x: &Array, w: &Array, at: [Option<&Array>; 2]) -> Result<(Array, Array)> {
    let all = |x: &Array| {
        let lead = Shape::from(&x.shape()[..x.ndim().saturating_sub(2)]);
        reshape(&iota(lead.size(), Dtype::I32)?, lead)
    };
    let left = at[0].map_or_else(|| all(x), |at| Ok(at.clone()))?;
    let right = at[1].map_or_else(|| all(w), |at| Ok(at.clone()))?;
    let to = pullback_base::shape::broadcast(op, &[left.shape(), right.shape()])?;
    Ok((broadcast_to(&left, &to)?, broadcast_to(&right, &to)?))
}

/// Products of matrices of `x` with quantised ones, both picked by position among all that there are.
///
/// # Errors
/// As `quantized_matmul`; `Type` for positions that are no integers, `Value` for such that do not broadcast.
pub fn gather_qmm(
    x: &Array,
    w: &Quantized,
    at: [Option<&Array>; 2],
    orientation: Orientation,
    scheme: Scheme,
    global: Option<&Array>,
) -> Result<Array> {
    let op = "gather_qmm";
    let dtype = met(op, x, w)?;
    fits(op, x, w, orientation, scheme)?;
    let (left, right) = positions(op, x, &w.codes, at)?;
    let x = picked(op, &cast(x, dtype)?, &left)?;
    product(&x, &dequantize(&chosen(op, w, &right)?, scheme, global, Some(dtype))?, orientation)
}

fn chosen(op: &str, w: &Quantized, at: &Array) -> Result<Quantized> {
    Ok(Quantized {
        codes: picked(op, &w.codes, at)?,
        scales: picked(op, &w.scales, at)?,
        biases: w.biases.as_ref().map(|biases| picked(op, biases, at)).transpose()?,
    })
}

/// A factor of a product in which both are quantised.
pub struct Factor<'a> {
    /// Floats, or packed codes.
    pub matrix: &'a Array,
    /// Of packed codes.
    pub scales: Option<&'a Array>,
    /// The scale of all of the matrix.
    pub global: Option<&'a Array>,
}

/// Refuses what is no factor.
fn check(op: &str, x: &Factor<'_>, w: &Factor<'_>, scheme: Scheme) -> Result<()> {
    if !matches!(scheme.mode, Mode::Mxfp8 | Mode::Nvfp4) {
        let name = scheme.mode.name();
        return Err(Error::value(format!("[{op}] expected mode 'nvfp4' or 'mxfp8', got '{name}'")));
    }
    for (name, factor) in [("x", x), ("w", w)] {
        let matrix = factor.matrix;
        if factor.scales.is_none() && (matrix.dtype().kind() != Kind::Float || matrix.dtype() == Dtype::F64) {
            let text =
                format!("[{op}] expected {name} of float32, float16 or bfloat16, got {}", matrix.aval());
            let fix = if matrix.dtype() == Dtype::U32 { ": packed codes need scales" } else { "" };
            return Err(Error::type_(text + fix));
        }
    }
    Ok(())
}

/// The numbers that a quantised factor stands for, in `float32`. Floats are quantised here: the derivative is that of the
/// identity, since that of rounding is 0 wherever it exists.
fn numbers(x: &Factor<'_>, scheme: Scheme) -> Result<Array> {
    let read = |q: &Quantized| dequantize(q, scheme, x.global, Some(Dtype::F32));
    if let Some(scales) = x.scales {
        return read(&Quantized { codes: x.matrix.clone(), scales: scales.clone(), biases: None });
    }
    let wide = cast(x.matrix, Dtype::F32)?;
    let rounded = stop_gradient(&read(&quantize(&wide, scheme, x.global)?)?)?;
    // The difference is 0, and has a derivative.
    add(&rounded, &subtract(&wide, &stop_gradient(&wide)?)?)
}

/// `x @ w.T` of quantised numbers: `x` is quantised here, and so is `w` where it has no scales.
///
/// # Errors
/// `Value` for modes other than `nvfp4` and `mxfp8` and shapes that do not fit, `Type` for types other than those of
/// `float32`, `float16` and `bfloat16`.
pub fn qqmm(x: &Factor<'_>, w: &Factor<'_>, scheme: Scheme) -> Result<Array> {
    let op = "qqmm";
    check(op, x, w, scheme)?;
    let (a, b) = (numbers(x, scheme)?, numbers(w, scheme)?);
    meet(op, &a, &b)?;
    cast(&product(&a, &b, Orientation::Transposed)?, x.matrix.dtype())
}

fn meet(op: &str, x: &Array, w: &Array) -> Result<()> {
    if x.shape()[x.ndim() - 1] != w.shape()[w.ndim() - 1] {
        return Err(mismatch(op, "x and w with last axes of one size", &[x.aval(), w.aval()]));
    }
    Ok(())
}

/// As `qqmm`, of matrices picked by position among all that there are.
///
/// # Errors
/// As `qqmm`; `Type` for positions that are no integers, `Value` for such that do not broadcast.
pub fn gather_qqmm(x: &Factor<'_>, w: &Factor<'_>, at: [Option<&Array>; 2], scheme: Scheme) -> Result<Array> {
    let op = "gather_qqmm";
    check(op, x, w, scheme)?;
    let (left, right) = positions(op, x.matrix, w.matrix, at)?;
    let (a, b) = (numbers(x, scheme)?, numbers(w, scheme)?);
    meet(op, &a, &b)?;
    let product = product(&picked(op, &a, &left)?, &picked(op, &b, &right)?, Orientation::Transposed)?;
    cast(&product, x.matrix.dtype())
}
