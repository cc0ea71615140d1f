//! Products with quantised matrices.
//!
//! They are rows, `ops/packed.rs`, whose kernels unpack codes where they are multiplied. Derivatives in `x`, and in scales
//! and biases that are floats, are those of the product with `dequantize`. Codes are integers, and have none.

use pullback_base::{Dtype, Error, Kind, Result, Shape, shape};
use pullback_kernels::Packed;

use super::index::iota;
use super::quantize::{Mode, Quantized, Scheme, dequantize, met, quantize, scales};
use super::{add, broadcast_to, cast, matmul, move_axis, reshape, stop_gradient, subtract, swap_last, take};
use crate::array::{Array, mismatch};
use crate::ops::packed;

/// Whether a matrix is multiplied as it is, or its rows with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `x @ w`
    Plain,
    /// `x @ w.T`
    Transposed,
}

/// The product of `x` with a matrix that fits it, or with many; leading axes broadcast.
fn product(
    op: &str,
    x: &Array,
    w: &Quantized,
    orientation: Orientation,
    scheme: Scheme,
    global: Option<&Array>,
) -> Result<Array> {
    let transposed = orientation == Orientation::Transposed;
    let of = Packed { codes: scheme.codes(), group: scheme.group, transposed };
    let scales = scales(w, scheme, global)?;
    // Half floats do not have all scales of the modes without biases.
    let dtype = if w.biases.is_some() || x.dtype() == Dtype::F64 { x.dtype() } else { Dtype::F32 };
    let mut parts = vec![w.codes.clone(), cast(&scales, dtype)?];
    if let Some(biases) = &w.biases {
        parts.push(cast(biases, dtype)?);
    }
    let (r, s) = (x.ndim(), w.codes.ndim());
    if r < 2 {
        let y = product(op, &reshape(x, x.shape().with(0, 1))?, w, orientation, scheme, global)?;
        return reshape(&y, y.shape().without(y.ndim() - 2));
    }
    let lead = shape::broadcast(op, &[&x.shape()[..r - 2], &w.codes.shape()[..s - 2]])?;
    let wide = |x: &Array, lead: &[usize]| {
        broadcast_to(x, &Shape::from([lead, &x.shape()[x.ndim() - 2..]].concat()))
    };
    if lead.ndim() == s - 2 {
        let parts = parts.iter().map(|part| wide(part, &lead)).collect::<Result<Vec<_>>>()?;
        return packed::multiply(of, &wide(x, &lead)?, &parts);
    }
    // Leading axes that matrices have not: they are taken for more rows of `x`.
    let (more, shared) = lead.split_at(lead.ndim() + 2 - s);
    let parts = parts.iter().map(|part| wide(part, shared)).collect::<Result<Vec<_>>>()?;
    let x = wide(x, &lead)?;
    let sizes = [&[more.iter().product()], &x.shape()[more.len()..]].concat();
    let y = packed::multiply_many(of, &reshape(&x, Shape::from(sizes))?, &parts)?;
    let y = move_axis(&y, shared.len(), 0)?;
    reshape(&y, Shape::from([more, &y.shape()[1..]].concat()))
}

/// The product of `x` with a quantised matrix.
///
/// # Errors
/// `Type` for `x` that is no float, `Value` for shapes that do not fit; and those of `dequantize`.
pub fn quantized_matmul(x: &Array, w: &Quantized, orientation: Orientation, scheme: Scheme) -> Result<Array> {
    let op = "quantized_matmul";
    let dtype = met(op, x, w)?;
    fits(op, x, w, orientation, scheme)?;
    product(op, &cast(x, dtype)?, w, orientation, scheme, None)
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
    product(op, &x, &chosen(op, w, &right)?, orientation, scheme, global)
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

impl Factor<'_> {
    /// What was given in codes.
    fn packed(&self) -> Option<Quantized> {
        let codes = self.matrix.clone();
        Some(Quantized { codes, scales: self.scales?.clone(), biases: None })
    }

    /// The numbers that it stands for, in `float32`. Floats are quantised here: the derivative is that of the identity, since
    /// that of rounding is 0 wherever it exists.
    fn numbers(&self, scheme: Scheme) -> Result<Array> {
        let read = |q: &Quantized| dequantize(q, scheme, self.global, Some(Dtype::F32));
        if let Some(packed) = self.packed() {
            return read(&packed);
        }
        let wide = cast(self.matrix, Dtype::F32)?;
        let rounded = stop_gradient(&read(&quantize(&wide, scheme, self.global)?)?)?;
        // The difference is 0, and has a derivative.
        add(&rounded, &subtract(&wide, &stop_gradient(&wide)?)?)
    }
}

/// The right factor of a product of both: codes, or numbers.
enum Right {
    Codes(Quantized),
    Numbers(Array),
}

impl Right {
    /// Of a factor that fits `x`.
    fn of(op: &str, x: &Array, w: &Factor<'_>, scheme: Scheme) -> Result<Right> {
        let (right, columns) = match w.packed() {
            Some(q) => {
                let columns = scheme.check(&q.codes, &q.scales, None)?;
                (Right::Codes(q), columns)
            }
            None => {
                let numbers = w.numbers(scheme)?;
                let columns = numbers.shape()[numbers.ndim() - 1];
                (Right::Numbers(numbers), columns)
            }
        };
        if x.shape()[x.ndim() - 1] == columns {
            return Ok(right);
        }
        let w = w
            .matrix
            .aval()
            .reshaped(w.matrix.shape().without(w.matrix.ndim() - 1).with(w.matrix.ndim() - 1, columns));
        Err(mismatch(op, "x and w with last axes of one size", &[x.aval(), &w]))
    }

    /// `x` times its transpose.
    fn product(&self, op: &str, x: &Array, scheme: Scheme, global: Option<&Array>) -> Result<Array> {
        match self {
            Right::Codes(q) => product(op, x, q, Orientation::Transposed, scheme, global),
            Right::Numbers(w) => matmul(x, &swap_last(w)?),
        }
    }
}

/// `x @ w.T` of quantised numbers: `x` is quantised here, and so is `w` where it has no scales.
///
/// # Errors
/// `Value` for modes other than `nvfp4` and `mxfp8` and shapes that do not fit, `Type` for types other than those of
/// `float32`, `float16` and `bfloat16`.
pub fn qqmm(x: &Factor<'_>, w: &Factor<'_>, scheme: Scheme) -> Result<Array> {
    let op = "qqmm";
    check(op, x, w, scheme)?;
    let a = x.numbers(scheme)?;
    cast(&Right::of(op, &a, w, scheme)?.product(op, &a, scheme, w.global)?, x.matrix.dtype())
}

/// As `qqmm`, of matrices picked by position among all that there are.
///
/// # Errors
/// As `qqmm`; `Type` for positions that are no integers, `Value` for such that do not broadcast.
pub fn gather_qqmm(x: &Factor<'_>, w: &Factor<'_>, at: [Option<&Array>; 2], scheme: Scheme) -> Result<Array> {
    let op = "gather_qqmm";
    check(op, x, w, scheme)?;
    let (left, right) = positions(op, x.matrix, w.matrix, at)?;
    let a = x.numbers(scheme)?;
    let b = match Right::of(op, &a, w, scheme)? {
        Right::Codes(q) => Right::Codes(chosen(op, &q, &right)?),
        Right::Numbers(w) => Right::Numbers(picked(op, &w, &right)?),
    };
    cast(&b.product(op, &picked(op, &a, &left)?, scheme, w.global)?, x.matrix.dtype())
}
