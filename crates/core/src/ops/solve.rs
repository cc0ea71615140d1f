//! Cholesky and LU factorizations, and the systems that they and triangles solve.
//!
//! Derivatives are those of Giles, "An extended collection of matrix derivative results for forward and reverse mode
//! automatic differentiation" (2008), and of Murray, "Differentiation of the Cholesky decomposition" (2016).

use pullback_base::{Aval, Dtype, Result, Scalar, Shape};
use pullback_kernels::Linalg;

use super::SAME;
use super::linalg::*;
use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test};
use crate::ops;
use crate::params::Params;

ops! {
    /// The lower Cholesky factor of Hermitian matrices `[.., n, n]`, of which the lower triangle is read: so there is no
    /// slope above the diagonal. Where there is no factor it is NaN.
    CHOLESKY = "cholesky" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::One(|_, x| square("cholesky", x[0]).map(|_| x[0].clone())),
        diff: Diff::Custom {
            // L half(L^-1 t L^-H)
            jvp: |_, _, y, ts| {
                let Some(t) = &ts[0] else { return Ok(vec![None]) };
                let left = triangular(&y[0], &hermitian(t)?, false)?;
                let inner = half_lower(&h(&triangular(&y[0], &h(&left)?, false)?)?)?;
                Ok(vec![Some(mul(&y[0], &inner)?)])
            },
            vjp: |_, _, y, gs| {
                let Some(g) = &gs[0] else { return Ok(vec![None]) };
                let inner = half_lower(&mul(&t(&y[0])?, g)?)?;
                let left = triangular(&t(&y[0])?, &inner, true)?;
                let whole = t(&triangular(&h(&y[0])?, &t(&left)?, true)?)?;
                Ok(vec![Some(hermitian_transposed(&whole)?)])
            },
        },
        batch: SAME,
        kernel: Kernel::Whole(|_, x, out| call(Linalg::Cholesky, x, &[2], (out, 2))),
        api: Api::Composed,
        test: Test {
            reference: Reference::Elsewhere("crates/laws/tests/linalg.rs"),
            samples: &[Sample { shapes: &[&[2, 1, 1]], dtypes: super::F32, params: || Params::None, domain: (0.5, 2.) }],
            ulps: 4.,
        },
    }
    /// The solution `x` of `a x = b` for triangular `a`: `[.., n, n], [.., n, k] -> [.., n, k]`. Only one triangle is read.
    TRIANGULAR = "solve_triangular" ("a", "b") {
        dtypes: Dtypes::Precise,
        infer: Infer::One(|_, x| systems("solve_triangular", x[0], x[1], x)),
        diff: Diff::Custom {
            jvp: |params, x, y, ts| {
                let upper = params.turned();
                let moved = |t: &Array| fun::negative(&mul(&side(t, upper)?, &y[0])?);
                let right = total([ts[1].clone(), ts[0].as_ref().map(moved).transpose()?])?;
                Ok(vec![right.map(|right| triangular(&x[0], &right, upper)).transpose()?])
            },
            vjp: |params, x, y, gs| {
                let Some(g) = &gs[0] else { return Ok(vec![None, None]) };
                let upper = params.turned();
                let right = triangular(&t(&x[0])?, g, !upper)?;
                let left = side(&fun::negative(&mul(&right, &t(&y[0])?)?)?, upper)?;
                Ok(vec![Some(left), Some(right)])
            },
        },
        batch: Batch::Custom(|params, x, axes, size| solve_batch(x, axes, size, 1, &|x| {
            triangular(&x[0], &x[1], params.turned())
        })),
        kernel: Kernel::Whole(|params, x, out| {
            call(Linalg::Triangular { upper: params.turned() }, x, &[2, 2], (out, 2))
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(substitution),
            samples: &[
                Sample { shapes: &[&[3, 3], &[3, 2]], dtypes: super::F32_2, params: || Params::Upper(false), domain: (0.5, 1.5) },
                Sample { shapes: &[&[2, 3, 3], &[2, 3, 2]], dtypes: super::F32_2, params: || Params::Upper(true), domain: (0.5, 1.5) },
            ],
            ulps: 64.,
        },
    }
    /// The LU factorization of matrices `[.., m, n]` with partial pivoting: both factors in one, the ones of the first left
    /// out; the row that was exchanged with each, in order; and the rows of `a` in the order of the factors.
    LU = "lu_factor" ("a") {
        dtypes: Dtypes::Precise,
        infer: Infer::Many(|_, x| {
            let (m, n) = matrix("lu_factor", x[0])?;
            let list = |n: usize| Aval::new(ending(x[0], &[n]), Dtype::I32);
            Ok([x[0].clone(), list(m.min(n)), list(m)].into_iter().collect())
        }),
        diff: Diff::Custom { jvp: lu_jvp, vjp: lu_vjp },
        batch: SAME,
        kernel: Kernel::Whole(|_, x, out| call(Linalg::Lu, x, &[2], (out, 2))),
        api: Api::Composed,
        test: Test {
            reference: Reference::Elsewhere("crates/laws/tests/linalg.rs"),
            samples: &[
                Sample { shapes: &[&[2, 3, 3]], dtypes: super::F32, params: || Params::None, domain: (-2., 2.) },
                Sample { shapes: &[&[4, 2]], dtypes: super::F32, params: || Params::None, domain: (-2., 2.) },
                Sample { shapes: &[&[2, 4]], dtypes: super::F32, params: || Params::None, domain: (-2., 2.) },
            ],
            ulps: 8.,
        },
    }
    /// The solution `x` of `a x = b`, or with the transpose of `a`, from the factors and the order that `lu_factor` made of
    /// `a`: `[.., n, n], [.., n, k], [.., n, n], [.., n] -> [.., n, k]`. The derivative is that of the solution for `a`,
    /// and uses the factors again; they themselves only steer.
    LU_SOLVE = "lu_solve" ("a", "b", "factors", "order") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|_, x| {
            let out = systems("solve", x[0], x[1], &x[..2])?;
            let fits = Dtypes::Precise.has(out.dtype)
                && x[2] == x[0]
                && *x[3] == Aval::new(ending(x[0], &[out.shape[out.shape.ndim() - 2]]), Dtype::I32);
            if fits { Ok(out) } else { Err(mismatch("solve", "what lu_factor makes of the matrices", x)) }
        }),
        diff: Diff::Custom {
            jvp: |params, x, y, ts| {
                let moved = |d: &Array| {
                    fun::negative(&mul(&if params.turned() { t(d)? } else { d.clone() }, &y[0])?)
                };
                let right = total([ts[1].clone(), ts[0].as_ref().map(moved).transpose()?])?;
                Ok(vec![right.map(|right| lu_solve(x, &right, params.turned())).transpose()?])
            },
            vjp: |params, x, y, gs| {
                let Some(g) = &gs[0] else { return Ok(vec![None; 4]) };
                let right = lu_solve(x, g, !params.turned())?;
                let left = fun::negative(&mul(&right, &t(&y[0])?)?)?;
                let left = if params.turned() { t(&left)? } else { left };
                Ok(vec![Some(left), Some(right), None, None])
            },
        },
        batch: Batch::Custom(|params, x, axes, size| solve_batch(x, axes, size, 1, &|x| {
            lu_solve(x, &x[1], params.turned())
        })),
        kernel: Kernel::Whole(|params, x, out| {
            call(Linalg::LuSolve { transposed: params.turned() }, x, &[2, 2, 2, 1], (out, 2))
        }),
        api: Api::Composed,
        // Operands belong to each other, which drawn ones do not: the laws of `solve` are elsewhere, too.
        test: Test {
            reference: Reference::Elsewhere("crates/laws/tests/linalg.rs"),
            samples: &[Sample {
                shapes: &[&[0, 0], &[0, 2], &[0, 0], &[0]],
                dtypes: &[Dtype::F32, Dtype::F32, Dtype::F32, Dtype::I32],
                params: || Params::Transposed(false),
                domain: (-2., 2.),
            }],
            ulps: 64.,
        },
    }
}

