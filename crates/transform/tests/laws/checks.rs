//! What a rule returns is checked, and said in words.

use pullback_base::Scalar;

use crate::prelude::*;

fn args() -> [Array; 3] {
    [array(&[1., 2.], &[2], Dtype::F32), vector(&[3., 4., 5.]), array(&[1.], &[], Dtype::I32)]
}
type Rule = fn(&Call) -> Value;

/// The gradients that come of what the rule returns.
fn returned(rule: Rule) -> Result<Vec<Vec<f64>>> {
    let f = Custom::new("attention", &["q", "k", "n"], |x| Ok(vec![x[0].clone()]))
        .vjp(move |call, _| Ok(rule(call)));
    Ok(grad(&|x| f.call(x), &args())?.iter().map(Values::values).collect())
}
#[track_caller]
fn refused(rule: Rule, text: &str) {
    let error = returned(rule).unwrap_err();
    assert_eq!((error.kind(), error.text()), (ErrorKind::Rule, text));
    assert!(error.notes().len() == 1 && error.notes()[0].contains("tests/laws/checks.rs:"), "{error}");
}
fn tuple<const N: usize>(values: [Value; N]) -> Value {
    Value::Tuple(values.into())
}

#[test]
fn gradients_that_are_accepted() {
    // None for zero, anywhere; scalars and shapes that broadcast to the argument; other widths.
    let zero = [vec![0., 0.], vec![0., 0., 0.], vec![0.]];
    assert_eq!(returned(|_| tuple([Value::None, Value::None, Value::None])).unwrap(), zero);
    let got = returned(|_| {
        tuple([Value::Scalar(Scalar::Float(2.)), scalar(3.).into(), Value::Scalar(Scalar::Float(1.))])
    })
    .unwrap();
    assert_eq!(got, [vec![2., 2.], vec![3., 3., 3.], vec![0.]]);
    let got = returned(|_| tuple([vector(&[0.1, 0.2]).into(), vector(&[4.]).into(), Value::None])).unwrap();
    close(&got[0], &[f64::from(0.1f32), f64::from(0.2f32)]);
    assert_eq!(got[1..], [vec![4., 4., 4.], vec![0.]]);
}

#[test]
fn gradients_that_are_refused() {
    refused(
        |_| tuple([scalar(1.).into(), scalar(1.).into()]),
        "vjp rule of 'attention' returned 2 gradients for 3 arguments (q, k, n)",
    );
    refused(|_| scalar(1.).into(), "vjp rule of 'attention' returned 1 gradient for 3 arguments (q, k, n)");
    refused(
        |_| Value::None,
        "vjp rule of 'attention' returned None: did it forget to return? (return pb.zeros_like(x) for zero)",
    );
    refused(
        |_| tuple([Value::None, vector(&[1., 2.]).into(), Value::None]),
        "vjp rule of 'attention', argument k: expected float64[3], got float64[2]",
    );
    // A shape that would only fit if the argument were repeated is no gradient of it.
    refused(
        |_| tuple([array(&[1.; 4], &[2, 2], Dtype::F32).into(), Value::None, Value::None]),
        "vjp rule of 'attention', argument q: expected float32[2], got float32[2, 2]",
    );
    refused(
        |call| tuple([Value::None, call.inputs[2].clone().into(), Value::None]),
        "vjp rule of 'attention', argument k: expected float64[3], got int32[]",
    );
    refused(
        |_| tuple([Value::Other("str".into()), Value::None, Value::None]),
        "vjp rule of 'attention', argument q: expected float32[2], got a str",
    );
    refused(
        |_| tuple([tuple([Value::None, Value::None]), Value::None, Value::None]),
        "vjp rule of 'attention', argument q: expected float32[2], got a tuple of 2",
    );
}

