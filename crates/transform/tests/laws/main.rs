//! The laws of custom rules and transforms, one file per mechanism.

// `&[x.clone()]` reads as the list of arguments that it is.
#![allow(clippy::cloned_ref_to_slice_refs, clippy::type_complexity)]

#[path = "../common/mod.rs"]
mod common;

mod api;
mod batching;
mod captured;
mod checks;
mod linearized;
mod modes;
mod plan;
mod random;
mod shared;
mod trace;
mod traced;
mod untouched;

mod prelude {
    pub use pullback_base::{Dtype, Error, ErrorKind, Result};
    pub use pullback_core::Array;
    pub use pullback_transform::custom::{Call, Captured, Custom, Missing, Value};
    pub use pullback_transform::{Fun, any_active, take_warnings, vjp};

    pub use crate::common::*;
}
