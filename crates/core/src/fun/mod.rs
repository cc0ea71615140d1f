//! Functions of arrays: rows with broadcasting, promotion and checked arguments, and compositions of rows.
//!
//! A composition has no derivative of its own unless its numerics demand one: transforms see the rows.

pub mod activation;
pub mod arith;
pub mod blocks;
pub mod complex;
pub mod contract;
pub mod conv;
pub mod einsum;
pub mod fft;
pub mod finite;
pub mod hadamard;
pub mod index;
pub mod interp;
pub mod join;
pub mod make;
pub mod minifloat;
pub mod order;
mod packed;
pub mod part;
pub mod quantize;
pub mod quantized;
pub mod random;
pub mod reduce;
pub mod scan;
pub mod shape;
pub mod signal;
pub mod stft;
pub mod subscript;
pub mod take;
pub mod unique;
pub mod view;

pub use activation::*;
pub use arith::*;
pub use blocks::*;
pub use complex::*;
pub use contract::*;
pub use conv::*;
pub use einsum::{einsum, einsum_path};
pub use finite::*;
pub use hadamard::*;
pub use interp::*;
pub use join::*;
pub use make::*;
pub use minifloat::{from_fp8, to_fp8};
pub use order::*;
pub use part::*;
pub use quantize::{Quantized, Scheme, dequantize, quantize};
pub use quantized::{Factor, Orientation, gather_qmm, gather_qqmm, qqmm, quantized_matmul};
pub use reduce::*;
pub use shape::*;
pub use signal::*;
pub use take::*;
pub use unique::*;
pub use view::*;
