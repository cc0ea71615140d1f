//! The doors for users of Rust: what they take, what they refuse, and in which words.

use pullback_base::{Aval, Device};
use pullback_core::custom::{Offers, Rules};
use pullback_core::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, OpDef, Reference, Test};
use pullback_core::{Params, fun, place};
use pullback_transform::{grad as checked_grad, out_axis, stop_gradient, value_and_grad};
use smallvec::smallvec;

use crate::prelude::*;

fn product(x: &[Array]) -> Result<Vec<Array>> {
    Ok(vec![&x[0] * &x[1]])
}

#[track_caller]
fn says<T>(result: Result<T>, kind: ErrorKind, text: &str) {
    let error = result.err().expect("an error");
    assert!(error.kind() == kind && error.text().contains(text), "{error:?}");
}

#[test]
fn value_and_gradient() {
    let x = [scalar(3.), scalar(5.)];
    let (y, g) = value_and_grad(&product, &x, &[1, 0]).unwrap();
    close(&[y[0].values(), g[0].values(), g[1].values()].concat(), &[15., 3., 5.]);
    // Further results go along and are not differentiated.
    let aux = |x: &[Array]| Ok(vec![&x[0] * &x[1], opaque(&x[0])]);
    let (y, g) = value_and_grad(&aux, &x, &[0]).unwrap();
    close(&[y[1].values(), g[0].values()].concat(), &[9., 5.]);
    // The same argument twice, and one that does not matter.
    let g = checked_grad(&|x| Ok(vec![sin(&x[0])]), &x, &[0, 0, 1]).unwrap();
    close(&g.iter().flat_map(|g| g.values()).collect::<Vec<_>>(), &[3f64.cos(), 3f64.cos(), 0.]);
}

#[test]
fn what_grad_refuses() {
    let v = [vector(&[1., 2.]), scalar(2.)];
    says(
        checked_grad(&product, &v, &[0]),
        ErrorKind::Value,
        "[grad] expected a scalar from the function, got float64[2]",
    );
    let i = [array(&[1.], &[], Dtype::I32)];
    says(
        checked_grad(&|x| Ok(x.to_vec()), &i, &[0]),
        ErrorKind::Type,
        "for argument 0, got int32[]; cast it",
    );
    says(checked_grad(&|x| Ok(x.to_vec()), &i, &[1]), ErrorKind::Value, "got 1 of 1 argument");
    let counts = |x: &[Array]| Ok(vec![fun::cast(&x[0], Dtype::I32)?]);
    says(checked_grad(&counts, &[scalar(1.)], &[0]), ErrorKind::Type, "expected a float scalar");
    says(checked_grad(&|_| Ok(vec![]), &[scalar(1.)], &[0]), ErrorKind::Value, "got one without result");
    says(
        checked_grad(&|x| Ok(vec![opaque(&x[0])]), &[scalar(1.)], &[0]),
        ErrorKind::Rule,
        "'opaque' has no derivative",
    );
}

#[test]
fn tangents_and_cotangents_fit_or_are_refused() {
    let x = [vector(&[1., 2.]), array(&[1., 2.], &[2], Dtype::I32)];
    let f = |x: &[Array]| Ok(vec![&x[0] * &x[1]]);
    // Of another width, and of an integer nothing.
    let half = array(&[1., 2.], &[2], Dtype::F32);
    let (_, t) = pullback_transform::jvp(&f, &x, &[Some(half.clone()), None]).unwrap();
    let t = t[0].clone().unwrap();
    assert_eq!((t.dtype(), t.values()), (Dtype::F64, vec![1., 4.]));
    let (_, t) = pullback_transform::jvp(&f, &x, &[None, Some(x[1].clone())]).unwrap();
    assert!(t[0].is_none());
    let jvp = |t: &[Option<Array>]| pullback_transform::jvp(&f, &x, t);
    says(jvp(&[None]), ErrorKind::Value, "[jvp] expected 2 tangents, one for each primal, got 1");
    says(
        jvp(&[Some(scalar(1.)), None]),
        ErrorKind::Value,
        "tangent of type float64[2] for array 0, got float64[]",
    );
    says(
        jvp(&[None, Some(half.clone())]),
        ErrorKind::Type,
        "tangent of type int32[2] for array 1, got float32[2]",
    );
    let (_, back) = vjp(&f, &x).unwrap();
    let g = back.call(&[Some(half)]).unwrap();
    assert!(g[0].as_ref().unwrap().dtype() == Dtype::F64 && g[1].is_none());
    says(back.call(&[]), ErrorKind::Value, "[vjp] expected 1 cotangent, one for each output, got 0");
    says(back.call(&[Some(x[1].clone())]), ErrorKind::Type, "[vjp] expected a cotangent of type float64[2]");
    assert!(back.call(&[None]).unwrap().iter().all(Option::is_none));
}

