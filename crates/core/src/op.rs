//! What an operation must say of itself.
//!
//! `OpDef` has no default, so a row that leaves a column out does not compile. A column that cannot be filled
//! says so in words (`Diff::Opaque`, `Batch::Missing`): a gap is a statement that users can read.

use pullback_base::{Aval, Dtype, Error, Kind, Layout, Result, Shape};
use pullback_kernels::{Fold, Map, Whole};
use smallvec::{SmallVec, smallvec};

use crate::array::{Array, mismatch};
use crate::params::Params;

/// One row of the table.
pub struct OpDef {
    /// The name that users see.
    pub name: &'static str,
    /// The docstring.
    pub doc: &'static str,
    /// Names of the operands.
    pub args: &'static [&'static str],
    /// Element types that the operands may have.
    pub dtypes: Dtypes,
    /// Types of the results.
    pub infer: Infer,
    /// Its derivative.
    pub diff: Diff,
    /// Its batched form.
    pub batch: Batch,
    /// How devices compute it.
    pub kernel: Kernel,
    /// How Python gets a function from it.
    pub api: Api,
    /// Inputs on which every law is checked.
    pub test: Test,
}

/// Types of operands, as a set of families; what is narrower is lifted by the function of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtypes {
    /// Floats and complex numbers; integers and booleans are lifted to `float32`.
    Inexact,
    /// Floats; integers and booleans are lifted to `float32`.
    Float,
    /// `float32`, `float64` and `complex64`, which linear algebra is made for; integers and booleans are lifted to
    /// `float32`.
    Precise,
    /// All but complex.
    Real,
    /// All but complex and boolean; booleans are lifted to `int32`.
    RealNumber,
    /// All but boolean; booleans are lifted to `int32`.
    Number,
    /// Integers and booleans.
    Integral,
    /// Integers; booleans are lifted to `uint8`.
    Integer,
    /// Booleans; everything else is compared with zero.
    Bool,
    /// `float32`, and real numbers lifted to it.
    Single,
    /// `complex64`, and everything lifted to it.
    Complex,
    /// Everything.
    Any,
}

impl Dtypes {
    /// Whether an operand of this type is taken as it is.
    #[inline]
    pub fn has(self, dtype: Dtype) -> bool {
        let kind = dtype.kind();
        match self {
            Dtypes::Inexact => kind >= Kind::Float,
            Dtypes::Float => kind == Kind::Float,
            Dtypes::Precise => kind >= Kind::Float && dtype.size() >= 4,
            Dtypes::Real => kind != Kind::Complex,
            Dtypes::RealNumber => kind != Kind::Complex && kind != Kind::Bool,
            Dtypes::Number => kind != Kind::Bool,
            Dtypes::Integral => kind < Kind::Float,
            Dtypes::Integer => kind < Kind::Float && kind != Kind::Bool,
            Dtypes::Bool => kind == Kind::Bool,
            Dtypes::Single => dtype == Dtype::F32,
            Dtypes::Complex => kind == Kind::Complex,
            Dtypes::Any => true,
        }
    }

    /// The type in which an operand of type `dtype` is taken, if it can be.
    pub fn lift(self, dtype: Dtype) -> Option<Dtype> {
        if self.has(dtype) {
            return Some(dtype);
        }
        match self {
            Dtypes::Inexact | Dtypes::Float | Dtypes::Precise if dtype.kind() < Kind::Float => {
                Some(Dtype::F32)
            }
            Dtypes::RealNumber | Dtypes::Number if dtype.kind() == Kind::Bool => Some(Dtype::I32),
            Dtypes::Integer if dtype.kind() == Kind::Bool => Some(Dtype::U8),
            Dtypes::Bool => Some(Dtype::Bool),
            Dtypes::Single if dtype.kind() < Kind::Complex => Some(Dtype::F32),
            Dtypes::Complex => Some(Dtype::C64),
            _ => None,
        }
    }

