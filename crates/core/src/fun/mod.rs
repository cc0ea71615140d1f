//! Functions of arrays: rows with broadcasting, promotion and checked arguments, and compositions of rows.
//!
//! A composition has no derivative of its own unless its numerics demand one: transforms see the rows.

pub mod arith;
pub mod index;
pub mod reduce;
pub mod scan;
pub mod shape;

pub use arith::*;
pub use reduce::*;
pub use shape::*;
