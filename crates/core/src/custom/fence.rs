//! Operations that do nothing to elements, and stand in the way of something.
//!
//! They are no rows of the table: the laws of the table tie a derivative to the value, and that is what these
//! are there to break.

use pullback_base::Result;

use crate::array::Array;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, OpDef, Reference, Test};
use crate::params::Params;

const fn fence(name: &'static str, doc: &'static str, args: &'static [&'static str], diff: Diff) -> OpDef {
    OpDef {
        name,
        doc,
        args,
        dtypes: Dtypes::Any,
        infer: Infer::One(|_, x| Ok(x[0].clone())),
        diff,
        batch: Batch::Lead(|params, _, _| params.clone()),
        kernel: Kernel::View(|_, x, _| Some(x.clone())),
        api: Api::Composed,
        test: Test { reference: Reference::Whole(|_, x, _| x[0].1.to_vec()), samples: &[], ulps: 0. },
    }
}

/// `x`, with derivative zero.
pub static STOP_GRADIENT: OpDef =
    fence("stop_gradient", "The array itself, as a constant to every derivative.", &["a"], Diff::Zero);
/// `x`, with no derivative: what a rule returns that may be differentiated once.
pub static ONCE: OpDef = fence(
    "once_differentiable",
    "The array itself, which must not be differentiated.",
    &["a"],
    Diff::Opaque("its rule is differentiable once"),
);
/// `x`, not before the second operand: keeps a recomputation from being shared with, or run along with, the
/// first computation.
pub static AFTER: OpDef = fence(
    "after",
    "The array itself, once another one is there.",
    &["a", "what"],
    Diff::Linear(&[Some(|_, _, g| Ok(g.clone())), None]),
);

/// `x`, by a name.
pub static NAME: OpDef = fence(
    "checkpoint_name",
    "The array itself, with a name for the policies of `checkpoint`.",
    &["a"],
    Diff::Linear(&[Some(|_, _, g| Ok(g.clone()))]),
);

/// `x`, whose derivative a rule stated that is not there any more.
pub static LEFT_BEHIND: OpDef = fence(
    "rule_left_behind",
    "The array itself, which must not be differentiated: the rule that says how is somewhere else.",
    &["a"],
    Diff::Opaque(
        "its rule was not exported; export the derivative as well, as a function or a result of its own",
    ),
);

/// All of them.
pub static ALL: [&OpDef; 5] = [&STOP_GRADIENT, &ONCE, &AFTER, &NAME, &LEFT_BEHIND];

/// Whether an operation only waits for all its operands but the first.
pub fn waits(op: &'static OpDef) -> bool {
    std::ptr::eq(op, &AFTER)
}

/// `x`, as a constant to every derivative.
///
/// # Errors
/// None.
pub fn stop_gradient(x: &Array) -> Result<Array> {
    Array::apply(&STOP_GRADIENT, Params::None, &[x])
}

/// `x`, which must not be differentiated.
///
/// # Errors
/// None.
pub fn once(x: &Array) -> Result<Array> {
    Array::apply(&ONCE, Params::None, &[x])
}

/// `x`, once `what` is there.
///
/// # Errors
/// None.
pub fn after(x: &Array, what: &Array) -> Result<Array> {
    Array::apply(&AFTER, Params::None, &[x, what])
}

/// `x`, by a name that policies of `checkpoint` know it by.
///
/// # Errors
/// None.
pub fn checkpoint_name(x: &Array, name: &str) -> Result<Array> {
    Array::apply(&NAME, Params::Name(name.into()), &[x])
}
