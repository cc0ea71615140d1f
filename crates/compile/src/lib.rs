//! Floor 3: from a graph to programs that a device runs, fast.
//!
//! order -> share -> group -> plan. `program` is what a group is, `plan` what a device gets to run, `backend`
//! what a device must be able to do. Nothing here evaluates.
#![forbid(unsafe_code)]

pub mod backend;
pub mod plan;
pub mod program;

pub use backend::Backend;
pub use plan::{GroupStep, Operand, Slot, Step, Task, WholeStep};
pub use program::{Inst, Program, Val};
