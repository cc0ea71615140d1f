//! Forward and reverse mode at a custom node, and each from the other.

use std::sync::{Arc, Mutex, OnceLock};

use crate::prelude::*;

fn at(x: f64) -> [Array; 1] {
    [scalar(x)]
}
fn tangent(f: &Custom, x: f64) -> f64 {
    jvp(&|x| f.call(x), &at(x), &at(1.)).unwrap().1[0].values()[0]
}
fn gradient(f: &Custom, x: f64) -> f64 {
    d(&|x| f.call(x), &at(x)).unwrap().values()[0]
}

#[test]
fn the_rule_answers_and_the_other_mode_is_its_transpose() {
    let both = with_jvp(with_vjp(square()));
    assert_eq!((gradient(&both, 3.), tangent(&both, 3.)), (30., 300.));
    assert_eq!((gradient(&with_vjp(square()), 3.), tangent(&with_vjp(square()), 3.)), (30., 30.));
    assert_eq!((gradient(&with_jvp(square()), 3.), tangent(&with_jvp(square()), 3.)), (300., 300.));
    assert_eq!((gradient(&square(), 3.), tangent(&square(), 3.)), (6., 6.));
    assert_eq!(both.call(&at(3.)).unwrap()[0].values(), [9.]);
}

#[test]
fn higher_orders_go_through_the_rule() {
    for f in [with_vjp(square()), with_jvp(with_vjp(square()))] {
        let first = |x: &[Array]| Ok(vec![d(&|x| f.call(x), x)?]);
        let second = |x: &[Array]| Ok(vec![d(&first, x)?]);
        close(&d(&first, &at(3.)).unwrap().values(), &[10.]);
        close(&d(&second, &at(3.)).unwrap().values(), &[0.]);
        close(&jvp(&first, &at(3.), &at(1.)).unwrap().1[0].values(), &[10.]);
    }
    let f = with_jvp(square());
    let first = |x: &[Array]| Ok(jvp(&|x| f.call(x), x, &at(1.))?.1);
    close(&d(&first, &at(3.)).unwrap().values(), &[100.]);
    close(&jvp(&first, &at(3.), &at(1.)).unwrap().1[0].values(), &[100.]);
    // Reverse over the reverse that was derived from forward.
    close(&d(&|x| Ok(vec![d(&|x| f.call(x), x)?]), &at(3.)).unwrap().values(), &[100.]);
}

#[test]
fn a_rule_may_use_outputs_and_call_its_own_function() {
    let own: Arc<OnceLock<Custom>> = Arc::default();
    let weak = own.clone();
    let f = Custom::new("exp", &["x"], |x| Ok(vec![exp(&x[0])])).vjp(move |call, g| {
        let again = weak.get().expect("set below").call(call.inputs)?.swap_remove(0);
        Ok((&g[0] * &again).into())
    });
    let by_output = Custom::new("exp", &["x"], |x| Ok(vec![opaque(&exp(&x[0]))]))
        .vjp(|call, g| Ok((2. * &g[0] * &call.outputs[0]).into()));
    assert!(own.set(f).is_ok());
    let nth = |f: &Custom, n: usize| -> f64 {
        fn go(f: &Custom, n: usize, x: &[Array]) -> Result<Vec<Array>> {
            if n == 0 { f.call(x) } else { Ok(vec![d(&|x| go(f, n - 1, x), x)?]) }
        }
        go(f, n, &at(0.5)).unwrap()[0].values()[0]
    };
    for n in 0..=4 {
        close(&[nth(own.get().unwrap(), n)], &[0.5f64.exp()]);
        close(&[nth(&by_output, n)], &[2f64.powi(n as i32) * 1f64.exp()]);
    }
}

