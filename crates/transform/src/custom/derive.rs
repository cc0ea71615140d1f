//! Forward and reverse mode at a custom node: by its rule, by the transpose of its other rule, or by its body.

use std::ops::Deref;
use std::sync::Arc;

use pullback_base::{Aval, Error, Result};
use pullback_core::custom::fence::once;
use pullback_core::custom::{Body, Call, Captured, CustomCall, Missing, Owner, Site};
use pullback_core::trace::Live;
use pullback_core::{Array, Inputs, Node, Outputs};
use smallvec::{SmallVec, smallvec};

use super::check::{self, at};
use super::door::{self, run, run_forward, warn};
use super::linear;
use crate::stack::{self, Kind};
use crate::{Derivatives, add, forward, reverse};

fn forgotten() -> Error {
    Error::internal("[custom] a call was forgotten while it was walked")
}

/// Tangents of the outputs, given those of all inputs.
pub(crate) fn push(node: &Arc<Node>, tangents: &[Option<Array>]) -> Result<Derivatives> {
    let (inputs, custom) = node.history();
    let custom = &custom.ok_or_else(forgotten)?;
    let owner = &custom.owner;
    let (own, captured) = tangents.split_at(custom.arity);
    let mut total: Derivatives = smallvec![None; node.avals.len()];
    if own.iter().any(Option::is_some) {
        let needs: SmallVec<[bool; 4]> = tangents.iter().map(Option::is_some).collect();
        let (offers, outs) = (owner.rules.offers(), node.outputs());
        let way = way(owner, offers.jvp, offers.vjp, "jvp", "vjp").map_err(|e| at(e, &custom.site))?;
        let call = || custom.describe(node, (&inputs, &outs), &needs);
        total = match way {
            Way::Rule => seal(owner, call_jvp(owner, call(), own)?)?,
            Way::Transpose => seal(owner, transposed_vjp(owner, &call(), own)?)?,
            Way::Body => {
                let body = function(node, custom)?;
                forward::push(&body.outs, &body.leaves, own, body.number)?.into()
            }
        };
    }
    if owner.func.captured == Captured::Differentiate && captured.iter().any(Option::is_some) {
        let body = function(node, custom)?;
        let ends = [&body.leaves, &inputs[custom.arity..]].concat();
        let tangents = [&vec![None; body.leaves.len()], captured].concat();
        let more = forward::push(&body.outs, &ends, &tangents, body.number)?;
        total = total.into_iter().zip(more).map(|(t, more)| add(t, more)).collect::<Result<_>>()?;
    }
    Ok(total)
}

/// Cotangents of all inputs, given those of the outputs. `custom` is the call of `node`, which has these inputs and
/// outputs.
pub(crate) fn pull(
    node: &Arc<Node>,
    custom: Option<Arc<CustomCall>>,
    around: (&[Array], &[Array]),
    cotangents: &[Option<Array>],
    needs: &[bool],
) -> Result<Derivatives> {
    let custom = &custom.ok_or_else(forgotten)?;
    let owner = &custom.owner;
    let mut total = Derivatives::new();
    if needs[..custom.arity].contains(&true) {
        let offers = owner.rules.offers();
        let way = way(owner, offers.vjp, offers.jvp, "vjp", "jvp").map_err(|e| at(e, &custom.site))?;
        let call = || custom.describe(node, around, needs);
        total = match way {
            Way::Rule => seal(owner, call_vjp(owner, call(), cotangents)?)?,
            Way::Transpose => seal(owner, transposed_jvp(owner, &call(), cotangents)?)?,
            Way::Body => {
                let body = function(node, custom)?;
                pull_some(&body, cotangents, &body.leaves, &needs[..custom.arity], &[])?
            }
        };
    }
    if owner.func.captured == Captured::Differentiate && needs[custom.arity..].contains(&true) {
        let body = function(node, custom)?;
        let captured = &around.0[custom.arity..];
        total.resize(custom.arity, None);
        total.extend(pull_some(&body, cotangents, captured, &needs[custom.arity..], &body.leaves)?);
    }
    total.resize(needs.len(), None);
    Ok(total)
}

/// Puts an operation without derivative in the way of a second one, where that was asked for. Here, and not in
/// the rule: a transposed rule, or a mapped one, is still a first derivative.
fn seal(owner: &Owner, results: Derivatives) -> Result<Derivatives> {
    if !owner.rules.offers().once {
        return Ok(results);
    }
    results.into_iter().map(|result| result.map(|array| once(&array)).transpose()).collect()
}

