//! vmap at a custom node keeps its rules.

use std::sync::{Arc, Mutex, OnceLock};

use crate::prelude::*;

/// Derivative of the sum of `vmap f`, and `vmap` of the derivative: the same, by law.
#[track_caller]
fn both_ways(f: &Fun, x: &Array, want: &[f64]) {
    let outside = d(&|x| vmap(f, x, &[Some(0)]), &[x.clone()]).unwrap();
    let inside = vmap(&grad_of(f, 0), &[x.clone()], &[Some(0)]).unwrap();
    let ones = [x.full_like(1.)];
    let forward = jvp(&|x| vmap(f, x, &[Some(0)]), &[x.clone()], &ones).unwrap().1;
    let each = |xt: &[Array]| Ok(jvp(f, &xt[..1], &xt[1..])?.1);
    let within = vmap(&each, &[x.clone(), ones[0].clone()], &[Some(0), Some(0)]).unwrap();
    close(&outside.values(), want);
    close(&inside[0].values(), want);
    close(&forward[0].values(), want);
    close(&within[0].values(), want);
}

#[test]
fn derivatives_and_vmap_commute() {
    let x = vector(&[1., 2., 3.]);
    let vjp = [10., 20., 30.];
    both_ways(&|x| with_vjp(square()).call(x), &x, &vjp);
    both_ways(&|x| with_vmap(with_vjp(square())).call(x), &x, &vjp);
    let jvp = [100., 200., 300.];
    both_ways(&|x| with_jvp(square()).call(x), &x, &jvp);
    both_ways(&|x| with_vmap(with_jvp(square())).call(x), &x, &jvp);
    both_ways(&|x| square().call(x), &x, &[2., 4., 6.]);
    both_ways(&|x| with_vmap(with_vjp(square())).call(x), &vector(&[]), &[]);
    // The second derivative, in both orders again.
    for f in [with_vjp(square()), with_vmap(with_vjp(square()))] {
        both_ways(&grad_of(&|x| f.call(x), 0), &x, &[10., 10., 10.]);
    }
}

/// x·w, where the gradient of w is clipped: not linear, so the order of clip and sum shows.
fn clipped(rule: bool) -> Custom {
    let f = Custom::new("clipped", &["x", "w"], |x| Ok(vec![&x[0] * &x[1]]))
        .vjp(|call, g| Ok(vec![&g[0] * &call.inputs[1], clip(&(&g[0] * &call.inputs[0]), -1., 1.)].into()));
    if !rule {
        return f;
    }
    f.vmap(|x, axes, size| {
        let whole = |i: usize| match axes[i] {
            Some(axis) => move_axis(&x[i], axis, 0),
            None => repeat(&x[i], 0, size),
        };
        Ok((vec![whole(0) * whole(1)], vec![Some(0)]))
    })
}

#[test]
fn a_rule_that_is_not_linear_is_applied_per_example_and_then_summed() {
    let (x, w) = (vector(&[0.5, 3., -4.]), scalar(2.));
    for rule in [false, true] {
        let f = clipped(rule);
        let f = |x: &[Array]| f.call(x);
        let g = grad(&|x| vmap(&f, x, &[Some(0), None]), &[x.clone(), w.clone()]).unwrap();
        close(&g[0].values(), &[2., 2., 2.]);
        close(&g[1].values(), &[0.5 + 1. - 1.]);
        // Per example, asked for as such.
        let each = vmap(&grad_of(&f, 1), &[x.clone(), w.clone()], &[Some(0), None]).unwrap();
        close(&each[0].values(), &[0.5, 1., -1.]);
        // Twice: a matrix of examples.
        let m = matrix(2, &[0.5, 3., -4., 0.25]);
        let twice = |x: &[Array]| vmap(&f, x, &[Some(0), None]);
        let g = grad(&|x| vmap(&twice, x, &[Some(1), None]), &[m, w.clone()]).unwrap();
        close(&g[1].values(), &[0.5 + 1. - 1. + 0.25]);
    }
}

