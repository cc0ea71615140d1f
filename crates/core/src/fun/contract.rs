//! Contractions with their implicit forms made explicit.

use pullback_base::promote::promote;
use pullback_base::{Error, Result, Shape, shape};

use super::{add, broadcast_to, cast, conjugate, multiply, reshape, sum_over, transpose};
use crate::array::{Array, mismatch};
use crate::op::Dtypes;
use crate::ops::contract;

/// Both in the type in which they meet.
pub(super) fn meet(op: &str, x: &Array, y: &Array) -> Result<(Array, Array)> {
    let dtype = promote(x.dtype(), y.dtype());
    let Some(dtype) = Dtypes::Number.lift(dtype) else {
        return Err(Error::type_(format!("[{op}] expected a number type, got {dtype}")));
    };
    Ok((cast(x, dtype)?, cast(y, dtype)?))
}

/// Product of matrices. A vector is a row on the left, a column on the right; leading axes broadcast.
///
/// # Errors
/// `Value` for scalars and shapes that do not fit.
pub fn matmul(x: &Array, y: &Array) -> Result<Array> {
    let wrong = |text: &str| mismatch("matmul", text, &[x.aval(), y.aval()]);
    if x.ndim() == 0 || y.ndim() == 0 {
        return Err(wrong("arrays with at least one axis"));
    }
    let (a, b) = meet("matmul", x, y)?;
    let a = if x.ndim() == 1 { reshape(&a, a.shape().with(0, 1))? } else { a };
    let b = if y.ndim() == 1 { reshape(&b, b.shape().with(1, 1))? } else { b };
    let (r, s) = (a.ndim(), b.ndim());
    if a.shape()[r - 1] != b.shape()[s - 2] {
        return Err(wrong("the last axis of the first as long as the axis before the last of the second"));
    }
    let product = matrices(&a, &b)?;
    if x.ndim() > 1 && y.ndim() > 1 {
        return Ok(product);
    }
    let mut sizes = product.shape().clone();
    if y.ndim() == 1 {
        sizes = sizes.without(sizes.ndim() - 1);
    }
    if x.ndim() == 1 {
        sizes = sizes.without(sizes.ndim() - if y.ndim() == 1 { 1 } else { 2 });
    }
    reshape(&product, sizes)
}

/// Matrices whose leading axes broadcast.
fn matrices(a: &Array, b: &Array) -> Result<Array> {
    let (r, s) = (a.ndim(), b.ndim());
    let (m, k, n) = (a.shape()[r - 2], a.shape()[r - 1], b.shape()[s - 1]);
    if r > 2 && s == 2 {
        // One factor for all: a single product with more rows.
        let lead = &a.shape()[..r - 1];
        let flat = reshape(a, Shape::from([lead.iter().product::<usize>(), k]))?;
        return reshape(&contract::multiply(&flat, b)?, Shape::from([lead, &[n]].concat()));
    }
    let lead = shape::broadcast("matmul", &[&a.shape()[..r - 2], &b.shape()[..s - 2]])?;
    let wide = |x: &Array, p: usize, q: usize| broadcast_to(x, &Shape::from([&lead[..], &[p, q]].concat()));
    contract::multiply(&wide(a, m, k)?, &wide(b, k, n)?)
}

/// `alpha (a @ b) + beta c`
///
/// # Errors
/// As `matmul` and `add`.
pub fn addmm(c: &Array, a: &Array, b: &Array, alpha: f64, beta: f64) -> Result<Array> {
    let scaled = |x: Array, by: f64| if by == 1. { Ok(x) } else { multiply(&x, &x.weak(by)) };
    add(&scaled(matmul(a, b)?, alpha)?, &scaled(c.clone(), beta)?)
}

/// Every element of one times every element of the other.
///
/// # Errors
/// None for numbers.
pub fn outer(x: &Array, y: &Array) -> Result<Array> {
    multiply(&reshape(x, Shape::from([x.size(), 1]))?, &reshape(y, Shape::from([1, y.size()]))?)
}

