//! Whether a graph is linear in its leaves, as far as structure shows.

use std::ops::Deref;

use pullback_base::{Error, Result as Answer};
use pullback_core::custom::Captured;
use pullback_core::custom::fence::waits;
use pullback_core::op::Diff;
use pullback_core::{Array, NodeKind, Outputs};

use super::derive::function;
use crate::substitute::substitute;
use crate::walk::{Reached, depends, linked};

/// Whether any of `roots` depends on a leaf by its elements.
fn any(roots: &[Array], leaves: &[Array], floor: u64) -> bool {
    let links = linked(roots, leaves, floor);
    roots.iter().any(|root| links.has(root))
}

/// `Err` names the first operation that is not linear. Reverse mode alone would not do: it sees no harm in a
/// `floor` (zero derivative), in a constant added, or in a condition.
/// Answers with what it looked at, which is the way back.
pub(crate) fn check(roots: &[Array], leaves: &[Array], floor: u64) -> Result<Reached, String> {
    let links = linked(roots, leaves, floor);
    let linked = |x: &Array| links.has(x);
    for root in roots.iter().filter(|root| !linked(root)) {
        if !is_zero(root, DEPTH) {
            return Err("a result does not depend on it".into());
        }
    }
    for node in &links.order {
        if let Some(call) = node.custom()
            && call.owner.func.captured == Captured::Constant
            && node.with_inputs(|xs| xs[call.arity..].iter().any(linked))
        {
            return Err(format!("'{}' captured it as a constant", call.owner.func.name));
        }
        let NodeKind::Op(op, params) = &node.kind else { continue };
        let fixed = |x: &Array| linked(x) || is_zero(x, DEPTH);
        let linear = node.avals.iter().all(|aval| aval.dtype.is_inexact())
            && match &op.diff {
                Diff::Linear(transposes) => node.with_inputs(|xs| {
                    xs.iter().zip(*transposes).all(|(x, transpose)| match transpose {
                        Some(_) => fixed(x),
                        None => waits(op) || !linked(x),
                    })
                }),
                Diff::LinearAll(_) => node.with_inputs(|xs| xs.iter().all(fixed)),
                Diff::Bilinear(..) => node.with_inputs(|xs| !(linked(&xs[0]) && linked(&xs[1]))),
                // Linear in one operand, if the derivative for it does not mention it.
                Diff::Pointwise(partials) => {
                    let xs = node.inputs();
                    let at: Vec<usize> = (0..xs.len()).filter(|&i| linked(&xs[i])).collect();
                    let slope = || partials[at[0]].map(|partial| partial(&xs, &node.outputs()[0]));
                    at.len() == 1 && slope().is_some_and(|slope| !any(&[slope], leaves, floor))
                }
                // The same, of any row that states both modes, such as a cast.
                Diff::Custom { jvp, .. } => {
                    let xs = node.inputs();
                    let seeds: Vec<Option<Array>> = xs
                        .iter()
                        .map(|x| linked(x).then(|| Array::tracer(x.aval().clone(), "tangent", floor)))
                        .collect();
                    let tangents = jvp(params, &xs, &node.outputs(), &seeds).unwrap_or_default();
                    let found: Vec<Array> = tangents.into_iter().flatten().collect();
                    !found.is_empty() && !any(&found, leaves, floor)
                }
                Diff::Zero | Diff::Opaque(_) => false,
            };
        if !linear {
            return Err(format!("'{}'", op.name));
        }
    }
    Ok(links)
}

/// `Err` names the first operation that is not linear in a body for which no rule answers: there, too, reverse mode
/// would take a `floor` for zero.
pub(crate) fn check_bodies(roots: &[Array], leaves: &[Array], floor: u64) -> Result<(), String> {
    let mut open = vec![(roots.to_vec(), leaves.to_vec(), floor)];
    while let Some((roots, leaves, floor)) = open.pop() {
        let links = linked(&roots, &leaves, floor);
        let linked = |x: &Array| links.has(x);
        for node in &links.order {
            let Some(call) = node.custom() else { continue };
            let offers = call.owner.rules.offers();
            // Rules of our own, whose captures are arguments, speak of the body.
            let ruled = offers.vjp || offers.jvp;
            if ruled && call.owner.func.captured != Captured::Argument {
                continue;
            }
            if call.body.get().is_none() {
                continue;
            }
            let body = function(node, &call).map_err(|error| error.to_string())?;
            let own = body.leaves.iter().zip(node.inputs()).filter(|(_, x)| linked(x));
            let mut own: Vec<Array> = own.map(|(leaf, _)| leaf.clone()).collect();
            if call.owner.func.captured == Captured::Differentiate {
                own.extend(node.inputs()[call.arity..].iter().filter(|x| linked(x)).cloned());
            }
            let below = depending(&body.outs, &own, body.number);
            check(&below, &own, body.number)?;
            open.push((below, own, body.number));
        }
    }
    Ok(())
}

/// Those of `roots` that depend on one of `leaves`: a result that does not is nobody's business until it is used.
fn depending(roots: &[Array], leaves: &[Array], floor: u64) -> Vec<Array> {
    let links = linked(roots, leaves, floor);
    roots.iter().filter(|root| links.has(root)).cloned().collect()
}

/// A transpose without the point at which it was taken; `not_linear` says what is wrong where it depends on that.
pub(crate) fn free_of<T: FromIterator<Option<Array>> + Deref<Target = [Option<Array>]>>(
    results: T,
    leaves: &[Array],
    floor: u64,
    not_linear: impl FnOnce(String) -> Error,
) -> Answer<T> {
    if results.iter().flatten().all(|result| result.number() < floor) {
        return Ok(results);
    }
    let roots: Outputs = results.iter().flatten().cloned().collect();
    if !depends(&roots, leaves, floor) {
        return Ok(results);
    }
    if any(&roots, leaves, floor) {
        return Err(not_linear("a custom function in it is not".into()));
    }
    // What only waits for the leaves has nothing to wait for: they have no elements.
    let zeros: Vec<Array> = leaves.iter().map(Array::zeros_like).collect();
    let mut free = substitute(&roots, leaves, &zeros, floor, &|_, new| Ok(new))?.into_iter();
    Ok(results.iter().map(|result| result.as_ref().and_then(|_| free.next())).collect())
}

/// How far to look for a zero: a bound, because the search is not memoised.
const DEPTH: usize = 8;

/// Whether `x` is zero by structure, or by its elements where they are there: a rule says `where(c, t, 0)` and
/// means a linear map.
fn is_zero(x: &Array, fuel: usize) -> bool {
    if fuel == 0 {
        return false;
    }
    if let Some(data) = x.data() {
        return data.host().is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0));
    }
    let zero = |x: &Array| is_zero(x, fuel - 1);
    let xs = x.node().inputs();
    match &x.node().kind {
        NodeKind::Const(_) => x.as_const().is_some_and(|value| !value.truth()),
        NodeKind::Alias => zero(&xs[0]),
        NodeKind::Op(op, _) => match &op.diff {
            Diff::Linear(transposes) => xs.iter().zip(*transposes).all(|(x, t)| t.is_none() || zero(x)),
            Diff::LinearAll(_) => xs.iter().all(zero),
            Diff::Bilinear(..) => zero(&xs[0]) || zero(&xs[1]),
            // A cast of a constant.
            Diff::Custom { .. } | Diff::Pointwise(_) | Diff::Zero | Diff::Opaque(_) => false,
        },
        NodeKind::Custom | NodeKind::Tracer(_) | NodeKind::Data => false,
    }
}
