//! Calls of the host: values, order, errors, sharing, plans, devices.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pullback::callback::{Callback, HOST_CALL, HostCall, PURE_CALLBACK, VmapMethod, call};
use pullback::transform::{grad, trace, vmap};
use pullback::{
    Array, Aval, Device, Dtype, Error, ErrorKind, Result, array, available, eval, fun, kernels, place, to_f64,
};

fn close(got: &Array, want: &[f64]) {
    let got = to_f64(got).unwrap();
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-5 * want.abs().max(1.), "{got} is not {want}");
    }
}

fn now(arrays: &[Array]) -> Result<()> {
    eval(arrays, &mut || Ok(()))
}

fn f32s(shape: &[usize]) -> Aval {
    Aval::new(shape, Dtype::F32)
}

type Shared = Arc<dyn Callback>;

fn closure(f: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static) -> Shared {
    Arc::new(f)
}

fn called(f: &Shared, avals: &[Aval], method: VmapMethod, args: &[&Array]) -> Vec<Array> {
    call(HostCall::new(&PURE_CALLBACK, f.clone(), avals.to_vec(), method), args).unwrap().into_vec()
}

fn one(f: &Shared, args: &[&Array]) -> Array {
    called(f, &[args[0].aval().clone()], VmapMethod::Sequential, args).remove(0)
}

/// Elements plus a number, by a loop of the host; counts its calls.
fn plus(by: f32, count: &Arc<AtomicUsize>) -> Shared {
    let count = count.clone();
    closure(move |x| {
        count.fetch_add(1, Ordering::Relaxed);
        let values: Vec<f32> = to_f64(&x[0])?.iter().map(|&v| v as f32 + by).collect();
        Ok(vec![array(&values, &x[0].shape()[..])?])
    })
}

#[test]
fn a_call_stands_between_operations() {
    let count = Arc::default();
    let x = array(&[1., 2., 3., 4.], &[2, 2]).unwrap();
    // A view is laid out for the call, a constant gets elements.
    let t = fun::transpose(&(&x * 2.), &[1, 0]).unwrap();
    let y = one(&plus(1., &count), &[&t]);
    close(&(&y * 10.), &[30., 70., 50., 90.]);
    let c = Array::full(pullback::Scalar::Float(2.), &f32s(&[3]));
    close(&one(&plus(1., &count), &[&c]), &[3.; 3]);
    let empty = array(&[], &[0, 3]).unwrap();
    close(&one(&plus(1., &count), &[&empty]), &[]);
    assert_eq!(count.load(Ordering::Relaxed), 3);
    // Elements, their copy in order, and the elements behind the call, which is no kernel.
    assert_eq!(kernels(&[&one(&plus(1., &count), &[&t]) + 1.]).unwrap(), 3);
}

#[test]
fn several_results_of_several_operands() {
    let f = closure(|x| {
        Ok(vec![&x[0] + &x[1], fun::sum(&x[0], &[0])?, Array::scalar(pullback::Scalar::Int(7), Dtype::I32)])
    });
    let (x, y) = (array(&[1., 2.], &[2]).unwrap(), array(&[10., 20.], &[2]).unwrap());
    let avals = [f32s(&[2]), f32s(&[]), Aval::new([], Dtype::I32)];
    let outs = called(&f, &avals, VmapMethod::Refuse, &[&x, &y]);
    close(&outs[1], &[3.]);
    // All results are there at once, for they are one node's.
    assert!(outs.iter().all(|out| out.data().is_some()));
    close(&outs[0], &[11., 22.]);
    close(&outs[2], &[7.]);
    // Only one is asked for, and the first is not.
    let outs = called(&f, &avals, VmapMethod::Refuse, &[&x, &y]);
    let last = &outs[1] * 2.;
    drop(outs);
    close(&last, &[6.]);
}

#[test]
fn wrong_results_are_errors_and_leave_the_engine_working() {
    let x = array(&[1., 2., 3.], &[3]).unwrap();
    let wrong = |f: Shared| now(&[one(&f, &[&x])]).unwrap_err();
    let error = wrong(closure(|x| Ok(vec![fun::sum(&x[0], &[0])?])));
    assert_eq!(error.text(), "[pure_callback] expected float32[3] for result 0, got float32[]");
    let error = wrong(closure(|x| Ok(vec![fun::cast(&x[0], Dtype::F64)?])));
    assert_eq!((error.kind(), error.text().contains("got float64[3]")), (ErrorKind::Type, true));
    assert!(wrong(closure(|_| Ok(vec![]))).text().contains("expected 1 results, got 0"));
    let failing = Arc::new(AtomicUsize::new(0));
    let seen = failing.clone();
    let y = one(
        &closure(move |x| match seen.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Error::host("not today", 42_i32)),
            _ => Ok(x.to_vec()),
        }),
        &[&(&x + 1.)],
    );
    let error = now(std::slice::from_ref(&y)).unwrap_err();
    assert_eq!((error.kind(), error.source::<i32>()), (ErrorKind::Host, Some(&42)));
    assert!(y.data().is_none());
    close(&y, &[2., 3., 4.]);
    let none = HostCall::new(&HOST_CALL, closure(|_| Ok(vec![])), vec![], VmapMethod::Refuse);
    assert!(call(none, &[&x]).unwrap_err().text().starts_with("[host_call] expected at least one result"));
}

