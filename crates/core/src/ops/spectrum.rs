//! QR, singular values, eigenvalues, and the pseudo-inverse.
//!
//! Vectors are determined up to a factor of absolute value 1 (a rotation, where values are equal). Their derivatives are
//! those of the choice that does not turn them, as in JAX: right for whatever does not depend on the choice, and for real
//! vectors of distinct values right without a condition. Of equal values they are infinite or NaN.

use pullback_base::{Aval, Dtype, Error, Result};
use pullback_kernels::{Linalg, Vectors};

use super::SAME;
use super::linalg::*;
use super::solve::triangular;
use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Results, Sample, Test};
use crate::ops;
use crate::params::Params;

ops! {
    /// The QR factorization of matrices `[.., m, n]`: `q` with orthonormal columns and `r` upper triangular, with a real
    /// diagonal; as many columns as the shorter side has, or a square `q`.
    QR = "qr" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::Many(|params, x| {
            let (m, n) = matrix("qr", x[0])?;
            let k = count(params.vectors(), m.min(n), m);
            Ok([&[m, k], &[k, n]].map(|sizes| x[0].reshaped(ending(x[0], sizes))).into_iter().collect())
        }),
        diff: Diff::Custom { jvp: qr_jvp, vjp: qr_vjp },
        batch: SAME,
        kernel: Kernel::Whole(|params, x, out| call(Linalg::Qr(params.vectors()), x, &[2], (out, 2))),
        api: Api::Composed,
        test: Test { reference: ELSEWHERE, samples: &[TALL, SQUARES], ulps: 16. },
    }
    /// Singular values of matrices `[.., m, n]` in descending order; with vectors, `u`, the values, and `vh`, so that
    /// `u diag(s) vh` is the matrix.
    SVD = "svd" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::Many(|params, x| {
            let ((m, n), vectors) = (matrix("svd", x[0])?, params.vectors());
            let k = m.min(n);
            let s = Aval::new(ending(x[0], &[k]), real_part(x[0].dtype));
            let side = |sizes: &[usize]| x[0].reshaped(ending(x[0], sizes));
            let (p, q) = (count(vectors, k, m), count(vectors, k, n));
            Ok(match vectors {
                Vectors::None => Results::from_elem(s, 1),
                _ => [s, side(&[m, p]), side(&[q, n])].into_iter().collect(),
            })
        }),
        diff: Diff::Custom { jvp: svd_jvp, vjp: svd_vjp },
        batch: SAME,
        kernel: Kernel::Whole(|params, x, out| call(Linalg::Svd(params.vectors()), x, &[2], (out, 1))),
        api: Api::Composed,
        test: Test { reference: ELSEWHERE, samples: &[TALL, SQUARES, WIDE, VALUES], ulps: 32. },
    }
    /// Eigenvalues of Hermitian matrices `[.., n, n]` in ascending order, and the vectors as columns. The lower triangle is
    /// read: so there is no slope above the diagonal.
    EIGH = "eigh" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::Many(|params, x| eigen("eigh", params, x[0], real_part(x[0].dtype), x[0].dtype)),
        diff: Diff::Custom { jvp: eigh_jvp, vjp: eigh_vjp },
        batch: SAME,
        kernel: Kernel::Whole(|params, x, out| call(Linalg::Eigh(params.vectors()), x, &[2], (out, 1))),
        api: Api::Composed,
        test: Test { reference: ELSEWHERE, samples: &[SQUARES, SQUARE_VALUES], ulps: 32. },
    }
    /// Eigenvalues of matrices `[.., n, n]` in any order, and the vectors of length 1 as columns, in `complex64`.
    EIG = "eig" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::Many(|params, x| eigen("eig", params, x[0], Dtype::C64, Dtype::C64)),
        diff: Diff::Custom { jvp: eig_jvp, vjp: eig_vjp },
        batch: SAME,
        kernel: Kernel::Whole(|params, x, out| call(Linalg::Eig(params.vectors()), x, &[2], (out, 1))),
        api: Api::Composed,
        test: Test { reference: ELSEWHERE, samples: &[SQUARES, SQUARE_VALUES], ulps: 64. },
    }
    /// The square root of Hermitian matrices `[.., n, n]` that is Hermitian and has no negative eigenvalue. The lower
    /// triangle is read, and negative eigenvalues are taken for zero. Where a root is singular there is no derivative; at
    /// equal eigenvalues there is a first one.
    ROOT = "matrix_root" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::One(|_, x| square("matrix_root", x[0]).map(|_| x[0].clone())),
        diff: Diff::Custom {
            jvp: |_, x, _, ts| {
                let Some(dx) = &ts[0] else { return Ok(vec![None]) };
                let (v, sums) = root_parts(&x[0])?;
                let inner = mul(&mul(&h(&v)?, &hermitian(dx)?)?, &v)?;
                Ok(vec![Some(mul(&mul(&v, &fun::divide(&inner, &sums)?)?, &h(&v)?)?)])
            },
            vjp: |_, x, _, gs| {
                let Some(g) = &gs[0] else { return Ok(vec![None]) };
                let (v, sums) = root_parts(&x[0])?;
                let (vt, vc) = (t(&v)?, fun::conjugate(&v)?);
                let inner = fun::divide(&mul(&mul(&vt, g)?, &vc)?, &sums)?;
                Ok(vec![Some(hermitian_transposed(&mul(&mul(&vc, &inner)?, &vt)?)?)])
            },
        },
        batch: SAME,
        kernel: Kernel::Whole(|_, x, out| call(Linalg::Root, x, &[2], (out, 2))),
        api: Api::Composed,
        test: Test {
            reference: ELSEWHERE,
            samples: &[Sample { shapes: &[&[2, 1, 1]], dtypes: super::F32, params: || Params::None, domain: (0.5, 2.) }],
            ulps: 16.,
        },
    }
    /// The pseudo-inverse of matrices: `[.., m, n], [..] -> [.., n, m]`. Singular values that are not above `least` times
    /// the largest are taken for zero. The derivative is that at a constant rank (Golub and Pereyra, "The differentiation
    /// of pseudo-inverses", 1973).
    PINV = "pinv" ("a", "least") {
        dtypes: Dtypes::Precise,
        infer: Infer::One(|_, x| {
            let (m, n) = matrix("pinv", x[0])?;
            let least = Aval::new(ending(x[0], &[]), real_part(x[0].dtype));
            if *x[1] == least {
                Ok(x[0].reshaped(ending(x[0], &[n, m])))
            } else {
                Err(mismatch("pinv", "matrices and a real bound for each", x))
            }
        }),
        diff: Diff::Custom { jvp: pinv_jvp, vjp: pinv_vjp },
        batch: SAME,
        kernel: Kernel::Whole(|_, x, out| call(Linalg::Pinv, x, &[2, 0], (out, 2))),
        api: Api::Composed,
        // Below every bound, so that no singular value is cut off: the derivative would not be that of the cut.
        test: Test {
            reference: ELSEWHERE,
            samples: &[
                Sample { shapes: &[&[2, 3, 2], &[2]], dtypes: super::F32_2, params: || Params::None, domain: (-2., -0.2) },
                Sample { shapes: &[&[2, 3], &[]], dtypes: super::F32_2, params: || Params::None, domain: (-2., -0.2) },
            ],
            ulps: 64.,
        },
    }
}