    /// The families in words.
    pub fn words(self) -> &'static str {
        match self {
            Dtypes::Inexact => "a float or complex type",
            Dtypes::Float => "a float type",
            Dtypes::Precise => "float32, float64 or complex64",
            Dtypes::Real => "a real type",
            Dtypes::RealNumber => "an integer or float type",
            Dtypes::Number => "a number type",
            Dtypes::Integral => "an integer or boolean type",
            Dtypes::Integer => "an integer type",
            Dtypes::Bool => "booleans",
            Dtypes::Single => "float32",
            Dtypes::Complex => "complex64",
            Dtypes::Any => "any type",
        }
    }
}

/// Types of the results of a row.
pub type Results = SmallVec<[Aval; 1]>;

/// Column `infer`. The types of operands have been checked against `dtypes` when a custom rule runs, except that
/// only `Same` and `Truth` compare operands with each other.
pub enum Infer {
    /// All operands and the result share one shape and type.
    Same,
    /// All operands share one shape and type, the result is a truth value.
    Truth,
    /// One result, by rule.
    One(fn(&Params, &[&Aval]) -> Result<Aval>),
    /// Several results.
    Many(fn(&Params, &[&Aval]) -> Result<Results>),
}

/// d(result)/d(operand), elementwise, from the operands and the result.
pub type Partial = fn(&[Array], &Array) -> Array;
/// Cotangent of one operand, given all operands and the cotangent of the result. Of the operands it may use the
/// types, and the elements of those that only steer.
pub type Transpose = fn(&Params, &[Array], &Array) -> Result<Array>;
/// Cotangent of one operand of a product, given its type, the other operand and the cotangent of the result.
pub type CrossTranspose = fn(&Params, &Array, &Aval, &Array) -> Result<Array>;
/// Tangent of the results, from operands, results and tangents; `None` is zero.
pub type Jvp = fn(&Params, &[Array], &[Array], &[Option<Array>]) -> Result<Vec<Option<Array>>>;
/// Cotangents of the operands, from operands, results and cotangents; `None` is zero.
pub type Vjp = fn(&Params, &[Array], &[Array], &[Option<Array>]) -> Result<Vec<Option<Array>>>;

