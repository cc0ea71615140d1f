//! How a call becomes a node, whatever language it comes from.

use std::cell::RefCell;
use std::sync::Arc;

use pullback_base::{Aval, Result};
use pullback_core::custom::{Body, Captured, CustomCall, Owner, Residual, Residuals, Site};
use pullback_core::{Array, Inputs, Node, Outputs, origin};
use smallvec::SmallVec;

use super::apart::apart;
use super::batched;
use super::check::at;
use crate::few::Few;
use crate::stack::{self, Kind, Trace};
use crate::walk::{id, visited};

/// Calls a function with rules under whatever transforms are tracing. Every front door ends here.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::custom::{Custom, Site, call};
///
/// # fn main() -> pullback_base::Result<()> {
/// let owner = Custom::new("same", &["x"], |x| Ok(x.to_vec())).owner();
/// let site = Site { file: "model.py", line: 41 };
/// let y = call(owner, site, vec![Array::scalar(Scalar::Float(3.), Dtype::F32)].into())?;
/// assert_eq!(y.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What the function or, under a vmap, its vmap rule answers; `Rule` for a capture that is not allowed.
pub fn call(owner: Owner, site: Site, mut args: Inputs) -> Result<Outputs> {
    if !stack::any_active() {
        // Nothing can look back at this call: the node would be for nobody.
        return owner.rules.run(&args).map_err(|error| at(error, &site));
    }
    let offers = owner.rules.offers();
    apart(&owner, &mut args)?;
    if offers.vmap
        && let Some((vmap, entries)) = stack::innermost_vmap(&args)?
    {
        let (value, uniform) = batched::by_rule(&vmap, &owner, &site, &entries, &None)?;
        let one = |aval: &Aval| aval.reshaped(aval.shape.without(0));
        let avals: SmallVec<[Aval; 1]> = value.avals.iter().map(one).collect();
        // The body stays untouched, unless traces inside this vmap have to know what it captured: derivatives,
        // if captures have any, and maps and records that the rule's own captures belong to. Only running it
        // tells.
        let inside = |x: &Array| stack::is_of_inner(x, &vmap);
        let ask = owner.func.captured == Captured::Differentiate
            && stack::maybe_differentiated(u64::MAX, vmap.number)
            || value.inputs()[args.len()..].iter().any(inside);
        let node = if ask {
            record(owner, site, args, false)?
        } else {
            CustomCall::new(owner, site, args.len()).into_node(args, avals)
        };
        vmap.set(&node, value.outputs(), &uniform);
        return Ok(node.outputs());
    }
    let number = args.iter().map(Array::number).max().unwrap_or(0);
    let forward = offers.forward && stack::maybe_differentiated(number, 0) && !running(&owner);
    Ok(record(owner, site, args, forward)?.into_outputs())
}

/// Runs the body (or the forward pass of the rule) on leaves of its own, and makes the node.
fn record(owner: Owner, site: Site, args: Inputs, forward: bool) -> Result<Arc<Node>> {
    let (mut body, residuals, captured) = run(&owner, &site, &args, forward)?;
    let mut inputs = args;
    let mut arity = inputs.len();
    inputs.extend(captured.iter().cloned());
    if owner.func.captured == Captured::Argument {
        arity = inputs.len();
        body.leaves.extend(captured);
    }
    let avals = body.outs.iter().map(|out| out.aval().clone()).collect();
    let mut call = CustomCall::new(owner, site, arity).with_body(body);
    call.residuals = residuals;
    Ok(call.into_node(inputs, avals))
}

/// The recorded body; its residuals; what it captured.
pub(crate) type Run = (Body, Option<Residuals>, Vec<Array>);

pub(crate) fn run(owner: &Owner, site: &Site, args: &[Array], forward: bool) -> Result<Run> {
    let trace = stack::open(Kind::Inner);
    let number = trace.number;
    let leaves: Inputs = args.iter().map(|arg| arg.alias(number)).collect();
    let (outs, kept) = if forward {
        let (outs, kept) = run_forward(owner, &leaves).map_err(|error| at(error, site))?;
        (outs, Some(kept))
    } else {
        let _within = within(owner, "body");
        (owner.rules.run(&leaves).map_err(|error| at(error, site))?, None)
    };
    drop(trace);
    let roots = outs.iter().chain(kept.iter().flatten());
    let captured = captured(owner, site, roots, &leaves, number)?;
    let residuals = kept.map(|kept| {
        let output = |array: &Array| outs.iter().position(|out| out.key() == array.key());
        kept.into_iter()
            .map(|array| output(&array).map_or(Residual::Array(array), Residual::Output))
            .collect()
    });
    Ok((Body { leaves, outs, number }, residuals, captured))
}

