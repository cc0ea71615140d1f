//! Floor 0: the words that every room speaks in.
//!
//! Here is what can be said of an array without its elements (dtype, shape, layout), the scalar, the
//! device, the error, and the handle to a block of memory. No graph, no operation, no thread.
#![forbid(unsafe_code)]

pub mod aval;
pub mod device;
pub mod dtype;
pub mod error;
pub mod layout;
pub mod limits;
pub mod promote;
pub mod scalar;
pub mod shape;
pub mod storage;
pub mod usage;

pub use aval::Aval;
pub use device::Device;
pub use dtype::{Dtype, Kind};
pub use error::{Error, ErrorKind, Result};
pub use layout::Layout;
pub use scalar::Scalar;
pub use shape::Shape;
pub use storage::{Buffer, Storage};
