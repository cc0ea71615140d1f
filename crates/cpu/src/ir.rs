//! What the tile machine plans: a program over rows × columns, with everything about layouts decided.
//!
//! `translate` makes one of a group program and the way its inputs turned out to lie in memory; `fuse` puts
//! superinstructions in; `plan` makes tile code of it.

use pullback_base::Dtype;
use pullback_kernels::{Fold, Op};

/// A value: the index of the instruction that computes it.
pub(crate) type Val = u16;

/// How an input spans rows × columns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Layout {
    /// One element per point, in order. Read in place.
    Full,
    /// One element per column, the same for every row (a bias). Read in place where rows are long.
    Row,
    /// One element per row.
    Col,
    /// One element for all.
    Scalar,
    /// The elements of a row in order, rows anywhere. Read in place where rows are long.
    Pitched,
    /// Any stride per row and per column, given with each run.
    Strided,
}

/// What a reduction runs over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Axis {
    /// The columns of each row. The result has one element per row and may be used further.
    Inner,
    /// The rows of each column. The result may only be stored.
    Outer,
    /// Everything. The result may only be stored.
    All,
}

/// One instruction. Operands come before their users.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Inst {
    /// A constant, as the bits of its type.
    Const { bits: u64 },
    /// An input.
    Load { input: u8, layout: Layout },
    /// An operation on elements. Unused operands repeat the first.
    Map { op: Op, args: [Val; 4] },
    /// Conversion to the value's type.
    Cast { arg: Val },
    /// The same bits in another type of the same size.
    Bitcast { arg: Val },
    /// A reduction.
    Reduce { fold: Fold, axis: Axis, arg: Val },
    /// Writes a value to an output: one element per point, or `per_row`. What `Outer` and `All` give has its own
    /// shape.
    Store { output: u8, arg: Val, per_row: bool },
}

impl Inst {
    /// Its operands.
    pub(crate) fn args(&self) -> &[Val] {
        match self {
            Inst::Const { .. } | Inst::Load { .. } => &[],
            Inst::Map { op, args } => &args[..op.arity()],
            Inst::Cast { arg }
            | Inst::Bitcast { arg }
            | Inst::Reduce { arg, .. }
            | Inst::Store { arg, .. } => std::slice::from_ref(arg),
        }
    }

    /// Its operands, to rename.
    pub(crate) fn args_mut(&mut self) -> &mut [Val] {
        match self {
            Inst::Const { .. } | Inst::Load { .. } => &mut [],
            Inst::Map { op, args } => &mut args[..op.arity()],
            Inst::Cast { arg }
            | Inst::Bitcast { arg }
            | Inst::Reduce { arg, .. }
            | Inst::Store { arg, .. } => std::slice::from_mut(arg),
        }
    }
}

/// A program on rows × columns.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tiled {
    /// The instructions.
    pub insts: Vec<Inst>,
    /// The type of each value.
    pub types: Vec<Dtype>,
}

impl Tiled {
    pub(crate) fn push(&mut self, inst: Inst, dtype: Dtype) -> Val {
        self.insts.push(inst);
        self.types.push(dtype);
        (self.insts.len() - 1) as Val
    }
}