/// A gradient has the type of its primal, whatever was computed in between.
#[test]
fn gradients_have_the_type_of_their_primals() {
    let x = [array(&[3.], &[], Dtype::F16), array(&[2.], &[], Dtype::F32)];
    let wide = |x: &[Array]| Ok(vec![fun::cast(&x[0], Dtype::F64)? * &x[1]]);
    let g = checked_grad(&wide, &x, &[0, 1]).unwrap();
    assert_eq!((g[0].dtype(), g[1].dtype()), (Dtype::F16, Dtype::F32));
    close(&[g[0].values(), g[1].values()].concat(), &[2., 3.]);
    // Nothing passes an integer.
    let cut = |x: &[Array]| Ok(vec![&x[0] * fun::cast(&fun::cast(&x[0], Dtype::I32)?, Dtype::F64)?]);
    close(&d(&cut, &[scalar(2.5)]).unwrap().values(), &[2.]);
    close(&jvp(&cut, &[scalar(2.5)], &[scalar(1.)]).unwrap().1[0].values(), &[2.]);
}

#[test]
fn batches() {
    let m = matrix(2, &[1., 2., 3., 4., 5., 6.]);
    let twice = |x: &[Array]| Ok(vec![2. * &x[0], scalar(1.)]);
    let y = pullback_transform::vmap(&twice, &[m.clone()], &[Some(1)], None).unwrap();
    assert_eq!(y[1].1, None, "not mapped");
    let at = |i: usize, axis| out_axis(&y[i], axis, 3);
    assert_eq!(at(0, Some(0)).unwrap().shape()[..], [3, 2]);
    assert_eq!(at(0, Some(1)).unwrap().values(), [2., 4., 6., 8., 10., 12.]);
    assert_eq!(at(1, Some(0)).unwrap().values(), [1., 1., 1.]);
    assert_eq!(at(1, None).unwrap().values(), [1.]);
    says(at(0, None), ErrorKind::Value, "without a mapped axis for out axis None");
    says(at(0, Some(2)), ErrorKind::Value, "expected an out axis up to 1, got 2");
    let map = |x: &[Array], axes: &[Option<usize>], size| pullback_transform::vmap(&product, x, axes, size);
    let v = vector(&[1., 2.]);
    let y = map(&[v.clone(), v.clone()], &[None, None], Some(4)).unwrap();
    assert_eq!((y[0].1, out_axis(&y[0], Some(0), 4).unwrap().shape().to_vec()), (None, vec![4, 2]));
    says(
        map(&[v.clone(), m.clone()], &[Some(0), Some(1)], None),
        ErrorKind::Value,
        "[vmap] expected size 2 on axis 1 of argument 1",
    );
    says(
        map(&[v.clone(), m], &[Some(1), None], None),
        ErrorKind::Value,
        "an array with an axis 1 for argument 0, got float64[2]",
    );
    says(map(&[v.clone(), v.clone()], &[None, None], None), ErrorKind::Value, "give axis_size");
    says(
        map(&[v.clone()], &[], None),
        ErrorKind::Value,
        "[vmap] expected 1 axis or None, one for each array, got 0",
    );
    says(map(&[v.clone(), v], &[Some(0), None], Some(3)), ErrorKind::Value, "size 3 on axis 0");
}

