//! Functions that were run once, as linear maps: by the rules, any number of times, within every transform.

use std::sync::Arc;

use pullback_base::Aval;
use pullback_core::fun;
use pullback_transform::custom::Site;
use pullback_transform::{
    Policy, Transposed, checkpoint_name, checkpoint_with, closed, linear_transpose, linearize, stop_gradient,
};

use crate::prelude::*;

fn one(x: f64) -> [Option<Array>; 1] {
    [Some(scalar(x))]
}
fn f64s(shape: &[usize]) -> Aval {
    Aval::new(shape.to_vec(), Dtype::F64)
}
fn pushed(f: &Fun, x: f64, t: f64) -> Result<Array> {
    Ok(linearize(f, &[scalar(x)])?.1.call_dense(&[scalar(t)])?.remove(0))
}

#[test]
fn a_function_is_run_once_and_pushed_through_by_its_rules() {
    for (rule, factor) in [(with_vjp(square()), 10.), (with_jvp(square()), 100.), (square(), 2.)] {
        let count = Count::default();
        let f = |x: &[Array]| {
            count.hit();
            Ok(vec![sin(&rule.call(x)?[0])])
        };
        let (y, push) = linearize(&f, &[scalar(3.)]).unwrap();
        let want = factor * 3. * 9f64.cos();
        close(&y[0].values(), &[9f64.sin()]);
        for t in [1., -2.] {
            close(&push.call_dense(&[scalar(t)]).unwrap()[0].values(), &[want * t]);
        }
        assert_eq!(count.take(), 1);
        // A linear map is its own derivative, and has a batch and a transpose.
        let map = |t: &[Array]| push.call_dense(t);
        close(&d(&map, &[scalar(7.)]).unwrap().values(), &[want]);
        let t = vector(&[1., -2.]);
        close(&vmap(&map, &[t.clone()], &[Some(0)]).unwrap()[0].values(), &[want, -2. * want]);
        let back = linear_transpose(&map, &[f64s(&[])]).unwrap();
        close(&pulled(&back, &[scalar(2.)]), &[2. * want]);
        let traced = pullback_transform::trace(&map, &[f64s(&[])]).unwrap();
        close(&traced.call(&[scalar(2.)]).unwrap()[0].values(), &[2. * want]);
    }
}

fn pulled(back: &Transposed, g: &[Array]) -> Vec<f64> {
    back.call_dense(g).unwrap().iter().flat_map(|x| x.values()).collect()
}

#[test]
fn within_other_transforms() {
    for (rule, factor) in [(with_vjp(square()), 10.), (with_jvp(square()), 100.)] {
        let slope = |x: &[Array]| {
            let (_, push) = linearize(&|x| rule.call(x), x)?;
            push.call_dense(&[scalar(1.)])
        };
        close(&slope(&[scalar(3.)]).unwrap()[0].values(), &[3. * factor]);
        close(&d(&slope, &[scalar(3.)]).unwrap().values(), &[factor]);
        close(&jvp(&slope, &[scalar(3.)], &[scalar(2.)]).unwrap().1[0].values(), &[2. * factor]);
        let v = vector(&[1., 2.]);
        close(&vmap(&slope, &[v.clone()], &[Some(0)]).unwrap()[0].values(), &[factor, 2. * factor]);
        close(&d(&|x| vmap(&slope, x, &[Some(0)]), &[v.clone()]).unwrap().values(), &[factor, factor]);
        close(&vmap(&grad_of(&slope, 0), &[v], &[Some(0)]).unwrap()[0].values(), &[factor, factor]);
        close(&pushed(&slope, 3., 1.).unwrap().values(), &[factor]);
    }
}

#[test]
fn what_a_tangent_must_be() {
    let (_, push) = linearize(&|x| Ok(vec![&x[0] * &x[1], scalar(1.)]), &[scalar(2.), scalar(3.)]).unwrap();
    let t = push.call(&[Some(scalar(1.)), None]).unwrap();
    assert!(t[1].is_none());
    close(&t[0].as_ref().unwrap().values(), &[3.]);
    let error = push.call(&one(1.)).unwrap_err();
    assert!(error.text().contains("[linearize] expected 2 tangents, one for each primal, got 1"), "{error}");
    let error = push.call(&[Some(vector(&[1.])), None]).unwrap_err();
    assert!(error.text().contains("tangent of type float64[] for array 0, got float64[1]"), "{error}");
    assert!(!any_active());
}