const ELSEWHERE: Reference = Reference::Elsewhere("crates/laws/tests/linalg.rs");
const TALL: Sample = Sample {
    shapes: &[&[4, 3]],
    dtypes: super::F32,
    params: || Params::Vectors(Vectors::Thin),
    domain: (-2., 2.),
};
const WIDE: Sample = Sample { shapes: &[&[2, 4]], ..TALL };
const SQUARES: Sample = Sample { shapes: &[&[2, 3, 3]], ..TALL };
const VALUES: Sample = Sample { params: || Params::Vectors(Vectors::None), ..WIDE };
const SQUARE_VALUES: Sample = Sample { params: || Params::Vectors(Vectors::None), ..SQUARES };

fn eigen(op: &str, params: &Params, x: &Aval, values: Dtype, vectors: Dtype) -> Result<Results> {
    let n = square(op, x)?;
    let mut results = Results::from_elem(Aval::new(ending(x, &[n]), values), 1);
    if params.vectors() != Vectors::None {
        results.push(x.retyped(vectors));
    }
    Ok(results)
}

/// Values and vectors, where the row may have made the values alone.
fn with_vectors(
    op: &'static crate::op::OpDef,
    params: &Params,
    x: &Array,
    y: &[Array],
) -> Result<Vec<Array>> {
    match params.vectors() {
        Vectors::None => Ok(Array::apply_all(op, Params::Vectors(Vectors::Thin), &[x])?.into_vec()),
        _ => Ok(y.to_vec()),
    }
}