/// x², derivative by the rule 10·eˣ, where eˣ was kept by the forward pass.
fn kept(body: &Count, forward: &Count) -> Custom {
    let (body, forward) = (body.clone(), forward.clone());
    Custom::new("kept", &["x"], move |x| {
        body.hit();
        Ok(vec![&x[0] * &x[0]])
    })
    .forward_backward(
        move |x| {
            forward.hit();
            Ok((vec![&x[0] * &x[0]], vec![exp(&x[0])]))
        },
        |call, g| Ok((10. * &g[0] * call.residual(0)).into()),
    )
}

#[test]
fn residuals_are_kept_once_and_differentiated() {
    let (body, forward) = (Count::default(), Count::default());
    let f = kept(&body, &forward);
    close(&[gradient(&f, 1.)], &[10. * 1f64.exp()]);
    assert_eq!((body.take(), forward.take()), (0, 1), "the forward pass replaces the body");
    close(&[tangent(&f, 1.)], &[10. * 1f64.exp()]);
    f.call(&at(1.)).unwrap();
    assert_eq!((body.take(), forward.take()), (1, 1), "without a transform there is only the body");
    let second = d(&|x| Ok(vec![d(&|x| f.call(x), x)?]), &at(1.)).unwrap();
    close(&second.values(), &[10. * 1f64.exp()]);
    let second = jvp(&|x| Ok(vec![d(&|x| f.call(x), x)?]), &at(1.), &at(1.)).unwrap();
    close(&second.1[0].values(), &[10. * 1f64.exp()]);
}

/// A residual that is an output goes through the rules at the second order, so the body may be
/// an operation without derivative; and a forward pass may call its own function.
#[test]
fn residuals_that_are_outputs() {
    let f = Custom::new("f", &["x"], |x| Ok(vec![opaque(&exp(&x[0]))])).forward_backward(
        |x| {
            let y = opaque(&exp(&x[0]));
            Ok((vec![y.clone()], vec![y]))
        },
        |call, g| Ok((2. * &g[0] * call.residual(0)).into()),
    );
    let second = d(&|x| Ok(vec![d(&|x| f.call(x), x)?]), &at(0.5)).unwrap();
    close(&second.values(), &[4. * 1f64.exp()]);

    let own: Arc<OnceLock<Custom>> = Arc::default();
    let weak = own.clone();
    let f = Custom::new("exp", &["x"], |x| Ok(vec![exp(&x[0])])).forward_backward(
        move |x| {
            let y = weak.get().expect("set below").call(x)?;
            Ok((y.clone(), vec![&y[0] * &y[0]]))
        },
        // e^x as e^2x / e^x, so that the residual matters.
        |call, g| Ok((&g[0] * call.residual(0) / &call.outputs[0]).into()),
    );
    assert!(own.set(f).is_ok());
    let f = |x: &[Array]| own.get().unwrap().call(x);
    let f1 = |x: &[Array]| Ok(vec![d(&f, x)?]);
    let f2 = |x: &[Array]| Ok(vec![d(&f1, x)?]);
    close(&d(&f2, &at(0.5)).unwrap().values(), &[0.5f64.exp()]);
}

