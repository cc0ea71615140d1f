//! The body is not touched where a rule replaces it; and what happens where none does.

use std::sync::Arc;

use pullback_transform::trace;

use crate::prelude::*;

/// x², computed from numbers: on a placeholder it fails, as NumPy would.
fn host() -> Custom {
    Custom::new("host", &["x"], |x| {
        let values: Vec<f64> = eval(&x[0])?.iter().map(|v| v * v).collect();
        Ok(vec![array(&values, x[0].shape(), x[0].aval().dtype)])
    })
}
fn host_with_rules() -> Custom {
    with_vmap(with_vjp(host()))
}

#[test]
fn a_body_that_needs_numbers_is_mapped_by_its_rule() {
    let f = host_with_rules();
    let f = |x: &[Array]| f.call(x);
    let x = vector(&[1., 2., 3.]);
    let mapped = |f: &_, x: &Array| vmap(f, &[x.clone()], &[Some(0)]).unwrap()[0].values();
    close(&mapped(&f, &x), &[8., 11., 16.]);
    // After other operations, so that the replay has to run up to the call.
    close(&mapped(&|x| f(&[2. * &x[0]]), &x), &[11., 23., 43.]);
    // With the derivative inside, outside, and around itself.
    close(&mapped(&grad_of(&f, 0), &x), &[10., 20., 30.]);
    close(&d(&|x| vmap(&f, x, &[Some(0)]), &[x.clone()]).unwrap().values(), &[10., 20., 30.]);
    let t = jvp(&|x| vmap(&f, x, &[Some(0)]), &[x.clone()], &[vector(&[1., 1., 1.])]).unwrap().1;
    close(&t[0].values(), &[10., 20., 30.]);
    let second = |x: &[Array]| Ok(vec![d(&grad_of(&f, 0), x)?]);
    close(&mapped(&second, &x), &[10., 10., 10.]);
    let both = |x: &[Array]| vmap(&f, x, &[Some(0)]);
    let x2 = matrix(2, &[1., 2., 3., 4.]);
    close(&mapped(&both, &x2), &[8., 11., 16., 23.]);
    close(&d(&|x| vmap(&both, x, &[Some(1)]), &[x2]).unwrap().values(), &[10., 20., 30., 40.]);
}

/// A vmap rule says what the value is; the slope that no rule states is the function's, whatever is around, and rules
/// within the function are asked for it.
#[test]
fn a_vmap_rule_has_no_say_in_the_slope() {
    let inner = with_vjp(Custom::new("inner", &["x"], |x| Ok(vec![&x[0] * &x[0]])));
    let body = move |x: &[Array]| Ok(vec![inner.call(&[&x[0] * &x[1]])?[0].clone()]);
    // The operations of the rule have another slope, and refuse a derivative at all.
    let f = Custom::new("f", &["x", "w"], body);
    let f = Arc::new(
        f.vmap(|x, _, n| Ok((vec![broadcast(&opaque(&sum_all(&(&x[0] * &x[1]))), &[n])], vec![Some(0)]))),
    );
    let (x, w) = (vector(&[1., 2., 3.]), scalar(2.));
    let mapped = |x: &[Array]| vmap(&|x| f.call(x), x, &[Some(0), None]);
    let both = [x.clone(), w.clone()];
    close(&mapped(&both).unwrap()[0].values(), &[144., 144., 144.]);
    // 10 g x w of the inner rule, times w, times x.
    let slopes = grad(&mapped, &both).unwrap();
    close(&slopes[0].values(), &[40., 80., 120.]);
    close(&slopes[1].values(), &[20. * (1. + 4. + 9.)]);
    let one = |x: &[Array]| grad(&|x| f.call(x), x);
    close(&vmap(&one, &both, &[Some(0), None]).unwrap()[0].values(), &[40., 80., 120.]);
    let t = jvp(&mapped, &both, &[vector(&[1., 1., 1.]), scalar(0.)]).unwrap().1;
    close(&t[0].values(), &[40., 80., 120.]);
    let second = |x: &[Array]| grad(&|x| Ok(vec![sum_all(&grad(&mapped, x)?[0])]), x);
    close(&second(&both).unwrap()[0].values(), &[40., 40., 40.]);
    // Mapped twice, recorded, and as a checkpoint.
    let twice = |x: &[Array]| vmap(&mapped, x, &[Some(0), None]);
    close(&grad(&twice, &[matrix(2, &[1., 2., 3., 4.]), w]).unwrap()[0].values(), &[40., 80., 120., 160.]);
    let record = trace(&mapped, &[x.aval().clone(), both[1].aval().clone()]).unwrap();
    close(&grad(&|x| record.call(x), &both).unwrap()[0].values(), &[40., 80., 120.]);
    let kept = |x: &[Array]| {
        let f = f.clone();
        checkpoint(move |x: &[Array]| vmap(&|x| f.call(x), x, &[Some(0), None]), x)
    };
    close(&grad(&kept, &both).unwrap()[0].values(), &[40., 80., 120.]);
}

/// Likewise by what the function captured, of which the rule need not know.
#[test]
fn what_a_function_captured_has_its_slope_beside_a_vmap_rule() {
    let f = |c: &Array| {
        let c = c.clone();
        let f = Custom::new("f", &["x"], move |x| Ok(vec![&x[0] * &c])).captured(Captured::Differentiate);
        with_vmap(f)
    };
    let loss =
        |c: &[Array]| Ok(vec![sum_all(&vmap(&|x| f(&c[0]).call(x), &[vector(&[1., 2.])], &[Some(0)])?[0])]);
    close(&grad(&loss, &[scalar(5.)]).unwrap()[0].values(), &[3.]);
    let each = |c: &[Array]| vmap(&loss, c, &[Some(0)]);
    close(&grad(&each, &[vector(&[5., 6.])]).unwrap()[0].values(), &[3., 3.]);
    let record = trace(&loss, &[scalar(5.).aval().clone()]).unwrap();
    close(&grad(&|c| record.call(c), &[scalar(5.)]).unwrap()[0].values(), &[3.]);
}

