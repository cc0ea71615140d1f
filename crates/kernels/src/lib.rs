//! Floor 1: loops over elements. Slices in, slices out; no graph, no threads.
//!
//! `map`, `fold` and `whole` name what there is, for every device; the other modules are the loops.

pub mod map;
pub mod whole;

pub use map::{Fold, Map};
pub use whole::{Cumulate, Scatter, Whole};