/// Refuses the derivative of what is any basis of what is left over.
fn determined(op: &str, params: &Params, x: &Array) -> Result<()> {
    let (m, n) = matrix(op, x.aval())?;
    let free = if op == "qr" { m > n } else { m != n };
    if params.vectors() == Vectors::Full && free {
        let fix = if op == "qr" { "mode='reduced'" } else { "full_matrices=False" };
        return Err(Error::rule(format!(
            "'{op}' has no derivative for the vectors that fill up a square matrix, which are any basis of the rest, \
             of {}: ask for {fix}",
            x.aval()
        )));
    }
    Ok(())
}

/// What turns `q`: the part of `q^H t r^-1` that `r` cannot take, with a real diagonal of `r`.
fn turn(x: &Array) -> Result<Array> {
    let low = below(x)?;
    let skew = fun::subtract(&low, &h(&low)?)?;
    let whole = diagonal(x)?;
    fun::add(&skew, &diagonals(&fun::subtract(&whole, &real(&whole)?)?)?)
}

/// The transpose of `turn`.
fn turn_transposed(g: &Array) -> Result<Array> {
    let whole = diagonal(g)?;
    let skew = below(&fun::subtract(g, &h(g)?)?)?;
    fun::add(&skew, &diagonals(&fun::subtract(&whole, &real(&whole)?)?)?)
}

fn tall(x: &Array) -> Result<()> {
    match matrix("qr", x.aval())? {
        (m, n) if m >= n => Ok(()),
        _ => Err(Error::rule(format!(
            "'qr' has no derivative for matrices with more columns than rows, got {}: factorize the first columns",
            x.aval()
        ))),
    }
}

fn qr_jvp(params: &Params, x: &[Array], y: &[Array], ts: &[Option<Array>]) -> Sides {
    let Some(dx) = &ts[0] else { return Ok(vec![None, None]) };
    determined("qr", params, &x[0])?;
    tall(&x[0])?;
    let scaled = t(&triangular(&t(&y[1])?, &t(dx)?, false)?)?;
    let inner = mul(&h(&y[0])?, &scaled)?;
    let rest = fun::subtract(&turn(&inner)?, &inner)?;
    let dq = fun::add(&mul(&y[0], &rest)?, &scaled)?;
    Ok(vec![Some(dq), Some(fun::negative(&mul(&rest, &y[1])?)?)])
}

fn qr_vjp(params: &Params, x: &[Array], y: &[Array], gs: &[Option<Array>]) -> Sides {
    if gs.iter().all(Option::is_none) {
        return Ok(vec![None]);
    }
    determined("qr", params, &x[0])?;
    tall(&x[0])?;
    let of_q = gs[0].as_ref().map(|g| mul(&t(&y[0])?, g)).transpose()?;
    let of_r = gs[1].as_ref().map(|g| fun::negative(&mul(g, &t(&y[1])?)?)).transpose()?;
    let Some(rest) = total([of_q, of_r])? else { return Ok(vec![None]) };
    let inner = mul(&fun::conjugate(&y[0])?, &fun::subtract(&turn_transposed(&rest)?, &rest)?)?;
    let Some(scaled) = total([gs[0].clone(), Some(inner)])? else { return Ok(vec![None]) };
    Ok(vec![Some(t(&triangular(&y[1], &t(&scaled)?, true)?)?)])
}

