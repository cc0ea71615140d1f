//! An interpreter of the graph in f64, by the reference of each row: transforms are tested without a device.

#![allow(dead_code)] // Each test binary uses a part of it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pullback_base::{Aval, Buffer, Device, Dtype, Result, Scalar, Storage};
use pullback_core::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, OpDef, Reference, Test};
use pullback_core::{Array, Node, NodeKind, Params, fun};
use pullback_transform::custom::Site;
use pullback_transform::{Custom, Fun, out_axis, resolve, value_and_grad, vjp};
use rustc_hash::FxHashSet;

/// Elements as f64, whatever their type.
struct Elements(Vec<f64>, Vec<u8>);
impl Buffer for Elements {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn bytes(&self) -> usize {
        self.1.len()
    }
    fn host(&self) -> Option<&[u8]> {
        Some(&self.1)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn storage(values: Vec<f64>, dtype: Dtype) -> Storage {
    let round = |v: f64| Scalar::from_bits(Scalar::Float(v).bits(dtype), dtype).real();
    let values: Vec<f64> = values.into_iter().map(round).collect();
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Storage::new(Elements(values, bytes))
}

/// An array of given elements.
pub fn array(values: &[f64], shape: &[usize], dtype: Dtype) -> Array {
    assert_eq!(values.len(), shape.iter().product::<usize>(), "values and shape disagree");
    Array::from_storage(storage(values.to_vec(), dtype), Aval::new(shape, dtype))
}
pub fn scalar(value: f64) -> Array {
    array(&[value], &[], Dtype::F64)
}
pub fn vector(values: &[f64]) -> Array {
    array(values, &[values.len()], Dtype::F64)
}
pub fn matrix(rows: usize, values: &[f64]) -> Array {
    array(values, &[rows, values.len() / rows], Dtype::F64)
}

/// Operations to run for `outs`, each after its operands.
fn plan(outs: &[Array]) -> Result<Vec<Arc<Node>>> {
    let (mut steps, mut done) = (Vec::new(), FxHashSet::default());
    let mut stack: Vec<(Array, bool)> = outs.iter().map(|out| (out.clone(), false)).collect();
    while let Some((array, ready)) = stack.pop() {
        let array = resolve(&array)?;
        let node = array.node();
        if ready {
            steps.push(node.clone());
        } else if matches!(node.kind, NodeKind::Op(..))
            && node.data().is_none()
            && done.insert(Arc::as_ptr(node) as usize)
        {
            stack.push((array.clone(), true));
            stack.extend(node.inputs().iter().rev().map(|x| (x.clone(), false)));
        }
    }
    Ok(steps)
}

/// Names of the operations that it takes to compute `outs`, in order.
pub fn ops(outs: &[Array]) -> Vec<&'static str> {
    let name = |node: &Arc<Node>| match &node.kind {
        NodeKind::Op(op, _) => op.name,
        _ => unreachable!("a plan holds operations only"),
    };
    plan(outs).unwrap().iter().map(name).collect()
}

fn elements(array: &Array) -> Result<Vec<f64>> {
    let array = resolve(array)?;
    Ok(match array.as_const() {
        Some(value) => vec![value.real()],
        None => array.data().expect("in order").get::<Elements>().expect("of this interpreter").0.clone(),
    })
}

/// Computes `x`, and gives its elements to every node on the way, as an engine does.
pub fn eval(x: &Array) -> Result<Vec<f64>> {
    for node in plan(&x.node().outputs())? {
        let NodeKind::Op(op, params) = &node.kind else { unreachable!("a plan holds operations only") };
        let inputs = node.inputs();
        let values = inputs.iter().map(elements).collect::<Result<Vec<_>>>()?;
        let out = &node.avals[0];
        let result = match &op.test.reference {
            Reference::Each(f) => {
                let at = |i: usize| f(&values.iter().map(|v| v[i]).collect::<Vec<f64>>());
                (0..out.size()).map(at).collect()
            }
            Reference::Whole(f) => {
                let args: Vec<(&Aval, &[f64])> =
                    inputs.iter().zip(&values).map(|(x, v)| (x.aval(), &v[..])).collect();
                f(params, &args, out)
            }
            Reference::Elsewhere(_) => panic!("'{}' has no reference", op.name),
        };
        assert_eq!(result.len(), node.avals.iter().map(Aval::size).sum::<usize>(), "{}", op.name);
        let mut rest = &result[..];
        let each = node.avals.iter().map(|aval| {
            let (one, more) = rest.split_at(aval.size());
            rest = more;
            storage(one.to_vec(), aval.dtype)
        });
        node.set_data(each.collect());
    }
    let all = x.node().outputs().iter().map(elements).collect::<Result<Vec<_>>>()?;
    let blocks = all.iter().zip(&x.node().avals).map(|(v, aval)| storage(v.clone(), aval.dtype));
    if !matches!(x.node().kind, NodeKind::Const(_)) && x.node().data().is_none() {
        x.node().set_data(blocks.collect());
    }
    elements(x)
}

/// `eval` on arrays that have elements.
pub trait Values {
    fn values(&self) -> Vec<f64>;
}
impl Values for Array {
    #[track_caller]
    fn values(&self) -> Vec<f64> {
        eval(self).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[track_caller]
pub fn close(got: &[f64], want: &[f64]) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (1. + a.abs().max(b.abs()));
    assert!(got.len() == want.len() && got.iter().zip(want).all(near), "{got:?} is not {want:?}");
}

/// Gradients of the sum of all that `f` returns, one for each argument.
pub fn grad(f: &Fun, primals: &[Array]) -> Result<Vec<Array>> {
    let (outs, pullback) = vjp(f, primals)?;
    pullback.call_dense(&outs.iter().map(|y| y.full_like(1.)).collect::<Vec<_>>())
}
/// The gradient of the first argument.
pub fn d(f: &Fun, x: &[Array]) -> Result<Array> {
    Ok(grad(f, x)?.swap_remove(0))
}
/// `grad` of one argument, as a function.
pub fn grad_of<'a>(f: &'a Fun<'a>, argument: usize) -> impl Fn(&[Array]) -> Result<Vec<Array>> + 'a {
    move |x| Ok(vec![grad(f, x)?.swap_remove(argument)])
}
/// The gradient of a scalar function of one scalar, by the checked door.
pub fn slope(f: &Fun, x: f64) -> Result<f64> {
    Ok(value_and_grad(f, &[scalar(x)], &[0])?.1[0].values()[0])
}

/// With the mapped axis of every result in front.
pub fn vmap(f: &Fun, args: &[Array], axes: &[Option<usize>]) -> Result<Vec<Array>> {
    let size = pullback_transform::batch_size(args, axes, None)?;
    let outs = pullback_transform::vmap(f, args, axes, None)?;
    outs.iter().map(|out| out_axis(out, Some(0), size)).collect()
}
pub fn jvp(f: &Fun, primals: &[Array], tangents: &[Array]) -> Result<(Vec<Array>, Vec<Array>)> {
    pullback_transform::jvp_dense(f, primals, tangents)
}
#[track_caller]
pub fn checkpoint(
    f: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static,
    args: &[Array],
) -> Result<Vec<Array>> {
    let here = std::panic::Location::caller();
    pullback_transform::checkpoint(f, args, Site { file: here.file(), line: here.line() })
}

macro_rules! sure {
    ($($name:ident($($x:ident),+);)*) => {$(
        pub fn $name($($x: &Array),+) -> Array {
            fun::$name($($x),+).unwrap_or_else(|error| panic!("{error}"))
        }
    )*};
}
sure! {
    sin(x);
    cos(x);
    exp(x);
    less(x, y);
    minimum(x, y);
    maximum(x, y);
    where_(c, x, y);
    matmul(x, y);
    sum_all(x);
}
pub fn sum(x: &Array, axes: &[usize]) -> Array {
    fun::sum(x, axes).unwrap()
}
pub fn reshape(x: &Array, shape: &[usize]) -> Array {
    fun::reshape(x, shape.into()).unwrap()
}
pub fn move_axis(x: &Array, from: usize, to: usize) -> Array {
    fun::move_axis(x, from, to).unwrap()
}
pub fn broadcast(x: &Array, shape: &[usize]) -> Array {
    fun::broadcast_to(x, &shape.into()).unwrap()
}
/// A new axis of length `size` at `axis`.
pub fn repeat(x: &Array, axis: usize, size: usize) -> Array {
    let ones = reshape(x, &x.shape().with(axis, 1));
    broadcast(&ones, &x.shape().with(axis, size))
}
pub fn clip(x: &Array, low: f64, high: f64) -> Array {
    minimum(&maximum(x, &x.full_like(low)), &x.full_like(high))
}

const fn odd(name: &'static str, diff: Diff, batch: Batch) -> OpDef {
    OpDef {
        name,
        doc: "x * x",
        args: &["a"],
        dtypes: Dtypes::Any,
        infer: Infer::Same,
        diff,
        batch,
        kernel: Kernel::Map(pullback_kernels::Map::Square),
        api: Api::Composed,
        test: Test { reference: Reference::Each(|x| x[0] * x[0]), samples: &[], ulps: 0. },
    }
}
static OPAQUE: OpDef =
    odd("opaque", Diff::Opaque("nobody wrote one"), Batch::Lead(|params, _, _| params.clone()));
static UNBATCHED: OpDef =
    odd("unbatched", Diff::Pointwise(&[Some(|x, _| 2. * &x[0])]), Batch::Missing("nobody wrote one"));

/// `x * x`, without a derivative: stands for a kernel or a callback.
pub fn opaque(x: &Array) -> Array {
    Array::apply(&OPAQUE, Params::None, &[x]).unwrap()
}
/// `x * x`, without a batched form.
pub fn unbatched(x: &Array) -> Array {
    Array::apply(&UNBATCHED, Params::None, &[x]).unwrap()
}

/// x², with rules that are wrong by 10 (vjp), by 100 (jvp) and by 7 (vmap), so that the number tells who
/// answered: 10·x for vjp, 100·x for jvp, x² + 7 for vmap.
pub fn square() -> Custom {
    Custom::new("square", &["x"], |x| Ok(vec![&x[0] * &x[0]]))
}
pub fn with_vjp(f: Custom) -> Custom {
    f.vjp(|call, g| Ok((10. * &call.inputs[0] * &g[0]).into()))
}
pub fn with_jvp(f: Custom) -> Custom {
    f.jvp(|call, t| Ok((100. * &call.inputs[0] * &t[0]).into()))
}
pub fn with_vmap(f: Custom) -> Custom {
    f.vmap(|x, axes, _| Ok((vec![&x[0] * &x[0] + x[0].full_like(7.)], axes.to_vec())))
}

/// Counts calls.
#[derive(Clone, Default)]
pub struct Count(Arc<AtomicUsize>);
impl Count {
    pub fn hit(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}
