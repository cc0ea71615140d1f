//! From arrays to elements: what the plan says is what comes out.

use pullback::{Array, Aval, Dtype, array, eval, from_f64, fun, kernels, settle, to_f64};

fn close(got: &Array, want: &[f64]) {
    let got = to_f64(got).unwrap();
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-5 * want.abs().max(1.), "{got} is not {want}");
    }
}

#[test]
fn elements_reductions_and_products() {
    let x = array(&[1., 2., 3., 4., 5., 6.], &[2, 3]).unwrap();
    let y = fun::exp(&(&x * 0.5)).unwrap();
    close(&y, &[0.5f64, 1., 1.5, 2., 2.5, 3.].map(f64::exp));
    close(&fun::sum(&(&x * &x), &[1]).unwrap(), &[14., 77.]);
    close(&fun::sum(&(&x * &x), &[0]).unwrap(), &[17., 29., 45.]);
    let z = fun::matmul(&x, &fun::transpose(&x, &[1, 0]).unwrap()).unwrap();
    close(&z, &[14., 32., 32., 77.]);
}

#[test]
fn a_softmax_by_hand() {
    let x = array(&[1., 2., 3., 1., 1., 1.], &[2, 3]).unwrap();
    let e = fun::exp(&x).unwrap();
    let total = fun::sum(&e, &[1]).unwrap();
    let total = fun::reshape(&total, [2, 1].into()).unwrap();
    let y = &e / &total;
    let third = 1. / 3.;
    let sum = 1f64.exp() + 2f64.exp() + 3f64.exp();
    close(&y, &[1f64.exp() / sum, 2f64.exp() / sum, 3f64.exp() / sum, third, third, third]);
}

#[test]
fn views_of_views() {
    let x = from_f64(&(0..24).map(f64::from).collect::<Vec<_>>(), Aval::new([2, 3, 4], Dtype::F32)).unwrap();
    let t = fun::transpose(&x, &[2, 0, 1]).unwrap();
    let r = fun::reshape(&t, [4, 6].into()).unwrap();
    let s = fun::slice(&r, &[3, 0], &[-2, 3], &[2, 2].into()).unwrap();
    // r[i] = x[.., .., i] in order: 0 4 8 12 16 20, plus i.
    close(&s, &[3., 15., 1., 13.]);
    close(&(&s + &s), &[6., 30., 2., 26.]);
}

#[test]
fn constants_scalars_and_empty_arrays() {
    let x = Array::full(pullback::Scalar::Float(2.5), &Aval::new([2, 2], Dtype::F32));
    close(&x, &[2.5; 4]);
    close(&(&x + 1.), &[3.5; 4]);
    let empty = from_f64(&[], Aval::new([0, 3], Dtype::F32)).unwrap();
    close(&(&empty * 2.), &[]);
    close(&fun::sum(&empty, &[0]).unwrap(), &[0., 0., 0.]);
    let scalar = array(&[2.], &[]).unwrap();
    close(&(&scalar * &scalar), &[4.]);
}

#[test]
fn a_graph_without_leaves() {
    let [from, to, by] = [0, 3, 1].map(pullback::Scalar::Int);
    let x = fun::arange(from, to, by, Dtype::F32).unwrap();
    assert_eq!(kernels(std::slice::from_ref(&x)).unwrap(), 1);
    close(&x, &[0., 1., 2.]);
    let x = fun::arange(from, to, by, Dtype::F32).unwrap();
    close(&(&x * &x), &[0., 1., 4.]);
}

#[test]
fn a_chain_of_a_million_is_built_evaluated_and_dropped() {
    let one = array(&[1.], &[1]).unwrap();
    let mut y = one.clone();
    for _ in 0..1_000_000 {
        y = fun::add(&y, &one).unwrap();
        settle(&y).unwrap();
    }
    close(&y, &[1_000_001.]);
    let mut y = one.clone();
    for _ in 0..1_000_000 {
        y = fun::negative(&y).unwrap();
    }
    close(&y, &[1.]);
}

#[test]
fn a_run_that_is_stopped_can_be_repeated() {
    let x = array(&[1., 2.], &[2]).unwrap();
    let y = fun::exp(&x).unwrap();
    let stop = eval(std::slice::from_ref(&y), &mut || Err(pullback::Error::value("stop")));
    if let Err(error) = stop {
        assert_eq!(error.text(), "stop");
        assert!(y.data().is_none());
    }
    close(&y, &[1f64.exp(), 2f64.exp()]);
}

#[test]
fn a_chain_of_elements_is_one_kernel() {
    let x = array(&[1., 2.], &[2]).unwrap();
    let mut y = x.clone();
    for _ in 0..20 {
        y = fun::exp(&(&y * 0.1)).unwrap();
    }
    assert_eq!(kernels(&[y]).unwrap(), 1);
}

#[test]
fn many_threads_evaluate_one_graph() {
    let x = array(&[1., 2., 3.], &[3]).unwrap();
    let y = fun::exp(&x).unwrap() + &x;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for step in 0..50 {
                    close(
                        &(&y * f64::from(step)),
                        &[1., 2., 3.].map(|x: f64| (x.exp() + x) * f64::from(step)),
                    );
                }
            });
        }
    });
}