/// A gradient that is the same for all examples still counts once for each.
#[test]
fn a_gradient_without_a_batch_axis_is_summed_too() {
    let f = Custom::new("f", &["x", "w"], |x| Ok(vec![&x[0] + &x[1]]))
        .vjp(|_, g| Ok(vec![g[0].clone(), g[0].full_like(2.)].into()));
    let args = [vector(&[1., 2., 3.]), scalar(1.)];
    let g = grad(&|x| vmap(&|x| f.call(x), x, &[Some(0), None]), &args).unwrap();
    close(&g[1].values(), &[6.]);
}

#[test]
fn the_rule_sees_true_axes_once_and_at_the_call() {
    let seen: Arc<Mutex<Vec<(Vec<Option<usize>>, Vec<usize>)>>> = Arc::default();
    let log = seen.clone();
    let f = Custom::new("f", &["x", "y"], |x| Ok(vec![&x[0] + &x[1]])).vmap(move |x, axes, _| {
        log.lock().unwrap().push((axes.to_vec(), x[0].shape().to_vec()));
        let front = |i: usize| axes[i].map_or(x[i].clone(), |axis| move_axis(&x[i], axis, 0));
        let pair = |a: Array, b: Array| if axes[1].is_some() { a + b } else { reshape(&a, a.shape()) };
        Ok((vec![pair(front(0), front(1))], vec![Some(0)]))
    });
    let at_call = Arc::new(Mutex::new(0));
    let call = |x: &[Array]| {
        let y = f.call(x)?;
        *at_call.lock().unwrap() = seen.lock().unwrap().len();
        Ok(y)
    };
    let (x, y) = (matrix(2, &[1., 2., 3., 4., 5., 6.]), vector(&[7., 8.]));
    let out = vmap(&call, &[x.clone(), matrix(2, &[0.; 6])], &[Some(1), Some(1)]).unwrap();
    close(&out[0].values(), &[1., 4., 2., 5., 3., 6.]);
    vmap(&call, &[x.clone(), y], &[Some(1), None]).unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [(vec![Some(1), Some(1)], vec![2, 3]), (vec![Some(1), None], vec![2, 3])]
    );
    assert_eq!(*at_call.lock().unwrap(), 2, "called while the function was being traced");
    // vmap∘vmap: once, by the inner level; the outer one maps the operations of the rule.
    seen.lock().unwrap().clear();
    let inner = |x: &[Array]| vmap(&|x| f.call(x), x, &[Some(0), Some(0)]);
    vmap(&inner, &[x.clone(), x], &[Some(0), Some(0)]).unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn vmap_of_vmap_keeps_every_rule() {
    let m = matrix(2, &[1., 2., 3., 4.]);
    for (f, value) in [(with_vjp(square()), 0.), (with_vmap(with_vjp(square())), 7.)] {
        let f = |x: &[Array]| f.call(x);
        let once = |x: &[Array]| vmap(&f, x, &[Some(0)]);
        let twice = |x: &[Array]| vmap(&once, x, &[Some(1)]);
        let out = twice(&[m.clone()]).unwrap()[0].values();
        close(&out, &[1. + value, 9. + value, 4. + value, 16. + value]);
        close(&d(&twice, &[m.clone()]).unwrap().values(), &[10., 20., 30., 40.]);
        let t = jvp(&twice, &[m.clone()], &[m.full_like(1.)]).unwrap().1;
        close(&t[0].values(), &[10., 30., 20., 40.]);
        // A derivative between the two levels.
        let between = |x: &[Array]| Ok(vec![d(&once, x)?]);
        close(&vmap(&between, &[m.clone()], &[Some(0)]).unwrap()[0].values(), &[10., 20., 30., 40.]);
    }
}

#[test]
fn an_output_without_a_batch_axis() {
    let f = || {
        Custom::new("f", &["x"], |_| Ok(vec![scalar(5.)])).vmap(|_, _, _| Ok((vec![scalar(5.)], vec![None])))
    };
    let x = vector(&[0.5, 3.]);
    let plain = |x: &[Array]| f().call(x);
    close(&vmap(&plain, &[x.clone()], &[Some(0)]).unwrap()[0].values(), &[5., 5.]);
    // Its cotangents come one per example, and so do its tangents.
    let clipping = f().vjp(|call, g| Ok(clip(&(&g[0] * &call.inputs[0]), -1., 1.).into()));
    let scaled = |x: &[Array]| Ok(vec![2. * &clipping.call(x)?[0]]);
    let outside = d(&|x| vmap(&scaled, x, &[Some(0)]), &[x.clone()]).unwrap();
    close(&outside.values(), &[1., 1.]);
    let pushing = f().jvp(|call, t| Ok((&t[0] * &call.inputs[0]).into()));
    both_ways(&|x| pushing.call(x), &x, &[0.5, 3.]);
}

