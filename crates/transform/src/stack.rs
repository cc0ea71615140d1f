//! The active traces of this thread.
//!
//! A number is a filter: what is numbered below a trace cannot depend on it. The converse does not hold, for a
//! number may be that of a trace long closed. Where the difference matters, `owner` walks and answers exactly.

use std::cell::RefCell;
use std::sync::Arc;

use pullback_base::Result;
use pullback_core::trace::{self, Live};
use pullback_core::{Array, NodeKind, fun};
use rustc_hash::FxHashSet;

use crate::batch::{Entry, VmapTrace};
use crate::walk::{id, visited};

/// What a trace is of.
#[derive(Clone)]
pub(crate) enum Kind {
    /// `grad` or `jvp`, whose leaves have values.
    Derivative(&'static str),
    /// A rule being transposed, whose leaves have none.
    Transposition,
    Vmap(Arc<VmapTrace>),
    /// The body of a custom function.
    Inner,
    /// A vmap rule, which sees all examples of the map numbered so at once.
    Rule(u64),
    /// A function being recorded, to be called without the host language.
    Compile,
}

#[derive(Clone)]
pub(crate) struct Trace {
    pub number: u64,
    pub kind: Kind,
}

thread_local! {
    static STACK: RefCell<Vec<Trace>> = const { RefCell::new(Vec::new()) };
    /// Effects of the records that are open, by their numbers.
    static EFFECTS: RefCell<Vec<(u64, Array)>> = const { RefCell::new(Vec::new()) };
}

/// Closes its trace when dropped, also when an error or a panic passes by.
pub(crate) struct Guard {
    pub number: u64,
    depth: usize,
    live: Option<Live>,
}

impl Guard {
    /// Closes the trace. Nodes that depend on it keep their inputs for as long as the answer is held.
    pub fn close(mut self) -> Option<Live> {
        self.live.take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Moved out first: dropping a vmap drops nodes, and with them closures of users.
        let last =
            || STACK.with_borrow_mut(|stack| if stack.len() > self.depth { stack.pop() } else { None });
        while let Some(trace) = last() {
            drop(trace);
        }
    }
}

/// Opens a trace with a fresh number.
pub(crate) fn open(kind: Kind) -> Guard {
    let number = match &kind {
        Kind::Vmap(trace) => trace.number,
        _ => trace::next(),
    };
    // Only derivatives have leaves with values: what depends on other leaves is never evaluated, so it forgets
    // nothing.
    let live = matches!(kind, Kind::Derivative(_)).then(|| Live::new(number));
    STACK.with_borrow_mut(|stack| {
        stack.push(Trace { number, kind });
        Guard { number, depth: stack.len() - 1, live }
    })
}

/// Makes a record that has ended count as active again: closures made in it may have captured its leaves.
pub(crate) fn reopen(number: u64) -> Guard {
    STACK.with_borrow_mut(|stack| {
        stack.push(Trace { number, kind: Kind::Compile });
        Guard { number, depth: stack.len() - 1, live: None }
    })
}

/// As if no trace were active, until the guard is dropped. Code of the host that is called while a graph is
/// computed is no part of the traces in which somebody asked for elements.
#[must_use]
pub struct Outside {
    before: Vec<Trace>,
    effects: Vec<(u64, Array)>,
}

/// Leaves all traces for a while.
pub fn outside() -> Outside {
    Outside { before: STACK.take(), effects: EFFECTS.take() }
}

impl Drop for Outside {
    fn drop(&mut self) {
        STACK.set(std::mem::take(&mut self.before));
        EFFECTS.set(std::mem::take(&mut self.effects));
    }
}

/// Records an effect: what is computed of the results of the innermost record that `token` depends on waits for
/// `token`. False where it depends on none.
pub fn effect(token: &Array) -> bool {
    for trace in active().into_iter().rev().filter(|trace| matches!(trace.kind, Kind::Compile)) {
        if owner(token, |other| other.number == trace.number).is_some() {
            EFFECTS.with_borrow_mut(|effects| effects.push((trace.number, token.clone())));
            return true;
        }
    }
    false
}

/// The effects of a record that ends.
pub(crate) fn take_effects(number: u64) -> Vec<Array> {
    let (mine, others) = EFFECTS.take().into_iter().partition(|(of, _)| *of == number);
    EFFECTS.set(others);
    mine.into_iter().map(|(_, token)| token).collect()
}

/// What `array` is once the maps that are open have mapped it: with their batch axes in front, outermost first.
///
/// # Errors
/// What batching answers.
pub fn unmapped(array: &Array) -> Result<Array> {
    let mut array = array.clone();
    while let Some((_, mut entries)) = innermost_vmap(std::slice::from_ref(&array))? {
        let entry = entries.remove(0);
        array = entry.axis.map_or(Ok(entry.array.clone()), |axis| fun::move_axis(&entry.array, axis, 0))?;
    }
    Ok(array)
}

/// Active traces, outermost first. A copy: nothing is borrowed while user code runs.
pub(crate) fn active() -> Vec<Trace> {
    STACK.with_borrow(Vec::clone)
}

/// Whether any transform is tracing on this thread.
pub fn any_active() -> bool {
    STACK.with_borrow(|stack| !stack.is_empty())
}

/// Whether a map is open on this thread.
pub(crate) fn any_vmap() -> bool {
    STACK.with_borrow(|stack| stack.iter().any(|trace| matches!(trace.kind, Kind::Vmap(_))))
}

/// Whether something numbered `number` may depend on an active trace.
pub(crate) fn maybe_active(number: u64) -> bool {
    STACK.with_borrow(|stack| stack.iter().any(|trace| trace.floor() <= number))
}

/// Whether something numbered `number` may depend on an active derivative inside trace `above`.
pub(crate) fn maybe_differentiated(number: u64, above: u64) -> bool {
    STACK.with_borrow(|stack| {
        let inside = |t: &&Trace| t.number > above && t.number <= number;
        stack.iter().filter(inside).any(Trace::is_derivative)
    })
}

/// Whether a derivative may be taken of what is built now, by a trace that is active or of a record that is.
pub(crate) fn maybe_walked() -> bool {
    let walked = |t: &Trace| t.is_derivative() || matches!(t.kind, Kind::Compile);
    STACK.with_borrow(|stack| stack.iter().any(walked))
}

/// The innermost active vmap that maps one of `args`, with their batched forms.
pub(crate) fn innermost_vmap(args: &[Array]) -> Result<Option<(Arc<VmapTrace>, Vec<Entry>)>> {
    let number = args.iter().map(Array::number).max().unwrap_or(0);
    for trace in active().into_iter().rev() {
        let Kind::Vmap(trace) = trace.kind else { continue };
        if trace.floor > number {
            continue;
        }
        let entries = args.iter().map(|arg| trace.replay(arg)).collect::<Result<Vec<Entry>>>()?;
        if entries.iter().any(|entry| entry.axis.is_some()) {
            return Ok(Some((trace, entries)));
        }
    }
    Ok(None)
}

/// The active trace of the kind wanted whose leaf `array` depends on: exact, at the price of a walk.
pub(crate) fn owner(array: &Array, wanted: impl Fn(&Trace) -> bool) -> Option<Trace> {
    owner_among(array, active().into_iter().filter(wanted).collect())
}

/// Whether `array` depends on a map or a record that is open inside `vmap`.
pub(crate) fn is_of_inner(array: &Array, vmap: &VmapTrace) -> bool {
    let outer = |t: &Trace| t.number != vmap.number;
    let inner = active().into_iter().skip_while(outer).skip(1);
    let wanted = |t: &Trace| matches!(t.kind, Kind::Vmap(_) | Kind::Compile);
    owner_among(array, inner.filter(wanted).collect()).is_some()
}

fn owner_among(array: &Array, traces: Vec<Trace>) -> Option<Trace> {
    let floor = traces.iter().map(Trace::floor).min()?;
    let (mut stack, mut seen) = (vec![array.node().clone()], FxHashSet::default());
    while let Some(node) = stack.pop() {
        visited(1);
        if node.trace < floor || !seen.insert(id(&node)) {
            continue;
        }
        if let NodeKind::Alias | NodeKind::Tracer(_) = node.kind
            && let Some(trace) = traces.iter().find(|trace| trace.owns(node.trace))
        {
            return Some(trace.clone());
        }
        node.with_inputs(|inputs| stack.extend(inputs.iter().map(|input| input.node().clone())));
    }
    None
}

impl Trace {
    pub fn is_derivative(&self) -> bool {
        matches!(self.kind, Kind::Derivative(_) | Kind::Transposition)
    }

    /// Nothing numbered below this can depend on the trace. Lower than its number for a vmap that goes on where
    /// one that has ended left off.
    fn floor(&self) -> u64 {
        match &self.kind {
            Kind::Vmap(vmap) => vmap.floor,
            _ => self.number,
        }
    }

    pub fn owns(&self, number: u64) -> bool {
        match &self.kind {
            Kind::Vmap(vmap) => vmap.owns(number),
            _ => self.number == number,
        }
    }

    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Derivative(name) => name,
            Kind::Transposition => "transposition",
            Kind::Vmap(_) => "vmap",
            Kind::Inner | Kind::Rule(_) => "a custom function",
            Kind::Compile => "compile",
        }
    }
}
