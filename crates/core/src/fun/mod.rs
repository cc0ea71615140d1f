//! Functions of arrays: rows with broadcasting, promotion and checked arguments, and compositions of rows.
//!
//! A composition has no derivative of its own unless its numerics demand one: transforms see the rows.

pub mod activation;
pub mod arith;
pub mod complex;
pub mod contract;
pub mod einsum;
pub mod finite;
pub mod index;
pub mod join;
pub mod linalg;
pub mod make;
pub mod norm;
pub mod order;
pub mod part;
pub mod random;
pub mod reduce;
pub mod scan;
pub mod shape;
pub mod signal;
pub mod subscript;
pub mod take;
pub mod view;

pub use activation::*;
pub use arith::*;
pub use complex::*;
pub use contract::*;
pub use einsum::{einsum, einsum_path};
pub use finite::*;
pub use join::*;
pub use make::*;
pub use order::*;
pub use part::*;
pub use reduce::*;
pub use shape::*;
pub use signal::*;
pub use take::*;
pub use view::*;
