//! The laws: what must hold of every row of the table, on every device.
//!
//! A law takes a case, a row with one of its samples, and says how often it asked or what was wrong. A new row is
//! a new case everywhere, with no line written here.
#![forbid(unsafe_code)]

pub mod batch;
pub mod case;
pub mod derivative;
pub mod elements;
pub mod errors;
pub mod layout;
pub mod programs;
pub mod replay;
pub mod report;
pub mod value;

pub use case::{Case, cases};
pub use elements::{Rng, close, values};
pub use report::{Outcome, run};

/// A function of arrays, as transforms take it.
pub type Fun<'a> = dyn Fn(&[pullback::Array]) -> pullback::Result<Vec<pullback::Array>> + 'a;
