//! The same graph over other leaves.

use std::sync::Arc;

use pullback_base::Result;
use pullback_core::custom::{CustomCall, Owner};
use pullback_core::origin::{self, How};
use pullback_core::{Array, Inputs, Key, Node, NodeKind, Outputs, place};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

use crate::walk::{Below, Order, all_edges, id, sorted};

/// Rebuilds over `to` what depends on `from`, with what `put` says in place of each new array, of which it is told the
/// old one. Custom nodes stay custom nodes with their rules; bodies and residuals are rebuilt along, so nothing of the
/// first graph is kept alive but what `put` keeps. Closures of rules keep what they captured, so the values put in
/// place must be equal ones.
pub(crate) fn substitute(
    outs: &[Array],
    from: &[Array],
    to: &[Array],
    floor: u64,
    put: &dyn Fn(&Array, Array) -> Result<Array>,
) -> Result<Vec<Array>> {
    rebuild_with(outs, &order(outs, from, &[], floor), from, to, &|call| Some(call.owner.clone()), put)
}

/// Nodes that have to be rebuilt, each after what it holds. The walk ends at `ends` as well.
pub(crate) fn order(outs: &[Array], from: &[Array], ends: &[Array], floor: u64) -> Order {
    let mut touched: FxHashSet<usize> = from.iter().map(|leaf| id(leaf.node())).collect();
    let ends: FxHashSet<usize> = from.iter().chain(ends).map(|leaf| id(leaf.node())).collect();
    let mut order = sorted(outs, |node| node.trace >= floor && !ends.contains(&id(node)), all_edges);
    let mut edges = Below::new();
    order.retain(|node| {
        all_edges(node, &mut edges);
        let hit = edges.drain(..).any(|x| touched.contains(&id(&x)));
        if hit {
            touched.insert(id(node));
        }
        hit
    });
    order
}

/// Rebuilds the nodes in `order`, and answers `outs` over `to`. `owner` says by whom a call is to be answered;
/// without one its body takes its place, if it has been recorded.
pub(crate) fn rebuild(
    outs: &[Array],
    order: &[Arc<Node>],
    from: &[Array],
    to: &[Array],
    owner: &dyn Fn(&CustomCall) -> Option<Owner>,
) -> Result<Vec<Array>> {
    rebuild_with(outs, order, from, to, owner, &|_, new| Ok(new))
}

/// Where an array of a record comes from when it is replayed.
enum Source {
    /// The argument, or what was made before, of this number.
    Made(u32),
    /// Outside of the record.
    Known(Array),
}

/// A record of operations alone, ready to be made again and again: what `rebuild` has to look up each time is known.
pub(crate) struct Replay {
    steps: Vec<(Arc<Node>, SmallVec<[Source; 2]>)>,
    outs: Vec<Source>,
}

impl Replay {
    /// What `rebuild` would do with the same nodes, if all of them are operations.
    pub(crate) fn of(outs: &[Array], order: &[Arc<Node>], from: &[Array]) -> Option<Replay> {
        if !order.iter().all(|node| matches!(node.kind, NodeKind::Op(..))) {
            return None;
        }
        let mut made: FxHashMap<Key, u32> = from.iter().map(Array::key).zip(0..).collect();
        let mut next = from.len() as u32;
        let mut steps = Vec::with_capacity(order.len());
        let source = |x: &Array, made: &FxHashMap<Key, u32>| match made.get(&x.key()) {
            Some(&number) => Source::Made(number),
            None => Source::Known(x.clone()),
        };
        for node in order {
            let sources = node.with_inputs(|inputs| inputs.iter().map(|x| source(x, &made)).collect());
            steps.push((node.clone(), sources));
            for out in 0..node.avals.len() {
                made.insert(Array::output(node, out).key(), next);
                next += 1;
            }
        }
        let outs = outs.iter().map(|out| source(out, &made)).collect();
        Some(Replay { steps, outs })
    }

    /// The results over `args`, of the types of the record's leaves.
    pub(crate) fn over(&self, args: &[Array]) -> Vec<Array> {
        let mut made = Vec::with_capacity(args.len() + self.steps.len());
        made.extend_from_slice(args);
        let get = |source: &Source, made: &[Array]| match source {
            Source::Made(number) => made[*number as usize].clone(),
            Source::Known(array) => array.clone(),
        };
        for (node, sources) in &self.steps {
            let _from = origin::from(node, How::Copy);
            let mut inputs = Inputs::new();
            inputs.extend(sources.iter().map(|source| get(source, &made)));
            made.extend(Array::again(node, inputs));
        }
        self.outs.iter().map(|out| get(out, &made)).collect()
    }
}

fn rebuild_with(
    outs: &[Array],
    order: &[Arc<Node>],
    from: &[Array],
    to: &[Array],
    owner: &dyn Fn(&CustomCall) -> Option<Owner>,
    put: &dyn Fn(&Array, Array) -> Result<Array>,
) -> Result<Vec<Array>> {
    let mut known: FxHashMap<Key, Array> = from.iter().map(Array::key).zip(to.iter().cloned()).collect();
    for node in order {
        let get = |x: &Array| known.get(&x.key()).cloned().unwrap_or_else(|| x.clone());
        let inputs: Inputs = node.with_inputs(|inputs| inputs.iter().map(get).collect());
        let _here = place::beside(node);
        let _from = origin::from(node, How::Copy);
        let new: Outputs = match &node.kind {
            NodeKind::Alias => smallvec![inputs[0].alias(node.trace)],
            NodeKind::Op(op, params) => {
                Array::apply_all(op, params.clone(), &inputs.iter().collect::<SmallVec<[_; 3]>>())?
            }
            NodeKind::Custom => match node.custom() {
                Some(call) => match (owner(&call), call.body.get()) {
                    (None, Some(body)) => body.outs.iter().map(get).collect(),
                    (owner, _) => {
                        let owner = owner.unwrap_or_else(|| call.owner.clone());
                        call.over(owner, node, inputs, &get).outputs()
                    }
                },
                // It has forgotten what it depended on since it was listed, and stands for its elements.
                None => continue,
            },
            NodeKind::Const(_) | NodeKind::Data | NodeKind::Tracer(_) => {
                unreachable!("a leaf has no edges")
            }
        };
        for (old, new) in node.outputs().iter().zip(new) {
            known.insert(old.key(), put(old, new)?);
        }
    }
    Ok(outs.iter().map(|out| known.get(&out.key()).cloned().unwrap_or_else(|| out.clone())).collect())
}
