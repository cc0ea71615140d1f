//! vmap at a custom node: again a custom node, whose rules are the inner rules, mapped.

use std::sync::Arc;

use pullback_base::Result;
use pullback_core::custom::{
    Body, Call, Captured, CustomCall, Offers, Owner, Residual, Residuals, Rules, Site, Value,
};
use pullback_core::trace::as_ever;
use pullback_core::{Array, Inputs, Node, Outputs};

use super::check;
use super::derive::{call_jvp, call_vjp, recorded, run_function};
use super::door::{self, captured};
use crate::Derivatives;
use crate::batch::{Entry, VmapTrace, diagonal, map};
use crate::stack::{self, Kind};

/// Rules of a batched call. Outputs have the batch axis in front, arguments where it was. Wrapping twice is
/// nesting: nothing here asks how deep.
struct Batched {
    inner: Owner,
    axes: Vec<Option<usize>>,
    kept: Option<Vec<Option<usize>>>,
    /// Whether the recorded body is what the vmap rule returned.
    by_rule: bool,
    /// Rules are called when the trace is closed, and may have captured its tracers.
    trace: Arc<VmapTrace>,
}

impl Batched {
    /// Runs `f` on one example of the call and of `more`, whose batch axes are given.
    fn each(
        &self,
        call: &Call,
        more: &[(&Option<Array>, Option<usize>)],
        f: impl FnOnce(Call, &[Option<Array>]) -> Result<Derivatives>,
    ) -> Result<Vec<Option<Entry>>> {
        let entry = |array: &Array, axis: &Option<usize>| Entry::new(array.clone(), *axis);
        let mut entries: Vec<Entry> =
            call.inputs.iter().zip(&self.axes).map(|(x, axis)| entry(x, axis)).collect();
        entries.extend(call.outputs.iter().map(|y| entry(y, &Some(0))));
        if let (Some(arrays), Some(axes)) = (&call.residuals, &self.kept) {
            entries.extend(arrays.iter().zip(axes).map(|(r, axis)| entry(r, axis)));
        }
        entries.extend(more.iter().filter_map(|(g, axis)| Some(entry(g.as_ref()?, axis))));
        map(self.trace.size, Some(self.trace.clone()), &entries, |leaves| {
            let mut leaves = leaves.iter().cloned();
            let mut take = |n: usize| leaves.by_ref().take(n).collect::<Inputs>();
            let (inputs, outputs) = (take(call.inputs.len()), take(call.outputs.len()));
            let residuals = call.residuals.as_ref().map(|list| take(list.len()));
            let one = Call { inputs: &inputs, outputs: &outputs, residuals, node: None, ..*call };
            let more: Vec<Option<Array>> =
                more.iter().map(|(g, _)| g.as_ref().map(|_| take(1).remove(0))).collect();
            Ok(f(one, &more)?.into_vec())
        })
    }
}

impl Rules for Batched {
    fn offers(&self) -> Offers {
        // The value has been found, and so has the forward pass; what is missing inside is derived outside, from
        // the mapped rule.
        let inner = self.inner.rules.offers();
        Offers { vmap: false, forward: false, body: self.by_rule || inner.body, ..inner }
    }

    fn body(&self, inputs: &[Array]) -> Result<Outputs> {
        let entries: Vec<Entry> =
            inputs.iter().zip(&self.axes).map(|(x, axis)| Entry::new(x.clone(), *axis)).collect();
        let size = self.trace.size;
        let outs = map(size, Some(self.trace.clone()), &entries, |leaves| {
            Ok(self.inner.rules.body(leaves)?.into_iter().map(Some).collect())
        })?;
        outs.into_iter().flatten().map(|out| out.at(0, size)).collect()
    }

    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        let more: Vec<_> = cotangents.iter().map(|g| (g, Some(0))).collect();
        let grads = self.each(call, &more, |one, gs| call_vjp(&self.inner, one, gs))?;
        let size = self.trace.size;
        // Per example first, and only then summed: a rule need not be linear.
        let collect = |(grad, axis): (Option<Entry>, &Option<usize>)| match axis {
            Some(axis) => grad.map(|grad| grad.at(*axis, size)).transpose(),
            None => grad.map(|grad| grad.sum(size)).transpose(),
        };
        Ok(grads.into_iter().zip(&self.axes).map(collect).collect::<Result<Vec<_>>>()?.into())
    }

    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        let more: Vec<_> = tangents.iter().zip(self.axes.iter().copied()).collect();
        let outs = self.each(call, &more, |one, ts| call_jvp(&self.inner, one, ts))?;
        let lead = |t: Option<Entry>| t.map(|t| t.at(0, self.trace.size)).transpose();
        Ok(outs.into_iter().map(lead).collect::<Result<Vec<_>>>()?.into())
    }
}