#[test]
fn only_a_linear_rule_can_be_transposed() {
    let x = [vector(&[1., -2.])];
    let x0 = x.clone();
    let ask = |rule: fn(&Array) -> Array| {
        let f = Custom::new("clipped", &["x"], |x| Ok(x.to_vec())).vjp(move |_, g| Ok(rule(&g[0]).into()));
        jvp(&|x| f.call(x), &x, &[vector(&[3., 4.])]).map(|(_, t)| t[0].values())
    };
    let error = ask(|g| clip(g, -1., 1.)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rule);
    assert_eq!(
        error.text(),
        "'clipped' has no jvp rule, and its vjp rule cannot be transposed: \
         it is not linear in the cotangent ('maximum')"
    );
    assert!(error.notes()[0].contains("tests/laws/modes.rs:"), "{error}");
    let names = |rule| ask(rule).unwrap_err().text().split_once('(').unwrap().1.to_string();
    assert_eq!(names(sin), "'sin')");
    assert_eq!(names(|g| g * g), "'multiply')");
    assert_eq!(names(|g| 1. / g), "'divide')");
    // What reverse mode would let pass: a constant term, a condition, no dependence at all.
    assert_eq!(names(|g| g + g.full_like(1.)), "'add')");
    assert_eq!(names(|g| where_(&less(g, &g.full_like(0.)), g, &g.full_like(0.))), "'less')");
    assert_eq!(names(|g| g.full_like(1.)), "a result does not depend on it)");
    // Elements that are there, of an array that has forgotten how they came: zeros are none to object to.
    let there = |value: f64| {
        let x = 2. * vector(&[value, 0.]);
        x.values();
        assert!(x.node().inputs().is_empty());
        x
    };
    let (one, zero) = (there(1.), there(0.));
    let plus = |x: &Array| {
        let x = x.clone();
        let f = Custom::new("plus", &["x"], |x| Ok(x.to_vec())).vjp(move |_, g| Ok((&g[0] + &x).into()));
        jvp(&|x| f.call(x), &x0, &[vector(&[3., 4.])]).map(|(_, t)| t[0].values())
    };
    assert!(plus(&one).unwrap_err().text().ends_with("('add')"));
    assert_eq!(plus(&zero).unwrap(), [3., 4.]);
    // And linear, though it may not look it.
    let masked = |g: &Array| where_(&less(&vector(&[0., 1.]), &vector(&[1., 0.])), g, &g.full_like(0.));
    assert_eq!(ask(masked).unwrap(), [3., 0.]);
    assert_eq!(ask(|g| g / vector(&[2., 4.])).unwrap(), [1.5, 1.]);
    assert_eq!(ask(|g| g.full_like(0.)).unwrap(), [0., 0.]);
    assert_eq!(ask(|g| -(2. * g) + g).unwrap(), [-3., -4.]);
    // The other way round.
    let f = Custom::new("f", &["x"], |x| Ok(x.to_vec()))
        .jvp(|_, t| Ok(minimum(&t[0], &t[0].full_like(1.)).into()));
    let error = grad(&|x| f.call(x), &x).err().unwrap();
    assert!(
        error.text().contains("no vjp rule, and its jvp rule") && error.text().contains("'minimum'"),
        "{error}"
    );
}

