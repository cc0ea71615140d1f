//! What is kept, what is freed, and how deep a graph may be. Nodes are counted for the whole process, so these
//! tests take turns.

#![allow(clippy::cloned_ref_to_slice_refs)]

mod common;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::*;
use pullback_base::Result;
use pullback_core::custom::Owner;
use pullback_core::{Array, live_nodes};
use pullback_transform::{Custom, Fun, vjp};

static TURN: Mutex<()> = Mutex::new(());
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a stack of 256 KiB: what recurses does not get far.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let _turn = turn();
    let before = live_nodes();
    std::thread::Builder::new().stack_size(256 << 10).spawn(f).unwrap().join().unwrap();
    assert_eq!(live_nodes(), before);
}

fn chain(depth: usize) -> impl Fn(&[Array]) -> Result<Vec<Array>> {
    move |x| {
        let mut y = x[0].clone();
        for _ in 0..depth {
            y = -y;
        }
        Ok(vec![y])
    }
}

#[test]
fn plain_chains() {
    on_a_small_stack(|| {
        let f = chain(100_000);
        close(&d(&f, &[scalar(2.)]).unwrap().values(), &[1.]);
        close(&jvp(&f, &[scalar(2.)], &[scalar(3.)]).unwrap().1[0].values(), &[3.]);
        close(&vmap(&f, &[vector(&[1., 2.])], &[Some(0)]).unwrap()[0].values(), &[1., 2.]);
    });
}

#[test]
fn a_chain_of_a_million() {
    on_a_small_stack(|| {
        let g = d(&chain(1_000_000), &[scalar(2.)]).unwrap();
        close(&g.values(), &[1.]);
        drop(vmap(&chain(1_000_000), &[vector(&[1., 2.])], &[Some(0)]).unwrap());
    });
}

#[test]
fn chains_of_custom_functions() {
    on_a_small_stack(|| {
        let rules = |f: Custom| f.vjp(|_, g| Ok((-&g[0]).into()));
        let plain = || Custom::new("neg", &["x"], |x| Ok(vec![-&x[0]]));
        for f in [rules(plain()), rules(plain()).vmap(|x, axes, _| Ok((vec![-&x[0]], axes.to_vec())))] {
            let chain = |x: &[Array]| -> Result<Vec<Array>> {
                let mut y = x.to_vec();
                for _ in 0..25_000 {
                    y = f.call(&y)?;
                }
                Ok(y)
            };
            close(&d(&chain, &[scalar(2.)]).unwrap().values(), &[1.]);
            let mapped = |x: &[Array]| vmap(&chain, x, &[Some(0)]);
            close(&d(&mapped, &[vector(&[1., 2.])]).unwrap().values(), &[1., 1.]);
        }
    });
}

/// Through the rules alone: each captures the result of the function before.
#[test]
fn chains_through_closures() {
    on_a_small_stack(|| {
        let f = |x: &[Array]| -> Result<Vec<Array>> {
            let mut y = x[0].clone();
            for _ in 0..25_000 {
                let last = std::mem::replace(&mut y, x[0].clone());
                y = square().vjp(move |_, g| Ok((&g[0] * &last).into())).call(x)?.remove(0);
            }
            Ok(vec![y])
        };
        d(&f, &[scalar(1.)]).unwrap().values();
    });
}

#[test]
fn a_record_of_a_long_chain() {
    on_a_small_stack(|| {
        let x = scalar(2.);
        let traced = pullback_transform::trace(&chain(100_000), &[x.aval().clone()]).unwrap();
        close(&traced.call(&[x]).unwrap()[0].values(), &[2.]);
    });
}

#[test]
fn many_derivatives_leave_nothing_behind() {
    let _turn = turn();
    let f = with_vmap(with_vjp(square()));
    let g = Custom::new("kept", &["x"], |x| Ok(vec![&x[0] * &x[0]])).forward_backward(
        |x| Ok((vec![&x[0] * &x[0]], vec![exp(&x[0])])),
        |call, g| Ok((&g[0] * call.residual(0)).into()),
    );
    let x = [vector(&[1., 2., 3.])];
    let both = |x: &[Array]| g.call(&f.call(x)?);
    let mapped = |x: &[Array]| vmap(&both, x, &[Some(0)]);
    let second = |x: &[Array]| d(&grad_of(&mapped, 0), x);
    let before = live_nodes();
    for _ in 0..50 {
        second(&x).unwrap().values();
        vmap(&grad_of(&both, 0), &x, &[Some(0)]).unwrap()[0].values();
        // Also where an error interrupts it.
        let fails = |x: &[Array]| {
            both(x)?;
            eval(&x[0]).map(|_| vec![])
        };
        vmap(&fails, &x, &[Some(0)]).unwrap_err();
    }
    assert_eq!(live_nodes(), before);
}

/// The custom node is there only while somebody may look back at it.
#[test]
fn outside_every_trace_there_is_no_node() {
    let _turn = turn();
    let f = with_vjp(square());
    let x = scalar(2.);
    let before = live_nodes();
    let y = f.call(&[x.clone()]).unwrap();
    assert_eq!((live_nodes() - before, y[0].number()), (1, 0));
    d(&|x| f.call(x), &[x]).unwrap();
}

fn deep(x: &Array) -> Array {
    sin(&sin(&sin(x)))
}