/// Reverse mode through the body to the leaves that need it, and to no others: an operation without derivative
/// matters only where it is asked for one. What lies beyond any leaf is outside, and may well lead to another
/// one.
pub(crate) fn pull_some(
    body: &Body,
    cotangents: &[Option<Array>],
    leaves: &[Array],
    needs: &[bool],
    others: &[Array],
) -> Result<Derivatives> {
    let needed: Vec<Array> = leaves.iter().zip(needs).filter(|(_, n)| **n).map(|(x, _)| x.clone()).collect();
    let ends = [leaves, others].concat();
    let mut pulled = reverse::pull(&body.outs, cotangents, &needed, &ends, body.number)?.into_iter();
    Ok(needs.iter().map(|&needed| needed.then(|| pulled.next()?)?).collect())
}

enum Way {
    Rule,
    Transpose,
    Body,
}

fn way(owner: &Owner, has: bool, has_other: bool, mode: &str, other: &str) -> Result<Way> {
    let name = &owner.func.name;
    match owner.func.missing {
        _ if has => Ok(Way::Rule),
        Missing::Error => Err(Error::rule(format!("'{name}' has no {mode} rule, and missing='error'"))),
        Missing::Derive if has_other => Ok(Way::Transpose),
        Missing::Derive => Ok(Way::Body),
        Missing::Body => {
            if has_other {
                warn(format!(
                    "'{name}' has a {other} rule but no {mode} rule: {mode} differentiates its body"
                ));
            }
            Ok(Way::Body)
        }
    }
}

/// The body of the node; run now, if a vmap rule had made that unnecessary.
pub(crate) fn recorded<'a>(node: &Arc<Node>, custom: &'a CustomCall) -> Result<&'a Body> {
    if let Some(body) = custom.body.get() {
        return Ok(body);
    }
    let args = &node.inputs()[..custom.arity];
    let (body, ..) = run(&custom.owner, &custom.site, args, false)?;
    if !body.outs.iter().map(Array::aval).eq(&node.avals) {
        return Err(at(differing(&custom.owner, &body.outs, node), &custom.site));
    }
    Ok(custom.body.get_or(body))
}

/// What is differentiated where no rule says how.
pub(crate) enum Differentiated<'a> {
    Recorded(&'a Body),
    /// Run for this derivative; it keeps its history until it has been walked.
    Run {
        body: Body,
        _live: Option<Live>,
    },
}

impl Deref for Differentiated<'_> {
    type Target = Body;
    fn deref(&self) -> &Body {
        match self {
            Differentiated::Recorded(body) => body,
            Differentiated::Run { body, .. } => body,
        }
    }
}

/// The function of the node: its recorded body, or where that is what a vmap rule made of it, the function itself over
/// the batch. The vmap rule has said what the value is, and nothing of the slope: rules within the function hold for
/// that, and the operations of a vmap rule may have another one, or none.
pub(crate) fn function<'a>(node: &Arc<Node>, custom: &'a CustomCall) -> Result<Differentiated<'a>> {
    if !custom.owner.rules.offers().body {
        return recorded(node, custom).map(Differentiated::Recorded);
    }
    if let Some(body) = &custom.function {
        return Ok(Differentiated::Recorded(body));
    }
    let trace = stack::open(Kind::Derivative("the derivative of a map"));
    let args = &node.inputs()[..custom.arity];
    let (body, _) = run_function(&custom.owner, &custom.site, args, trace.number)?;
    if !body.outs.iter().map(Array::aval).eq(&node.avals) {
        return Err(at(differing(&custom.owner, &body.outs, node), &custom.site));
    }
    Ok(Differentiated::Run { body, _live: trace.close() })
}

/// `Rules::body` on leaves of an open trace, and what it captured.
pub(crate) fn run_function(
    owner: &Owner,
    site: &Site,
    args: &[Array],
    number: u64,
) -> Result<(Body, Vec<Array>)> {
    let leaves: Inputs = args.iter().map(|arg| arg.alias(number)).collect();
    let outs = {
        let _within = door::within(owner, "body");
        owner.rules.body(&leaves).map_err(|error| at(error, site))?
    };
    let captured = door::captured(owner, site, &outs, &leaves, number)?;
    Ok((Body { leaves, outs, number }, captured))
}

fn differing(owner: &Owner, outs: &[Array], node: &Node) -> Error {
    let list =
        |avals: &mut dyn Iterator<Item = &Aval>| avals.map(Aval::to_string).collect::<Vec<_>>().join(", ");
    let (want, got) = (list(&mut outs.iter().map(Array::aval)), list(&mut node.avals.iter()));
    let name = &owner.func.name;
    Error::rule(format!("vmap rule of '{name}': expected what the function returns, {want}, got {got}"))
}

