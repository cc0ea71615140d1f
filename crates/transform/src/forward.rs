//! Forward mode.

use std::sync::Arc;

use pullback_base::{Error, Result};
use pullback_core::op::Diff;
use pullback_core::origin::{self, How};
use pullback_core::{Array, Key, Node, NodeKind, fun, place};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::custom::derive;
use crate::stack::{self, Kind};
use crate::walk::dependents;
use crate::{Derivatives, Fun, add, count};

/// Values of `f` at `primals`, and their tangents. A tangent is `None` where it is zero by structure.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// let (y, t) = pullback_transform::jvp(&|x| Ok(vec![&x[0] * &x[0]]), &[x.clone()], &[Some(x)])?;
/// assert!(t[0].is_some() && y.len() == 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` and the rules it meets answer; `Value` and `Type` for tangents that do not fit their primals;
/// `Rule` where something has no derivative.
pub fn jvp(
    f: &Fun,
    primals: &[Array],
    tangents: &[Option<Array>],
) -> Result<(Vec<Array>, Vec<Option<Array>>)> {
    let seeds = fit_all("jvp", ("tangent", "primal"), primals, tangents)?;
    let trace = stack::open(Kind::Derivative("jvp"));
    let number = trace.number;
    let leaves: Vec<Array> = primals.iter().map(|primal| primal.alias(number)).collect();
    let outs = f(&leaves)?;
    // Closed before the rules run: what they build belongs to the outer traces.
    let _live = trace.close();
    let pushed = push(&outs, &leaves, &seeds, number)?;
    Ok((outs, pushed))
}

/// As `jvp`, with zeros where a tangent is zero by structure.
///
/// # Errors
/// As `jvp`.
pub fn jvp_dense(f: &Fun, primals: &[Array], tangents: &[Array]) -> Result<(Vec<Array>, Vec<Array>)> {
    let seeds: Vec<Option<Array>> = tangents.iter().cloned().map(Some).collect();
    let (outs, pushed) = jvp(f, primals, &seeds)?;
    let dense = outs.iter().zip(pushed).map(|(y, t)| t.unwrap_or_else(|| y.zeros_like())).collect();
    Ok((outs, dense))
}

/// Tangents or cotangents as the walks take them, as many as there are arrays to take them: `what` they are, and of
/// what.
pub(crate) fn fit_all(
    op: &str,
    (what, of): (&str, &str),
    xs: &[Array],
    given: &[Option<Array>],
) -> Result<Vec<Option<Array>>> {
    if xs.len() != given.len() {
        let (want, got) = (count(xs.len(), what), given.len());
        return Err(Error::value(format!("[{op}] expected {want}, one for each {of}, got {got}")));
    }
    xs.iter().zip(given).enumerate().map(|(i, (x, t))| fit(op, what, i, x, t)).collect()
}

/// A tangent or cotangent of `x` as the walks take it: of its shape and type, `None` for what has none.
fn fit(op: &str, what: &str, i: usize, x: &Array, t: &Option<Array>) -> Result<Option<Array>> {
    let Some(t) = t else { return Ok(None) };
    let wrong = || format!("[{op}] expected a {what} of type {} for array {i}, got {}", x.aval(), t.aval());
    if x.shape() != t.shape() {
        return Err(Error::value(wrong() + "; it must have the same shape"));
    }
    match (x.is_inexact(), t.is_inexact()) {
        // Of an integer there is nothing to say, and integers say it.
        (false, false) => Ok(None),
        (true, true) if t.dtype().kind() <= x.dtype().kind() => fun::cast(t, x.dtype()).map(Some),
        _ => Err(Error::type_(wrong())),
    }
}