/// What a body captured, if its policy allows any. What is only mapped is no offence: no gradient can be lost;
/// if one is to come by, it does when the body is batched.
pub(crate) fn captured<'a>(
    owner: &Owner,
    site: &Site,
    roots: impl IntoIterator<Item = &'a Array, IntoIter: DoubleEndedIterator + Clone>,
    leaves: &[Array],
    number: u64,
) -> Result<Vec<Array>> {
    let roots = roots.into_iter();
    let found = boundary(roots.clone(), leaves, number);
    if owner.func.captured == Captured::Error && !found.is_empty() {
        for array in ends(roots, leaves, number, differentiated) {
            // A number may be that of a closed trace, and an error must not be a guess.
            let Some(trace) = stack::owner(&array, Trace::is_derivative) else { continue };
            let name = owner.rules.name_of(&array).map_or_else(String::new, |name| format!("'{name}', "));
            let what = format!("{name}{}, a tracer of {} ({})", array.aval(), trace.name(), trace.number);
            let fix = "pass it as an argument, or choose captured='differentiate' or 'constant'";
            let text = format!("'{}' captured {what}: {fix}", owner.func.name);
            return Err(at(pullback_base::Error::rule(text), site));
        }
    }
    Ok(found)
}

/// Where a body ends without having reached a leaf of its own: at arrays numbered below it. Of these, the ones
/// that may depend on an active trace.
pub(crate) fn boundary<'a>(
    roots: impl IntoIterator<Item = &'a Array, IntoIter: DoubleEndedIterator + Clone>,
    leaves: &[Array],
    number: u64,
) -> Vec<Array> {
    ends(roots, leaves, number, |_| usize::MAX)
}

/// How many inputs of a node, from the first one, a derivative flows through: what a call holds constant, or was asked
/// about itself, is no offence of whoever is around it.
fn differentiated(node: &Node) -> usize {
    match node.custom() {
        Some(call) if matches!(call.owner.func.captured, Captured::Constant | Captured::Error) => call.arity,
        _ => usize::MAX,
    }
}

/// Whether a small body ends at nothing but leaves, and at what no trace that is active made. Most do, and to look
/// through their operations in place takes half as long as to walk them; `false` where that is not found out.
fn ends_at(leaves: &[Array], x: &Array, number: u64, fuel: &mut usize) -> bool {
    visited(1);
    if leaves.iter().any(|leaf| Arc::ptr_eq(leaf.node(), x.node())) {
        return true;
    }
    if x.number() < number {
        return !stack::maybe_active(x.number());
    }
    let Some(less) = fuel.checked_sub(1) else { return false };
    *fuel = less;
    x.node().with_inputs(|inputs| inputs.iter().all(|x| ends_at(leaves, x, number, fuel)))
}

/// How many operations are looked through.
const SMALL: usize = 8;

fn ends<'a>(
    roots: impl IntoIterator<Item = &'a Array, IntoIter: DoubleEndedIterator + Clone>,
    leaves: &[Array],
    number: u64,
    count: fn(&Node) -> usize,
) -> Vec<Array> {
    let (roots, mut fuel) = (roots.into_iter(), SMALL);
    if roots.clone().all(|root| ends_at(leaves, root, number, &mut fuel)) {
        return Vec::new();
    }
    let (mut found, mut seen, mut ends) = (Vec::new(), Few::default(), Few::default());
    leaves.iter().for_each(|leaf| _ = ends.insert(id(leaf.node())));
    let mut stack: SmallVec<[Array; 8]> = roots.rev().cloned().collect();
    while let Some(array) = stack.pop() {
        visited(1);
        if ends.has(&id(array.node())) || !seen.insert(array.key()) {
            continue;
        }
        if array.number() >= number {
            let count = count(array.node());
            array.node().with_inputs(|inputs| {
                stack.extend(inputs[..count.min(inputs.len())].iter().rev().cloned());
            });
        } else if stack::maybe_active(array.number()) {
            found.push(array);
        }
    }
    found
}

/// Says of new nodes that this rule makes them. Rules of our own are nothing that a user wrote.
pub(crate) fn within(owner: &Owner, what: &str) -> origin::Scope {
    origin::within(|| match owner.func.captured {
        Captured::Argument => format!("a {}", owner.func.name),
        _ => format!("the {what} of '{}'", owner.func.name),
    })
}

thread_local! {
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Whether the forward pass of this very function is running: the usual one calls its own function, which must
/// then run the body and not, once more, the forward pass.
fn running(owner: &Owner) -> bool {
    RUNNING.with_borrow(|running| running.contains(&owner.func.id))
}

pub(crate) fn run_forward(owner: &Owner, inputs: &[Array]) -> Result<(Outputs, Inputs)> {
    struct Done;
    impl Drop for Done {
        fn drop(&mut self) {
            RUNNING.with_borrow_mut(Vec::pop);
        }
    }
    RUNNING.with_borrow_mut(|running| running.push(owner.func.id));
    let _done = Done;
    let _within = within(owner, "forward pass");
    owner.rules.forward(inputs)
}

/// Warnings on this thread since the last call: a derivative that a user may have expected from a rule and that
/// came from the body.
pub fn take_warnings() -> Vec<String> {
    WARNINGS.with_borrow_mut(std::mem::take)
}

pub(crate) fn warn(text: String) {
    WARNINGS.with_borrow_mut(|list| {
        if !list.contains(&text) {
            list.push(text);
        }
    });
}
