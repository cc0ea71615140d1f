//! Trace numbers: what they bound, and what they cannot tell.

use std::sync::{Arc, Mutex};

use pullback_transform::walk::visits;

use crate::prelude::*;

#[test]
fn an_inner_derivative_does_not_see_the_outer_one() {
    let one = scalar(1.);
    // d/dx [x · d/dy (x + y)] = 1; confusing the two gives 2.
    let outer = |x: &[Array]| {
        let inner = jvp(&|y| Ok(vec![&x[0] + &y[0]]), &[scalar(1.)], &[scalar(1.)])?;
        Ok(vec![&x[0] * &inner.1[0]])
    };
    close(&jvp(&outer, &[one.clone()], &[one.clone()]).unwrap().1[0].values(), &[1.]);
    close(&d(&outer, &[one]).unwrap().values(), &[1.]);
}

#[test]
fn an_inner_trace_stays_connected_to_the_outer_one() {
    // d/dx [d/dy (x y²)] at y = x: the inner leaf aliases an outer one.
    let f = |x: &[Array]| {
        let x = x[0].clone();
        Ok(vec![d(&|y| Ok(vec![&x * &(&y[0] * &y[0])]), &[x.clone()])?])
    };
    close(&d(&f, &[scalar(3.)]).unwrap().values(), &[12.]);
}

#[test]
fn leaves_of_derivatives_have_values_and_those_of_vmap_do_not() {
    let f = |x: &[Array]| if eval(&x[0])?[0] > 0. { Ok(vec![sin(&x[0])]) } else { Ok(vec![x[0].clone()]) };
    close(&d(&f, &[scalar(1.)]).unwrap().values(), &[1f64.cos()]);
    let error = vmap(&f, &[vector(&[1., 2.])], &[Some(0)]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(error.text().contains("tracer of vmap") && error.text().contains("being traced"), "{error}");
}

#[test]
fn a_leaked_tracer_is_an_error_with_a_name() {
    let leak: Arc<Mutex<Vec<Array>>> = Arc::default();
    let f = |x: &[Array]| {
        leak.lock().unwrap().push(sin(&x[0]));
        Ok(x.to_vec())
    };
    vmap(&f, &[vector(&[1., 2.])], &[Some(0)]).unwrap();
    let error = eval(&leak.lock().unwrap().remove(0)).unwrap_err();
    assert!(error.kind() == ErrorKind::Value && error.text().contains("leaked"), "{error}");
    // One of a derivative has a value and is a constant to all traces to come.
    grad(&f, &[scalar(1.)]).unwrap();
    let old = leak.lock().unwrap().remove(0);
    close(&old.values(), &[1f64.sin()]);
    close(&d(&|x| Ok(vec![&x[0] * &old]), &[scalar(5.)]).unwrap().values(), &[1f64.sin()]);
}

#[test]
fn a_million_captured_nodes_are_not_visited() {
    let mut history = scalar(1.);
    for _ in 0..1_000_000 {
        history = -history;
    }
    let rule = with_vjp(square());
    let f = |x: &[Array]| Ok(vec![&rule.call(&[sin(&x[0])])?[0] * &history]);
    let before = visits();
    let gradient = d(&f, &[scalar(2.)]).unwrap();
    jvp(&f, &[scalar(2.)], &[scalar(1.)]).unwrap();
    vmap(&f, &[vector(&[1., 2.])], &[Some(0)]).unwrap();
    assert!(visits() - before < 50, "{} nodes visited", visits() - before);
    close(&gradient.values(), &[10. * 2f64.sin() * 2f64.cos()]);
    // The same with the history built by a derivative that has ended.
    let g = |y: &[Array]| {
        let mut y = y[0].clone();
        for _ in 0..100_000 {
            y = -y;
        }
        Ok(vec![&y * &y])
    };
    let history = d(&g, &[scalar(1.)]).unwrap();
    let before = visits();
    d(&|x: &[Array]| Ok(vec![&rule.call(&[sin(&x[0])])?[0] * &history]), &[scalar(2.)]).unwrap();
    assert!(visits() - before < 50, "{} nodes visited", visits() - before);
}

/// What is captured under vmap has a history too, and each function ends at the captured array.
#[test]
fn a_captured_history_is_replayed_once() {
    let f = |x: &[Array]| {
        let long = |y: &[Array]| {
            let mut y = y[0].clone();
            for _ in 0..2000 {
                y = -y;
            }
            Ok(vec![&y * &y])
        };
        let c = d(&long, x)?;
        let mut y = x[0].clone();
        for _ in 0..100 {
            let c = c.clone();
            y = with_vjp(Custom::new("f", &["x"], move |x| Ok(vec![&x[0] + &c]))).call(&[y])?.remove(0);
        }
        Ok(vec![y])
    };
    let before = visits();
    vmap(&f, &[vector(&[1., 2.])], &[Some(0)]).unwrap();
    assert!(visits() - before < 40_000, "{} nodes visited", visits() - before);
}

/// A number may say "perhaps" where the answer is no. Then nothing may be asked of the nodes:
/// no derivative of an operation that has none, no rule, no error about a capture.
#[test]
fn what_only_looks_dependent_is_left_alone() {
    let rule = square().vjp(|_, _| Err(Error::new(ErrorKind::Host, "nobody asked")));
    let strict = Custom::new("strict", &["x"], |x| Ok(vec![&x[0] * &sin(&x[0])])).captured(Captured::Error);
    strict.call(&[scalar(1.)]).unwrap();
    let f = |x: &[Array]| {
        // Built inside this trace, and numbered above it by an inner one.
        let constant = d(&|y| Ok(vec![&y[0] * &y[0]]), &[scalar(3.)])?;
        let odd = opaque(&rule.call(&[constant.clone()])?[0]);
        let strict = {
            let constant = constant.clone();
            Custom::new("strict", &["x"], move |x| Ok(vec![&x[0] * &constant])).captured(Captured::Error)
        };
        Ok(vec![&strict.call(&[x[0].clone()])?[0] * &odd])
    };
    // constant 6, odd (6²)² = 1296, f = 6 · 1296 · x
    close(&d(&f, &[scalar(1.)]).unwrap().values(), &[6. * 1296.]);
    close(&jvp(&f, &[scalar(1.)], &[scalar(1.)]).unwrap().1[0].values(), &[6. * 1296.]);
}

#[test]
fn an_error_leaves_no_trace_open() {
    let fails = |_: &[Array]| Err(Error::new(ErrorKind::Host, "Abort!"));
    let error = vmap(&|x| Ok(vec![d(&fails, x)?]), &[vector(&[1.])], &[Some(0)]).err().unwrap();
    assert_eq!((error.kind(), error.text()), (ErrorKind::Host, "Abort!"));
    assert!(!any_active());
    let caught =
        std::panic::catch_unwind(|| grad(&|_: &[Array]| panic!("on purpose"), &[scalar(1.)]).map(drop));
    assert!(caught.is_err() && !any_active());
}
