//! pullback: a lazy array engine in which your own derivative rules hold everywhere.
//!
//! Arrays are nodes of a graph; nothing is computed until somebody asks. `transform` turns functions into their
//! derivatives and batches, `custom` gives a function rules of its own, `eval` computes.
//!
//! ```
//! use pullback::{array, fun, to_f64};
//!
//! let x = array(&[1., 2., 3.], &[3])?;
//! let y = fun::exp(&(&x * 2.))?;
//! assert!((to_f64(&y)?[0] - 2f64.exp()).abs() < 1e-5);
//! # Ok::<(), pullback::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod anomaly;
mod calls;
pub mod devices;
pub mod eval;
pub mod exported;
pub mod host;
pub mod info;
pub mod memory;
mod wgsl;

pub use devices::{available, synchronize};
pub use eval::{eval, explain, kernels, plans, settle, take_notices};
pub use host::{array, from_bytes, from_f64, host, to_f64};
pub use info::info;
pub use pullback_base::{
    Aval, Device, Dtype, Error, ErrorKind, Kind, Result, Scalar, Shape, Storage, limits, promote, shape,
};
pub use pullback_compile::backend::Poll;
pub use pullback_compile::shader;
pub use pullback_core::{
    Array, Inputs, Node, NodeKind, Outputs, Params, callback, custom, fun, live_nodes, op, ops, origin,
    place, trace,
};
pub use pullback_transform as transform;
pub use wgsl::{check_shader, wgsl_kernel};
