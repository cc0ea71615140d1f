//! Functions recorded once, as `compile` keeps them.

use std::sync::{Arc, Mutex};

use pullback_base::Aval;
use pullback_transform::{Traced, trace};

use crate::prelude::*;

fn number() -> Aval {
    Aval::new([], Dtype::F64)
}
fn record(f: &Fun) -> Traced {
    trace(f, &[number()]).unwrap()
}

#[test]
fn a_record_runs_without_its_function() {
    let count = Count::default();
    let traced = record(&|x| {
        count.hit();
        Ok(vec![sin(&x[0]), x[0].clone(), scalar(2.)])
    });
    for x in [0.5, 0.25] {
        let y = traced.call(&[scalar(x)]).unwrap();
        close(&y.iter().flat_map(|y| y.values()).collect::<Vec<_>>(), &[x.sin(), x, 2.]);
    }
    assert_eq!(count.take(), 1);
    assert_eq!((traced.avals(), traced.arguments()), (vec![number(); 3], vec![number()]));
    let refused = [traced.call(&[]), traced.call(&[vector(&[1.])])];
    let texts: Vec<String> = refused.into_iter().map(|r| r.unwrap_err().text().to_string()).collect();
    assert_eq!(texts[0], "[compile] expected 1 argument, got 0");
    assert_eq!(texts[1], "[compile] expected float64[] for argument 0, got float64[1]");
}

/// The node of a call is there only while somebody may look back at it.
#[test]
fn outside_every_trace_a_record_is_inlined() {
    let rule = with_vjp(square());
    let traced = record(&|x| rule.call(&[sin(&x[0])]));
    let y = traced.call(&[scalar(2.)]).unwrap().remove(0);
    assert!(y.node().custom().is_none());
    close(&y.values(), &[2f64.sin().powi(2)]);
    close(&d(&|x| traced.call(x), &[scalar(2.)]).unwrap().values(), &[10. * 2f64.sin() * 2f64.cos()]);
    let kept = Mutex::new(None);
    let f = |x: &[Array]| {
        let y = traced.call(x)?;
        *kept.lock().unwrap() = y[0].node().custom();
        Ok(y)
    };
    d(&f, &[scalar(2.)]).unwrap();
    assert!(kept.lock().unwrap().is_some());
}

#[test]
fn a_tracer_has_no_elements_and_says_so() {
    let leak: Mutex<Vec<Array>> = Mutex::default();
    let text = |x: &Array| eval(x).unwrap_err().text().to_string();
    record(&|x| {
        let said = text(&sin(&x[0]));
        assert!(said.contains("a tracer of compile, float64[], while it is being traced"), "{said}");
        assert!(said.contains("pure_callback"), "{said}");
        leak.lock().unwrap().push(x[0].clone());
        Ok(x.to_vec())
    });
    let said = text(&leak.lock().unwrap()[0]);
    assert!(said.contains("a tracer of compile") && said.contains("leaked"), "{said}");
    assert!(!any_active());
}