/// More operations and cotangents at a time than are held in place, in a function and in a rule that is transposed.
#[test]
fn of_many_arguments() {
    const N: usize = 20;
    let sum = |x: &[Array], t: &[Array]| {
        // All terms first: on the way back, each waits with its cotangent for the sum to be taken apart.
        let terms: Vec<Array> = (0..N).map(|i| (i + 1) as f64 * &x[i] * &t[(i + 1) % N]).collect();
        terms.iter().skip(1).fold(terms[0].clone(), |total, term| &total + term)
    };
    let args: Vec<Array> = (0..N).map(|i| scalar(i as f64 - 7.5)).collect();
    let names: Vec<String> = (0..N).map(|i| format!("x{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all: Vec<usize> = (0..N).collect();
    let x = |i: usize| (i % N) as f64 - 7.5;
    let plain = pullback_transform::value_and_grad(&|x| Ok(vec![sum(x, x)]), &args, &all).unwrap().1;
    let ruled = Custom::new("sum", &names, move |x| Ok(vec![sum(x, x)]))
        .jvp(move |call, t| Ok(sum(call.inputs, t).into()));
    let ruled = pullback_transform::value_and_grad(&|x| ruled.call(x), &args, &all).unwrap().1;
    for i in 0..N {
        let before = (if i == 0 { N } else { i }) as f64 * x(i + N - 1);
        close(&plain[i].values(), &[before + (i + 1) as f64 * x(i + 1)]);
        // The rule's own: that of the second factors alone.
        close(&ruled[i].values(), &[before]);
    }
}

/// A rule that calls custom functions is transposed through *their* rules.
#[test]
fn custom_functions_within_a_rule_keep_theirs_when_it_is_transposed() {
    let twice =
        Arc::new(Custom::new("twice", &["t"], |t| Ok(vec![2. * &t[0]])).vjp(|_, g| Ok((20. * &g[0]).into())));
    let inner = twice.clone();
    let f = Custom::new("f", &["x"], |x| Ok(x.to_vec())).jvp(move |_, t| Ok(inner.call(t)?.into()));
    assert_eq!((tangent(&f, 1.), gradient(&f, 1.)), (2., 20.));
    // One that is not linear is found out by its answer.
    let bent = Custom::new("bent", &["t"], |t| Ok(vec![&t[0] * &t[0]]))
        .vjp(|call, g| Ok((&g[0] * &call.inputs[0]).into()));
    let f = Custom::new("f", &["x"], |x| Ok(x.to_vec())).jvp(move |_, t| Ok(bent.call(t)?.into()));
    let error = d(&|x| f.call(x), &at(1.)).err().unwrap();
    assert!(error.text().ends_with("(a custom function in it is not)"), "{error}");
}

/// A function in a rule captures the very tangent: an edge like any other, or an error.
#[test]
fn a_custom_function_within_a_rule_captures_the_tangent() {
    let make = |policy: Captured| {
        Custom::new("f", &["x"], |x| Ok(vec![3. * &x[0]])).jvp(move |_, t| {
            let t = t[0].clone();
            let inner = Custom::new("inner", &["x"], move |x| Ok(vec![&x[0] * &t])).captured(policy);
            Ok(inner.call(&[scalar(3.)])?.into())
        })
    };
    let f = make(Captured::Differentiate);
    assert_eq!((tangent(&f, 1.), gradient(&f, 1.)), (3., 3.));
    let f = make(Captured::Constant);
    assert_eq!(tangent(&f, 1.), 3.);
    let error = d(&|x| f.call(x), &at(1.)).err().unwrap();
    assert!(error.text().ends_with("('inner' captured it as a constant)"), "{error}");
}

#[test]
fn rules_run_when_the_trace_that_asks_has_ended() {
    let f = square()
        .vjp(|_, g| Ok(Value::Tuple(vec![(&g[0] + &g[0].full_like(f64::from(any_active()))).into()])));
    assert_eq!(gradient(&f, 1.), 1.);
    let f = square().jvp(|_, t| Ok(Value::Array(&t[0] + &t[0].full_like(f64::from(any_active())))));
    assert_eq!(tangent(&f, 1.), 1.);
}

/// exp(x) + x³, where the rule of exp may be differentiated once: never a second derivative
/// that lacks a term.
#[test]
fn once_differentiable_always_raises() {
    let e = Custom::new("exp", &["x"], |x| Ok(vec![exp(&x[0])]))
        .vjp(|call, g| Ok((&g[0] * &call.outputs[0]).into()))
        .once_differentiable();
    let f = |x: &[Array]| Ok(vec![&e.call(x)?[0] + &(&x[0] * &(&x[0] * &x[0]))]);
    let first = |x: &[Array]| Ok(vec![d(&f, x)?]);
    close(&first(&at(1.)).unwrap()[0].values(), &[1f64.exp() + 3.]);
    close(&jvp(&f, &at(1.), &at(1.)).unwrap().1[0].values(), &[1f64.exp() + 3.]);
    let v = [vector(&[1., 2.])];
    let mapped = |x: &[Array]| vmap(&first, x, &[Some(0)]);
    let outside = |x: &[Array]| Ok(vec![d(&|x| vmap(&f, x, &[Some(0)]), x)?]);
    close(&mapped(&v).unwrap()[0].values(), &outside(&v).unwrap()[0].values());
    let refused = [
        d(&first, &at(1.)).err(),
        jvp(&first, &at(1.), &at(1.)).err(),
        d(&mapped, &v).err(),
        d(&outside, &v).err(),
        d(&|x| Ok(jvp(&f, x, &at(1.))?.1), &at(1.)).err(),
        vmap(&|x| Ok(vec![d(&first, x)?]), &v, &[Some(0)]).err(),
    ];
    for error in refused {
        let error = error.expect("every path raises");
        assert!(error.text().contains("its rule is differentiable once"), "{error}");
    }
}

#[test]
fn arguments_of_every_sort() {
    // The same argument twice.
    let mul = Custom::new("mul", &["x", "y"], |x| Ok(vec![&x[0] * &x[1]]))
        .vjp(|call, g| Ok(vec![&g[0] * &call.inputs[1], 5. * (&g[0] * &call.inputs[0])].into()));
    close(&d(&|x| mul.call(&[x[0].clone(), x[0].clone()]), &at(3.)).unwrap().values(), &[18.]);
    // Identity, and a result that does not depend on its argument.
    let same = Custom::new("same", &["x"], |x| Ok(x.to_vec())).vjp(|_, g| Ok((7. * &g[0]).into()));
    assert_eq!((gradient(&same, 1.), tangent(&same, 1.)), (7., 7.));
    let fixed = Custom::new("fixed", &["x"], |_| Ok(vec![scalar(2.)])).vjp(|_, g| Ok((3. * &g[0]).into()));
    assert_eq!(gradient(&fixed, 1.), 3.);
    // An integer: whatever the rule says of it is zero.
    let pick = Custom::new("pick", &["x", "i"], |x| Ok(vec![2. * &x[0]]))
        .vjp(|call, g| Ok(vec![3. * &g[0], call.inputs[1].clone()].into()));
    let i = array(&[4.], &[], Dtype::I32);
    let grads = grad(&|x| pick.call(x), &[scalar(1.), i]).unwrap();
    assert_eq!((grads[0].values(), grads[1].values()), (vec![3.], vec![0.]));
}

#[test]
fn unused_outputs_give_zeros_or_none() {
    let seen: Arc<Mutex<Vec<bool>>> = Arc::default();
    let (a, b) = (seen.clone(), seen.clone());
    let two = || Custom::new("two", &["x"], |x| Ok(vec![sin(&x[0]), cos(&x[0])]));
    let dense = two().vjp(move |_, g| {
        a.lock().unwrap().push(g[1].values() == [0.]);
        Ok((&g[0] + &g[1]).into())
    });
    let symbolic = two().vjp_symbolic(move |_, g| {
        b.lock().unwrap().push(g[1].is_none());
        Ok(g[0].clone().into_iter().map(Value::Array).next().unwrap())
    });
    for f in [dense, symbolic] {
        close(&d(&|x| Ok(vec![f.call(x)?.swap_remove(0)]), &at(1.)).unwrap().values(), &[1.]);
    }
    assert_eq!(*seen.lock().unwrap(), [true, true]);
}

/// Where a rule answers, nothing inside the body is asked.
#[test]
fn inner_rules_are_not_called_when_an_outer_one_answers() {
    let count = Count::default();
    let hits = count.clone();
    let inner = Arc::new(square().vjp(move |_, _| {
        hits.hit();
        Err(Error::new(ErrorKind::Host, "not to be called"))
    }));
    let body = move |x: &[Array]| Ok(vec![opaque(&inner.call(x)?[0])]);
    let f = Custom::new("f", &["x"], body).vjp(|_, g| Ok((5. * &g[0]).into()));
    assert_eq!((gradient(&f, 2.), tangent(&f, 2.), count.take()), (5., 5., 0));
    // Linearity is no property of f: a pullback may be called again and again.
    let (_, back) = vjp(&|x| f.call(x), &at(2.)).unwrap();
    assert_eq!(back.call_dense(&at(1.)).unwrap()[0].values(), back.call_dense(&at(1.)).unwrap()[0].values());
}
