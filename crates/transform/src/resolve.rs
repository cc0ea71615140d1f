//! What an array is computed by, for whoever evaluates.

use pullback_base::{Error, Result};
use pullback_core::{Array, NodeKind};

use crate::stack;

/// The array that computes `array`: an operation, a constant or elements. Aliases and custom functions are
/// looked through. That is no rewriting: the leaves of a body alias the arguments, so the body's output is the
/// inlined graph.
///
/// # Errors
/// `Value` for a tracer, which has no elements: it names the transform and says whether it was leaked.
pub fn resolve(array: &Array) -> Result<Array> {
    let mut array = array.clone();
    loop {
        if array.data().is_some() {
            return Ok(array);
        }
        let node = array.node();
        array = match &node.kind {
            NodeKind::Alias => match node.inputs().first() {
                Some(input) => input.clone(),
                None => return Err(Error::internal("[eval] an alias forgot its array")),
            },
            NodeKind::Custom => match node.custom().as_ref().and_then(|call| call.body.get()) {
                Some(body) => body.outs[array.out()].clone(),
                None => return Err(no_value(&array, "vmap")),
            },
            NodeKind::Tracer(of) => return Err(no_value(&array, of)),
            NodeKind::Const(_) | NodeKind::Data | NodeKind::Op(..) => return Ok(array),
        };
    }
}

/// The error for an array without elements, a leaf of the transform `of`.
pub fn no_value(array: &Array, of: &str) -> Error {
    let open = stack::active().iter().any(|trace| trace.owns(array.number()));
    let state = if open { "while it is being traced" } else { "after the trace has ended: it was leaked" };
    let fix = match (open, of) {
        (true, "compile") => "; call host code through pure_callback",
        (true, "vmap") => "; call host code through pure_callback, or give the custom function a vmap rule",
        (true, "linear_transpose") => "; what is linear in an array need not look at it",
        (true, _) => "; a rule to be transposed must not ask for elements, so give both rules",
        (false, _) => "; return it from the function instead of keeping it",
    };
    Error::value(format!(
        "[eval] expected an array with elements, got a tracer of {of}, {}, {state}{fix}",
        array.aval()
    ))
}