fn hessian(f: &Fun, x: &Array, reverse_inside: bool) -> Vec<f64> {
    let n = x.shape()[0];
    let eye: Vec<f64> = (0..n * n).map(|at| f64::from(at / n == at % n)).collect();
    let row = |t: &[Array]| -> Result<Vec<Array>> {
        if reverse_inside {
            return Ok(jvp(&grad_of(f, 0), &[x.clone()], t)?.1);
        }
        let along = |x: &[Array]| Ok(jvp(f, x, t)?.1);
        Ok(vec![d(&along, &[x.clone()])?])
    };
    vmap(&row, &[matrix(n, &eye)], &[Some(0)]).unwrap()[0].values()
}

/// f = Σ (x_i)² with the rules of `square` through vmap, times Σ sin x_j.
#[test]
fn hessians_by_both_orders_through_one_rule() {
    let x = vector(&[1., 2.]);
    for (custom, factor) in [(with_vjp(square()), 10.), (with_jvp(square()), 100.)] {
        for custom in [custom, with_vmap(if factor == 10. { with_vjp(square()) } else { with_jvp(square()) })]
        {
            let base = if custom.owner().rules.offers().vmap { 7. } else { 0. };
            let f = |x: &[Array]| {
                let squares = vmap(&|x| custom.call(x), x, &[Some(0)])?;
                Ok(vec![sum_all(&squares[0]) * sum_all(&sin(&x[0]))])
            };
            let (s1, s2, c1, c2) = (1f64.sin(), 2f64.sin(), 1f64.cos(), 2f64.cos());
            let (q, s) = (5. + 2. * base, s1 + s2);
            let (g1, g2) = (factor, 2. * factor);
            let cross = g1 * c2 + g2 * c1;
            let want = [factor * s + 2. * g1 * c1 - q * s1, cross, cross, factor * s + 2. * g2 * c2 - q * s2];
            close(&hessian(&f, &x, true), &want);
            close(&hessian(&f, &x, false), &want);
        }
    }
}

#[test]
fn residuals_are_mapped_like_everything_else() {
    let make = |rule: bool| {
        let f = Custom::new("kept", &["x"], |x| Ok(vec![&x[0] * &x[0]])).forward_backward(
            |x| Ok((vec![&x[0] * &x[0]], vec![exp(&x[0]), &x[0] * &x[0]])),
            |call, g| Ok((10. * &g[0] * call.residual(0)).into()),
        );
        if rule { with_vmap(f) } else { f }
    };
    let x = vector(&[0.5, 1., 2.]);
    let want: Vec<f64> = x.values().iter().map(|x| 10. * x.exp()).collect();
    for rule in [false, true] {
        let f = make(rule);
        let f = |x: &[Array]| f.call(x);
        both_ways(&f, &x, &want);
        both_ways(&grad_of(&f, 0), &x, &want);
        let outside = |x: &[Array]| vmap(&f, x, &[Some(0)]);
        close(&d(&|x| Ok(vec![d(&outside, x)?]), &[x.clone()]).unwrap().values(), &want);
        let third = |x: &[Array]| Ok(vec![d(&grad_of(&outside, 0), x)?]);
        close(&d(&third, &[x.clone()]).unwrap().values(), &want);
    }
}

/// A residual that is an output has the axis of the output.
#[test]
fn residuals_that_are_outputs_are_mapped() {
    let make = || {
        Custom::new("exp", &["x"], |x| Ok(vec![exp(&x[0])])).forward_backward(
            |x| {
                let y = exp(&x[0]);
                Ok((vec![y.clone()], vec![y]))
            },
            |call, g| Ok((10. * &g[0] * call.residual(0)).into()),
        )
    };
    let x = vector(&[0.5, 1., 2.]);
    let first: Vec<f64> = x.values().iter().map(|x| 10. * x.exp()).collect();
    // Each order goes through the rule, which is out by 10.
    let second: Vec<f64> = first.iter().map(|y| 10. * y).collect();
    for f in [make(), make().vmap(|x, axes, _| Ok((vec![exp(&x[0])], axes.to_vec())))] {
        both_ways(&|x| f.call(x), &x, &first);
        both_ways(&grad_of(&|x| f.call(x), 0), &x, &second);
    }
}

