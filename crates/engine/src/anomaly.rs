//! Which operation made the first NaN, while somebody watches.
//!
//! Under a watch every pending operation is computed for its own sake, some at a time, and looked at; so an
//! evaluation takes longer and what is fused otherwise is laid out. Without one it costs a look at a counter.

use std::cell::RefCell;
use std::sync::Arc;

use pullback_base::{Aval, Device, Dtype, Error, Result, Scalar};
use pullback_compile::backend::Poll;
use pullback_core::origin::{self, Locate};
use pullback_core::{Array, Node, NodeKind};
use pullback_transform::resolve;
use rustc_hash::FxHashMap;

use crate::eval::{moved, plain};

/// What is looked for, and what happens then.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Infinities as well.
    pub infinite: bool,
    /// A sentence is kept for `take_said`; else it is an error.
    pub warn: bool,
}

thread_local! {
    static WATCHES: RefCell<Vec<Watch>> = const { RefCell::new(Vec::new()) };
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on, this thread watches.
pub fn start(watch: Watch, locate: Locate) {
    WATCHES.with_borrow_mut(|watches| watches.push(watch));
    origin::start(locate);
}

/// The watch that began last has ended.
pub fn stop() {
    if WATCHES.with_borrow_mut(Vec::pop).is_some() {
        origin::stop();
    }
}

/// What was found by watches that only warn, since the last call.
pub fn take_said() -> Vec<String> {
    SAID.with_borrow_mut(std::mem::take)
}

/// Computes what was made under the watch and is still pending; what depends on leaves without elements stays.
///
/// # Errors
/// `Anomaly` for the first operation that made a NaN, and as `eval`.
pub fn finish(poll: &mut Poll) -> Result<()> {
    let Some(watch) = current() else { return Ok(()) };
    let mut alive = origin::alive();
    alive.retain(|node| node.data().is_none());
    let roots: Vec<Array> = alive.iter().map(|node| Array::output(node, 0)).collect();
    drop(alive);
    check(pending(&roots).0, watch, poll)
}

/// The watch of this thread.
pub(crate) fn current() -> Option<Watch> {
    if origin::asked() { WATCHES.with_borrow(|watches| watches.last().copied()) } else { None }
}

/// Evaluates with a look at every operation.
pub(crate) fn eval(roots: &[Array], watch: Watch, poll: &mut Poll) -> Result<()> {
    let (order, complete) = pending(roots);
    if complete {
        check(order, watch, poll)?;
    }
    // The roots themselves may be aliases, or calls; and a tracer among what they need is an error.
    plain(roots, poll)
}

/// Operations that have yet to be computed, each after what it needs, without those that depend on leaves that have
/// no elements; and whether there are none of these.
fn pending(roots: &[Array]) -> (Vec<Arc<Node>>, bool) {
    let (mut order, mut complete) = (Vec::new(), true);
    // Whether it can be computed.
    let mut seen: FxHashMap<usize, bool> = FxHashMap::default();
    let address = |node: &Arc<Node>| Arc::as_ptr(node) as usize;
    let mut stack: Vec<(Arc<Node>, bool)> = roots.iter().map(|x| (x.node().clone(), false)).collect();
    while let Some((node, entered)) = stack.pop() {
        if !entered && seen.contains_key(&address(&node)) {
            continue;
        }
        if node.data().is_some() || matches!(node.kind, NodeKind::Const(_)) {
            seen.insert(address(&node), true);
            continue;
        }
        let body = node.custom().and_then(|call| Some(call.body.get()?.outs.clone()));
        let below = match (&node.kind, body) {
            (NodeKind::Tracer(_) | NodeKind::Data, _) | (NodeKind::Custom, None) => None,
            (_, Some(outs)) => Some(outs.into_iter().collect()),
            (_, None) => Some(node.inputs()),
        };
        let Some(below) = below else {
            seen.insert(address(&node), false);
            complete = false;
            continue;
        };
        if entered {
            let able = below.iter().all(|x| seen.get(&address(x.node())).copied().unwrap_or(false));
            seen.insert(address(&node), able);
            if able && matches!(node.kind, NodeKind::Op(..)) {
                order.push(node);
            }
            continue;
        }
        stack.push((node, true));
        stack.extend(below.iter().rev().map(|x| (x.node().clone(), false)));
    }
    (order, complete)
}

/// How many operations are computed before they are looked at: what nobody needs later is let go then.
const AT_ONCE: usize = 64;

fn check(order: Vec<Arc<Node>>, watch: Watch, poll: &mut Poll) -> Result<()> {
    let mut rest = order.into_iter().peekable();
    while rest.peek().is_some() {
        let nodes: Vec<Arc<Node>> = rest.by_ref().take(AT_ONCE).collect();
        // Once computed, they may forget them.
        let inputs = nodes.iter().map(|node| node.inputs().iter().map(resolve).collect::<Result<Vec<_>>>());
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let outputs: Vec<Array> = nodes.iter().flat_map(|node| node.outputs()).collect();
        plain(&outputs, poll)?;
        for (node, inputs) in nodes.iter().zip(&inputs) {
            for out in node.outputs() {
                if let Some(found) = made(&out, inputs, watch)? {
                    let error = describe(node, found, &out, inputs);
                    if !watch.warn {
                        return Err(error);
                    }
                    SAID.with_borrow_mut(|said| said.push(error.to_string()));
                }
            }
        }
    }
    Ok(())
}

/// Asked of one number.
type Test = fn(f64) -> bool;

/// What an operation made of operands that had nothing of the kind.
fn made(out: &Array, inputs: &[Array], watch: Watch) -> Result<Option<&'static str>> {
    let kinds: [(&str, Test); 2] = [("NaN", f64::is_nan), ("inf", f64::is_infinite)];
    for (name, test) in &kinds[..if watch.infinite { 2 } else { 1 }] {
        if holds(out, *test)? {
            let mut given = false;
            for x in inputs {
                given |= holds(x, *test)?;
            }
            if !given {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}

/// Whether the test is true of any element.
fn holds(x: &Array, test: Test) -> Result<bool> {
    let dtype = x.dtype();
    if !dtype.is_inexact() {
        return Ok(false);
    }
    let either = |number: Scalar| test(number.real()) || test(number.imag());
    if let Some(number) = x.as_const() {
        return Ok(either(number));
    }
    let Some(data) = x.data() else { return Ok(false) };
    let block = moved(data, dtype, Device::Cpu)?;
    let Some(bytes) = block.host().and_then(|bytes| bytes.get(..x.aval().bytes())) else { return Ok(false) };
    if dtype == Dtype::F32 {
        let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        return Ok(bytes.chunks_exact(4).any(|bytes| test(f64::from(number(bytes)))));
    }
    let number = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        Scalar::from_bits(u64::from_le_bytes(word), dtype)
    };
    Ok(bytes.chunks_exact(dtype.size()).any(|bytes| either(number(bytes))))
}

fn describe(node: &Node, found: &str, out: &Array, inputs: &[Array]) -> Error {
    let name = match &node.kind {
        NodeKind::Op(op, _) => op.name,
        _ => "?",
    };
    let avals: Vec<String> = inputs.iter().map(Array::aval).map(Aval::to_string).collect();
    let mut text =
        format!("[{name}] expected no {found}, got one in {} from ({})", out.aval(), avals.join(", "));
    let origin = origin::of(node);
    let known = origin.is_some();
    let origin = origin.unwrap_or_default();
    if let Some(of) = origin.derivative_of {
        text += &format!(", in the derivative of [{of}]");
    }
    for rule in origin.within {
        text += &format!(", in {rule}");
    }
    let error = Error::anomaly(text);
    match origin.site {
        Some(site) => error.note(format!("made at {site}")),
        None if known => error,
        None => error.note("made before the watch began: nothing else is known of it"),
    }
}
