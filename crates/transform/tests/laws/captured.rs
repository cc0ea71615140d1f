//! What comes into a body, or a rule, from outside.

use crate::prelude::*;

/// x·y, where y is captured; the rule for x is wrong by 10.
fn times(y: &Array, captured: Captured) -> Custom {
    let y = y.clone();
    Custom::new("times", &["x"], move |x| Ok(vec![&x[0] * &y]))
        .vjp(|call, g| Ok((10. * &g[0] * &call.inputs[0]).into()))
        .captured(captured)
}

fn gradients(captured: Captured) -> Result<Vec<f64>> {
    let f = |x: &[Array]| times(&sin(&x[1]), captured).call(&x[..1]);
    Ok(grad(&f, &[scalar(3.), scalar(2.)])?.iter().flat_map(|g| g.values()).collect())
}

#[test]
fn constant_error_differentiate() {
    close(&gradients(Captured::Constant).unwrap(), &[30., 0.]);
    close(&gradients(Captured::Differentiate).unwrap(), &[30., 3. * 2f64.cos()]);
    let error = gradients(Captured::Error).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rule);
    assert!(error.text().starts_with("'times' captured float64[], a tracer of grad ("), "{error}");
    // Without a tracer there is nothing to object to.
    let f = |x: &[Array]| times(&scalar(2.), Captured::Error).call(x);
    close(&d(&f, &[scalar(3.)]).unwrap().values(), &[30.]);
    // Forward mode: the rule for x, the body for y.
    let f = |x: &[Array]| times(&sin(&x[1]), Captured::Differentiate).call(&x[..1]);
    let t = jvp(&f, &[scalar(3.), scalar(2.)], &[scalar(1.), scalar(1.)]).unwrap().1;
    close(&t[0].values(), &[30. + 3. * 2f64.cos()]);
    // To the second order, d²/dy².
    let dy = |y: &[Array]| Ok(vec![d(&|y| f(&[scalar(3.), y[0].clone()]), y)?]);
    close(&d(&dy, &[scalar(2.)]).unwrap().values(), &[-3. * 2f64.sin()]);
}

/// grad of y through vmap over x, and vmap over y of the gradient: no policy depends on vmap.
#[test]
fn batched_captures_work_under_every_policy() {
    let (x, y) = (vector(&[1., 2., 3.]), vector(&[5., 6., 7.]));
    for (policy, slope) in [(Captured::Constant, 0.), (Captured::Differentiate, 1.)] {
        // Only the captured array is mapped.
        let f = |y: &[Array]| times(&y[0], policy).call(&[scalar(2.)]);
        close(&vmap(&f, &[y.clone()], &[Some(0)]).unwrap()[0].values(), &[10., 12., 14.]);
        let outside = d(&|y| vmap(&f, y, &[Some(0)]), &[y.clone()]).unwrap();
        let inside = vmap(&grad_of(&f, 0), &[y.clone()], &[Some(0)]).unwrap();
        close(&outside.values(), &[2. * slope; 3]);
        close(&inside[0].values(), &[2. * slope; 3]);
        // Both are.
        let f = |a: &[Array]| times(&a[1], policy).call(&a[..1]);
        let mapped = |a: &[Array]| vmap(&f, a, &[Some(0), Some(0)]);
        let args = [x.clone(), y.clone()];
        close(&mapped(&args).unwrap()[0].values(), &[5., 12., 21.]);
        let g = grad(&mapped, &args).unwrap();
        close(&g[0].values(), &[10., 20., 30.]);
        close(&g[1].values(), &[slope, 2. * slope, 3. * slope]);
        // Only the argument is: the captured one is shared, its gradients are summed.
        let g =
            grad(&|a| vmap(&|x| times(&a[1], policy).call(x), &a[..1], &[Some(0)]), &[x.clone(), scalar(4.)]);
        close(&g.unwrap()[1].values(), &[6. * slope]);
    }
    // What is mapped and not differentiated is no offence; else it is found when it is batched.
    let f = |y: &[Array]| times(&y[0], Captured::Error).call(&[scalar(2.)]);
    close(&vmap(&f, &[y.clone()], &[Some(0)]).unwrap()[0].values(), &[10., 12., 14.]);
    for error in [
        d(&|y| vmap(&f, y, &[Some(0)]), &[y.clone()]).err().unwrap(),
        vmap(&grad_of(&f, 0), &[y.clone()], &[Some(0)]).err().unwrap(),
    ] {
        assert!(error.text().contains("a tracer of grad"), "{error}");
    }
}

