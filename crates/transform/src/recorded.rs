//! A function run once, under no transform of its own, so that all that it made can be looked at.

use pullback_base::Result;
use pullback_core::Array;
use pullback_core::trace::Live;

use crate::Fun;
use crate::stack::{self, Kind};

/// What a function made of its arguments.
pub struct Recorded {
    /// Stand for the arguments.
    pub leaves: Vec<Array>,
    /// What it returned.
    pub outs: Vec<Array>,
    /// What was made of the leaves is numbered so or higher.
    pub number: u64,
    /// Keeps the history of what was evaluated on the way.
    _live: Live,
}

/// Runs `f` on leaves that are equal to the arguments. Calls of functions with rules are nodes, as under a
/// transform; unlike under `trace`, the leaves have elements.
///
/// ```
/// use pullback_base::{Dtype, Scalar};
/// use pullback_core::Array;
///
/// # fn main() -> pullback_base::Result<()> {
/// let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
/// let square = pullback_transform::record(&|x| Ok(vec![&x[0] * &x[0]]), &[x])?;
/// assert_eq!(square.outs[0].node().inputs()[0].key(), square.leaves[0].key());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What `f` answers.
pub fn record(f: &Fun, args: &[Array]) -> Result<Recorded> {
    let trace = stack::open(Kind::Inner);
    let number = trace.number;
    let live = Live::new(number);
    let leaves: Vec<Array> = args.iter().map(|arg| arg.alias(number)).collect();
    let outs = f(&leaves)?;
    drop(trace);
    Ok(Recorded { leaves, outs, number, _live: live.ended() })
}