#[test]
fn one_closure_on_the_same_is_called_once() {
    let count = Arc::default();
    let f = plus(1., &count);
    let x = array(&[1., 2.], &[2]).unwrap();
    let sum = &one(&f, &[&x]) + &one(&f, &[&x]);
    close(&sum, &[4., 6.]);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    // Two closures are two, and so are two operands.
    close(&(&one(&plus(1., &count), &[&x]) + &one(&plus(2., &count), &[&x])), &[5., 7.]);
    close(&(&one(&f, &[&x]) + &one(&f, &[&(&x * 2.)])), &[5., 8.]);
    assert_eq!(count.load(Ordering::Relaxed), 5);
}

#[test]
fn what_has_its_elements_has_let_go_of_its_closure() {
    let count = Arc::new(AtomicUsize::new(0));
    let x = array(&[1., 2., 3., 4., 5.], &[5]).unwrap();
    let y = one(&plus(1., &count), &[&x]);
    assert_eq!(Arc::strong_count(&count), 2);
    now(std::slice::from_ref(&y)).unwrap();
    assert_eq!(Arc::strong_count(&count), 1);
    drop(one(&plus(1., &count), &[&x]));
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn a_call_may_evaluate_and_call_again() {
    let count = Arc::default();
    let inner = plus(1., &count);
    let outer = closure(move |x| {
        let y = &one(&inner, &[&x[0]]) * 2.;
        assert!(to_f64(&y)?[0] > 0.);
        Ok(vec![one(&inner, &[&y])])
    });
    let x = array(&[1., 2.], &[2]).unwrap();
    close(&one(&outer, &[&x]), &[5., 7.]);
    // One that asks for itself is an error, not the end of the stack.
    let itself: Arc<Mutex<Option<Array>>> = Arc::default();
    let held = itself.clone();
    let y = one(
        &closure(move |_| {
            let y = held.lock().unwrap().clone().unwrap();
            now(std::slice::from_ref(&y))?;
            Ok(vec![y])
        }),
        &[&x],
    );
    *itself.lock().unwrap() = Some(y.clone());
    assert!(now(&[y]).unwrap_err().text().contains("whose callback asks for it"));
    *itself.lock().unwrap() = None;
    // Nor is one without end.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    fn endless(x: &[Array]) -> Result<Vec<Array>> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let y = one(&closure(endless), &[&x[0]]);
        // As NumPy does.
        let _ = now(std::slice::from_ref(&y));
        now(std::slice::from_ref(&y))?;
        Ok(vec![y])
    }
    assert!(now(&[one(&closure(endless), &[&x])]).unwrap_err().text().contains("within each other"));
    assert!(COUNT.load(Ordering::Relaxed) < 200);
    close(&one(&closure(|x| Ok(x.to_vec())), &[&x]), &[1., 2.]);
}

#[test]
fn under_vmap() {
    let seen: Arc<Mutex<Vec<Vec<Vec<usize>>>>> = Arc::default();
    let shapes = seen.clone();
    let f = closure(move |x| {
        shapes.lock().unwrap().push(x.iter().map(|x| x.shape().to_vec()).collect());
        Ok(vec![&x[0] * &x[1]])
    });
    let x = array(&[1., 2., 3., 4., 5., 6.], &[3, 2]).unwrap();
    let y = array(&[10., 100.], &[2]).unwrap();
    let mapped = |method, want: &[Vec<Vec<usize>>]| {
        let inner = |a: &[Array]| Ok(called(&f, &[f32s(&[2])], method, &[&a[0], &a[1]]));
        let outs = vmap(&inner, &[x.clone(), y.clone()], &[Some(0), None], None)?;
        close(&outs[0].0, &[10., 200., 30., 400., 50., 600.]);
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), want);
        Ok::<(), Error>(())
    };
    mapped(VmapMethod::Sequential, &vec![vec![vec![2], vec![2]]; 3]).unwrap();
    mapped(VmapMethod::ExpandDims, &[vec![vec![3, 2], vec![1, 2]]]).unwrap();
    mapped(VmapMethod::BroadcastAll, &[vec![vec![3, 2], vec![3, 2]]]).unwrap();
    let error = mapped(VmapMethod::Refuse, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rule);
    assert!(error.text().contains("'sequential', 'expand_dims' or 'broadcast_all'"));
}

