//! Recomputation as a rule.

use std::sync::Arc;

use pullback_base::{Error, Result};
use pullback_core::custom::fence::after;
use pullback_core::custom::{
    Body, Call, Captured, CustomCall, Function, Missing, Offers, Owner, Rules, Site, Value, fresh_id,
};
use pullback_core::trace;
use pullback_core::{Array, Node};

use super::derive::{pull_some, recorded};
use super::door::call;
use crate::forward;
use crate::substitute::substitute;

/// Calls `f` so that reverse mode recomputes it instead of keeping what it computed. What `f` captured is one
/// more argument of the rule, and gets its true gradient.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
/// use pullback_transform::custom::Site;
/// use pullback_transform::{checkpoint, grad};
///
/// # fn main() -> pullback_base::Result<()> {
/// let block = |x: &[Array]| {
///     let site = Site { file: file!().into(), line: line!() };
///     checkpoint(|x| Ok(vec![&x[0] * &x[0]]), x, site)
/// };
/// grad(&block, &[Array::scalar(Scalar::Float(3.), Dtype::F32)], &[0])?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn checkpoint(
    f: impl Fn(&[Array]) -> Result<Vec<Array>> + Send + Sync + 'static,
    args: &[Array],
    site: Site,
) -> Result<Vec<Array>> {
    let func = Function {
        id: fresh_id(),
        name: "checkpoint".into(),
        args: (0..args.len()).map(|i| i.to_string()).collect(),
        fun: Box::new(f),
        missing: Missing::Derive,
        captured: Captured::Argument,
    };
    call(&Owner { func: Arc::new(func), rules: Arc::new(Checkpoint) }, site, args)
}

struct Checkpoint;

/// The node of a call, which is batched into itself and so never without.
fn recorded_call(call: &Call) -> Result<(Arc<Node>, Arc<CustomCall>)> {
    let node = call.node.clone();
    let custom = node.as_ref().and_then(|node| node.custom());
    node.zip(custom).ok_or_else(|| Error::internal("[checkpoint] lost its recorded body"))
}

impl Rules for Checkpoint {
    fn offers(&self) -> Offers {
        Offers { vjp: true, jvp: true, ..Offers::default() }
    }

    /// The recorded body again, over copies of the arguments that wait for the cotangent. The function itself is
    /// not called a second time: what it drew at random it drew once.
    fn vjp(&self, call: &Call, cotangents: &[Option<Array>]) -> Result<Value> {
        let (node, custom) = recorded_call(call)?;
        let body = recorded(&node, &custom)?;
        let Some(start) = cotangents.iter().flatten().next() else {
            return Ok(vec![None; call.inputs.len()].into());
        };
        let number = trace::next();
        let copy = |x: &Array| Ok(after(x, start)?.alias(number));
        let copies: Vec<Array> = call.inputs.iter().map(copy).collect::<Result<_>>()?;
        let outs = substitute(&body.outs, &body.leaves, &copies, body.number)?;
        let again = Body { leaves: copies, outs, number };
        Ok(pull_some(&again, cotangents, &again.leaves, &call.needs, &[])?.into())
    }

    /// Forward mode keeps nothing: the recorded body will do.
    fn jvp(&self, call: &Call, tangents: &[Option<Array>]) -> Result<Value> {
        let (node, custom) = recorded_call(call)?;
        let body = recorded(&node, &custom)?;
        Ok(forward::push(&body.outs, &body.leaves, tangents, body.number)?.into())
    }

    fn batched(&self) -> Option<Arc<dyn Rules>> {
        Some(Arc::new(Checkpoint))
    }
}