/// What the derivatives of singular vectors are made of.
struct Svd {
    s: Array,
    u: Array,
    vh: Array,
    /// `1 / (s[j]^2 - s[i]^2)`
    gaps: Array,
    /// `1 / s`
    inverse: Array,
    /// Rows and columns.
    sizes: (usize, usize),
}

impl Svd {
    fn of(params: &Params, x: &Array, y: &[Array]) -> Result<Svd> {
        let y = with_vectors(&SVD, params, x, y)?;
        let s = fun::cast(&y[0], x.dtype())?;
        let (sizes, k) = (matrix("svd", x.aval())?, s.shape()[s.ndim() - 1]);
        let part = |x: &Array, axis: usize| fun::narrow(x, x.ndim() - axis, 0, k);
        Ok(Svd {
            u: part(&y[1], 1)?,
            vh: part(&y[2], 2)?,
            gaps: {
                // By their sums and differences: the squares of close values may be equal.
                let sums = fun::add(&fun::add(&across(&s)?, &down(&s)?)?, &unit(k, &s)?)?;
                fun::divide(&inverse_gaps(&s)?, &sums)?
            },
            inverse: fun::reciprocal(&s)?,
            s,
            sizes,
        })
    }
}

fn svd_jvp(params: &Params, x: &[Array], y: &[Array], ts: &[Option<Array>]) -> Sides {
    let Some(dx) = &ts[0] else { return Ok(vec![None; y.len()]) };
    determined("svd", params, &x[0])?;
    let Svd { s, u, vh, gaps, inverse, sizes: (m, n) } = Svd::of(params, &x[0], y)?;
    let v = h(&vh)?;
    let inner = mul(&mul(&h(&u)?, dx)?, &v)?;
    let ds = fun::cast(&fun::real(&diagonal(&inner)?)?, y[0].dtype())?;
    if y.len() == 1 {
        return Ok(vec![Some(ds)]);
    }
    let both = |x: Array| fun::multiply(&gaps, &fun::add(&x, &h(&x)?)?);
    let mut of_u = both(fun::multiply(&inner, &across(&s)?)?)?;
    let of_v = both(fun::multiply(&inner, &down(&s)?)?)?;
    if x[0].dtype() == Dtype::C64 {
        let whole = diagonal(&inner)?;
        let turned = fun::multiply(&fun::subtract(&whole, &real(&whole)?)?, &inverse)?;
        of_u = fun::add(&of_u, &diagonals(&turned)?)?;
    }
    let (mut du, mut dvh) = (mul(&u, &of_u)?, fun::negative(&mul(&of_v, &vh)?)?);
    if m > n {
        let outside = fun::subtract(&mul(dx, &v)?, &mul(&u, &inner)?)?;
        du = fun::add(&du, &fun::multiply(&outside, &across(&inverse)?)?)?;
    }
    if n > m {
        let outside = fun::subtract(&mul(&h(&u)?, dx)?, &mul(&inner, &vh)?)?;
        dvh = fun::add(&dvh, &fun::multiply(&outside, &down(&inverse)?)?)?;
    }
    Ok(vec![Some(ds), Some(du), Some(dvh)])
}

