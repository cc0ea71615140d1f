//! Floor 1: loops over elements. Slices in, slices out; no graph, no threads.
//!
//! `map` and `whole` name what there is, for every device. The loops: `tile` on short vectors, chained by the tile
//! machine, built for several instruction sets (`isa`) from own functions (`math`); `array` over whole arrays.

pub mod array;
pub mod element;
pub mod isa;
pub mod map;
pub mod math;
pub mod tile;
pub mod whole;

#[doc(hidden)]
pub use half;
#[doc(hidden)]
pub use pullback_base as base;

pub use isa::Isa;
pub use map::{Fold, Map, Op};
pub use whole::{Codes, Cumulate, Fourier, Linalg, Packed, Scale, Scatter, Slide, Spectrum, Vectors, Whole};
