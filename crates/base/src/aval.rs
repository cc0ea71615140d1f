//! The abstract value: what is known of an array before its elements are.

use std::fmt;

use crate::{Dtype, Shape};

/// Shape and dtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Aval {
    pub shape: Shape,
    pub dtype: Dtype,
}

impl Aval {
    /// A shape and a dtype.
    pub fn new(shape: impl Into<Shape>, dtype: Dtype) -> Aval {
        Aval { shape: shape.into(), dtype }
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.size() * self.dtype.size()
    }

    /// The same dtype in another shape.
    pub fn reshaped(&self, shape: impl Into<Shape>) -> Aval {
        Aval { shape: shape.into(), dtype: self.dtype }
    }

    /// The same shape in another dtype.
    pub fn retyped(&self, dtype: Dtype) -> Aval {
        Aval { shape: self.shape.clone(), dtype }
    }
}

impl fmt::Display for Aval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype, &self.shape[..])
    }
}