fn svd_vjp(params: &Params, x: &[Array], y: &[Array], gs: &[Option<Array>]) -> Sides {
    if gs.iter().all(Option::is_none) {
        return Ok(vec![None]);
    }
    let (gu, gvh) = (gs.get(1).cloned().flatten(), gs.get(2).cloned().flatten());
    if gu.is_some() || gvh.is_some() {
        determined("svd", params, &x[0])?;
    }
    let Svd { s, u, vh, gaps, inverse, sizes: (m, n) } = Svd::of(params, &x[0], y)?;
    let both = |g: &Array| {
        let g = fun::multiply(&gaps, g)?;
        fun::add(&g, &h(&g)?)
    };
    // Cotangents of `u^H t v`, and what they have beside.
    let mut inner = vec![gs[0].as_ref().map(|g| diagonals(&fun::cast(g, x[0].dtype())?)).transpose()?];
    let mut beside: Vec<Option<Array>> = Vec::new();
    if let Some(g) = &gu {
        let here = mul(&t(&u)?, g)?;
        inner.push(Some(fun::multiply(&both(&here)?, &across(&s)?)?));
        if x[0].dtype() == Dtype::C64 {
            let whole = diagonal(&here)?;
            let turned = fun::multiply(&fun::subtract(&whole, &real(&whole)?)?, &inverse)?;
            inner.push(Some(diagonals(&turned)?));
        }
        if m > n {
            let outside = fun::multiply(g, &across(&inverse)?)?;
            inner.push(Some(fun::negative(&mul(&t(&u)?, &outside)?)?));
            beside.push(Some(mul(&outside, &fun::conjugate(&vh)?)?));
        }
    }
    if let Some(g) = &gvh {
        let here = fun::negative(&mul(g, &t(&vh)?)?)?;
        inner.push(Some(fun::multiply(&both(&here)?, &down(&s)?)?));
        if n > m {
            let outside = fun::multiply(g, &down(&inverse)?)?;
            inner.push(Some(fun::negative(&mul(&outside, &t(&vh)?)?)?));
            beside.push(Some(mul(&fun::conjugate(&u)?, &outside)?));
        }
    }
    let Some(inner) = total(inner)? else { return Ok(vec![None]) };
    beside.push(Some(mul(&mul(&fun::conjugate(&u)?, &inner)?, &fun::conjugate(&vh)?)?));
    Ok(vec![total(beside)?])
}

fn eigh_jvp(params: &Params, x: &[Array], y: &[Array], ts: &[Option<Array>]) -> Sides {
    let Some(dx) = &ts[0] else { return Ok(vec![None; y.len()]) };
    let full = with_vectors(&EIGH, params, &x[0], y)?;
    let (w, v) = (&full[0], &full[1]);
    let inner = mul(&mul(&h(v)?, &hermitian(dx)?)?, v)?;
    let dw = fun::cast(&fun::real(&diagonal(&inner)?)?, w.dtype())?;
    if y.len() == 1 {
        return Ok(vec![Some(dw)]);
    }
    let gaps = inverse_gaps(&fun::cast(w, v.dtype())?)?;
    Ok(vec![Some(dw), Some(mul(v, &fun::multiply(&gaps, &inner)?)?)])
}

fn eigh_vjp(params: &Params, x: &[Array], y: &[Array], gs: &[Option<Array>]) -> Sides {
    let full = with_vectors(&EIGH, params, &x[0], y)?;
    let (w, v) = (&full[0], &full[1]);
    let of_w = gs[0].as_ref().map(|g| diagonals(&fun::cast(g, v.dtype())?)).transpose()?;
    let of_v = |g: &Array| fun::multiply(&inverse_gaps(&fun::cast(w, v.dtype())?)?, &mul(&t(v)?, g)?);
    let of_v = gs.get(1).and_then(Option::as_ref).map(of_v).transpose()?;
    let Some(inner) = total([of_w, of_v])? else { return Ok(vec![None]) };
    let whole = mul(&mul(&fun::conjugate(v)?, &inner)?, &t(v)?)?;
    Ok(vec![Some(hermitian_transposed(&whole)?)])
}

/// `v` times the sums over rows of `x * y`: what is left of columns along the vectors.
fn along(v: &Array, x: &Array, y: &Array) -> Result<Array> {
    fun::multiply(v, &fun::sum_over(&fun::multiply(x, y)?, Some(&[-2]), true)?)
}