#[test]
fn stop_gradient_stops_every_derivative() {
    let f = |x: &[Array]| Ok(vec![&x[0] * stop_gradient(&sin(&x[0]))?]);
    let want = [0.5f64.sin()];
    close(&d(&f, &[scalar(0.5)]).unwrap().values(), &want);
    close(&jvp(&f, &[scalar(0.5)], &[scalar(1.)]).unwrap().1[0].values(), &want);
    let v = [vector(&[0.5, 0.25])];
    close(&d(&|x| vmap(&f, x, &[Some(0)]), &v).unwrap().values(), &[want[0], 0.25f64.sin()]);
    close(&vmap(&grad_of(&f, 0), &v, &[Some(0)]).unwrap()[0].values(), &[want[0], 0.25f64.sin()]);
    close(&d(&grad_of(&f, 0), &[scalar(0.5)]).unwrap().values(), &[0.]);
    let custom = square().vjp(|call, g| Ok((&g[0] * stop_gradient(&call.inputs[0])?).into()));
    close(&d(&grad_of(&|x| custom.call(x), 0), &[scalar(3.)]).unwrap().values(), &[0.]);
    close(&jvp(&|x| custom.call(x), &[scalar(3.)], &[scalar(2.)]).unwrap().1[0].values(), &[6.]);
}

/// Sine and cosine at once.
static BOTH: OpDef = OpDef {
    name: "both",
    doc: "",
    args: &["a"],
    dtypes: Dtypes::Float,
    infer: Infer::Many(|_, x| Ok(smallvec![x[0].clone(), x[0].clone()])),
    diff: Diff::Custom {
        jvp: |_, _, y, t| Ok(vec![t[0].as_ref().map(|t| &y[1] * t), t[0].as_ref().map(|t| -(&y[0] * t))]),
        vjp: |_, _, y, g| {
            let from_sin = g[0].as_ref().map(|g| &y[1] * g);
            let from_cos = g[1].as_ref().map(|g| -(&y[0] * g));
            Ok(vec![match (from_sin, from_cos) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            }])
        },
    },
    batch: Batch::Lead(|params, _, _| params.clone()),
    kernel: Kernel::Map(pullback_kernels::Map::Sin),
    api: Api::Composed,
    test: Test {
        reference: Reference::Whole(|_, x, _| {
            x[0].1.iter().map(|v| v.sin()).chain(x[0].1.iter().map(|v| v.cos())).collect()
        }),
        samples: &[],
        ulps: 0.,
    },
};

#[test]
fn operations_with_several_results() {
    let f = |x: &[Array]| {
        let y = Array::apply_all(&BOTH, Params::None, &[&x[0]])?;
        Ok(vec![&y[0] * &y[1] + &y[1]])
    };
    let g = |x: f64| x.cos().powi(2) - x.sin().powi(2) - x.sin();
    let gg = |x: f64| -4. * x.sin() * x.cos() - x.cos();
    close(&d(&f, &[scalar(0.5)]).unwrap().values(), &[g(0.5)]);
    close(&jvp(&f, &[scalar(0.5)], &[scalar(1.)]).unwrap().1[0].values(), &[g(0.5)]);
    let v = [vector(&[0.5, 0.25])];
    close(&d(&|x| vmap(&f, x, &[Some(0)]), &v).unwrap().values(), &[g(0.5), g(0.25)]);
    close(&vmap(&grad_of(&f, 0), &v, &[Some(0)]).unwrap()[0].values(), &[g(0.5), g(0.25)]);
    close(&d(&grad_of(&f, 0), &[scalar(0.5)]).unwrap().values(), &[gg(0.5)]);
    let traced = pullback_transform::trace(&f, &[Aval::new([], Dtype::F64)]).unwrap();
    close(&d(&|x| traced.call(x), &[scalar(0.5)]).unwrap().values(), &[g(0.5)]);
}

