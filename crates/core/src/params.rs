//! Arguments of operations that are not arrays.

use std::sync::Arc;

use pullback_base::{Dtype, Shape};
use pullback_kernels::{Fourier, Packed, Slide, Vectors};

use crate::callback::HostCall;

/// Plain data: comparable, hashable, printable. Closures of the host are so by their identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Params {
    None,
    /// One axis.
    Axis(usize),
    /// Axes, sorted for a reduction, a permutation for a transposition.
    Axes(Vec<usize>),
    Shape(Shape),
    Dtype(Dtype),
    /// `shape[axis]` elements of each axis from `start[axis]`, `step[axis]` apart.
    Slice {
        start: Vec<usize>,
        step: Vec<isize>,
        shape: Shape,
    },
    /// Elements put into a larger array of shape `shape`: from `start[axis]`, `step[axis]` apart.
    Place {
        start: Vec<usize>,
        step: Vec<isize>,
        shape: Shape,
    },
    /// A running result along an axis.
    Scan {
        axis: usize,
        reverse: bool,
        inclusive: bool,
    },
    /// How windows slide along each spatial axis.
    Slides(Vec<Slide>),
    /// A view of shape `shape` into elements in order: from `offset`, `strides[axis]` apart.
    Strided {
        shape: Shape,
        strides: Vec<isize>,
        offset: usize,
    },
    /// A Fourier transform along an axis.
    Fourier(usize, Fourier),
    /// A count and a type: of an arange, of random words.
    Count(usize, Dtype),
    /// Which triangle of a matrix is meant: the upper one, or else the lower.
    Upper(bool),
    /// Whether a matrix is meant as its transpose.
    Transposed(bool),
    /// What a factorization makes beside values.
    Vectors(Vectors),
    /// What the codes of a matrix are, and how it is meant.
    Packed(Packed),
    /// What a user calls an array.
    Name(Arc<str>),
    /// A closure of the host, and what it returns.
    Host(Box<HostCall>),
}

impl Params {
    /// The axis of an operation along one.
    ///
    /// # Panics
    /// On params of another kind: a row that misreads its own params.
    pub fn axis(&self) -> usize {
        match self {
            Params::Axis(axis) | Params::Scan { axis, .. } | Params::Fourier(axis, _) => *axis,
            other => unreachable!("expected an axis, found {other:?}"),
        }
    }

    /// The axes of an axis-wise operation.
    ///
    /// # Panics
    /// As `axis`.
    pub fn axes(&self) -> &[usize] {
        match self {
            Params::Axes(axes) => axes,
            other => unreachable!("expected axes, found {other:?}"),
        }
    }

    /// The target shape.
    ///
    /// # Panics
    /// As `axis`.
    pub fn shape(&self) -> &Shape {
        match self {
            Params::Shape(shape)
            | Params::Slice { shape, .. }
            | Params::Place { shape, .. }
            | Params::Strided { shape, .. } => shape,
            other => unreachable!("expected a shape, found {other:?}"),
        }
    }

    /// The target type.
    ///
    /// # Panics
    /// As `axis`.
    pub fn dtype(&self) -> Dtype {
        match self {
            Params::Dtype(dtype) | Params::Count(_, dtype) => *dtype,
            other => unreachable!("expected a dtype, found {other:?}"),
        }
    }

    /// The Fourier transform.
    ///
    /// # Panics
    /// As `axis`.
    pub fn fourier(&self) -> Fourier {
        match self {
            Params::Fourier(_, fourier) => *fourier,
            other => unreachable!("expected a Fourier transform, found {other:?}"),
        }
    }

    /// Whether the other triangle, or the transpose, is meant.
    ///
    /// # Panics
    /// As `axis`.
    pub fn turned(&self) -> bool {
        match self {
            Params::Upper(turned) | Params::Transposed(turned) => *turned,
            other => unreachable!("expected a side of a matrix, found {other:?}"),
        }
    }

    /// What a factorization makes beside values.
    ///
    /// # Panics
    /// As `axis`.
    pub fn vectors(&self) -> Vectors {
        match self {
            Params::Vectors(vectors) => *vectors,
            other => unreachable!("expected vectors, found {other:?}"),
        }
    }

    /// The packed matrix.
    ///
    /// # Panics
    /// As `axis`.
    pub fn packed(&self) -> Packed {
        match self {
            Params::Packed(packed) => *packed,
            other => unreachable!("expected a packed matrix, found {other:?}"),
        }
    }

    /// The call of the host.
    ///
    /// # Panics
    /// As `axis`.
    pub fn host(&self) -> &HostCall {
        match self {
            Params::Host(call) => call,
            other => unreachable!("expected a call of the host, found {other:?}"),
        }
    }
}