/// The gradient holds nothing of the forward pass: without the value, all of it goes.
#[test]
fn checkpoint_keeps_nothing() {
    let _turn = turn();
    let x = scalar(0.5);
    let plain = |x: &[Array]| Ok(vec![deep(&x[0])]);
    let saved = |x: &[Array]| checkpoint(|x| Ok(vec![deep(&x[0])]), x);
    let one = |f: &Fun| {
        let (y, back) = vjp(f, &[x.clone()]).unwrap();
        [y[0].clone(), back.call_dense(&[scalar(1.)]).unwrap().remove(0)]
    };
    let freed = |f: &Fun| {
        let [y, g] = one(f);
        let before = live_nodes();
        drop(y);
        let freed = before - live_nodes();
        close(&g.values(), &d(&plain, &[x.clone()]).unwrap().values());
        freed
    };
    assert_eq!(freed(&plain), 1, "the outermost sine; the others are in the gradient");
    assert_eq!(freed(&saved), 5, "three sines, the leaf of the body, the node");
}

/// What was evaluated forgets how, but not while somebody may walk there.
#[test]
fn evaluated_nodes_forget_unless_a_pullback_lives() {
    let _turn = turn();
    let f = with_vjp(square());
    let both = |x: &[Array]| Ok(vec![sin(&f.call(&[sin(&x[0])])?[0])]);
    let x = [scalar(0.5)];
    let (y, back) = vjp(&both, &x).unwrap();
    y[0].values();
    assert_eq!(y[0].node().inputs().len(), 1, "its history is still to be walked");
    let (s, c) = (0.5f64.sin(), 0.5f64.cos());
    let want = (s * s).cos() * 10. * s * c;
    for _ in 0..2 {
        let g = back.call_dense(&[scalar(1.)]).unwrap();
        close(&g[0].values(), &[want]);
    }
    // Also on another thread.
    let back = std::thread::spawn(move || {
        close(&back.call_dense(&[scalar(1.)]).unwrap()[0].values(), &[want]);
        back
    });
    drop(back.join().unwrap());
    let (y, back) = vjp(&both, &x).unwrap();
    drop(back);
    y[0].values();
    assert!(y[0].node().inputs().is_empty());
    // The node of a call forgets its rules and its body along with its inputs.
    let (y, _) = vjp(&|x| f.call(x), &x).unwrap();
    y[0].values();
    assert!(y[0].node().custom().is_none() && y[0].node().inputs().is_empty());
    // To a derivative to come it is a constant, also where its number says otherwise.
    let g = grad(&|x| Ok(vec![&x[0] * &y[0]]), &x).unwrap();
    close(&g[0].values(), &[0.25]);
}

/// A pullback that is kept does not keep what is computed after it: training goes on in constant space.
#[test]
fn a_pullback_kept_for_long_does_not_keep_later_steps() {
    let _turn = turn();
    let rule = with_vmap(with_vjp(square()));
    let loss = |x: &[Array]| Ok(vec![sum_all(&vmap(&|x| rule.call(x), x, &[Some(0)])?[0])]);
    let (_, kept) = vjp(&loss, &[vector(&[1., 2.])]).unwrap();
    let mut x = vector(&[1., 2.]);
    let mut nodes = vec![];
    for _ in 0..20 {
        let g = d(&loss, &[x.clone()]).unwrap();
        x = &x - 0.01 * &g;
        x.values();
        drop(g);
        nodes.push(live_nodes());
    }
    assert_eq!(nodes[5], nodes[19]);
    close(&kept.call_dense(&[scalar(1.)]).unwrap()[0].values(), &[10., 20.]);
}

/// Rules that look at elements, while the walk goes on behind them.
#[test]
fn a_rule_that_evaluates_does_not_cut_the_walk() {
    let _turn = turn();
    let f = || {
        square().vjp(|call, g| {
            let values: Vec<f64> = call.inputs[0].values().iter().map(|v| 10. * v).collect();
            call.outputs[0].values();
            Ok((&g[0] * array(&values, call.inputs[0].shape(), call.inputs[0].dtype())).into())
        })
    };
    let (f, inner) = (f(), Arc::new(f()));
    let twice = |x: &[Array]| f.call(&[sin(&f.call(&[sin(&x[0])])?[0])]);
    let again = {
        let inner = inner.clone();
        move |x: &[Array]| {
            checkpoint(
                {
                    let inner = inner.clone();
                    move |x| inner.call(&[sin(&inner.call(&[sin(&x[0])])?[0])])
                },
                x,
            )
        }
    };
    let (u, v): (f64, f64) = (0.5f64.sin(), 0.5f64.sin().powi(2).sin());
    let want = 10. * v * v.asin().cos() * 10. * u * 0.5f64.cos();
    for f in [&twice as &Fun, &again] {
        let (y, back) = vjp(f, &[scalar(0.5)]).unwrap();
        y[0].values();
        for _ in 0..2 {
            close(&back.call_dense(&[scalar(1.)]).unwrap()[0].values(), &[want]);
        }
    }
}

/// The graph, its pullback and its rules may go to other threads, and every thread traces for itself.
#[test]
fn eight_threads_at_once() {
    let _turn = turn();
    fn sent<T: Send + Sync>() {}
    sent::<pullback_transform::Pullback>();
    sent::<pullback_transform::Traced>();
    sent::<Owner>();
    let rule = Arc::new(with_vmap(with_vjp(square())));
    let work = |i: usize, rule: Arc<Custom>| {
        move || {
            for n in 0..50 {
                let x = vector(&[i as f64, n as f64]);
                let mapped = |x: &[Array]| vmap(&|x| rule.call(x), x, &[Some(0)]);
                close(&d(&mapped, &[x.clone()]).unwrap().values(), &[10. * i as f64, 10. * n as f64]);
                close(&d(&grad_of(&mapped, 0), &[x]).unwrap().values(), &[10., 10.]);
            }
        }
    };
    let threads: Vec<_> = (0..8).map(|i| std::thread::spawn(work(i, rule.clone()))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