#[test]
fn transposes() {
    let m = matrix(2, &[1., 2., 3., 4., 5., 6.]);
    let f = |x: &[Array]| Ok(vec![sum(&(&m * broadcast(&reshape(&x[0], &[1, 3]), &[2, 3])), &[1])]);
    let back = linear_transpose(&f, &[f64s(&[3])]).unwrap();
    close(&pulled(&back, &[vector(&[1., 10.])]), &[41., 52., 63.]);
    // The transpose of the transpose is the function.
    let again = linear_transpose(&|g| back.call_dense(g), &[f64s(&[2])]).unwrap();
    close(&pulled(&again, &[vector(&[1., 0., 1.])]), &[4., 10.]);
    let error = back.call(&[]).map(|_| ()).unwrap_err();
    assert!(error.text().contains("[linear_transpose] expected 1 cotangent"), "{error}");
    // The rules answer, given or transposed.
    let triple = || Custom::new("triple", &["x"], |x| Ok(vec![3. * &x[0]]));
    let by_vjp = triple().vjp(|_, g| Ok((10. * &g[0]).into()));
    let by_jvp = triple().jvp(|_, t| Ok((100. * &t[0]).into()));
    for (rule, factor) in [(by_vjp, 10.), (by_jvp, 100.), (triple(), 3.)] {
        let back = linear_transpose(&|x| rule.call(x), &[f64s(&[])]).unwrap();
        close(&pulled(&back, &[scalar(2.)]), &[2. * factor]);
        let mapped = |x: &[Array]| vmap(&|x| rule.call(x), x, &[Some(0)]);
        let back = linear_transpose(&mapped, &[f64s(&[2])]).unwrap();
        close(&pulled(&back, &[vector(&[2., 3.])]), &[2. * factor, 3. * factor]);
    }
}

/// What is computed again waits for the cotangent, which is all that it has to do with it.
#[test]
fn what_waits_is_linear() {
    let f = |x: &[Array]| checkpoint(|x| Ok(vec![sin(&sin(&x[0]))]), x);
    let slope = 0.5f64.sin().cos() * 0.5f64.cos();
    let (_, back) = vjp(&f, &[scalar(0.5)]).unwrap();
    let again = linear_transpose(&|g| back.call_dense(g), &[f64s(&[])]).unwrap();
    close(&pulled(&again, &[scalar(2.)]), &[2. * slope]);
    // A rule that differentiates such a function has a transpose as well, by itself and mapped.
    let rule = square().vjp(move |call, g| {
        let (_, back) = vjp(&f, call.inputs)?;
        Ok(back.call_dense(g)?.remove(0).into())
    });
    close(&jvp(&|x| rule.call(x), &[scalar(0.5)], &[scalar(2.)]).unwrap().1[0].values(), &[2. * slope]);
    let v = [vector(&[0.5, 0.5])];
    let mapped = |x: &[Array]| vmap(&|x| rule.call(x), x, &[Some(0)]);
    close(&jvp(&mapped, &v, &v).unwrap().1[0].values(), &[0.5 * slope, 0.5 * slope]);
}

#[test]
fn what_is_not_linear_is_named() {
    let floor = |x: &Array| fun::floor(x).expect("of a float");
    let hidden = Arc::new(Custom::new("hidden", &["x"], move |x| Ok(vec![floor(&x[0])])));
    let kept = hidden.clone();
    let some: [(Box<Fun>, &str); 8] = [
        (Box::new(|x| Ok(vec![sin(&x[0])])), "('sin')"),
        (Box::new(|x| Ok(vec![&x[0] * &x[0]])), "('multiply')"),
        (Box::new(|x| Ok(vec![&x[0] + 1.])), "('add')"),
        (Box::new(move |x| Ok(vec![floor(&x[0])])), "('floor')"),
        (Box::new(move |x| hidden.call(x)), "('floor')"),
        (
            Box::new(move |x| {
                let kept = kept.clone();
                checkpoint(move |x| kept.call(x), x)
            }),
            "('floor')",
        ),
        (Box::new(|x| Ok(vec![stop_gradient(&x[0])?])), "('stop_gradient')"),
        (Box::new(|_| Ok(vec![scalar(1.)])), "(a result does not depend on it)"),
    ];
    for (f, name) in &some {
        let error = linear_transpose(f, &[f64s(&[])]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rule);
        assert!(error.text().contains("[linear_transpose] expected a linear function"), "{error}");
        assert!(error.text().contains(name), "{error}, not {name}");
    }
    // A rule shows it only when it is asked.
    let back = linear_transpose(&|x| with_vjp(square()).call(x), &[f64s(&[])]).unwrap();
    let error = back.call(&one(1.)).unwrap_err();
    assert!(error.text().contains("a custom function in it is not"), "{error}");
    let count = Aval::new([], Dtype::I32);
    let error = linear_transpose(&|x| Ok(x.to_vec()), &[count]).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert!(!any_active());
}

