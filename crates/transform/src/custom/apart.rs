//! A call inside a vmap that maps none of its arguments is still one call per example.
//!
//! Its value is the same for all, but a cotangent comes from each, and a rule need not be linear: clipping the
//! sum is not the sum of clipped. So under a derivative the arguments are told apart, by making them wait for a
//! leaf that is mapped; repeating them is a matter of layout.

use std::sync::Arc;

use pullback_base::Result;
use pullback_core::Array;
use pullback_core::custom::fence::after;
use pullback_core::custom::{Missing, Owner};

use crate::batch::VmapTrace;
use crate::stack::{self, Kind, Trace};

/// Sees to it that at least one of the arguments of a call is mapped by every vmap through which a derivative will come
/// back.
pub(crate) fn apart(owner: &Owner, args: &mut [Array]) -> Result<()> {
    if !stack::any_vmap() {
        return Ok(());
    }
    // Rules of our own are linear, and so are jvp rules; a body sees to the calls in it. A vmap rule, where it is
    // differentiated, sees all examples at once and cannot.
    let offers = owner.rules.offers();
    let by_vmap = offers.vmap && (!offers.jvp || owner.func.missing == Missing::Body);
    if owner.rules.batched().is_some() || !(offers.vjp || by_vmap) {
        return Ok(());
    }
    for vmap in maps(args) {
        let unmapped = unmapped(&vmap, args)?;
        if unmapped.len() == args.len() {
            tie(&vmap, args, &unmapped)?;
        }
    }
    Ok(())
}

/// The arguments of a record, each of them mapped: a call in it may depend on any one alone.
pub(crate) fn each(args: &[Array]) -> Result<Vec<Array>> {
    let mut args = args.to_vec();
    if !stack::any_vmap() {
        return Ok(args);
    }
    for vmap in maps(&args) {
        let unmapped = unmapped(&vmap, &args)?;
        tie(&vmap, &mut args, &unmapped)?;
    }
    Ok(args)
}

fn unmapped(vmap: &Arc<VmapTrace>, args: &[Array]) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        if vmap.replay(arg)?.axis.is_none() {
            found.push(i);
        }
    }
    Ok(found)
}

fn tie(vmap: &Arc<VmapTrace>, args: &mut [Array], which: &[usize]) -> Result<()> {
    let lead = vmap.lead()?;
    for &i in which {
        if args[i].is_inexact() {
            args[i] = after(&args[i], &lead)?;
        }
    }
    Ok(())
}

/// Active maps with a derivative outside of them that may reach the arguments. What a record depends on is a
/// matter of its calls: only what it captured is looked at while it is made.
fn maps(args: &[Array]) -> Vec<Arc<VmapTrace>> {
    let inexact = args.iter().filter(|arg| arg.is_inexact());
    let Some(number) = inexact.map(Array::number).max() else { return vec![] };
    let active = stack::active();
    let reaches = |t: &Trace| t.number <= number && (t.is_derivative() || matches!(t.kind, Kind::Compile));
    let Some(first) = active.iter().position(reaches) else { return vec![] };
    // A number may be that of a trace long closed; a record that nothing depends on must not be waited for. To
    // know takes a walk, which only a map around the record is worth.
    let depends =
        |t: &Trace| args.iter().any(|arg| stack::owner(arg, |own| own.number == t.number).is_some());
    let around = |at: usize| at > first && active[first..at].iter().any(|t| matches!(t.kind, Kind::Vmap(_)));
    let recorded = (0..active.len()).rev().find(|&at| {
        let t = &active[at];
        matches!(t.kind, Kind::Compile) && t.number <= number && around(at) && depends(t)
    });
    let from = recorded.unwrap_or(first);
    // A vmap rule in progress gives its answer where its map is: that map sees all examples at once, and what is
    // mapped further in does not matter to it.
    let mut open: Vec<(usize, &Arc<VmapTrace>)> = Vec::new();
    for (at, trace) in active.iter().enumerate() {
        match &trace.kind {
            Kind::Rule(of) => {
                let own = open.iter().position(|(_, vmap)| vmap.number == *of);
                open.truncate(own.unwrap_or(open.len()));
            }
            Kind::Vmap(vmap) => open.push((at, vmap)),
            _ => {}
        }
    }
    open.into_iter().filter(|(at, _)| *at >= from).map(|(_, vmap)| vmap.clone()).collect()
}