/// Column `diff`. Forward and reverse mode are read off one rule where they can be; where a transpose or both
/// modes are stated, the inner-product law ties them.
pub enum Diff {
    /// Diagonal Jacobian: one derivative per operand; `None` where the operand has no tangent.
    Pointwise(&'static [Option<Partial>]),
    /// Jointly linear in the operands that have a transpose; the others only steer.
    Linear(&'static [Option<Transpose>]),
    /// Jointly linear in any number of operands; the transpose of operand `i`.
    LinearAll(fn(&Params, &[Array], usize, &Array) -> Result<Array>),
    /// Linear in each of two operands.
    Bilinear(CrossTranspose, CrossTranspose),
    /// Constant almost everywhere, or of no inexact type.
    Zero,
    /// Both modes.
    Custom {
        /// Forward.
        jvp: Jvp,
        /// Reverse.
        vjp: Vjp,
    },
    /// Not differentiable, and why.
    Opaque(&'static str),
}

/// Operands and where their batch axis is -> results and where it is.
pub type BatchRule = fn(&Params, &[Array], &[Option<usize>], usize) -> Result<Vec<(Array, Option<usize>)>>;

/// Column `batch`.
pub enum Batch {
    /// The operation itself, with its params moved over by one axis: operands arrive with the batch axis in
    /// front, the results leave the same way. Arguments: params, batch size, number of axes of each unbatched
    /// operand.
    Lead(fn(&Params, usize, &[&Aval]) -> Params),
    /// By rule.
    Custom(BatchRule),
    /// No batched form, and why.
    Missing(&'static str),
}

/// A kernel over whole arrays, and the canonical shapes (see `Whole`) in which it sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeCall {
    /// Which kernel.
    pub whole: Whole,
    /// Canonical shapes of the operands.
    pub shapes: Vec<Shape>,
    /// Canonical shape of the first result.
    pub shape: Shape,
}

/// Column `kernel`: how devices compute it. The compiler reads this and never the name.
pub enum Kernel {
    /// A function of elements; fuses with whatever touches it.
    Map(Map),
    /// Conversion to the type of the result.
    Cast,
    /// The same bits in the type of the result, of the same size.
    Bitcast,
    /// A reduction over `params.axes()`.
    Fold(Fold),
    /// Only index arithmetic: the layout of the result in the block of the operand, from its params and the
    /// shape of the result. `None` where that takes a copy first.
    View(fn(&Params, &Layout, &Shape) -> Option<Layout>),
    /// A kernel over whole arrays.
    Whole(fn(&Params, &[&Aval], &Aval) -> WholeCall),
    /// A closure of the host, see `callback`.
    Host,
}

/// Column `api`: what Python makes of the row by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `name(a, /, *, stream=None)`
    Unary,
    /// `name(a, b, /, *, stream=None)`, with broadcasting and promotion.
    Binary,
    /// Nothing: a function of `fun` with arguments of its own stands before it.
    Composed,
}

/// Elements of the result, from operands with their elements and the type of the result.
pub type ByDefinition = fn(&Params, &[(&Aval, &[f64])], &Aval) -> Vec<f64>;

/// The value by an independent way, in f64.
pub enum Reference {
    /// Of one element of each operand.
    Each(fn(&[f64]) -> f64),
    /// Of whole operands.
    Whole(ByDefinition),
    /// Checked by tests of its own, and where.
    Elsewhere(&'static str),
}

/// Column `test`.
pub struct Test {
    /// The value.
    pub reference: Reference,
    /// Operand shapes, params, intervals.
    pub samples: &'static [Sample],
    /// How far a result in `float32` may be from the reference rounded to it, in units in the last place.
    pub ulps: f64,
}

/// One set of operands.
pub struct Sample {
    /// Their shapes.
    pub shapes: &'static [&'static [usize]],
    /// Their types; `float` ones are also tried in the other float types.
    pub dtypes: &'static [Dtype],
    /// Params.
    pub params: fn() -> Params,
    /// Elements are drawn from this interval.
    pub domain: (f64, f64),
}

impl OpDef {
    /// Types of the results.
    ///
    /// # Errors
    /// `Type` for an operand of a type the row does not take, `Value` for operands that do not fit together.
    pub fn infer(&self, params: &Params, avals: &[&Aval]) -> Result<Results> {
        if let Some(aval) = avals.iter().find(|aval| !self.dtypes.has(aval.dtype)) {
            let want = self.dtypes.words();
            return Err(Error::type_(format!("[{}] expected {want}, got {}", self.name, aval.dtype)));
        }
        let same = || match avals[1..].iter().find(|aval| **aval != avals[0]) {
            Some(_) => Err(mismatch(self.name, "operands of one shape and type", avals)),
            None => Ok(avals[0]),
        };
        Ok(match self.infer {
            Infer::Same => smallvec![same()?.clone()],
            Infer::Truth => smallvec![same()?.retyped(Dtype::Bool)],
            Infer::One(rule) => smallvec![rule(params, avals)?],
            Infer::Many(rule) => rule(params, avals)?,
        })
    }
}

impl std::fmt::Debug for OpDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares rows, and the list of them, in one stroke: a row cannot be left off the list. The doc comment of a
/// row becomes its text in Python.
#[macro_export]
macro_rules! ops {
    ($( $(#[doc = $doc:literal])+ $NAME:ident = $name:literal ($($arg:literal),*) { $($column:ident: $rule:expr),+ $(,)? } )+) => {
        $(
            $(#[doc = $doc])+
            pub static $NAME: $crate::op::OpDef = $crate::op::OpDef {
                name: $name,
                doc: concat!($($doc, "\n"),+),
                args: &[$($arg),*],
                $($column: $rule),+
            };
        )+
        pub(super) static ROWS: &[&$crate::op::OpDef] = &[$(&$NAME),+];
    };
}
