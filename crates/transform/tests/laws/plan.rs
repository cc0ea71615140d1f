//! Evaluation does not know that there were custom functions; checkpoint is one of them.

use std::sync::Arc;

use crate::prelude::*;

fn ops(x: &[Array]) -> Vec<&'static str> {
    let mut ops = crate::common::ops(x);
    ops.sort_unstable();
    ops
}

fn step(x: &Array) -> Array {
    sin(&(1.01 * x))
}
/// `step` by rules that do what is done without them, once the planner has inlined them. Residuals
/// save what would else be computed twice, here, where no planner finds common subexpressions.
fn ruled(vmap: bool) -> Custom {
    let f = Custom::new("step", &["x"], |x| Ok(vec![step(&x[0])])).forward_backward(
        |x| {
            let u = 1.01 * &x[0];
            Ok((vec![sin(&u)], vec![u]))
        },
        |call, g| Ok((1.01 * (&g[0] * cos(call.residual(0)))).into()),
    );
    if vmap { f.vmap(|x, axes, _| Ok((vec![step(&x[0])], axes.to_vec()))) } else { f }
}
fn chain(f: impl Fn(&Array) -> Result<Array>, x: &[Array]) -> Result<Vec<Array>> {
    let mut x = x[0].clone();
    for _ in 0..20 {
        x = f(&x)?;
    }
    Ok(vec![x])
}

#[test]
fn a_chain_of_custom_functions_plans_as_the_plain_chain() {
    let (ruled, mapped) = (ruled(false), ruled(true));
    let custom = |x: &[Array]| chain(|x| Ok(ruled.call(std::slice::from_ref(x))?.remove(0)), x);
    let with_vmap = |x: &[Array]| chain(|x| Ok(mapped.call(std::slice::from_ref(x))?.remove(0)), x);
    let plain = |x: &[Array]| chain(|x| Ok(step(x)), x);
    let x = vector(&[0.3, 0.4]);
    type Ask<'a> = Box<dyn Fn(&Fun) -> Vec<Array> + 'a>;
    let ask: Vec<Ask> = vec![
        Box::new(|f| f(&[x.clone()]).unwrap()),
        Box::new(|f| vmap(f, &[x.clone()], &[Some(0)]).unwrap()),
        Box::new(|f| vec![d(f, &[x.clone()]).unwrap()]),
        Box::new(|f| jvp(f, &[x.clone()], &[x.clone()]).unwrap().1),
        Box::new(|f| vmap(&grad_of(f, 0), &[x.clone()], &[Some(0)]).unwrap()),
        Box::new(|f| vec![d(&|x| vmap(f, x, &[Some(0)]), &[x.clone()]).unwrap()]),
    ];
    // Views aside: a rule has constants of its own, and vmap repeats each of them.
    let compute = |x: &[Array]| {
        let mut ops = ops(x);
        ops.retain(|name| !["broadcast_to", "reshape"].contains(name));
        ops
    };
    for ask in &ask {
        let (a, b) = (ask(&custom), ask(&plain));
        assert_eq!(compute(&a), compute(&b));
        close(&a[0].values(), &b[0].values());
    }
    // By the vmap rule, which has no need to repeat constants, there is less to do, not more.
    assert_eq!(ops(&ask[1](&with_vmap)), ops(&ask[0](&plain)));
    assert_eq!(ops(&ask[0](&plain)).len(), 60);
}

fn deep(x: &Array) -> Array {
    sin(&sin(&sin(x)))
}