/// The row applied.
pub(crate) fn triangular(a: &Array, b: &Array, upper: bool) -> Result<Array> {
    Array::apply(&TRIANGULAR, Params::Upper(upper), &[a, b])
}

/// The row applied, to other right-hand sides.
pub(crate) fn lu_solve(x: &[Array], b: &Array, transposed: bool) -> Result<Array> {
    Array::apply(&LU_SOLVE, Params::Transposed(transposed), &[&x[0], b, &x[2], &x[3]])
}

/// The triangle that is read.
fn side(x: &Array, upper: bool) -> Result<Array> {
    if upper { fun::triu(x, 0) } else { fun::tril(x, 0) }
}

fn systems(op: &str, a: &Aval, b: &Aval, all: &[&Aval]) -> Result<Aval> {
    let n = square(op, a)?;
    let fits = a.dtype == b.dtype
        && b.shape.ndim() == a.shape.ndim()
        && b.shape[..b.shape.ndim() - 1] == ending(a, &[n])[..];
    if fits { Ok(b.clone()) } else { Err(mismatch(op, "square matrices and as many rows", all)) }
}

type Solve<'a> = &'a dyn Fn(&[Array]) -> Result<Array>;

/// One matrix for all examples is one system with more right-hand sides; else it is a batch of systems. Operand `b` is
/// the right-hand sides.
fn solve_batch(
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
    b: usize,
    solve: Solve,
) -> Result<Vec<(Array, Option<usize>)>> {
    let shared = (0..x.len()).all(|i| (i == b) == axes[i].is_some());
    if shared && x[b].ndim() == 3 {
        let (n, k) = (x[b].shape()[1], x[b].shape()[2]);
        let wide = fun::reshape(&fun::transpose(&x[b], &[1, 0, 2])?, Shape::from([n, size * k]))?;
        let mut all = x.to_vec();
        all[b] = wide;
        let y = fun::reshape(&solve(&all)?, Shape::from([n, size, k]))?;
        return Ok(vec![(fun::transpose(&y, &[1, 0, 2])?, Some(0))]);
    }
    let lead = |(x, axis): (&Array, &Option<usize>)| match axis {
        Some(_) => Ok(x.clone()),
        None => fun::broadcast_to(x, &x.shape().with(0, size)),
    };
    let all: Vec<Array> = x.iter().zip(axes).map(lead).collect::<Result<_>>()?;
    Ok(vec![(solve(&all)?, Some(0))])
}