#[test]
fn without_a_vmap_rule_such_a_body_fails_by_name() {
    let f = with_vjp(host());
    let error = vmap(&|x| f.call(x), &[vector(&[1., 2.])], &[Some(0)]).err().unwrap();
    assert!(error.kind() == ErrorKind::Value && error.notes()[0].contains("untouched.rs"), "{error}");
    close(&d(&|x| f.call(x), &[scalar(3.)]).unwrap().values(), &[30.]);
}

#[test]
fn operations_that_lack_something_are_replaced() {
    let f = with_vmap(Custom::new("f", &["x"], |x| Ok(vec![unbatched(&x[0])])));
    close(&vmap(&|x| f.call(x), &[vector(&[1., 2.])], &[Some(0)]).unwrap()[0].values(), &[8., 11.]);
    let error = vmap(&|x| Ok(vec![unbatched(&x[0])]), &[vector(&[1., 2.])], &[Some(0)]).err().unwrap();
    assert_eq!(
        (error.kind(), error.text()),
        (ErrorKind::Rule, "'unbatched' has no batched form: nobody wrote one")
    );

    let f = with_vjp(Custom::new("f", &["x"], |x| Ok(vec![opaque(&x[0])])));
    let f = |x: &[Array]| f.call(x);
    close(&d(&f, &[scalar(3.)]).unwrap().values(), &[30.]);
    close(&jvp(&f, &[scalar(3.)], &[scalar(1.)]).unwrap().1[0].values(), &[30.]);
    let error = d(&|x| Ok(vec![opaque(&x[0])]), &[scalar(3.)]).err().unwrap();
    assert_eq!(
        (error.kind(), error.text()),
        (ErrorKind::Rule, "'opaque' has no derivative: nobody wrote one")
    );
    // Of two arguments, one without derivative, and only the other one asked for: no objection.
    let f = Custom::new("f", &["x", "y"], |x| Ok(vec![&x[0] * &opaque(&x[1])])).missing(Missing::Body);
    close(&d(&|x| f.call(&[x[0].clone(), scalar(2.)]), &[scalar(3.)]).unwrap().values(), &[4.]);
}

#[test]
fn missing_rules() {
    let ask = |f: &Custom| {
        let f = |x: &[Array]| f.call(x);
        let forward = jvp(&f, &[scalar(3.)], &[scalar(1.)]).map(|(_, t)| t[0].values()[0]);
        (d(&f, &[scalar(3.)]).map(|g| g.values()[0]), forward)
    };
    take_warnings();
    // The body answers, and says so if that may surprise.
    assert_eq!(oks(ask(&with_vjp(square()).missing(Missing::Body))), (Some(30.), Some(6.)));
    assert_eq!(take_warnings(), ["'square' has a vjp rule but no jvp rule: jvp differentiates its body"]);
    assert_eq!(oks(ask(&with_jvp(square()).missing(Missing::Body))), (Some(6.), Some(300.)));
    assert_eq!(take_warnings(), ["'square' has a jvp rule but no vjp rule: vjp differentiates its body"]);
    assert_eq!(oks(ask(&square().missing(Missing::Body))), (Some(6.), Some(6.)));
    assert_eq!(oks(ask(&with_vmap(square()))), (Some(6.), Some(6.)));
    assert!(take_warnings().is_empty());
    let (g, t) = ask(&with_vjp(square()).missing(Missing::Error));
    assert_eq!(g.ok(), Some(30.));
    let error: Error = t.unwrap_err();
    assert_eq!(
        (error.kind(), error.text()),
        (ErrorKind::Rule, "'square' has no jvp rule, and missing='error'")
    );
    assert!(error.notes()[0].starts_with("called at "), "{error}");
}

#[test]
fn missing_rules_under_vmap() {
    let x = [vector(&[1., 2., 3.])];
    let outside = |f: &Custom| d(&|x| vmap(&|x| f.call(x), x, &[Some(0)]), &x).map(|g| g.values());
    let inside = |f: &Custom| {
        let f = |x: &[Array]| f.call(x);
        vmap(&grad_of(&f, 0), &x, &[Some(0)]).map(|g| g[0].values())
    };
    // Only vmap given: outside, its own operations are differentiated; inside, the body is run.
    for f in [square(), with_vmap(square())] {
        assert_eq!(oks((outside(&f), inside(&f))), (Some(vec![2., 4., 6.]), Some(vec![2., 4., 6.])));
    }
    let f = with_vmap(with_jvp(square()));
    assert_eq!(oks((outside(&f), inside(&f))), (Some(vec![100., 200., 300.]), Some(vec![100., 200., 300.])));
    let f = with_vmap(with_jvp(square())).missing(Missing::Body);
    assert_eq!(oks((outside(&f), inside(&f))), (Some(vec![2., 4., 6.]), Some(vec![2., 4., 6.])));
    let f = with_vmap(with_jvp(square())).missing(Missing::Error);
    assert!(outside(&f).is_err() && inside(&f).is_err());
    // No body to fall back on: the error says what it met.
    let error = inside(&with_vmap(host())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
}

fn oks<T>((a, b): (Result<T>, Result<T>)) -> (Option<T>, Option<T>) {
    (a.ok(), b.ok())
}
