//! What arrays are made of: operations in order, each after what it needs, down to what is there already.

use std::sync::Arc;

use pullback_core::{Array, Key, Node, NodeKind};
use rustc_hash::FxHashMap;

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A leaf, by its number.
    Leaf(u32),
    /// A result of a step, by the numbers of both.
    Made(u32, u32),
}

/// An operation in a listing.
pub struct Made {
    /// The operation.
    pub node: Arc<Node>,
    /// Its operands.
    pub inputs: Vec<Source>,
}

/// Operations in order.
#[derive(Default)]
pub struct Listing {
    /// What was given as such, then constants, arrays with elements, and what else is no operation.
    pub leaves: Vec<Array>,
    /// Operations, each after what it needs.
    pub steps: Vec<Made>,
    /// The roots.
    pub outs: Vec<Source>,
}

/// Lists what `outs` are made of. The walk ends at `given`, which are the first leaves, and at arrays with elements;
/// it looks through aliases, and through custom functions to their bodies.
pub fn list(outs: &[Array], given: &[Array]) -> Listing {
    let mut walk = Walk::default();
    for leaf in given {
        walk.leaf(leaf);
    }
    // The stack is explicit: a graph may be deeper than any call stack.
    let mut stack: Vec<(Array, bool)> = outs.iter().rev().map(|out| (out.clone(), false)).collect();
    while let Some((array, inputs_done)) = stack.pop() {
        let array = walk.behind(&array);
        if walk.known(&array).is_some() {
            continue;
        }
        if !is_step(&array) {
            walk.leaf(&array);
        } else if inputs_done {
            walk.step(&array);
        } else {
            stack.push((array.clone(), true));
            array.node().with_inputs(|inputs| stack.extend(inputs.iter().rev().map(|x| (x.clone(), false))));
        }
    }
    walk.listing.outs = outs.iter().map(|out| walk.source(out)).collect();
    walk.listing
}

/// Whether it has to be computed, by an operation that can be looked at.
fn is_step(array: &Array) -> bool {
    array.data().is_none() && matches!(array.node().kind, NodeKind::Op(..))
}

#[derive(Default)]
struct Walk {
    listing: Listing,
    leaves: FxHashMap<Key, u32>,
    steps: FxHashMap<usize, u32>,
}

fn address(array: &Array) -> usize {
    Arc::as_ptr(array.node()) as usize
}

impl Walk {
    /// What an array is equal to, once aliases and custom functions are looked through.
    fn behind(&self, array: &Array) -> Array {
        let mut array = array.clone();
        loop {
            if self.leaves.contains_key(&array.key()) || array.data().is_some() {
                return array;
            }
            let node = array.node();
            let next = match &node.kind {
                NodeKind::Alias => node.with_inputs(|inputs| inputs.first().cloned()),
                NodeKind::Custom => {
                    let call = node.custom();
                    call.and_then(|call| call.body.get().map(|body| body.outs[array.out()].clone()))
                }
                _ => None,
            };
            match next {
                Some(next) => array = next,
                None => return array,
            }
        }
    }

    fn known(&self, array: &Array) -> Option<Source> {
        if let Some(&leaf) = self.leaves.get(&array.key()) {
            return Some(Source::Leaf(leaf));
        }
        self.steps.get(&address(array)).map(|&step| Source::Made(step, array.out() as u32))
    }

    fn leaf(&mut self, array: &Array) {
        let next = self.listing.leaves.len() as u32;
        self.leaves.entry(array.key()).or_insert(next);
        self.listing.leaves.push(array.clone());
    }

    fn step(&mut self, array: &Array) {
        let node = array.node();
        let inputs = node.with_inputs(|inputs| inputs.iter().map(|x| self.source(x)).collect());
        self.steps.insert(address(array), self.listing.steps.len() as u32);
        self.listing.steps.push(Made { node: node.clone(), inputs });
    }

    fn source(&self, array: &Array) -> Source {
        self.known(&self.behind(array)).expect("what is below was visited before")
    }
}
