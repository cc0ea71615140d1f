//! Floor 3: from a graph to programs that a device runs, fast.
//!
//! order -> share -> group -> emit -> schedule. `program` is what a group is, `plan` what a device gets to run,
//! `backend` what a device must be able to do, `cache` what keeps plans. Nothing here evaluates.
#![forbid(unsafe_code)]

pub mod backend;
pub mod cache;
pub mod emit;
pub mod explain;
pub mod group;
pub mod order;
pub mod plan;
pub mod program;
pub mod schedule;
pub mod shader;
pub mod share;

pub use backend::Backend;
pub use cache::Plans;
pub use plan::{GroupStep, HostStep, Operand, Slot, Step, Task, WholeStep};
pub use program::{Inst, Program, Val};
pub use schedule::{Backends, Plan};
