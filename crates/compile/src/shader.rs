//! A kernel in the text of a user: what there is to it, for whoever can run it.

use pullback_base::{Aval, Dtype};

/// What a text calls by a name instead of saying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Constant {
    Truth(bool),
    Int(i64),
    /// The type that holds elements of this one.
    Dtype(Dtype),
}

/// A kernel and the sizes of one call of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shader {
    /// For messages.
    pub name: String,
    /// What stands before the entry point.
    pub header: String,
    /// What the entry point does.
    pub source: String,
    /// Arrays that are read.
    pub inputs: Vec<(String, Aval)>,
    /// Arrays that are written.
    pub outputs: Vec<(String, Aval)>,
    /// Names that stand for constants.
    pub constants: Vec<(String, Constant)>,
    /// How many threads there are.
    pub grid: [u32; 3],
    /// How many of them belong together.
    pub workgroup: [u32; 3],
    /// Whether outputs are written by atomic operations.
    pub atomic: bool,
    /// What outputs are full of before.
    pub init: f64,
}
