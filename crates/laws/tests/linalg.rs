//! Linear algebra: factors are those of the matrix, and the derivatives of what takes matrices of a kind, which rows drawn
//! at random are not.

use pullback::fun::linalg::{self as la, QrMode, Vectors};
use pullback::{Array, Aval, Dtype, Result, fun};
use pullback_laws::derivative::check_grads;
use pullback_laws::elements::{Rng, close, drawn, values};

fn matrices(name: &str, shape: &[usize]) -> Array {
    drawn(&mut Rng::of(name), &Aval::new(shape, Dtype::F64), (-2., 2.)).expect("a small array")
}

/// `x x^T + 1`
fn positive(x: &Array) -> Result<Array> {
    let n = x.shape()[x.ndim() - 2];
    fun::add(&fun::matmul(x, &fun::swap_last(x)?)?, &fun::eye(n, n, 0, x.dtype())?)
}

fn same(name: &str, found: &Array, want: &Array) {
    assert_eq!(found.aval(), want.aval(), "{name}");
    let both = values(&[found.clone(), want.clone()]).expect("small arrays");
    close(&both[0], &both[1], 1e-11, 1.).unwrap_or_else(|text| panic!("{name}: {text}"));
}

/// Columns times factors.
fn scaled(x: &Array, by: &Array) -> Result<Array> {
    fun::multiply(x, &fun::expand_dims(by, &[-2])?)
}

/// Every factorization of matrices of every proportion, of sizes that the loops and that the library has, and empty ones.
#[test]
fn factors_are_those_of_the_matrix() -> Result<()> {
    for (m, n) in [(1, 1), (3, 3), (5, 2), (2, 5), (70, 70), (60, 30), (30, 60), (0, 2), (3, 0)] {
        for lead in [&[][..], &[3], &[2, 0]] {
            let shape = [lead, &[m, n]].concat();
            let x = matrices(&format!("{shape:?}"), &shape);
            let name = |what: &str| format!("{what} of {shape:?}");
            for mode in [QrMode::Reduced, QrMode::Complete] {
                let (q, r) = la::qr(&x, mode)?;
                same(&name("qr"), &fun::matmul(&q, &r)?, &x);
            }
            let made = la::svd(&x, Vectors::Thin)?;
            same(&name("svd"), &fun::matmul(&scaled(&made[0], &made[1])?, &made[2])?, &x);
            same(&name("values"), &la::svd(&x, Vectors::None)?[0], &made[1]);
            let [places, lower, upper] = la::lu(&x)?;
            let index = fun::expand_dims(&fun::cast(&places, Dtype::I32)?, &[-1])?;
            let index = fun::broadcast_to(&index, lower.shape())?;
            let rows = fun::index::gather_along(&lower, &index, lower.ndim() - 2)?;
            same(&name("lu"), &fun::matmul(&rows, &upper)?, &x);
            let p = la::pinv(&x, None)?;
            same(&name("pinv"), &fun::matmul(&fun::matmul(&x, &p)?, &x)?, &x);
            let whole = positive(&x)?;
            let lower = la::cholesky(&whole, false)?;
            same(&name("cholesky"), &fun::matmul(&lower, &fun::swap_last(&lower)?)?, &whole);
            let made = la::eigh(&whole, Vectors::Thin, false)?;
            let back = fun::matmul(&scaled(&made[1], &made[0])?, &fun::swap_last(&made[1])?)?;
            same(&name("eigh"), &back, &whole);
            let root = la::hermitian_root(&whole)?;
            same(&name("root"), &fun::matmul(&root, &root)?, &whole);
            same(&name("solve"), &fun::matmul(&whole, &la::solve(&whole, &x)?)?, &x);
        }
    }
    Ok(())
}

/// Derivatives to order two of what takes matrices of a kind, made of drawn ones.
#[test]
fn derivatives_of_functions() {
    type Case = (&'static str, &'static [&'static [usize]], fn(&[Array]) -> Result<Vec<Array>>);
    let cases: [Case; 12] = [
        ("cholesky", &[&[3, 3]], |x| Ok(vec![la::cholesky(&positive(&x[0])?, false)?])),
        ("cholesky of the upper", &[&[2, 2, 2]], |x| Ok(vec![la::cholesky(&positive(&x[0])?, true)?])),
        ("solve", &[&[3, 3], &[3, 2]], |x| Ok(vec![la::solve(&positive(&x[0])?, &x[1])?])),
        ("solve many", &[&[3, 3], &[2, 3, 1]], |x| Ok(vec![la::solve(&positive(&x[0])?, &x[1])?])),
        ("solve a vector", &[&[2, 3, 3], &[3]], |x| Ok(vec![la::solve(&positive(&x[0])?, &x[1])?])),
        ("inv", &[&[2, 3, 3]], |x| Ok(vec![la::inv(&positive(&x[0])?)?])),
        ("slogdet", &[&[4, 4]], |x| Ok(vec![la::slogdet(&x[0])?.1])),
        ("det", &[&[4, 4]], |x| Ok(vec![la::det(&x[0])?])),
        ("det of three", &[&[3, 3]], |x| Ok(vec![la::det(&x[0])?])),
        ("wide qr", &[&[2, 4]], |x| la::qr(&x[0], QrMode::Reduced).map(|(q, r)| vec![q, r])),
        ("pinv of a rank", &[&[4, 2], &[2, 3]], |x| Ok(vec![la::pinv(&fun::matmul(&x[0], &x[1])?, None)?])),
        ("root", &[&[3, 3]], |x| Ok(vec![la::hermitian_root(&positive(&x[0])?)?])),
    ];
    for (name, shapes, f) in cases {
        let xs: Vec<Array> =
            shapes.iter().enumerate().map(|(i, shape)| matrices(&format!("{name} {i}"), shape)).collect();
        for order in 1..=2 {
            check_grads(&f, &xs, order, &mut Rng::of(name))
                .unwrap_or_else(|text| panic!("{name}, order {order}: {text}"));
        }
    }
}