/// Rows of every kind of derivative, against central differences, with and without vmap.
#[test]
fn rows_of_every_kind() {
    let index = array(&[2., 0., 2.], &[3], Dtype::I32);
    let half = vector(&[0.5, -0.5, 0.25]);
    let some: [Box<Fun>; 6] = [
        Box::new(|x| Ok(vec![fun::concatenate(&[&x[0], &sin(&x[0]), &scalar_like(&x[0])], 0)?])),
        Box::new(|x| Ok(vec![&fun::take(&x[0], &index, Some(0))? * &half])),
        Box::new(|x| Ok(vec![fun::cumsum(&(&x[0] * &x[0]), Some(0), false, true)?])),
        Box::new(|x| Ok(vec![where_(&less(&x[0], &half), &sin(&x[0]), &(&half * &x[0]))])),
        Box::new(|x| Ok(vec![matmul(&reshape(&x[0], &[1, 3]), &reshape(&sin(&x[0]), &[3, 1]))])),
        Box::new(|x| Ok(vec![fun::cast(&(&x[0] / (1.5 + cos(&x[0]))), Dtype::F64)?])),
    ];
    let x = [0.3, -0.7, 1.1];
    for (n, f) in some.iter().enumerate() {
        let total = |x: &[f64]| f(&[vector(x)]).unwrap()[0].values().iter().sum::<f64>();
        let slope = |i: usize| {
            let moved = |by: f64| {
                let mut x = x;
                x[i] += by;
                total(&x)
            };
            (moved(1e-5) - moved(-1e-5)) / 2e-5
        };
        let want: Vec<f64> = (0..3).map(slope).collect();
        let near = |got: &[f64]| {
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-8), "{n}: {got:?} {want:?}");
        };
        let x = vector(&x);
        near(&d(f, &[x.clone()]).unwrap().values());
        let both = matrix(2, &[x.values(), x.values()].concat());
        let mapped = vmap(&grad_of(f, 0), &[both.clone()], &[Some(0)]).unwrap()[0].values();
        near(&mapped[..3]);
        near(&mapped[3..]);
        near(&d(&|x| vmap(f, x, &[Some(0)]), &[both]).unwrap().values()[3..]);
        let along = |i: usize| {
            let unit: Vec<f64> = (0..3).map(|at| f64::from(at == i)).collect();
            jvp(f, &[x.clone()], &[vector(&unit)]).unwrap().1[0].values().iter().sum::<f64>()
        };
        near(&(0..3).map(along).collect::<Vec<_>>());
    }
}
fn scalar_like(x: &Array) -> Array {
    reshape(&sum_all(x), &[1])
}

/// What a transform builds for a node is computed where the node is.
#[test]
fn transforms_stay_on_the_device_of_the_node() {
    let f = |x: &[Array]| {
        let _here = place::on(Some(Device::Gpu));
        Ok(vec![sin(&x[0])])
    };
    let g = d(&f, &[scalar(1.)]).unwrap();
    assert_eq!((g.node().device, place::current()), (Device::Gpu, Device::Cpu));
    let y = vmap(&f, &[vector(&[1.])], &[Some(0)]).unwrap();
    assert_eq!(y[0].node().device, Device::Gpu);
    let t = jvp(&f, &[scalar(1.)], &[scalar(1.)]).unwrap().1;
    assert_eq!(t[0].node().device, Device::Gpu);
    let traced = pullback_transform::trace(&f, &[Aval::new([], Dtype::F64)]).unwrap();
    assert_eq!(traced.call(&[scalar(1.)]).unwrap()[0].node().device, Device::Gpu);
}

/// Rules as a trait, and closures in place of one of them.
#[test]
fn rules_as_a_trait() {
    struct Ten;
    impl Rules for Ten {
        fn offers(&self) -> Offers {
            Offers { vjp: true, jvp: true, ..Offers::default() }
        }
        fn vjp(&self, call: &Call, g: &[Option<Array>]) -> Result<Value> {
            Ok(g[0].as_ref().map_or(Value::None, |g| (10. * &call.inputs[0] * g).into()))
        }
        fn jvp(&self, call: &Call, t: &[Option<Array>]) -> Result<Value> {
            Ok(t[0].as_ref().map_or(Value::None, |t| (20. * &call.inputs[0] * t).into()))
        }
    }
    let f = square().rules(Ten);
    close(&[slope(&|x| f.call(x), 3.).unwrap()], &[30.]);
    close(&jvp(&|x| f.call(x), &[scalar(3.)], &[scalar(1.)]).unwrap().1[0].values(), &[60.]);
    let f = with_jvp(square().rules(Ten));
    close(&[slope(&|x| f.call(x), 3.).unwrap()], &[30.]);
    close(&jvp(&|x| f.call(x), &[scalar(3.)], &[scalar(1.)]).unwrap().1[0].values(), &[300.]);
}