/// Tangents of `outs`, given those of `leaves`. `None` is zero, coming and going.
pub(crate) fn push(
    outs: &[Array],
    leaves: &[Array],
    tangents: &[Option<Array>],
    floor: u64,
) -> Result<Vec<Option<Array>>> {
    let mut known: FxHashMap<Key, Array> = FxHashMap::default();
    for (leaf, tangent) in leaves.iter().zip(tangents) {
        if let (Some(tangent), true) = (tangent, leaf.is_inexact()) {
            known.insert(leaf.key(), tangent.clone());
        }
    }
    let order = dependents(outs, leaves, &[], floor);
    for node in &order {
        let ts: SmallVec<[Option<Array>; 2]> =
            node.with_inputs(|inputs| inputs.iter().map(|x| known.get(&x.key()).cloned()).collect());
        if ts.iter().all(Option::is_none) {
            continue;
        }
        let _here = place::beside(node);
        let _from = origin::from(node, How::Derivative);
        let results = match &node.kind {
            NodeKind::Custom => derive::push(node, &ts)?,
            _ => push_op(node, &ts)?,
        };
        for (out, tangent) in node.outputs().iter().zip(results) {
            if let (Some(tangent), true) = (tangent, out.is_inexact()) {
                known.insert(out.key(), tangent);
            }
        }
    }
    Ok(outs.iter().map(|out| known.get(&out.key()).cloned()).collect())
}

fn push_op(node: &Arc<Node>, ts: &[Option<Array>]) -> Result<Derivatives> {
    let xs = node.inputs();
    let (op, params) = match &node.kind {
        NodeKind::Alias => return Ok(smallvec![ts[0].clone()]),
        NodeKind::Op(op, params) => (*op, params),
        _ => unreachable!("a leaf has no inputs, a custom node has rules"),
    };
    let outs = node.outputs();
    let with = |inputs: &[&Array]| Array::apply_all(op, params.clone(), inputs);
    // Operand `i` of an operation applied to tangents, where all the linear ones take one.
    let all_linear = |linear: &dyn Fn(usize) -> bool| -> Result<Derivatives> {
        if !(0..xs.len()).any(|i| linear(i) && ts[i].is_some()) {
            return Ok(smallvec![None; outs.len()]);
        }
        let operand = |i: usize| match &ts[i] {
            _ if !linear(i) => xs[i].clone(),
            Some(t) => t.clone(),
            None => xs[i].zeros_like(),
        };
        let operands: Vec<Array> = (0..xs.len()).map(operand).collect();
        Ok(with(&operands.iter().collect::<Vec<_>>())?.into_iter().map(Some).collect())
    };
    Ok(match &op.diff {
        Diff::Pointwise(partials) => {
            let mut total = None;
            for (partial, t) in partials.iter().zip(ts) {
                if let (Some(partial), Some(t)) = (partial, t) {
                    total = add(total, Some(fun::multiply(&partial(&xs, &outs[0]), t)?))?;
                }
            }
            smallvec![total]
        }
        Diff::Linear(transposes) => all_linear(&|i| transposes[i].is_some())?,
        Diff::LinearAll(_) => all_linear(&|_| true)?,
        Diff::Bilinear(..) => {
            let lhs = ts[0].as_ref().map(|t| with(&[t, &xs[1]])).transpose()?;
            let rhs = ts[1].as_ref().map(|t| with(&[&xs[0], t])).transpose()?;
            let first = |outs: SmallVec<[Array; 1]>| outs.into_iter().next();
            smallvec![add(lhs.and_then(first), rhs.and_then(first))?]
        }
        Diff::Zero => smallvec![None; outs.len()],
        Diff::Custom { jvp, .. } => jvp(params, &xs, &outs, ts)?.into(),
        // Integers have no tangents, whoever computed them.
        Diff::Opaque(_) if !outs.iter().any(Array::is_inexact) => smallvec![None; outs.len()],
        Diff::Opaque(why) => return Err(opaque(op.name, why)),
    })
}

pub(crate) fn opaque(name: &str, why: &str) -> Error {
    Error::rule(format!("'{name}' has no derivative: {why}"))
}
