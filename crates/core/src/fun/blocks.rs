//! Products of matrices that are picked, cut into segments, or masked block by block.

use pullback_base::{Dtype, Error, Kind, Result, Scalar, Shape};

use super::contract::meet;
use super::index::iota;
use super::take::positions;
use super::{cast, less, less_equal, logical_and, matmul, multiply, narrow, repeat, reshape, take, where_};
use crate::array::{Array, mismatch};

/// Products of matrices of `a` and `b`, picked by position among all that the leading axes hold; without positions, each
/// of them in order. Positions broadcast. A vector is a row on the left, a column on the right.
///
/// # Errors
/// `Value` for scalars and shapes that do not fit, `Type` for positions that are no integers.
pub fn gather_mm(a: &Array, b: &Array, left: Option<&Array>, right: Option<&Array>) -> Result<Array> {
    if a.ndim() == 0 || b.ndim() == 0 {
        return Err(mismatch("gather_mm", "arrays with at least one axis", &[a.aval(), b.aval()]));
    }
    if left.is_none() && right.is_none() {
        return matmul(a, b);
    }
    let (x, y) = meet("gather_mm", a, b)?;
    let x = if a.ndim() == 1 { reshape(&x, x.shape().with(0, 1))? } else { x };
    let y = if b.ndim() == 1 { reshape(&y, y.shape().with(1, 1))? } else { y };
    if x.shape()[x.ndim() - 1] != y.shape()[y.ndim() - 2] {
        return Err(mismatch("gather_mm", "matrices [.., m, k] and [.., k, n]", &[a.aval(), b.aval()]));
    }
    let z = matmul(&picked(&x, left)?, &picked(&y, right)?)?;
    let mut shape = z.shape().clone();
    if b.ndim() == 1 {
        shape = shape.without(shape.ndim() - 1);
    }
    if a.ndim() == 1 {
        shape = shape.without(shape.ndim() - if b.ndim() == 1 { 1 } else { 2 });
    }
    reshape(&z, shape)
}

/// The matrices at these positions; as they are without.
fn picked(x: &Array, at: Option<&Array>) -> Result<Array> {
    let Some(at) = at else { return Ok(x.clone()) };
    let at = positions("gather_mm", at)?;
    let (lead, matrix) = x.shape().split_at(x.ndim() - 2);
    let flat = reshape(x, Shape::from([&[lead.iter().product()], matrix].concat()))?;
    take(&flat, &at, Some(0))
}

/// `a [m, k] b [k, n]`, summed over segments of `k` alone: `segments [.., 2]` says where each begins and ends. What lies
/// outside of a segment has no part in it, whatever it is.
///
/// # Errors
/// `Value` for shapes that do not fit, `Type` for segments that are no integers.
pub fn segmented_mm(a: &Array, b: &Array, segments: &Array) -> Result<Array> {
    if a.ndim() != 2 || b.ndim() != 2 || a.shape()[1] != b.shape()[0] {
        return Err(mismatch("segmented_mm", "matrices [m, k] and [k, n]", &[a.aval(), b.aval()]));
    }
    if segments.shape().last() != Some(&2) {
        let text = format!("[segmented_mm] expected segments with a last axis of 2, got {}", segments.aval());
        return Err(Error::value(text));
    }
    let (a, b) = meet("segmented_mm", a, b)?;
    let ends = positions("segmented_mm", segments)?;
    let lead = ends.shape()[..ends.ndim() - 1].to_vec();
    let ends = reshape(&ends, Shape::from([lead.iter().product(), 2]))?;
    let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
    let at = iota(k, Dtype::I32)?;
    let (start, stop) = (narrow(&ends, 1, 0, 1)?, narrow(&ends, 1, 1, 1)?);
    let within = logical_and(&less_equal(&start, &at)?, &less(&at, &stop)?)?;
    let count = within.shape()[0];
    let zero = Array::scalar(Scalar::Int(0), a.dtype());
    let a = where_(&reshape(&within, Shape::from([count, 1, k]))?, &a, &zero)?;
    let b = where_(&reshape(&within, Shape::from([count, k, 1]))?, &b, &zero)?;
    reshape(&matmul(&a, &b)?, Shape::from([&lead[..], &[m, n]].concat()))
}

/// Masks of blocks of a product and of its factors, of booleans or of numbers to multiply with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks<'a> {
    /// Of the product.
    pub out: Option<&'a Array>,
    /// Of the left factor.
    pub left: Option<&'a Array>,
    /// Of the right factor.
    pub right: Option<&'a Array>,
}

/// Products of matrices whose blocks of `block` rows and columns are masked: what is masked out is zero, whatever it is.
///
/// # Errors
/// `Value` for shapes that do not fit, and blocks of no size.
pub fn block_masked_mm(a: &Array, b: &Array, block: usize, masks: Masks) -> Result<Array> {
    if block == 0 {
        return Err(Error::value("[block_masked_mm] expected blocks of at least one row, got 0"));
    }
    if a.ndim() < 2 || b.ndim() < 2 || a.shape()[a.ndim() - 1] != b.shape()[b.ndim() - 2] {
        return Err(mismatch("block_masked_mm", "matrices [.., m, k] and [.., k, n]", &[a.aval(), b.aval()]));
    }
    let (a, b) = meet("block_masked_mm", a, b)?;
    let product =
        matmul(&masked(&a, block, "mask_lhs", masks.left)?, &masked(&b, block, "mask_rhs", masks.right)?)?;
    masked(&product, block, "mask_out", masks.out)
}

/// An array whose blocks are masked.
fn masked(x: &Array, block: usize, name: &str, mask: Option<&Array>) -> Result<Array> {
    let Some(mask) = mask else { return Ok(x.clone()) };
    let r = x.ndim();
    let (rows, cols) = (x.shape()[r - 2], x.shape()[r - 1]);
    let blocks = [rows.div_ceil(block), cols.div_ceil(block)];
    if mask.ndim() < 2 || mask.shape()[mask.ndim() - 2..] != blocks {
        return Err(Error::value(format!(
            "[block_masked_mm] expected {name} with last axes of {} and {}, a number for each block of {block} of {}, got \
             {}",
            blocks[0],
            blocks[1],
            x.aval(),
            mask.aval()
        )));
    }
    let mask = if mask.dtype().kind() == Kind::Bool { mask.clone() } else { cast(mask, x.dtype())? };
    let tall = narrow(&repeat(&mask, block, Some(-2))?, mask.ndim() - 2, 0, rows)?;
    let wide = narrow(&repeat(&tall, block, Some(-1))?, mask.ndim() - 1, 0, cols)?;
    if mask.dtype().kind() == Kind::Bool {
        return where_(&wide, x, &Array::scalar(Scalar::Int(0), x.dtype()));
    }
    multiply(x, &wide)
}
