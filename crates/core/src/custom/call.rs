//! What the graph holds of a call.

use std::fmt;
use std::sync::{Arc, OnceLock};

use pullback_base::Aval;
use smallvec::SmallVec;

use super::rules::{Call, Function, Rules};
use crate::array::Array;
use crate::node::{Inputs, Node, Outputs};

/// The line that called. Every call has one, so the names of files, which are few, are kept for ever and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Site {
    pub file: &'static str,
    pub line: u32,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A call of a function with rules.
pub struct CustomCall {
    /// The function and its rules.
    pub owner: Owner,
    /// The line that called.
    pub site: Site,
    /// The node's first `arity` inputs are the arguments; the rest were captured.
    pub arity: usize,
    /// Empty where a vmap rule supplied the value: then it is run only if somebody asks.
    pub body: Recorded,
    /// The function itself, where the body is what a vmap rule made of it and a derivative by what the function
    /// captured may be asked for: only running it tells what that is.
    pub function: Option<Body>,
    /// What the rule's own forward pass kept; `None` where it has not run (yet).
    pub residuals: Option<Residuals>,
}

/// A function and its rules.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Owner {
    pub func: Arc<Function>,
    pub rules: Arc<dyn Rules>,
}

/// The recorded body. Its leaves alias the arguments, so its outputs are already what one gets by inlining;
/// captured arrays stand in it as they are.
#[allow(missing_docs)]
pub struct Body {
    pub leaves: Inputs,
    pub outs: Outputs,
    /// Nothing between outputs and leaves is numbered below this.
    pub number: u64,
}

/// A body that was recorded with the call, or once somebody asked for it. Nearly all are of the first kind, and a lock
/// to be set takes longer than a field to be written.
#[derive(Default)]
pub struct Recorded {
    with: Option<Body>,
    later: OnceLock<Box<Body>>,
}

impl Recorded {
    /// The body.
    pub fn get(&self) -> Option<&Body> {
        self.with.as_ref().or_else(|| self.later.get().map(|body| &**body))
    }

    /// The body, which is this one if nobody has been faster.
    pub fn get_or(&self, body: Body) -> &Body {
        match &self.with {
            Some(body) => body,
            None => self.later.get_or_init(|| Box::new(body)),
        }
    }
}

/// A residual that is an output stands for the output of the *node*, so a second derivative takes it through
/// the rules; any other is differentiated through the operations that made it. An index and no array, because
/// the node would own itself.
#[derive(Clone)]
#[allow(missing_docs)]
pub enum Residual {
    Array(Array),
    Output(usize),
}

/// Residuals, in place where there is one.
pub type Residuals = SmallVec<[Residual; 1]>;

impl CustomCall {
    /// A call without body and residuals.
    pub fn new(owner: Owner, site: Site, arity: usize) -> CustomCall {
        CustomCall { owner, site, arity, body: Recorded::default(), function: None, residuals: None }
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, body: Body) -> CustomCall {
        self.body.with = Some(body);
        self
    }

    /// The node of this call.
    pub fn into_node(self, inputs: Inputs, avals: SmallVec<[Aval; 1]>) -> Arc<Node> {
        Node::custom_call(self, inputs, avals)
    }

    /// What a rule is told of the call of `node`, whose inputs and outputs these are.
    pub fn describe<'a>(
        &'a self,
        node: &'a Arc<Node>,
        (inputs, outputs): (&'a [Array], &'a [Array]),
        needs: &'a [bool],
    ) -> Call<'a> {
        let kept = |r: &Residual| match r {
            Residual::Array(array) => array.clone(),
            Residual::Output(i) => outputs[*i].clone(),
        };
        Call {
            func: &self.owner.func,
            site: &self.site,
            inputs: &inputs[..self.arity],
            outputs,
            residuals: self.residuals.as_ref().map(|list| list.iter().map(kept).collect()),
            needs: &needs[..self.arity],
            node: Some(node),
        }
    }

    /// The same call over other arrays, by the same function and rules in whatever wrapping.
    pub fn over(
        &self,
        owner: Owner,
        node: &Node,
        inputs: Inputs,
        get: &dyn Fn(&Array) -> Array,
    ) -> Arc<Node> {
        let residual = |r: &Residual| match r {
            Residual::Array(array) => Residual::Array(get(array)),
            Residual::Output(i) => Residual::Output(*i),
        };
        let over = |body: &Body| Body {
            leaves: body.leaves.iter().map(get).collect(),
            outs: body.outs.iter().map(get).collect(),
            number: body.number,
        };
        let mut call = CustomCall::new(owner, self.site, self.arity);
        call.residuals = self.residuals.as_ref().map(|list| list.iter().map(residual).collect());
        call.function = self.function.as_ref().map(over);
        if let Some(body) = self.body.get() {
            call = call.with_body(over(body));
        }
        call.into_node(inputs, node.avals.clone())
    }

    /// Arrays the call holds besides the node's inputs.
    pub fn inner(&self) -> impl Iterator<Item = &Array> {
        let kept = self.residuals.iter().flatten().filter_map(|r| match r {
            Residual::Array(array) => Some(array),
            Residual::Output(_) => None,
        });
        let bodies = self.body.get().into_iter().chain(&self.function);
        bodies.flat_map(|body| body.leaves.iter().chain(&body.outs)).chain(kept)
    }
}