/// Rules of the batched call.
fn wrap(
    trace: &Arc<VmapTrace>,
    inner: &Owner,
    axes: Vec<Option<usize>>,
    kept: &Option<Vec<KeptEntry>>,
    by_rule: bool,
) -> Owner {
    let axis = |kept: &KeptEntry| match kept {
        KeptEntry::Array(entry) => entry.axis,
        KeptEntry::Output(_) => Some(0),
    };
    let rules = inner.rules.batched().unwrap_or_else(|| {
        let kept = kept.as_ref().map(|list| list.iter().map(axis).collect());
        Arc::new(Batched { inner: inner.clone(), axes, kept, by_rule, trace: trace.clone() })
    });
    Owner { func: inner.func.clone(), rules }
}

enum KeptEntry {
    Array(Entry),
    Output(usize),
}

fn replay_kept(trace: &Arc<VmapTrace>, kept: &Option<Residuals>) -> Result<Option<Vec<KeptEntry>>> {
    let each = |residual: &Residual| match residual {
        Residual::Array(array) => Ok(KeptEntry::Array(trace.replay(array)?)),
        Residual::Output(i) => Ok(KeptEntry::Output(*i)),
    };
    kept.as_ref().map(|list| list.iter().map(each).collect()).transpose()
}

fn finish(mut call: CustomCall, kept: Option<Vec<KeptEntry>>, inputs: Inputs, body: Body) -> Arc<Node> {
    let residual = |kept: KeptEntry| match kept {
        KeptEntry::Array(entry) => Residual::Array(entry.array),
        KeptEntry::Output(i) => Residual::Output(i),
    };
    call.residuals = kept.map(|list| list.into_iter().map(residual).collect());
    let avals = body.outs.iter().map(|out| out.aval().clone()).collect();
    call.with_body(body).into_node(inputs, avals)
}

/// The batched call, its value supplied by the vmap rule; the axes are those of the arguments.
pub(crate) fn by_rule(
    vmap: &Arc<VmapTrace>,
    owner: &Owner,
    site: &Site,
    entries: &[Entry],
    kept: &Option<Residuals>,
) -> Result<(Arc<Node>, Vec<bool>)> {
    let _outer = as_ever();
    let axes: Vec<Option<usize>> = entries.iter().map(|entry| entry.axis).collect();
    let inputs: Vec<Array> = entries.iter().map(|entry| entry.array.clone()).collect();
    let trace = stack::open(Kind::Rule(vmap.number));
    let number = trace.number;
    let leaves: Inputs = inputs.iter().map(|x| x.alias(number)).collect();
    let within = door::within(owner, "vmap rule");
    let mapped = owner.rules.vmap(&leaves, &axes, vmap.size).map_err(|error| check::at(error, site))?;
    drop(within);
    drop(trace);
    check::mapped(&owner.func.name, site, &mapped, vmap.size)?;
    let (mut outs, mut uniform) = (Outputs::new(), Vec::new());
    for (array, axis) in mapped.0.into_iter().zip(mapped.1) {
        // An output without the axis gets it here: its cotangents still come one per example.
        let out = Entry::new(array, axis).at(0, vmap.size)?;
        let again = vmap.replay(&out)?;
        uniform.push(axis.is_none() && again.axis.is_none());
        // A rule that captured a tracer of the very axis that it maps answers, for each example of the tracer,
        // for all examples of its arguments; the answers that belong together are the diagonal.
        outs.push(match again.axis {
            Some(_) => diagonal(&again.at(0, vmap.size)?, vmap.size)?,
            None => out,
        });
    }
    let mut hidden = captured(owner, site, &outs, &leaves, number)?;
    let kept = replay_kept(vmap, kept)?;
    let mut call = CustomCall::new(wrap(vmap, owner, axes, &kept, true), *site, inputs.len());
    if owner.func.captured == Captured::Differentiate && stack::maybe_walked() {
        let trace = stack::open(Kind::Rule(vmap.number));
        let (function, more) = run_function(&call.owner, site, &inputs, trace.number)?;
        hide(&mut hidden, more);
        call.function = Some(function);
    }
    Ok((finish(call, kept, [inputs, hidden].concat().into(), Body { leaves, outs, number }), uniform))
}

