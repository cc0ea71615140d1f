//! What arrays are made of: operations in order, each after what it needs, down to what is there already.

use pullback_base::Aval;
use pullback_core::custom::{CustomCall, fence};
use pullback_core::op::OpDef;
use pullback_core::{Array, Key, NodeKind, Params};
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
    /// The row.
    pub op: &'static OpDef,
    /// Its params.
    pub params: Params,
    /// Its operands.
    pub inputs: Vec<Source>,
    /// Types of its results.
    pub avals: Vec<Aval>,
}

/// What stands for a call of a custom function with a rule for its derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// What its body is made of.
    Body,
    /// The same, behind a fence: whoever has the listing alone must not differentiate the body instead.
    Fenced,
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
pub fn list(outs: &[Array], given: &[Array], calls: Calls) -> Listing {
    let mut walk = Walk { listing: Listing::default(), known: FxHashMap::default(), calls };
    for leaf in given {
        walk.leaf(leaf);
    }
    // The stack is explicit: a graph may be deeper than any call stack.
    let mut stack: Vec<(Array, bool)> = outs.iter().rev().map(|out| (out.clone(), false)).collect();
    while let Some((array, inputs_done)) = stack.pop() {
        let array = walk.behind(&array);
        if walk.known.contains_key(&array.key()) {
            continue;
        }
        let Some((op, params, inputs)) = walk.step_of(&array) else {
            walk.leaf(&array);
            continue;
        };
        if inputs_done {
            walk.step(&array, op, params, &inputs);
        } else {
            stack.push((array, true));
            stack.extend(inputs.into_iter().rev().map(|x| (x, false)));
        }
    }
    walk.listing.outs = outs.iter().map(|out| walk.source(out)).collect();
    walk.listing
}

/// Whether a rule says what a derivative is. Rules that can be batched by themselves speak of the body alone, and say of
/// it what it is.
fn ruled(call: &CustomCall) -> bool {
    let (rules, offers) = (&call.owner.rules, call.owner.rules.offers());
    (offers.vjp || offers.jvp) && rules.batched().is_none()
}

struct Walk {
    listing: Listing,
    known: FxHashMap<Key, Source>,
    calls: Calls,
}

impl Walk {
    /// What an array is equal to, once aliases and custom functions are looked through.
    fn behind(&self, array: &Array) -> Array {
        let mut array = array.clone();
        loop {
            if self.known.contains_key(&array.key()) || array.data().is_some() {
                return array;
            }
            let node = array.node();
            let next = match &node.kind {
                NodeKind::Alias => node.with_inputs(|inputs| inputs.first().cloned()),
                NodeKind::Custom if self.fenced(&array).is_none() => body(&array),
                _ => None,
            };
            match next {
                Some(next) => array = next,
                None => return array,
            }
        }
    }

    /// What stands behind the fence of a call.
    fn fenced(&self, array: &Array) -> Option<Array> {
        let call = array.node().custom().filter(|call| self.calls == Calls::Fenced && ruled(call));
        call.and_then(|_| body(array))
    }

    /// The operation that makes an array, if it has to be made.
    fn step_of(&self, array: &Array) -> Option<(&'static OpDef, Params, Vec<Array>)> {
        if array.data().is_some() {
            return None;
        }
        match &array.node().kind {
            NodeKind::Op(op, params) => Some((op, params.clone(), array.node().inputs().into_vec())),
            NodeKind::Custom => Some((&fence::LEFT_BEHIND, Params::None, vec![self.fenced(array)?])),
            _ => None,
        }
    }

    fn leaf(&mut self, array: &Array) {
        let next = Source::Leaf(self.listing.leaves.len() as u32);
        self.known.entry(array.key()).or_insert(next);
        self.listing.leaves.push(array.clone());
    }

    fn step(&mut self, array: &Array, op: &'static OpDef, params: Params, inputs: &[Array]) {
        let inputs = inputs.iter().map(|x| self.source(x)).collect();
        let number = self.listing.steps.len() as u32;
        let outputs = match array.node().kind {
            NodeKind::Custom => vec![array.clone()],
            _ => array.node().outputs().into_vec(),
        };
        for (out, output) in outputs.iter().enumerate() {
            self.known.insert(output.key(), Source::Made(number, out as u32));
        }
        let avals = outputs.iter().map(|output| output.aval().clone()).collect();
        self.listing.steps.push(Made { op, params, inputs, avals });
    }

    fn source(&self, array: &Array) -> Source {
        *self.known.get(&self.behind(array).key()).expect("what is below was visited before")
    }
}

/// What a call of a custom function is, by its body.
fn body(array: &Array) -> Option<Array> {
    array.node().custom()?.body.get().map(|body| body.outs[array.out()].clone())
}