/// x·y + 7, mapped by a rule that captures y as well.
fn ruled(y: &Array, captured: Captured) -> Custom {
    let own = y.clone();
    times(y, captured)
        .vmap(move |x, axes, _| Ok((vec![&x[0] * &spread(&own, &x[0]) + x[0].full_like(7.)], axes.to_vec())))
}
fn spread(y: &Array, x: &Array) -> Array {
    (0..x.shape().len()).fold(y.clone(), |y, axis| repeat(&y, axis, x.shape()[axis]))
}

/// The rule gets its arguments batched, but what it captures one example at a time. The answer
/// is the one for which both are of the same example.
#[test]
fn a_vmap_rule_captures_a_tracer_of_the_axis_it_maps() {
    let args = [vector(&[1., 2., 3.]), vector(&[5., 6., 7.])];
    for (policy, slope) in [(Captured::Constant, 0.), (Captured::Differentiate, 1.)] {
        let f = |a: &[Array]| ruled(&sin(&a[1]), policy).call(&a[..1]);
        let mapped = |a: &[Array]| vmap(&f, a, &[Some(0), Some(0)]);
        let want: Vec<f64> = (0..3).map(|i| (i + 1) as f64 * ((i + 5) as f64).sin() + 7.).collect();
        close(&mapped(&args).unwrap()[0].values(), &want);
        let want: Vec<f64> = (0..3).map(|i| slope * (i + 1) as f64 * ((i + 5) as f64).cos()).collect();
        let g = grad(&mapped, &args).unwrap();
        close(&g[0].values(), &[10., 20., 30.]);
        close(&g[1].values(), &want);
        let inside = vmap(&grad_of(&f, 1), &args, &[Some(0), Some(0)]).unwrap();
        close(&inside[0].values(), &want);
    }
}

/// Under grad∘vmap the vjp rule runs when the vmap has ended; what it captured from there is
/// still a batch.
#[test]
fn a_derivative_rule_captures_a_batched_tracer() {
    let make = |c: &Array, forward: bool| {
        let (c, again) = (exp(c), c.clone());
        let f = Custom::new("f", &["x"], |x| Ok(vec![&x[0] * &x[0]]));
        if forward {
            let kept = move |x: &[Array]| Ok((vec![&x[0] * &x[0]], vec![exp(&again)]));
            return f.forward_backward(kept, |call, g| Ok((&g[0] * call.residual(0)).into()));
        }
        f.vjp(move |_, g| Ok((&g[0] * &c).into()))
    };
    let args = [vector(&[1., 2.]), vector(&[0.5, 1.5])];
    let want = [0.5f64.exp(), 1.5f64.exp()];
    for forward in [false, true] {
        let f = |a: &[Array]| make(&a[1], forward).call(&a[..1]);
        let mapped = |a: &[Array]| vmap(&f, a, &[Some(0), Some(0)]);
        close(&grad(&mapped, &args).unwrap()[0].values(), &want);
        close(&vmap(&grad_of(&f, 0), &args, &[Some(0), Some(0)]).unwrap()[0].values(), &want);
        let t = jvp(&mapped, &args, &[vector(&[1., 1.]), vector(&[0., 0.])]).unwrap().1;
        close(&t[0].values(), &want);
        // The derivative of the rule by what it captured.
        let gx = |c: &[Array]| Ok(vec![d(&|x| mapped(&[x[0].clone(), c[0].clone()]), &args[..1])?]);
        close(&d(&gx, &args[1..]).unwrap().values(), &want);
        // Two levels, each with a capture of its own.
        let twice = |a: &[Array]| vmap(&mapped, a, &[Some(0), Some(0)]);
        let m = [matrix(2, &[1., 2., 3., 4.]), matrix(2, &[0.5, 1.5, 0.25, 1.])];
        let want: Vec<f64> = m[1].values().iter().map(|c| c.exp()).collect();
        close(&grad(&twice, &m).unwrap()[0].values(), &want);
        // The capture comes from the outer of two levels.
        let shared = |a: &[Array]| vmap(&|x| make(&a[1], forward).call(x), &a[..1], &[Some(0)]);
        let outer = |a: &[Array]| vmap(&shared, a, &[Some(0), Some(0)]);
        let g = grad(&outer, &[m[0].clone(), args[1].clone()]).unwrap();
        close(&g[0].values(), &[0.5f64.exp(), 0.5f64.exp(), 1.5f64.exp(), 1.5f64.exp()]);
    }
}