pub(crate) enum Step {
    /// The batched call, and which of its outputs are the same for all examples.
    Done(Arc<Node>, Vec<bool>),
    /// These must be replayed first.
    Needs(Vec<Array>),
}

/// Replays a custom node, whose inputs have been.
pub(crate) fn replay(
    vmap: &Arc<VmapTrace>,
    node: &Arc<Node>,
    inputs: &[Entry],
    known: &dyn Fn(&Array) -> Option<Entry>,
) -> Result<Step> {
    let custom = &node.custom().expect("a call with inputs has not been forgotten");
    let owner = &custom.owner;
    let own = &inputs[..custom.arity];
    if owner.rules.offers().vmap && own.iter().any(|entry| entry.axis.is_some()) {
        let (node, uniform) = by_rule(vmap, owner, &custom.site, own, &custom.residuals)?;
        return Ok(Step::Done(node, uniform));
    }
    let recorded = recorded(node, custom)?;
    let bodies = [Some(recorded), custom.function.as_ref()];
    let arrays = |body: &Body| body.leaves.iter().chain(&body.outs).cloned().collect::<Vec<_>>();
    let needs: Vec<Array> =
        bodies.iter().flatten().flat_map(|body| arrays(body)).filter(|x| known(x).is_none()).collect();
    if !needs.is_empty() {
        return Ok(Step::Needs(needs));
    }
    let entry = |x: &Array| known(x).expect("none is missing");
    // An array that the rules of our own take as an argument is no leaf with a number of its own.
    let count = if owner.func.captured == Captured::Argument { owner.func.args.len() } else { custom.arity };
    let over = |body: &Body| -> Result<Body> {
        let leaves = body.leaves[..count].iter().map(|leaf| entry(leaf).array).collect();
        let outs = body.outs.iter().map(|out| entry(out).at(0, vmap.size)).collect::<Result<Outputs>>()?;
        Ok(Body { leaves, outs, number: body.number })
    };
    let [body, function] = bodies.map(|body| body.map(over).transpose());
    let (mut body, function) = (body?.expect("it was recorded"), function?);
    let uniform = recorded.outs.iter().map(|out| entry(out).shared()).collect();
    let kept = replay_kept(vmap, &custom.residuals)?;
    // What was captured is looked for again: an array without the batch axis has been repeated, and the body now
    // ends at the repetition.
    let mut roots = body.outs.to_vec();
    roots.extend(kept.iter().flatten().filter_map(|kept| match kept {
        KeptEntry::Array(entry) => Some(entry.array.clone()),
        KeptEntry::Output(_) => None,
    }));
    let inputs: Vec<Array> = inputs.iter().map(|entry| entry.array.clone()).collect();
    let mut hidden = captured(owner, &custom.site, &roots, &body.leaves, body.number)?;
    if let Some(function) = &function {
        let more = captured(owner, &custom.site, &function.outs, &function.leaves, function.number)?;
        hide(&mut hidden, more);
    }
    let mut axes: Vec<Option<usize>> = own[..count].iter().map(|entry| entry.axis).collect();
    let mut arity = count;
    if owner.func.captured == Captured::Argument {
        arity += hidden.len();
        axes.resize(arity, None); // of no use: such rules are their own batched form
        body.leaves.extend(hidden.iter().cloned());
    }
    let mut call = CustomCall::new(wrap(vmap, owner, axes, &kept, false), custom.site, arity);
    call.function = function;
    Ok(Step::Done(finish(call, kept, [&inputs[..count], &hidden].concat().into(), body), uniform))
}

/// Adds hidden inputs that are not there yet.
fn hide(hidden: &mut Vec<Array>, more: Vec<Array>) {
    for array in more {
        if hidden.iter().all(|known| known.key() != array.key()) {
            hidden.push(array);
        }
    }
}
