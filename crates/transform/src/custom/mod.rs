//! Custom functions: one kind of node, and all that happens at it.
//!
//! `function` is the door for Rust; `door` how a call becomes a node, whatever the language; `check` what a rule
//! may return; `derive` forward and reverse mode at the node; `linear` when a rule may be transposed; `batched`
//! vmap at the node; `apart` a call that no vmap maps; `checkpoint` a rule of our own.

pub mod checkpoint;
pub mod door;
pub mod function;

pub(crate) mod apart;
pub(crate) mod batched;
pub(crate) mod check;
pub(crate) mod derive;
pub(crate) mod linear;

pub use checkpoint::{Policy, checkpoint, checkpoint_with};
pub use door::{call, take_warnings};
pub use function::Custom;
pub use pullback_core::custom::{Call, Captured, Missing, Offers, Owner, Rules, Site, Value};