#[test]
fn captures_become_arguments() {
    let rule = with_vjp(square());
    let f = |a: &[Array]| {
        let (record, captured) = closed(&|x| Ok(vec![&rule.call(x)?[0] * sin(&a[0])]), &[f64s(&[])])?;
        assert_eq!(captured.len(), 1);
        let by = |c: &Array| record.call(&[a[1].clone(), c.clone()]);
        // Once with what was captured, once with something else.
        Ok(vec![&by(&captured[0])?[0] + &by(&scalar(0.))?[0]])
    };
    let args = [scalar(0.5), scalar(3.)];
    let g = grad(&f, &args).unwrap();
    close(&g[0].values(), &[9. * 0.5f64.cos()]);
    close(&g[1].values(), &[30. * 0.5f64.sin()]);
    let v = [vector(&[0.5, 1.]), vector(&[3., 2.])];
    let mapped = vmap(&grad_of(&f, 1), &v, &[Some(0), Some(0)]).unwrap();
    close(&mapped[0].values(), &[30. * 0.5f64.sin(), 20. * 1f64.sin()]);
    let (_, captured) = closed(&|x| Ok(vec![&x[0] * scalar(2.)]), &[f64s(&[])]).unwrap();
    assert!(captured.is_empty());
}

/// What a policy keeps is not computed again; the rules and the derivatives of any order are the same.
#[test]
fn policies_keep_values() {
    let rule = Arc::new(with_vjp(square()));
    let body = move |x: &[Array]| {
        let inner = checkpoint_name(&sin(&sin(&x[0])), "inner")?;
        Ok(vec![sin(&rule.call(&[inner])?[0])])
    };
    let plain = body.clone();
    let names = |name: &str| -> Arc<[String]> { [String::from(name)].into() };
    let sins = |x: &[Array]| ops(x).iter().filter(|name| **name == "sin").count();
    let some = [
        // The rule asks for `inner`, its derivative for the sine within.
        (Policy::Nothing, 2),
        (Policy::Only(names("other")), 2),
        (Policy::Only(names("inner")), 1),
        (Policy::Except(names("inner")), 1),
        (Policy::Except(names("other")), 0),
        (Policy::Everything, 0),
    ];
    for (policy, again) in some {
        let f = |x: &[Array]| {
            checkpoint_with(body.clone(), x, policy.clone(), Site { file: file!(), line: line!() })
        };
        let (y, back) = vjp(&f, &[scalar(0.5)]).unwrap();
        let gradient = back.call_dense(&[scalar(1.)]).unwrap().remove(0);
        assert_eq!(sins(&[y[0].clone(), gradient.clone()]), 3 + again, "{policy:?}");
        close(&gradient.values(), &d(&plain, &[scalar(0.5)]).unwrap().values());
        let second = |f: &Fun| d(&grad_of(f, 0), &[scalar(0.5)]).unwrap().values();
        close(&second(&f), &second(&plain));
        let v = vector(&[0.5, 0.25]);
        let mapped = |f: &Fun| vmap(&grad_of(f, 0), &[v.clone()], &[Some(0)]).unwrap()[0].values();
        close(&mapped(&f), &mapped(&plain));
        let around = |f: &Fun| d(&|x| vmap(f, x, &[Some(0)]), &[v.clone()]).unwrap().values();
        close(&around(&f), &around(&plain));
    }
}