#[test]
fn checkpoint_recomputes_and_keeps_nothing() {
    let x = scalar(0.5);
    let plain = |x: &[Array]| Ok(vec![deep(&x[0])]);
    let saved = |x: &[Array]| checkpoint(|x| Ok(vec![deep(&x[0])]), x);
    let gradient = |f: &Fun| d(f, &[x.clone()]).unwrap();
    let sins = |x: &[Array]| ops(x).iter().filter(|name| **name == "sin").count();
    let both = |f: &Fun| [f(&[x.clone()]).unwrap().remove(0), gradient(f)];
    assert_eq!(sins(&both(&plain)), 3 + 2, "two traces, so nothing is shared but by a planner");
    // Value and gradient of one trace: shared when plain, computed again when saved.
    let one = |f: &Fun| {
        let (y, back) = vjp(f, &[x.clone()]).unwrap();
        [y[0].clone(), back.call_dense(&[scalar(1.)]).unwrap().remove(0)]
    };
    assert_eq!((sins(&one(&plain)), sins(&one(&saved))), (3, 5));
    assert!(ops(&one(&saved)).contains(&"after"), "what is computed again waits for the cotangent");
    close(&gradient(&saved).values(), &gradient(&plain).values());
    // Under every other transform.
    let v = vector(&[0.1, 0.2]);
    let want = vmap(&grad_of(&plain, 0), &[v.clone()], &[Some(0)]).unwrap()[0].values();
    close(&vmap(&grad_of(&saved, 0), &[v.clone()], &[Some(0)]).unwrap()[0].values(), &want);
    close(&d(&|x| vmap(&saved, x, &[Some(0)]), &[v.clone()]).unwrap().values(), &want);
    close(&jvp(&saved, &[v.clone()], &[v.full_like(1.)]).unwrap().1[0].values(), &want);
    let second = |f: &Fun| d(&grad_of(f, 0), &[x.clone()]).unwrap().values();
    close(&second(&saved), &second(&plain));
}

#[test]
fn checkpoint_gives_captures_their_gradient_and_rules_their_say() {
    // What is captured is hoisted.
    let f = |w: &[Array]| {
        let w = sin(&w[0]);
        let square = move |x: &[Array]| Ok(vec![(&x[0] * &w) * (&x[0] * &w)]);
        checkpoint(square, &[scalar(3.)])
    };
    close(&d(&f, &[scalar(0.5)]).unwrap().values(), &[9. * 1f64.sin()]);
    let mapped = d(&|w| vmap(&f, w, &[Some(0)]), &[vector(&[0.5, 0.25])]).unwrap();
    close(&mapped.values(), &[9. * 1f64.sin(), 9. * 0.5f64.sin()]);
    // Shared by all examples.
    let shared = |a: &[Array]| {
        let w = sin(&a[1]);
        vmap(
            &|x| {
                let w = w.clone();
                checkpoint(move |x| Ok(vec![&x[0] * &w]), x)
            },
            &a[..1],
            &[Some(0)],
        )
    };
    let args = [vector(&[1., 2.]), scalar(0.5)];
    close(&grad(&shared, &args).unwrap()[1].values(), &[3. * 0.5f64.cos()]);
    let twice = |a: &[Array]| vmap(&shared, a, &[Some(0), None]);
    let args = [matrix(2, &[1., 2., 3., 4.]), scalar(0.5)];
    close(&grad(&twice, &args).unwrap()[1].values(), &[10. * 0.5f64.cos()]);
    // The rule inside answers, as it would without; the body is traced once.
    for rule in [with_vjp(square()), with_vmap(with_vjp(square()))] {
        let rule = Arc::new(rule);
        let count = Count::default();
        let f = |x: &[Array]| {
            let (rule, count) = (rule.clone(), count.clone());
            let body = move |x: &[Array]| {
                count.hit();
                rule.call(&[2. * &x[0]])
            };
            checkpoint(body, x)
        };
        close(&d(&f, &[scalar(3.)]).unwrap().values(), &[120.]);
        assert_eq!(count.take(), 1);
        let x = vector(&[1., 2.]);
        close(&d(&|x| vmap(&f, x, &[Some(0)]), &[x.clone()]).unwrap().values(), &[40., 80.]);
        close(&vmap(&grad_of(&f, 0), &[x], &[Some(0)]).unwrap()[0].values(), &[40., 80.]);
        close(&d(&grad_of(&f, 0), &[scalar(3.)]).unwrap().values(), &[40.]);
    }
    // Directly on a function with residuals: they are computed again, and used.
    let kept = Arc::new(Custom::new("kept", &["x"], |x| Ok(vec![&x[0] * &x[0]])).forward_backward(
        |x| Ok((vec![&x[0] * &x[0]], vec![sin(&x[0])])),
        |call, g| Ok((&g[0] * call.residual(0)).into()),
    ));
    let f = |x: &[Array]| {
        let kept = kept.clone();
        checkpoint(move |x| kept.call(x), x)
    };
    close(&grad(&f, &[scalar(0.5)]).unwrap()[0].values(), &[0.5f64.sin()]);
    close(&d(&grad_of(&f, 0), &[scalar(0.5)]).unwrap().values(), &[0.5f64.cos()]);
}
