//! Bounded walks: every transform visits only what its own trace, or a later one, built.

use std::cell::Cell;
use std::sync::Arc;

use pullback_core::custom::fence::waits;
use pullback_core::op::Diff;
use pullback_core::{Array, Key, Node, NodeKind};
use smallvec::SmallVec;

use crate::few::Few;

thread_local! {
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

/// Nodes visited by walks on this thread so far.
pub fn visits() -> usize {
    VISITS.get()
}

/// Every walk counts what it visits: that it is bounded is a law, and tested.
pub(crate) fn visited(nodes: usize) {
    VISITS.set(VISITS.get() + nodes);
}

/// Identity of a node, valid while somebody holds it.
pub(crate) fn id(node: &Arc<Node>) -> usize {
    Arc::as_ptr(node) as usize
}

/// Nodes below `roots`, numbered `floor` or above, that depend on one of `leaves`: each after its inputs, and
/// without the leaves themselves. The walk ends at them, and at `ends`.
///
/// The number bounds the walk and the second pass makes it exact: what was built during the trace without
/// depending on it is neither differentiated nor asked for its rules.
pub(crate) fn dependents(roots: &[Array], leaves: &[Array], ends: &[Array], floor: u64) -> Order {
    reached(roots, leaves, ends, floor, all, |_| true).order
}

/// As `dependents`, with those alone that depend on a leaf by its elements. What only waits for them does not, such as
/// a recomputation, which waits for the cotangent.
pub(crate) fn linked(roots: &[Array], leaves: &[Array], floor: u64) -> Reached {
    let first =
        |node: &Node| if matches!(&node.kind, NodeKind::Op(op, _) if waits(op)) { 1 } else { all(node) };
    reached(roots, leaves, &[], floor, first, |_| true)
}

fn all(_: &Node) -> usize {
    usize::MAX
}

/// As `dependents`, with those alone to which a derivative by one of the leaves can flow: none does through integers,
/// nor through an operation of derivative zero. What lies behind a `stop_gradient` is asked for nothing.
pub(crate) fn flowing(roots: &[Array], leaves: &[Array], ends: &[Array], floor: u64) -> Reached {
    let through = |node: &Node| match &node.kind {
        NodeKind::Op(op, _) if matches!(op.diff, Diff::Zero) => 0,
        _ => all(node),
    };
    reached(roots, leaves, ends, floor, through, Array::is_inexact)
}

/// Nodes that leaves lead to.
pub(crate) struct Reached {
    /// Each after its inputs.
    pub order: Order,
    leaves: Few<Key>,
    nodes: Few<usize>,
}

impl Reached {
    /// Whether an array is one of the leaves, or of a node that they lead to.
    pub fn has(&self, x: &Array) -> bool {
        self.leaves.has(&x.key()) || self.nodes.has(&id(x.node()))
    }
}

/// Of a node, `through` says how many of its inputs lead to it, from the first one.
fn reached(
    roots: &[Array],
    leaves: &[Array],
    ends: &[Array],
    floor: u64,
    through: impl Fn(&Node) -> usize,
    carries: impl Fn(&Array) -> bool,
) -> Reached {
    let ends: Few<usize> = leaves.iter().chain(ends).map(|leaf| id(leaf.node())).collect();
    let enter = |node: &Arc<Node>| node.trace >= floor && !ends.has(&id(node));
    let leaves = leaves.iter().map(Array::key).collect();
    let mut reached = Reached { order: Order::new(), leaves, nodes: Few::default() };
    let led = |node: &Node, inputs: &[Array], reached: &Reached| {
        inputs.iter().take(through(node)).any(|x| carries(x) && reached.has(x))
    };
    // One operation, which is what most rules are made of, needs no search: if it is all there is, it is asked at once.
    let alone = |node: &Arc<Node>| {
        node.with_inputs(|inputs| {
            let all = !inputs.iter().any(|x| enter(x.node()));
            all.then(|| led(node, inputs, &reached))
        })
    };
    if let [root] = roots
        && enter(root.node())
        && let Some(hit) = alone(root.node())
    {
        visited(1);
        if hit {
            reached.nodes.insert(id(root.node()));
            reached.order.push(root.node().clone());
        }
        return reached;
    }
    let mut order = sorted(roots, enter, |node, to| {
        node.with_inputs(|inputs| to.extend(inputs.iter().map(|x| x.node().clone())));
    });
    order.retain(|node| {
        let hit = node.with_inputs(|inputs| led(node, inputs, &reached));
        if hit {
            reached.nodes.insert(id(node));
        }
        hit
    });
    reached.order = order;
    reached
}

/// Whether one of `roots` depends on one of `leaves`.
pub(crate) fn depends(roots: &[Array], leaves: &[Array], floor: u64) -> bool {
    let reached = reached(roots, leaves, &[], floor, all, |_| true);
    roots.iter().any(|root| reached.has(root))
}

/// Nodes, each after its inputs; in place where they are few, as those of a rule.
pub(crate) type Order = SmallVec<[Arc<Node>; 4]>;

/// What lies below a node.
pub(crate) type Below = SmallVec<[Arc<Node>; 4]>;

/// Nodes reachable from `roots` through nodes that satisfy `enter`, each after its inputs. The stack is
/// explicit: a graph may be deeper than any call stack.
pub(crate) fn sorted(
    roots: &[Array],
    enter: impl Fn(&Arc<Node>) -> bool,
    edges: impl Fn(&Node, &mut Below),
) -> Order {
    let (mut order, mut seen, mut visits, mut below) = (Order::new(), Few::default(), 0, Below::new());
    let mut stack: SmallVec<[(Arc<Node>, bool); 8]> =
        roots.iter().rev().map(|root| (root.node().clone(), false)).collect();
    while let Some((node, inputs_done)) = stack.pop() {
        if inputs_done {
            order.push(node);
            continue;
        }
        visits += 1;
        if enter(&node) && seen.insert(id(&node)) {
            edges(&node, &mut below);
            stack.push((node, true));
            stack.extend(below.drain(..).map(|input| (input, false)));
        }
    }
    visited(visits);
    order
}

/// Inputs, and for a custom node what its body and residuals lead to.
pub(crate) fn all_edges(node: &Node, to: &mut Below) {
    node.with_inputs(|inputs| to.extend(inputs.iter().map(|x| x.node().clone())));
    if let Some(call) = node.custom() {
        to.extend(call.inner().map(|x| x.node().clone()));
    }
}
