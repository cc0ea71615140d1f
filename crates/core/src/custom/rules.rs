//! What a user may say about a function: the trait that every front door implements.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pullback_base::{Result, Scalar};

use super::call::Site;
use crate::array::Array;
use crate::node::{Inputs, Node, Outputs};

/// What happens where a derivative has no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Missing {
    /// The recorded body is differentiated; with a warning if the other mode has a rule.
    Body,
    /// The rule of the other mode is transposed; without one, the body.
    Derive,
    Error,
}

/// What an array is that depends on an active trace and comes into the body from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Captured {
    Constant,
    Error,
    /// Its gradient comes from the body, whatever the rules.
    Differentiate,
    /// One more argument: the rules answer for it. For rules of our own.
    Argument,
}

/// The function itself.
pub type BodyFn = dyn Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync;

/// A number for `Function::id` that no other function has.
pub fn fresh_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What is known of a function that has rules, of as many arrays as it has argument names.
pub struct Function {
    /// Calls of one user's function share it, whatever their static arguments. See `fresh_id`.
    pub id: usize,
    /// For messages.
    pub name: Arc<str>,
    /// Paths of the array arguments, for messages: `x`, `params['w']`.
    pub args: Arc<[String]>,
    /// See `Missing`.
    pub missing: Missing,
    /// See `Captured`.
    pub captured: Captured,
}

/// What a rule returned, before it is checked: as free as a scripting language is.
#[derive(Clone)]
#[allow(missing_docs)]
pub enum Value {
    /// Zero; as the whole result, most likely a forgotten `return`.
    None,
    Scalar(Scalar),
    Array(Array),
    Tuple(Vec<Value>),
    /// Something that is none of these: the name of its type.
    Other(String),
}

impl From<Array> for Value {
    fn from(array: Array) -> Value {
        Value::Array(array)
    }
}
impl From<Vec<Array>> for Value {
    fn from(arrays: Vec<Array>) -> Value {
        Value::Tuple(arrays.into_iter().map(Value::Array).collect())
    }
}
impl FromIterator<Option<Array>> for Value {
    fn from_iter<I: IntoIterator<Item = Option<Array>>>(arrays: I) -> Value {
        Value::Tuple(arrays.into_iter().map(|a| a.map_or(Value::None, Value::Array)).collect())
    }
}
impl From<Vec<Option<Array>>> for Value {
    fn from(arrays: Vec<Option<Array>>) -> Value {
        arrays.into_iter().collect()
    }
}

/// What a rule is told of the call it stands for. Lent by whoever walks the graph, since to count a reference takes
/// longer than all else that is done to tell it.
#[derive(Clone)]
pub struct Call<'a> {
    /// The function.
    pub func: &'a Arc<Function>,
    /// The line that called.
    pub site: &'a Site,
    /// The arguments.
    pub inputs: &'a [Array],
    /// The results.
    pub outputs: &'a [Array],
    /// What the rule's forward pass kept.
    pub residuals: Option<Inputs>,
    /// Which arguments need a gradient.
    pub needs: &'a [bool],
    /// For rules of our own, that work on the recorded body.
    pub node: Option<&'a Arc<Node>>,
}

impl Call<'_> {
    /// Residual `i`.
    ///
    /// # Panics
    /// If the rule has no forward pass: it asks for what it did not keep.
    pub fn residual(&self, i: usize) -> &Array {
        &self.residuals.as_ref().expect("a rule with a forward pass has residuals")[i]
    }
}

/// Which rules there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Offers {
    pub vjp: bool,
    pub jvp: bool,
    pub vmap: bool,
    /// The vjp rule has a forward pass of its own, which keeps residuals.
    pub forward: bool,
    /// What the rules return has no derivative, and asking for it is an error.
    pub once: bool,
    /// The recorded body is what a vmap rule made of the function: a derivative that no rule states is that of
    /// `Rules::body`.
    pub body: bool,
}

/// Outputs, and the batch axis of each; `None` is an output without one.
pub type Mapped = (Vec<Array>, Vec<Option<usize>>);

/// The rules of a function. A method is called only if `offers` names it. `None` is zero.
#[allow(unused_variables)]
pub trait Rules: Send + Sync {
    /// Which rules there are.
    fn offers(&self) -> Offers;

    /// Outputs and residuals.
    ///
    /// # Errors
    /// What the user's code raises.
    fn forward(&self, inputs: &[Array]) -> Result<(Outputs, Inputs)> {
        unreachable!("not offered")
    }

    /// Cotangents of the arguments.
    ///
    /// # Errors
    /// What the user's code raises.
    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        unreachable!("not offered")
    }

    /// Tangents of the outputs.
    ///
    /// # Errors
    /// What the user's code raises.
    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        unreachable!("not offered")
    }

    /// The function of batched arguments.
    ///
    /// # Errors
    /// What the user's code raises.
    fn vmap(&self, inputs: &[Array], axes: &[Option<usize>], size: usize) -> Result<Mapped> {
        unreachable!("not offered")
    }

    /// The function itself. Rules that stand beside a function, as those of `Custom`, are not asked.
    ///
    /// # Errors
    /// What the user's code raises.
    fn run(&self, inputs: &[Array]) -> Result<Outputs> {
        unreachable!("not offered")
    }

    /// The function itself, with results such as its vmap rule has.
    ///
    /// # Errors
    /// What the user's code raises.
    fn body(&self, inputs: &[Array]) -> Result<Outputs> {
        self.run(inputs)
    }

    /// By what name the function knows an array that it captured, for messages.
    fn name_of(&self, captured: &Array) -> Option<String> {
        None
    }

    /// The batched form of rules that speak of nothing but the recorded body.
    fn batched(&self) -> Option<Arc<dyn Rules>> {
        None
    }
}
