//! Nodes: immutable but for two things. They are given their elements once, and may then forget their history.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use pullback_base::{Aval, Device, Storage};
use smallvec::{SmallVec, smallvec};

use crate::array::Array;
use crate::callback::Callback;
use crate::custom::CustomCall;
use crate::op::OpDef;
use crate::params::Params;
use crate::{live, origin, place, trace};

/// What a node is.
#[derive(Debug)]
pub enum NodeKind {
    /// One element, by its bits.
    Const(u64),
    /// Elements that were there before the graph.
    Data,
    /// A leaf without elements, of the kind of trace named.
    Tracer(&'static str),
    /// A leaf equal to its input. It has elements, and keeps an inner trace connected to the outer ones.
    Alias,
    /// An operation.
    Op(&'static OpDef, Params),
    /// A call of a function with rules.
    Custom,
}

/// Operands, in place for up to two.
pub type Inputs = SmallVec<[Array; 2]>;
/// Results, in place where there is one.
pub type Outputs = SmallVec<[Array; 1]>;

/// Operands once more. One and two are nearly all, and a collected iterator costs more than they.
pub fn copied(inputs: &[Array]) -> Inputs {
    match inputs {
        [x] => smallvec![x.clone()],
        [x, y] => Inputs::from_buf([x.clone(), y.clone()]),
        more => more.iter().cloned().collect(),
    }
}

#[derive(Default)]
struct History {
    inputs: Inputs,
    custom: Option<Arc<CustomCall>>,
    /// On its way out only: until then it is in the params.
    callback: Option<Arc<dyn Callback>>,
}

/// A node of the graph.
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Types of its outputs.
    pub avals: SmallVec<[Aval; 1]>,
    /// The largest of the inputs' numbers, or of the trace that made this leaf; see `trace`.
    pub trace: u64,
    /// Longest way to a node with elements, when this one was made.
    pub depth: u32,
    /// Where it is to be computed.
    pub device: Device,
    /// Whether it was put there to stay, so that operators on it follow.
    pub placed: bool,
    history: RwLock<History>,
    data: OnceLock<SmallVec<[Storage; 1]>>,
}

/// Where a node is, and whether it stays there.
struct Place {
    device: Device,
    placed: bool,
}

impl Place {
    fn here() -> Place {
        Place { device: place::current(), placed: place::stays() }
    }

    fn of(node: &Node) -> Place {
        Place { device: node.device, placed: node.placed }
    }
}

/// Nodes that exist.
pub fn live_nodes() -> usize {
    live::nodes()
}

impl Node {
    /// A node on the current device. Its number is the largest of `number` and those of its inputs.
    pub fn new(kind: NodeKind, inputs: Inputs, avals: SmallVec<[Aval; 1]>, number: u64) -> Arc<Node> {
        Node::with_custom(kind, inputs, avals, number, None, Place::here())
    }

    /// A leaf that is where another one is.
    pub(crate) fn beside(other: &Node, kind: NodeKind, inputs: Inputs, aval: Aval, number: u64) -> Arc<Node> {
        Node::with_custom(kind, inputs, smallvec![aval], number, None, Place::of(other))
    }

    /// The same operation over other inputs, of the same types, on the same device.
    pub(crate) fn again(&self, op: &'static OpDef, params: Params, inputs: Inputs) -> Arc<Node> {
        Node::with_custom(NodeKind::Op(op, params), inputs, self.avals.clone(), 0, None, Place::of(self))
    }

    /// The node of a call of a function with rules.
    pub fn custom_call(call: CustomCall, inputs: Inputs, avals: SmallVec<[Aval; 1]>) -> Arc<Node> {
        Node::with_custom(NodeKind::Custom, inputs, avals, 0, Some(Arc::new(call)), Place::here())
    }

    fn with_custom(
        kind: NodeKind,
        inputs: Inputs,
        avals: SmallVec<[Aval; 1]>,
        number: u64,
        custom: Option<Arc<CustomCall>>,
        Place { device, placed }: Place,
    ) -> Arc<Node> {
        live::count(1);
        let (mut trace, mut depth) = (number, 0);
        for input in &inputs {
            trace = trace.max(input.node().trace);
            if input.node().data.get().is_none() {
                depth = depth.max(input.node().depth + 1);
            }
        }
        if number == 0 && trace > 0 {
            trace = trace.max(trace::least());
        }
        let history = RwLock::new(History { inputs, custom, callback: None });
        let node =
            Arc::new(Node { kind, avals, trace, depth, device, placed, history, data: OnceLock::new() });
        if origin::asked() {
            origin::note(&node);
        }
        node
    }

