//! Floor 3: from a function and its graph to the graph of its derivative, of its batch, of its recomputation.
//!
//! Reading order: `stack` (which traces are active), `walk` (what a transform visits), `forward`, `reverse`,
//! `linearized`, `batch` and `vmap`, `substitute`, `branch` and `traced`; then `custom`, for which the rest is there; then `resolve`,
//! by which whoever evaluates sees a graph without custom functions, and `recorded`, by which a person sees all of it; last `fast`,
//! functions of ours with rules of their own. Nothing here evaluates.
//!
//! ```
//! use pullback_base::{Dtype, Scalar};
//! use pullback_core::Array;
//! use pullback_transform::{grad, vmap};
//!
//! # fn main() -> pullback_base::Result<()> {
//! let x = Array::scalar(Scalar::Float(3.), Dtype::F32);
//! let slope = grad(&|x| Ok(vec![&x[0] * &x[0]]), &[x.clone()], &[0])?;
//! assert_eq!(slope[0].dtype(), Dtype::F32);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod custom;
pub mod fast;
pub mod forward;
pub mod linearized;
pub mod recorded;
pub mod resolve;
pub mod reverse;
pub mod traced;
pub mod vmap;
pub mod walk;

mod batch;
mod branch;
mod few;
mod stack;
mod substitute;

use pullback_base::Result;
use pullback_core::Array;
use smallvec::SmallVec;

pub use branch::branch;
pub use custom::checkpoint::checkpoint_name;
pub use custom::{Custom, Policy, checkpoint, checkpoint_with, take_warnings};
pub use forward::{jvp, jvp_dense};
pub use linearized::{Pushforward, Transposed, linear_transpose, linearize};
pub use pullback_core::fun::stop_gradient;
pub use recorded::{Recorded, record};
pub use resolve::resolve;
pub use reverse::{Pullback, grad, value_and_grad, vjp};
pub use stack::{Outside, any_active, effect, outside, unmapped};
pub use traced::{Traced, closed, trace, trace_at};
pub use vmap::{Out, batch_size, out_axis, vmap, vmap_outs};

/// A function of arrays.
pub type Fun<'a> = dyn Fn(&[Array]) -> Result<Vec<Array>> + 'a;

/// Tangents or cotangents of some arrays, in place where there are few; `None` is zero.
pub(crate) type Derivatives = SmallVec<[Option<Array>; 2]>;

/// The sum of two terms, either of which may be the zero that nobody built.
pub(crate) fn add(x: Option<Array>, y: Option<Array>) -> Result<Option<Array>> {
    match (x, y) {
        (Some(x), Some(y)) => pullback_core::fun::add(&x, &y).map(Some),
        (x, y) => Ok(x.or(y)),
    }
}

/// `n` things, in words.
pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