/// Where a vmap rule gave the value, the forward pass runs with the vjp rule; a residual that is an output is
/// then the output that is there, and higher orders go through the rule.
#[test]
fn a_late_forward_pass_keeps_the_output() {
    let twice = |x: &Array| opaque(&exp(x));
    let f = Custom::new("f", &["x"], move |x| Ok(vec![twice(&x[0])]))
        .forward_backward(
            move |x| {
                let y = twice(&x[0]);
                Ok((vec![y.clone()], vec![y]))
            },
            |call, g| Ok((2. * &g[0] * call.residual(0)).into()),
        )
        .vmap(move |x, axes, _| Ok((vec![twice(&x[0])], axes.to_vec())));
    let x = vector(&[0.5, 1.]);
    let order = |n: i32| x.values().iter().map(|x| 2f64.powi(n) * (2. * x).exp()).collect::<Vec<_>>();
    let f = |x: &[Array]| f.call(x);
    both_ways(&f, &x, &order(1));
    both_ways(&grad_of(&f, 0), &x, &order(2));
    let outside = |x: &[Array]| vmap(&f, x, &[Some(0)]);
    close(&d(&grad_of(&outside, 0), &[x.clone()]).unwrap().values(), &order(2));
}

/// A vmap rule may call its own function, and other custom functions with theirs.
#[test]
fn a_vmap_rule_calls_custom_functions() {
    let count = Count::default();
    let hits = count.clone();
    let own: Arc<OnceLock<Custom>> = Arc::default();
    let weak = own.clone();
    let f = with_vjp(Custom::new("f", &["x"], |x| Ok(vec![&x[0] * &x[0]]))).vmap(move |x, axes, _| {
        hits.hit();
        Ok((weak.get().expect("set below").call(x)?, axes.to_vec()))
    });
    assert!(own.set(f).is_ok());
    {
        let f = |x: &[Array]| own.get().unwrap().call(x);
        both_ways(&f, &vector(&[1., 2.]), &[10., 20.]);
        count.take();
        let twice = |x: &[Array]| vmap(&f, x, &[Some(0)]);
        let out = vmap(&twice, &[matrix(2, &[1., 2., 3., 4.])], &[Some(0)]).unwrap();
        close(&out[0].values(), &[1., 4., 9., 16.]);
        assert_eq!(count.take(), 2, "once for each level");
    }
}

fn matmul_vec(w: &Array, x: &Array) -> Array {
    reshape(&matmul(w, &reshape(x, &[x.shape()[0], 1])), &[w.shape()[0]])
}

#[test]
fn other_ops_and_axes_pass_through() {
    let f = Custom::new("dot", &["w", "x"], |x| Ok(vec![matmul_vec(&x[0], &x[1])])).vjp(|call, g| {
        let (w, x) = (&call.inputs[0], &call.inputs[1]);
        let outer = reshape(&g[0], &[w.shape()[0], 1]);
        let row = reshape(x, &[1, x.shape()[0]]);
        let dw = matmul(&outer, &row);
        Ok(vec![dw, matmul_vec(&move_axis(w, 0, 1), &g[0])].into())
    });
    let (w, x) = (matrix(2, &[1., 2., 3., 4., 5., 6.]), matrix(3, &[1., 0., 0., 1., 1., 1.]));
    let mapped = |a: &[Array]| vmap(&|a| f.call(a), a, &[None, Some(1)]);
    let g = grad(&mapped, &[w.clone(), x.clone()]).unwrap();
    close(&g[0].values(), &[1., 1., 2., 1., 1., 2.]);
    close(&g[1].values(), &[5., 5., 7., 7., 9., 9.]);
    assert_eq!((g[0].shape(), g[1].shape()), (w.shape(), x.shape()));
    let plain = |a: &[Array]| vmap(&|a| Ok(vec![matmul_vec(&a[0], &a[1])]), a, &[None, Some(1)]);
    close(&mapped(&[w.clone(), x.clone()]).unwrap()[0].values(), &plain(&[w, x]).unwrap()[0].values());
}