/// Products summed over the last axis of both; of a scalar, the product.
///
/// # Errors
/// `Value` if these differ in length.
pub fn inner(x: &Array, y: &Array) -> Result<Array> {
    if x.ndim() == 0 || y.ndim() == 0 {
        return multiply(x, y);
    }
    tensordot(x, y, &[-1], &[-1])
}

/// Products summed over one axis of both, the other axes broadcast. Of complex numbers the first is conjugated.
///
/// # Errors
/// `Value` for an axis that does not exist or differs in length, or other axes that do not broadcast.
pub fn vecdot(x: &Array, y: &Array, axis: isize) -> Result<Array> {
    let to = shape::broadcast("vecdot", &[x.shape(), y.shape()])?;
    let axis = shape::axis("vecdot", axis, to.ndim())?;
    let length = |x: &Array| (axis + x.ndim()).checked_sub(to.ndim()).map(|axis| x.shape()[axis]);
    if length(x) != length(y) || length(x).is_none() {
        return Err(mismatch("vecdot", "one size of the axis in both", &[x.aval(), y.aval()]));
    }
    let (x, y) = meet("vecdot", x, y)?;
    sum_over(&multiply(&conjugate(&x)?, &y)?, Some(&[axis as isize]), false)
}

/// The Kronecker product: every element of `x` replaced by the product of it with `y`. The one with fewer axes gets new
/// ones in front.
///
/// # Errors
/// `Memory` for a result that cannot be counted.
pub fn kron(x: &Array, y: &Array) -> Result<Array> {
    let r = x.ndim().max(y.ndim());
    let lined = |x: &Array| [&vec![1; r - x.ndim()][..], x.shape()].concat();
    let (outer, inner) = (lined(x), lined(y));
    let sizes = || outer.iter().zip(&inner);
    let x = reshape(x, sizes().flat_map(|(&size, _)| [size, 1]).collect())?;
    let y = reshape(y, sizes().flat_map(|(_, &size)| [1, size]).collect())?;
    let shape = sizes().map(|(outer, inner)| outer * inner).collect::<Shape>().checked("kron")?;
    reshape(&multiply(&x, &y)?, shape)
}

/// Products summed over axes of the one paired with axes of the other; what remains of the first comes before
/// what remains of the second.
///
/// # Errors
/// `Value` for axes that do not exist or differ in length.
pub fn tensordot(x: &Array, y: &Array, over: &[isize], with: &[isize]) -> Result<Array> {
    let axes = |x: &Array, list: &[isize]| {
        shape::axes("tensordot", Some(list), x.ndim())?;
        list.iter().map(|&axis| shape::axis("tensordot", axis, x.ndim())).collect::<Result<Vec<usize>>>()
    };
    let (p, q) = (axes(x, over)?, axes(y, with)?);
    let sizes = |x: &Array, axes: &[usize]| axes.iter().map(|&axis| x.shape()[axis]).collect::<Vec<_>>();
    if sizes(x, &p) != sizes(y, &q) {
        return Err(mismatch("tensordot", "paired axes of equal sizes", &[x.aval(), y.aval()]));
    }
    let rest =
        |x: &Array, gone: &[usize]| (0..x.ndim()).filter(|axis| !gone.contains(axis)).collect::<Vec<_>>();
    let (left, right) = (rest(x, &p), rest(y, &q));
    let k: usize = sizes(x, &p).iter().product();
    let (rows, columns) = (sizes(x, &left), sizes(y, &right));
    let (x, y) = meet("tensordot", x, y)?;
    let a = transpose(&x, &[&left[..], &p].concat())?;
    let b = transpose(&y, &[&q[..], &right].concat())?;
    let a = reshape(&a, Shape::from([rows.iter().product(), k]))?;
    let b = reshape(&b, Shape::from([k, columns.iter().product()]))?;
    reshape(&contract::multiply(&a, &b)?, Shape::from([rows, columns].concat()))
}