/// Custom functions stay what they are in a record, with rules, residuals and vmap rules.
#[test]
fn rules_survive_the_record() {
    let kept = Custom::new("kept", &["x"], |x| Ok(vec![&x[0] * &x[0]])).forward_backward(
        |x| Ok((vec![&x[0] * &x[0]], vec![exp(&x[0]), &x[0] * &x[0]])),
        |call, g| Ok((10. * &g[0] * call.residual(0)).into()),
    );
    let e = |x: f64| 10. * x.exp();
    let cases: [(Custom, [f64; 2], f64); 4] = [
        (with_vjp(square()), [10., 20.], 0.),
        (with_vmap(with_vjp(square())), [10., 20.], 7.),
        (with_jvp(square()), [100., 200.], 0.),
        (kept, [e(1.), e(2.)], 0.),
    ];
    for (f, want, plus) in cases {
        let plain = |x: &[Array]| f.call(x);
        let traced = record(&plain);
        let f = |x: &[Array]| traced.call(x);
        close(&d(&f, &[scalar(2.)]).unwrap().values(), &want[1..]);
        close(&jvp(&f, &[scalar(2.)], &[scalar(1.)]).unwrap().1[0].values(), &want[1..]);
        let second = |f: &Fun| d(&grad_of(f, 0), &[scalar(2.)]).unwrap().values();
        close(&second(&f), &second(&plain));
        let v = [vector(&[1., 2.])];
        close(&vmap(&f, &v, &[Some(0)]).unwrap()[0].values(), &[1. + plus, 4. + plus]);
        close(&d(&|x| vmap(&f, x, &[Some(0)]), &v).unwrap().values(), &want);
        close(&vmap(&grad_of(&f, 0), &v, &[Some(0)]).unwrap()[0].values(), &want);
        // Recorded around the derivative, and a record within a record.
        let g = record(&|x| Ok(vec![d(&plain, x)?]));
        close(&g.call(&[scalar(2.)]).unwrap()[0].values(), &want[1..]);
        let outer = record(&f);
        close(&d(&|x| outer.call(x), &[scalar(2.)]).unwrap().values(), &want[1..]);
        let mapped = trace(&|x| vmap(&plain, x, &[Some(0)]), &[Aval::new([2], Dtype::F64)]).unwrap();
        close(&d(&|x| mapped.call(x), &v).unwrap().values(), &want);
        assert_eq!(crate::common::ops(&traced.call(&[scalar(2.)]).unwrap()), ["multiply"]);
    }
}

/// Rules, forward passes, vmap rules and bodies that captured a leaf of the record answer for the argument that
/// stands for it.
#[test]
fn closures_of_rules_see_the_argument() {
    let make = |c: &Array, kind: usize| {
        let (a, b) = (exp(c), c.clone());
        let f = Custom::new("f", &["x"], |x| Ok(vec![&x[0] * &x[0]]));
        match kind {
            0 => f.vjp(move |_, g| Ok((&g[0] * &a).into())),
            1 => f.jvp(move |_, t| Ok((&t[0] * &a).into())),
            2 => f.forward_backward(
                move |x| Ok((vec![&x[0] * &x[0]], vec![exp(&b)])),
                |call, g| Ok((&g[0] * call.residual(0)).into()),
            ),
            // A function within the rule captures it.
            _ => f.vjp(move |_, g| {
                let b = b.clone();
                let inner = Custom::new("inner", &["g"], move |g| Ok(vec![&g[0] * exp(&b)]));
                Ok(inner.captured(Captured::Differentiate).call(g)?.into())
            }),
        }
    };
    for kind in 0..4 {
        let f = |x: &[Array]| make(&x[1], kind).call(&x[..1]);
        let traced = trace(&f, &[number(), number()]).unwrap();
        let g = |x: &[Array]| grad(&|x| traced.call(x), x);
        for c in [0.5, 0.25f64] {
            let args = [scalar(3.), scalar(c)];
            close(&g(&args).unwrap()[0].values(), &[c.exp()]);
            // The derivative of the rule by what it captured.
            let gx = |c: &[Array]| Ok(vec![g(&[scalar(3.), c[0].clone()])?.swap_remove(0)]);
            close(&d(&gx, &args[1..]).unwrap().values(), &[c.exp()]);
        }
        let v = [vector(&[1., 2.]), vector(&[0.5, 0.25])];
        let want = [0.5f64.exp(), 0.25f64.exp()];
        let mapped = |x: &[Array]| vmap(&|x| traced.call(x), x, &[Some(0), Some(0)]);
        close(&grad(&mapped, &v).unwrap()[0].values(), &want);
        close(&vmap(&|x| g(x), &v, &[Some(0), Some(0)]).unwrap()[0].values(), &want);
        // Twice recorded.
        let again = trace(&|x| traced.call(x), &[number(), number()]).unwrap();
        close(&grad(&|x| again.call(x), &[scalar(3.), scalar(0.5)]).unwrap()[0].values(), &want[..1]);
    }
    // A vmap rule that captured it.
    let f = |x: &[Array]| {
        let (c, own) = (x[1].clone(), x[1].clone());
        let f = Custom::new("f", &["x"], move |x| Ok(vec![&x[0] * &own])).captured(Captured::Differentiate);
        f.vmap(move |x, axes, _| Ok((vec![&x[0] * &c + 7.], axes.to_vec()))).call(&x[..1])
    };
    let traced = trace(&f, &[number(), number()]).unwrap();
    let mapped = |x: &[Array]| vmap(&|x| traced.call(x), x, &[Some(0), None]);
    let args = [vector(&[1., 2.]), scalar(3.)];
    close(&mapped(&args).unwrap()[0].values(), &[10., 13.]);
    let g = grad(&mapped, &args).unwrap();
    close(&[g[0].values(), g[1].values()].concat(), &[3., 3., 3.]);
}