fn eig_jvp(params: &Params, x: &[Array], y: &[Array], ts: &[Option<Array>]) -> Sides {
    let Some(dx) = &ts[0] else { return Ok(vec![None; y.len()]) };
    let full = with_vectors(&EIG, params, &x[0], y)?;
    let (w, v) = (&full[0], &full[1]);
    let inner = fun::linalg::solve(v, &mul(&fun::cast(dx, Dtype::C64)?, v)?)?;
    let dw = diagonal(&inner)?;
    if y.len() == 1 {
        return Ok(vec![Some(dw)]);
    }
    let moved = mul(v, &fun::multiply(&inverse_gaps(w)?, &inner)?)?;
    let dv = fun::subtract(&moved, &along(v, &fun::conjugate(v)?, &moved)?)?;
    Ok(vec![Some(dw), Some(dv)])
}

fn eig_vjp(params: &Params, x: &[Array], y: &[Array], gs: &[Option<Array>]) -> Sides {
    let full = with_vectors(&EIG, params, &x[0], y)?;
    let (w, v) = (&full[0], &full[1]);
    let of_w = gs[0].as_ref().map(diagonals).transpose()?;
    let of_v = |g: &Array| {
        let moved = fun::subtract(g, &along(&fun::conjugate(v)?, g, v)?)?;
        fun::multiply(&inverse_gaps(w)?, &mul(&t(v)?, &moved)?)
    };
    let of_v = gs.get(1).and_then(Option::as_ref).map(of_v).transpose()?;
    let Some(inner) = total([of_w, of_v])? else { return Ok(vec![None]) };
    let whole = fun::linalg::solve(&t(v)?, &mul(&inner, &t(v)?)?)?;
    Ok(vec![Some(fun::cast(&whole, x[0].dtype())?)])
}

/// Eigenvectors, and sums of the roots of the eigenvalues.
fn root_parts(x: &Array) -> Result<(Array, Array)> {
    let full = Array::apply_all(&EIGH, Params::Vectors(Vectors::Thin), &[x])?;
    let roots = fun::sqrt(&fun::maximum(&full[0], &full[0].weak(0.))?)?;
    let sums = fun::add(&across(&roots)?, &down(&roots)?)?;
    Ok((full[1].clone(), fun::cast(&sums, x.dtype())?))
}

/// `1 - x`, of square matrices.
fn complement(x: &Array) -> Result<Array> {
    fun::subtract(&unit(x.shape()[x.ndim() - 1], x)?, x)
}

fn pinv_jvp(_: &Params, x: &[Array], y: &[Array], ts: &[Option<Array>]) -> Sides {
    let Some(dx) = &ts[0] else { return Ok(vec![None]) };
    let (a, p) = (&x[0], &y[0]);
    let (ph, back) = (h(p)?, h(dx)?);
    let first = fun::negative(&mul(&mul(p, dx)?, p)?)?;
    let second = mul(&mul(&mul(p, &ph)?, &back)?, &complement(&mul(a, p)?)?)?;
    let third = mul(&mul(&complement(&mul(p, a)?)?, &back)?, &mul(&ph, p)?)?;
    Ok(vec![total([Some(first), Some(second), Some(third)])?])
}

fn pinv_vjp(_: &Params, x: &[Array], y: &[Array], gs: &[Option<Array>]) -> Sides {
    let Some(g) = &gs[0] else { return Ok(vec![None, None]) };
    let (a, p) = (&x[0], &y[0]);
    let (ph, pt) = (h(p)?, t(p)?);
    let first = fun::negative(&mul(&mul(&pt, g)?, &pt)?)?;
    let second = mul(&mul(&t(&mul(p, &ph)?)?, g)?, &t(&complement(&mul(a, p)?)?)?)?;
    let third = mul(&mul(&t(&complement(&mul(p, a)?)?)?, g)?, &t(&mul(&ph, p)?)?)?;
    let back = h(&fun::add(&second, &third)?)?;
    Ok(vec![Some(fun::add(&first, &back)?), None])
}