/// The same, where the rule calls a custom function and only *that* captures the tracer.
#[test]
fn a_custom_function_within_such_a_rule_captures_it() {
    for policy in [Captured::Constant, Captured::Differentiate] {
        let make = move |c: &Array| {
            let c = c.clone();
            Custom::new("f", &["x"], |x| Ok(vec![&x[0] * &x[0]])).vjp(move |_, g| {
                let inner = times(&c, policy).call(&[scalar(2.)])?.remove(0);
                Ok((&g[0] * &inner).into())
            })
        };
        let args = [vector(&[1., 2.]), vector(&[0.5, 1.5])];
        let mapped = |a: &[Array]| vmap(&|a| make(&a[1]).call(&a[..1]), a, &[Some(0), Some(0)]);
        close(&grad(&mapped, &args).unwrap()[0].values(), &[1., 3.]);
        let gx = |c: &[Array]| Ok(vec![d(&|x| mapped(&[x[0].clone(), c[0].clone()]), &args[..1])?]);
        let slope = if policy == Captured::Constant { 0. } else { 2. };
        close(&d(&gx, &args[1..]).unwrap().values(), &[slope, slope]);
    }
}

/// A rule captures what another function made of a batched tracer: that function is mapped a
/// second time, long after the vmap, and its vmap rule captures the tracer as well.
#[test]
fn a_captured_result_is_mapped_again_by_its_rule() {
    let args = [vector(&[1., 2.]), vector(&[0.5, 1.5])];
    let f = |a: &[Array]| {
        let c = a[1].clone();
        let twice = move |x: &[Array], axes: &[Option<usize>], _: usize| {
            let c = times(&c, Captured::Constant).call(&[scalar(2.)])?.remove(0);
            Ok((vec![2. * &x[0] + repeat(&c, 0, 2)], axes.to_vec()))
        };
        let own = a[1].clone();
        let h = Custom::new("h", &["c"], move |c| Ok(vec![2. * &c[0] + 2. * &own]))
            .vmap(twice)
            .call(&a[1..])?
            .remove(0);
        let f = Custom::new("f", &["x"], |x| Ok(vec![&x[0] * &x[0]]));
        f.vjp(move |_, g| Ok((&g[0] * &h).into())).call(&a[..1])
    };
    let mapped = |a: &[Array]| vmap(&f, a, &[Some(0), Some(0)]);
    close(&grad(&mapped, &args).unwrap()[0].values(), &[2., 6.]);
    close(&vmap(&grad_of(&f, 0), &args, &[Some(0), Some(0)]).unwrap()[0].values(), &[2., 6.]);
}

/// A function inside a function: the inner one captures a leaf of the outer one.
#[test]
fn captures_between_custom_functions() {
    let f = |policy: Captured| {
        Custom::new("outer", &["x", "z"], move |x| times(&x[0], policy).call(&x[1..])).captured(policy)
    };
    let ask = |policy, i: usize| {
        let f = |x: &[Array]| f(policy).call(x);
        let args = [scalar(3.), scalar(2.)];
        let flat = grad(&f, &args).unwrap()[i].values();
        let b = [vector(&[3., 3.]), vector(&[2., 2.])];
        let mapped = grad(&|x| vmap(&f, x, &[Some(0), Some(0)]), &b).unwrap()[i].values();
        close(&mapped, &[flat[0], flat[0]]);
        flat[0]
    };
    assert_eq!((ask(Captured::Differentiate, 0), ask(Captured::Differentiate, 1)), (2., 20.));
    assert_eq!((ask(Captured::Constant, 0), ask(Captured::Constant, 1)), (0., 20.));
    let _: &Fun = &|x| Ok(x.to_vec());
}