/// A vmap rule gave the value within the record, and the body, which captured the argument, is run later.
#[test]
fn a_body_run_later_sees_the_argument() {
    let f = |c: &Array| {
        let c = c.clone();
        let f = Custom::new("f", &["x"], move |x| Ok(vec![&x[0] * &c]));
        f.vmap(|x, axes, _| Ok((vec![&x[0] + 7.], axes.to_vec())))
    };
    let inner = |u: &[Array]| record(&|c| f(&c[0]).call(&[&u[0] + &c[0]])).call(&[scalar(5.)]);
    let v = [vector(&[1., 2.])];
    close(&vmap(&inner, &v, &[Some(0)]).unwrap()[0].values(), &[13., 14.]);
    close(&vmap(&grad_of(&inner, 0), &v, &[Some(0)]).unwrap()[0].values(), &[5., 5.]);
}

/// What a record captured keeps its gradient, as long as its trace is open.
#[test]
fn captured_arrays_have_their_true_gradient() {
    let f = |w: &[Array]| {
        let w = sin(&w[0]);
        let traced = record(&|x| Ok(vec![&x[0] * &w]));
        assert_eq!(traced.captured().len(), 1);
        traced.call(&[scalar(3.)])
    };
    close(&d(&f, &[scalar(0.5)]).unwrap().values(), &[3. * 0.5f64.cos()]);
    let constant = scalar(2.);
    let traced = record(&|x| Ok(vec![&x[0] * &constant]));
    assert!(traced.captured().is_empty());
}

#[test]
fn checkpoints_in_records() {
    let rule = Arc::new(with_vjp(square()));
    let f = |x: &[Array]| {
        let rule = rule.clone();
        checkpoint(move |x| rule.call(&[sin(&x[0])]), x)
    };
    let traced = record(&f);
    let want = d(&f, &[scalar(0.5)]).unwrap().values();
    close(&want, &[10. * 0.5f64.sin() * 0.5f64.cos()]);
    close(&d(&|x| traced.call(x), &[scalar(0.5)]).unwrap().values(), &want);
    let v = [vector(&[0.5, 0.5])];
    close(&d(&|x| vmap(&|x| traced.call(x), x, &[Some(0)]), &v).unwrap().values(), &[want[0], want[0]]);
}

/// A record made long ago does not visit what was built since.
#[test]
fn a_record_is_a_bounded_walk() {
    let rule = with_vjp(square());
    let traced = record(&|x| rule.call(x));
    let f = |x: &[Array]| {
        let mut y = x[0].clone();
        for _ in 0..10_000 {
            y = -y;
        }
        traced.call(&[y])
    };
    let before = pullback_transform::walk::visits();
    close(&d(&f, &[scalar(2.)]).unwrap().values(), &[20.]);
    let visits = pullback_transform::walk::visits() - before;
    assert!(visits < 10_050, "{visits} nodes visited");
}
