//! What the rows of linear algebra share: shapes of matrices, and the pieces that their derivatives are made of.
//!
//! Cotangents are paired as everywhere, without conjugation: the transpose of `t -> A t B` is `g -> Aᵀ g Bᵀ`, for complex
//! matrices as well, and that of `t -> conj(t)` is `g -> conj(g)`.

use pullback_base::{Aval, Dtype, Error, Result, Shape};
use pullback_kernels::{Linalg, Vectors, Whole};

use super::contract;
use crate::array::Array;
use crate::fun;
use crate::op::WholeCall;

/// Tangents of results, or cotangents of operands.
pub(super) type Sides = Result<Vec<Option<Array>>>;

/// Rows and columns.
pub(super) fn matrix(op: &str, x: &Aval) -> Result<(usize, usize)> {
    match x.shape[..] {
        [.., m, n] => Ok((m, n)),
        _ => Err(Error::value(format!("[{op}] expected matrices [.., m, n], got {x}"))),
    }
}

/// Rows, as many as columns.
pub(super) fn square(op: &str, x: &Aval) -> Result<usize> {
    match matrix(op, x)? {
        (m, n) if m == n => Ok(n),
        _ => Err(Error::value(format!("[{op}] expected square matrices [.., n, n], got {x}"))),
    }
}

/// The shape before the matrices, and `rest`.
pub(super) fn ending(x: &Aval, rest: &[usize]) -> Shape {
    Shape::from([&x.shape[..x.shape.ndim() - 2], rest].concat())
}

/// The type of what is real of it: singular values, eigenvalues of Hermitian matrices.
pub(super) fn real_part(dtype: Dtype) -> Dtype {
    if dtype == Dtype::C64 { Dtype::F32 } else { dtype }
}

/// The call of a kernel; `axes` is how many axes of each operand are its own, and then of the first result.
pub(super) fn call(whole: Linalg, x: &[&Aval], axes: &[usize], out: (&Aval, usize)) -> WholeCall {
    let flat = |shape: &Shape, own: usize| {
        let (lead, rest) = shape.split_at(shape.ndim() - own);
        Shape::from([&[lead.iter().product()][..], rest].concat())
    };
    WholeCall {
        whole: Whole::Linalg(whole),
        shapes: x.iter().zip(axes).map(|(aval, &own)| flat(&aval.shape, own)).collect(),
        shape: flat(&out.0.shape, out.1),
    }
}

/// How many vectors there are beside `k` values of a side of length `n`.
pub(super) fn count(vectors: Vectors, k: usize, n: usize) -> usize {
    if vectors == Vectors::Full { n } else { k }
}

/// `x y`
pub(super) fn mul(x: &Array, y: &Array) -> Result<Array> {
    contract::multiply(x, y)
}

/// The transpose.
pub(super) fn t(x: &Array) -> Result<Array> {
    fun::swap_last(x)
}

/// The conjugate transpose.
pub(super) fn h(x: &Array) -> Result<Array> {
    fun::swap_last(&fun::conjugate(x)?)
}

/// What is below the diagonal.
pub(super) fn below(x: &Array) -> Result<Array> {
    fun::tril(x, -1)
}

/// Elements on the diagonal.
pub(super) fn diagonal(x: &Array) -> Result<Array> {
    fun::diagonal(x, 0, -2, -1)
}

/// As rows: one factor for each column.
pub(super) fn across(x: &Array) -> Result<Array> {
    fun::expand_dims(x, &[-2])
}

/// As columns: one factor for each row.
pub(super) fn down(x: &Array) -> Result<Array> {
    fun::expand_dims(x, &[-1])
}

/// Matrices with these diagonals.
pub(super) fn diagonals(x: &Array) -> Result<Array> {
    let n = x.shape()[x.ndim() - 1];
    fun::where_(&fun::eye(n, n, 0, Dtype::Bool)?, &down(x)?, &x.weak(0.))
}

/// The unit matrix in the type of `x`.
pub(super) fn unit(n: usize, x: &Array) -> Result<Array> {
    fun::eye(n, n, 0, x.dtype())
}

/// `x` with half of its diagonal, and zeros above it.
pub(super) fn half_lower(x: &Array) -> Result<Array> {
    let halves = diagonals(&fun::multiply(&diagonal(x)?, &x.weak(0.5))?)?;
    fun::add(&below(x)?, &halves)
}

/// The real part, in the type of `x`.
pub(super) fn real(x: &Array) -> Result<Array> {
    fun::cast(&fun::real(x)?, x.dtype())
}

/// The Hermitian matrix whose lower triangle is that of `x`.
pub(super) fn hermitian(x: &Array) -> Result<Array> {
    let low = below(x)?;
    fun::add(&fun::add(&low, &h(&low)?)?, &diagonals(&real(&diagonal(x)?)?)?)
}

/// The transpose of `hermitian`.
pub(super) fn hermitian_transposed(g: &Array) -> Result<Array> {
    let both = fun::add(&below(g)?, &below(&h(g)?)?)?;
    fun::add(&both, &diagonals(&real(&diagonal(g)?)?)?)
}

/// `1 / (w[j] - w[i])`, zero on the diagonal. Of equal values it is infinite: there is no derivative there.
pub(super) fn inverse_gaps(w: &Array) -> Result<Array> {
    let n = w.shape()[w.ndim() - 1];
    let eye = unit(n, w)?;
    let gaps = fun::subtract(&across(w)?, &down(w)?)?;
    fun::subtract(&fun::reciprocal(&fun::add(&gaps, &eye)?)?, &eye)
}

/// The sum of what is there.
pub(super) fn total(terms: impl IntoIterator<Item = Option<Array>>) -> Result<Option<Array>> {
    terms.into_iter().flatten().try_fold(None, |sum: Option<Array>, term| {
        Ok(Some(match sum {
            Some(sum) => fun::add(&sum, &term)?,
            None => term,
        }))
    })
}