#[test]
fn complex_gradients_of_real_arguments_are_refused() {
    let i = Scalar::Complex(0., 1.);
    let f = move |_: &Call| tuple([Value::Scalar(i), Value::None, Value::None]);
    let f = Custom::new("attention", &["q", "k", "n"], |x| Ok(vec![x[0].clone()])).vjp(move |c, _| Ok(f(c)));
    let error = grad(&|x| f.call(x), &args()).err().unwrap();
    assert!(error.text().contains("argument q: expected float32[2], got Complex(0.0, 1.0)"), "{error}");
    // A real one of a complex argument is fine.
    let z = Array::full(i, &pullback_base::Aval::new([], Dtype::C64));
    let f = Custom::new("f", &["z"], |x| Ok(x.to_vec())).vjp(|_, _| Ok(Value::Scalar(Scalar::Float(2.))));
    let g = grad(&|x| f.call(x), &[z]).unwrap();
    assert_eq!(g[0].dtype(), Dtype::C64);
}

#[test]
fn tangents() {
    let ask = |rule: Rule| {
        let f = Custom::new("two", &["x"], |x| Ok(vec![x[0].clone(), scalar(1.)]))
            .jvp(move |call, _| Ok(rule(call)));
        let x = [vector(&[1., 2.])];
        jvp(&|x| f.call(x), &x, &x).map(|(_, t)| t.iter().map(Values::values).collect::<Vec<_>>())
    };
    assert_eq!(
        ask(|_| tuple([Value::Scalar(Scalar::Float(1.)), Value::None])).unwrap(),
        [vec![1., 1.], vec![0.]]
    );
    let text = |rule| ask(rule).unwrap_err().text().to_string();
    assert_eq!(text(|_| scalar(1.).into()), "jvp rule of 'two' returned 1 tangent for 2 outputs");
    assert_eq!(
        text(|_| tuple([Value::None, vector(&[1., 2.]).into()])),
        "jvp rule of 'two', output 1: expected float64[], got float64[2]"
    );
    assert!(text(|_| Value::None).starts_with("jvp rule of 'two' returned None: did it forget to return?"));
}

#[test]
fn mapped_outputs() {
    let ask = |rule: fn(&Array) -> (Vec<Array>, Vec<Option<usize>>)| {
        let f = Custom::new("sort2", &["x"], |x| Ok(x.to_vec())).vmap(move |x, _, _| Ok(rule(&x[0])));
        let m = array(&[0.; 12], &[3, 4], Dtype::F64);
        vmap(&|x| f.call(x), &[m], &[Some(0)]).map(|y| y[0].shape().to_vec())
    };
    assert_eq!(ask(|x| (vec![x.clone()], vec![Some(0)])).unwrap(), [3, 4]);
    let text = |rule| ask(rule).unwrap_err().text().to_string();
    assert_eq!(
        text(|x| (vec![x.clone()], vec![Some(1)])),
        "vmap rule of 'sort2': output 0 has size 4 on axis 1, the batch has 3"
    );
    assert_eq!(
        text(|x| (vec![x.clone()], vec![Some(2)])),
        "vmap rule of 'sort2': output 0 is float64[3, 4], and has no axis 2"
    );
    assert_eq!(text(|x| (vec![x.clone()], vec![])), "vmap rule of 'sort2' returned 1 output and 0 axes");
}

/// An error inside a rule is the user's own, with a note of where the function was called.
#[test]
fn errors_of_the_user_pass_through() {
    let f =
        Custom::new("f", &["x"], |x| Ok(x.to_vec())).vjp(|_, _| Err(Error::new(ErrorKind::Host, "Abort!")));
    let call = |x: &[Array]| f.call(x);
    let error = grad(&|x| vmap(&call, x, &[Some(0)]), &[vector(&[1., 2.])]).err().unwrap();
    assert_eq!((error.kind(), error.text(), error.notes().len()), (ErrorKind::Host, "Abort!", 1));
    // The checks speak of one example, also when the rule was mapped.
    let f = Custom::new("f", &["x"], |x| Ok(x.to_vec())).vjp(|_, _| Ok(vector(&[1., 2.]).into()));
    let error = grad(&|x| vmap(&|x| f.call(x), x, &[Some(0)]), &[vector(&[1., 2.])]).err().unwrap();
    assert_eq!(error.text(), "vjp rule of 'f', argument x: expected float64[], got float64[2]");
}