    /// Its operands; none once it has forgotten them.
    pub fn inputs(&self) -> Inputs {
        self.with_inputs(copied)
    }

    /// Looks at its operands without counting references. `f` must not touch this node's history.
    pub fn with_inputs<R>(&self, f: impl FnOnce(&[Array]) -> R) -> R {
        f(&self.history.read().unwrap_or_else(PoisonError::into_inner).inputs)
    }

    /// Its operands, and the call of a custom node; none once it has forgotten them.
    pub fn history(&self) -> (Inputs, Option<Arc<CustomCall>>) {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        (copied(&history.inputs), history.custom.clone())
    }

    /// The call, for a custom node that has not forgotten it.
    pub fn custom(&self) -> Option<Arc<CustomCall>> {
        match self.kind {
            NodeKind::Custom => self.history.read().unwrap_or_else(PoisonError::into_inner).custom.clone(),
            _ => None,
        }
    }

    /// Its outputs.
    pub fn outputs(self: &Arc<Node>) -> Outputs {
        self.clone().into_outputs()
    }

    /// As `outputs`, where nobody else needs the node.
    pub fn into_outputs(self: Arc<Node>) -> Outputs {
        match self.avals.len() {
            1 => smallvec![Array::only(self)],
            n => (0..n).map(|out| Array::output(&self, out)).collect(),
        }
    }

    /// Elements of its outputs, once computed.
    pub fn data(&self) -> Option<&[Storage]> {
        self.data.get().map(|data| &data[..])
    }

    /// Gives it its elements; another thread may have been first, with the same ones.
    pub fn set_data(&self, data: SmallVec<[Storage; 1]>) {
        let _ = self.data.set(data);
        self.forget();
    }

    /// Drops its history if no walk can need it any more.
    pub fn forget(&self) {
        if !trace::is_live(self.trace) {
            let mut history =
                std::mem::take(&mut *self.history.write().unwrap_or_else(PoisonError::into_inner));
            history.callback = self.callback();
            release(history);
        }
    }

    /// What it held, on its way out; nothing the second time.
    fn last_history(&mut self) -> History {
        let callback = self.callback();
        let history = self.history.get_mut().unwrap_or_else(PoisonError::into_inner);
        History { callback, ..std::mem::take(history) }
    }

    /// The closure of the host, which the node lets go of: it may have captured a history of its own.
    fn callback(&self) -> Option<Arc<dyn Callback>> {
        match &self.kind {
            NodeKind::Op(_, Params::Host(call)) => call.forget(),
            _ => None,
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        live::count(-1);
        let history = self.last_history();
        release(history);
    }
}

/// Drops a history without recursion: a node that nobody else holds is taken apart, and its inputs join the list.
fn release(history: History) {
    let mut inputs = history.inputs;
    release_closures(history.custom, history.callback);
    while let Some(mut input) = inputs.pop() {
        // In place where nobody can look at it; a node that a map may still find is moved out, which takes longer.
        let history = match input.unshared() {
            Some(node) => node.last_history(),
            None => match input.into_node() {
                Some(mut node) => node.last_history(),
                None => continue,
            },
        };
        inputs.extend(history.inputs);
        release_closures(history.custom, history.callback);
    }
}

type Closures = (Option<Arc<CustomCall>>, Option<Arc<dyn Callback>>);

thread_local! {
    /// Closures to be dropped, while one is being dropped.
    static DROPS: RefCell<Option<Vec<Closures>>> = const { RefCell::new(None) };
}

/// A chain may lead through closures: rules capture arrays, whose nodes hold rules. So there is a queue of the
/// thread, and only the first drop works on it.
fn release_closures(custom: Option<Arc<CustomCall>>, callback: Option<Arc<dyn Callback>>) {
    if custom.is_none() && callback.is_none() {
        return;
    }
    let mut closures = Some((custom, callback));
    let queued = DROPS.try_with(|drops| {
        let mut drops = drops.borrow_mut();
        match drops.as_mut() {
            Some(queue) => {
                queue.extend(closures.take());
                true
            }
            None => {
                *drops = Some(Vec::new());
                false
            }
        }
    });
    // An error means that the thread is ending, and its queue is gone: drop in place.
    if !matches!(queued, Ok(false)) {
        return;
    }
    drop(closures);
    while let Some(next) = DROPS.with(|drops| drops.borrow_mut().as_mut().and_then(Vec::pop)) {
        drop(next);
    }
    DROPS.with(|drops| *drops.borrow_mut() = None);
}