/// The call with what its forward pass keeps; the pass is run now where that has not happened.
fn with_residuals<'a>(owner: &Owner, mut call: Call<'a>) -> Result<Call<'a>> {
    if !owner.rules.offers().forward || call.residuals.is_some() {
        return Ok(call);
    }
    let (outs, kept) = run_forward(owner, call.inputs).map_err(|error| at(error, call.site))?;
    check::same_outputs(&call, &outs)?;
    let output = |array: &Array| outs.iter().position(|out| out.key() == array.key());
    let stand_in = |array: Array| output(&array).map_or(array, |i| call.outputs[i].clone());
    let kept = kept.into_iter().map(stand_in).collect();
    call.residuals = Some(kept);
    Ok(call)
}

/// The vjp rule, called and checked.
pub(crate) fn call_vjp(owner: &Owner, call: Call, cotangents: &[Option<Array>]) -> Result<Derivatives> {
    let call = with_residuals(owner, call)?;
    let _within = door::within(owner, "vjp rule");
    let value = owner.rules.vjp(&call, cotangents).map_err(|error| at(error, call.site))?;
    check::gradients(&call, value)
}

/// The jvp rule, called and checked.
pub(crate) fn call_jvp(owner: &Owner, call: Call, tangents: &[Option<Array>]) -> Result<Derivatives> {
    let call = with_residuals(owner, call)?;
    let _within = door::within(owner, "jvp rule");
    let value = owner.rules.jvp(&call, tangents).map_err(|error| at(error, call.site))?;
    check::tangents(&call, value)
}

/// jvp from vjp. The rule is a linear map from cotangents to gradients; called once on leaves that have no
/// elements it is a graph, and reverse mode through that graph is its transpose.
fn transposed_vjp(owner: &Owner, call: &Call, tangents: &[Option<Array>]) -> Result<Derivatives> {
    let outputs: SmallVec<[_; 2]> = call.outputs.iter().map(Some).collect();
    transpose(owner, call, &outputs, tangents, ("jvp", "vjp", "cotangent"), |leaves| {
        call_vjp(owner, call.clone(), leaves)
    })
}

/// vjp from jvp, likewise. Tangents are those of the arguments that need a gradient, and of no others: the rule may
/// well refuse them.
fn transposed_jvp(owner: &Owner, call: &Call, cotangents: &[Option<Array>]) -> Result<Derivatives> {
    let needed: SmallVec<[_; 2]> =
        call.inputs.iter().zip(call.needs).map(|(x, &needed)| needed.then_some(x)).collect();
    transpose(owner, call, &needed, cotangents, ("vjp", "jvp", "tangent"), |leaves| {
        call_jvp(owner, call.clone(), leaves)
    })
}

fn transpose(
    owner: &Owner,
    call: &Call,
    domain: &[Option<&Array>],
    given: &[Option<Array>],
    (wanted, rule, argument): (&str, &str, &'static str),
    apply: impl FnOnce(&[Option<Array>]) -> Result<Derivatives>,
) -> Result<Derivatives> {
    // An active trace, or custom functions that the rule calls would be inlined without theirs.
    let trace = stack::open(Kind::Transposition);
    let number = trace.number;
    let leaf = |x: &&Array| Array::tracer(x.aval().clone(), argument, number);
    let leaves: SmallVec<[Option<Array>; 2]> =
        domain.iter().map(|x| x.filter(|x| x.is_inexact()).as_ref().map(leaf)).collect();
    let results = apply(&leaves)?;
    drop(trace);
    let pairs = results.into_iter().zip(given).filter_map(|(r, g)| Some((r?, Some(g.clone()?))));
    let (outs, seeds): (Outputs, Derivatives) = pairs.unzip();
    let free: Inputs = leaves.iter().flatten().cloned().collect();
    let not_linear = |why: String| {
        let name = &owner.func.name;
        let text = format!(
            "'{name}' has no {wanted} rule, and its {rule} rule cannot be transposed: \
             it is not linear in the {argument} ({why})"
        );
        at(Error::rule(text), call.site)
    };
    let way = linear::check(&outs, &free, number).map_err(not_linear)?;
    // Nothing on the way has elements, or forgets its inputs: the leaves have none.
    let mut pulled = reverse::along(&way, &outs, seeds, &free)?.into_iter();
    let all: Derivatives = leaves.iter().map(|leaf| leaf.as_ref().and_then(|_| pulled.next()?)).collect();
    // What the structure does not show, of custom functions within the rule, the result does.
    linear::free_of(all, &free, number, not_linear)
}