#[test]
fn nested_maps_and_empty_ones() {
    let f = closure(|x| Ok(vec![&x[0] + &(&x[1] * 10.)]));
    let x = array(&[1., 2., 3.], &[3]).unwrap();
    let y = array(&[4., 5.], &[2]).unwrap();
    for method in [VmapMethod::Sequential, VmapMethod::ExpandDims, VmapMethod::BroadcastAll] {
        let outer = |a: &[Array]| {
            let inner = |b: &[Array]| Ok(called(&f, &[f32s(&[])], method, &[&b[0], &a[0]]));
            Ok(vec![vmap(&inner, std::slice::from_ref(&x), &[Some(0)], None)?.remove(0).0])
        };
        let outs = vmap(&outer, std::slice::from_ref(&y), &[Some(0)], None).unwrap();
        close(&outs[0].0, &[41., 42., 43., 51., 52., 53.]);
        let none = array(&[], &[0]).unwrap();
        let inner = |b: &[Array]| Ok(called(&f, &[f32s(&[])], method, &[&b[0], &b[0]]));
        let outs = vmap(&inner, &[none], &[Some(0)], None).unwrap();
        close(&outs[0].0, &[]);
    }
}

#[test]
fn derivatives_and_records() {
    let count = Arc::default();
    let f = plus(1., &count);
    let x = array(&[1., 2.], &[2]).unwrap();
    let error =
        grad(&|x| Ok(vec![fun::sum(&one(&f, &[&x[0]]), &[0])?]), std::slice::from_ref(&x), &[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rule);
    assert_eq!(error.text(), "'pure_callback' has no derivative: wrap it in a custom function with a rule");
    // Behind a fence it is a constant.
    let held = |x: &[Array]| {
        let y = one(&f, &[&fun::stop_gradient(&x[0])?]);
        Ok(vec![fun::sum(&(&y * &x[0]), &[0])?])
    };
    close(&grad(&held, std::slice::from_ref(&x), &[0]).unwrap()[0], &[2., 3.]);
    let traced = trace(&|x| Ok(vec![&one(&f, &[&x[0]]) * 2.]), &[f32s(&[2])]).unwrap();
    let before = count.load(Ordering::Relaxed);
    for by in [0., 10.] {
        close(&traced.call(&[&x + by]).unwrap()[0], &[4. + 2. * by, 6. + 2. * by]);
    }
    assert_eq!(count.load(Ordering::Relaxed), before + 2);
}

#[test]
fn on_four_threads() {
    let count = Arc::default();
    let f = plus(1., &count);
    let x = array(&[1., 2.], &[2]).unwrap();
    let here = std::thread::current().id();
    std::thread::scope(|scope| {
        for by in 0..4 {
            let (f, x) = (&f, &x);
            scope.spawn(move || {
                let me = std::thread::current().id();
                assert_ne!(me, here);
                let mine = closure(move |x| {
                    assert_eq!(std::thread::current().id(), me, "the thread that asks");
                    Ok(x.to_vec())
                });
                for _ in 0..50 {
                    let y = one(&mine, &[&one(f, &[&(x * f64::from(by))])]);
                    close(&y, &[f64::from(by) + 1., f64::from(2 * by) + 1.]);
                }
            });
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 200);
}

#[test]
fn a_chain_through_closures_is_dropped() {
    let mut x = array(&[1.], &[1]).unwrap();
    for _ in 0..200_000 {
        let before = x.clone();
        x = one(&closure(move |_| Ok(vec![before.clone()])), &[&array(&[1.], &[1]).unwrap()]);
    }
    drop(x);
}

#[test]
fn on_the_gpu() {
    if !available(Device::Gpu) {
        println!("skipped: no GPU adapter");
        return;
    }
    let x = array(&[1., 2., 3., 4.], &[2, 2]).unwrap();
    let _here = place::on(Some(Device::Gpu));
    let places: Arc<Mutex<Vec<Device>>> = Arc::default();
    let seen = places.clone();
    let f = closure(move |x| {
        seen.lock().unwrap().push(x[0].data().unwrap().device());
        // By the device that the call is for, and by the host.
        let y = &x[0] + 1.;
        let host = to_f64(&y)?.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        Ok(vec![y.clone(), array(&host, &y.shape()[..])?])
    });
    let t = fun::transpose(&(&x * 2.), &[1, 0]).unwrap();
    let outs = called(&f, &[f32s(&[2, 2]), f32s(&[2, 2])], VmapMethod::Sequential, &[&t]);
    let sum = &outs[0] + &outs[1];
    close(&sum, &[6., 14., 10., 18.]);
    assert_eq!(sum.data().unwrap().device(), Device::Gpu);
    assert_eq!(*places.lock().unwrap(), [Device::Gpu]);
    // One call for each example, whose parts the host cuts.
    let inner = |a: &[Array]| Ok(called(&f, &[f32s(&[2]), f32s(&[2])], VmapMethod::Sequential, &[&a[0]]));
    let outs = vmap(&inner, std::slice::from_ref(&x), &[Some(1)], None).unwrap();
    close(&outs[1].0, &[2., 4., 3., 5.]);
    // What the device cannot hold stays on the host.
    let d = fun::cast(&x, Dtype::F64).unwrap();
    let doubles = closure(|x| Ok(vec![fun::cast(&x[0], Dtype::F32)?, x[0].clone()]));
    let outs = called(&doubles, &[f32s(&[2, 2]), Aval::new([2, 2], Dtype::F64)], VmapMethod::Refuse, &[&d]);
    close(&(&outs[0] * 2.), &[2., 4., 6., 8.]);
    close(&outs[1], &[1., 2., 3., 4.]);
}
