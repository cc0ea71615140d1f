//! Floor 2: what an array is, and every operation's row.
//!
//! `array` and `node` are the graph, `op` is what an operation must say of itself, `ops` the table, `fun` what
//! can be said by composing rows, `custom` what the graph holds of a function with rules of its own, `callback` what
//! it holds of a function that only the host can compute, `origin` what is known of nodes while somebody asks. Nothing
//! here evaluates, and nothing knows a thread or a device's memory.
#![forbid(unsafe_code)]

pub mod array;
pub mod callback;
pub mod custom;
pub mod fun;
mod live;
pub mod node;
pub mod op;
pub mod operators;
pub mod ops;
pub mod origin;
pub mod params;
pub mod place;
pub mod trace;

pub use array::{Array, Key};
pub use node::{Inputs, Node, NodeKind, Outputs, live_nodes};
pub use op::OpDef;
pub use params::Params;