/// Both factors `[.., m, m]` and `[.., n, n]`, filled up with ones on the diagonal, so that all shapes are one case: the
/// way of JAX.
fn filled(lu: &Array) -> Result<(Array, Array)> {
    let r = lu.ndim();
    let (m, n) = (lu.shape()[r - 2], lu.shape()[r - 1]);
    let k = m.min(n);
    let widen = |x: &Array, axis: usize, size: usize| {
        let widths: Vec<(usize, usize)> =
            (0..r).map(|at| (0, if at == axis { size - k } else { 0 })).collect();
        fun::pad(x, &widths, &fun::join::fill(Scalar::Int(0), x))
    };
    let lower = widen(&fun::narrow(&below(lu)?, r - 1, 0, k)?, r - 1, m)?;
    let upper = widen(&fun::narrow(&fun::triu(lu, 0)?, r - 2, 0, k)?, r - 2, n)?;
    let upper = if n > k {
        let square =
            fun::pad(&unit(k, lu)?, &[(0, n - k), (0, n - k)], &fun::join::fill(Scalar::Int(0), lu))?;
        fun::add(&upper, &fun::subtract(&unit(n, lu)?, &square)?)?
    } else {
        upper
    };
    Ok((fun::add(&lower, &unit(m, lu)?)?, upper))
}

/// Rows in the order of the factors.
fn permuted(x: &Array, order: &Array) -> Result<Array> {
    let index = fun::broadcast_to(&down(order)?, x.shape())?;
    fun::index::gather_along(x, &index, x.ndim() - 2)
}

fn lu_jvp(_: &Params, _: &[Array], y: &[Array], ts: &[Option<Array>]) -> Sides {
    let Some(dx) = &ts[0] else { return Ok(vec![None; 3]) };
    let (lower, upper) = filled(&y[0])?;
    let left = triangular(&lower, &permuted(dx, &y[2])?, false)?;
    let inner = t(&triangular(&t(&upper)?, &t(&left)?, false)?)?;
    let (low, high) = (mul(&lower, &below(&inner)?)?, mul(&fun::triu(&inner, 0)?, &upper)?);
    Ok(vec![Some(fun::add(&low, &high)?), None, None])
}

fn lu_vjp(_: &Params, x: &[Array], y: &[Array], gs: &[Option<Array>]) -> Sides {
    let Some(g) = &gs[0] else { return Ok(vec![None]) };
    let (lower, upper) = filled(&y[0])?;
    let low = below(&mul(&t(&lower)?, g)?)?;
    let high = fun::triu(&mul(g, &t(&upper)?)?, 0)?;
    let left = triangular(&t(&lower)?, &fun::add(&low, &high)?, true)?;
    let inner = t(&triangular(&upper, &t(&left)?, true)?)?;
    let index = fun::broadcast_to(&down(&y[2])?, x[0].shape())?;
    Ok(vec![Some(fun::index::collect_along(x[0].shape(), &index, &inner, x[0].ndim() - 2)?)])
}

/// The solution by its definition, in f64.
fn substitution(params: &Params, x: &[(&Aval, &[f64])], out: &Aval) -> Vec<f64> {
    let r = out.shape.ndim();
    let (n, k) = (out.shape[r - 2], out.shape[r - 1]);
    let mut y = x[1].1.to_vec();
    for b in 0..out.size() / (n * k).max(1) {
        let (a, y) = (&x[0].1[b * n * n..][..n * n], &mut y[b * n * k..][..n * k]);
        let order: Vec<usize> = if params.turned() { (0..n).rev().collect() } else { (0..n).collect() };
        for (done, &i) in order.iter().enumerate() {
            for c in 0..k {
                let known: f64 = order[..done].iter().map(|&j| a[i * n + j] * y[j * k + c]).sum();
                y[i * k + c] = (y[i * k + c] - known) / a[i * n + i];
            }
        }
    }
    y
}
