//! Functions of elements by name: one row each. What a row means on numbers is in the loops, and in WGSL.
//!
//! Programs are written in `Map`. `Op` is the same list and the superinstructions behind it, which only the
//! CPU's fuse step writes.

use pullback_base::Dtype;

macro_rules! maps {
    (
        maps { $($name:ident $arity:literal $result:ident $cost:literal;)* }
        fused { $($fused:ident $fused_arity:literal $fused_cost:literal;)* }
    ) => {
        /// A function of one to four elements.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Map { $($name),* }

        impl Map {
            /// Every function, in the order of the table.
            pub const ALL: &[Map] = &[$(Map::$name),*];

            /// How many operands it takes.
            pub const fn arity(self) -> usize {
                [$($arity),*][self as usize]
            }

            /// Rough time per element in picoseconds, on AVX2. Only the grain rule reads it.
            pub const fn cost(self) -> usize {
                [$($cost),*][self as usize]
            }

            const fn result_kind(self) -> Kind {
                [$(Kind::$result),*][self as usize]
            }
        }

        /// What a tile kernel computes: a `Map`, or several in one pass. Its operands share one type, except that
        /// `Select` chooses by a truth value.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Op { $($name,)* $($fused),* }

        impl Op {
            /// Every operation, in the order of the table.
            pub const ALL: &[Op] = &[$(Op::$name,)* $(Op::$fused),*];

            /// How many operands it takes.
            pub const fn arity(self) -> usize {
                [$($arity,)* $($fused_arity),*][self as usize]
            }

            /// Rough time per element in picoseconds, as of `Map`.
            pub const fn cost(self) -> usize {
                [$($cost,)* $($fused_cost),*][self as usize]
            }

            /// The function of programs that this is, unless it is a superinstruction.
            pub const fn map(self) -> Option<Map> {
                match self { $(Op::$name => Some(Map::$name),)* _ => None }
            }
        }

        impl From<Map> for Op {
            fn from(map: Map) -> Op {
                match map { $(Map::$name => Op::$name),* }
            }
        }
    };
}

/// How the type of a result follows from the operands.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// All operands and the result share one type.
    Same,
    /// A truth value from operands that share one type.
    Truth,
    /// The first operand is a truth value, the others share the type of the result.
    Chosen,
}

maps! {
    maps {
        // one operand
        Neg 1 Same 40;      Abs 1 Same 40;      Sign 1 Same 50;     Square 1 Same 40;
        Floor 1 Same 50;    Ceil 1 Same 50;     Trunc 1 Same 50;    Round 1 Same 50;    Recip 1 Same 120;
        Sqrt 1 Same 150;    Rsqrt 1 Same 250;   Not 1 Same 40;
        Exp 1 Same 250;     Exp2 1 Same 250;    Expm1 1 Same 300;   Log 1 Same 350;     Log2 1 Same 350;
        Log10 1 Same 350;   Log1p 1 Same 450;   Sin 1 Same 400;     Cos 1 Same 400;     Tan 1 Same 600;
        Asin 1 Same 500;    Acos 1 Same 500;    Atan 1 Same 400;    Sinh 1 Same 500;    Cosh 1 Same 400;
        Tanh 1 Same 350;    Asinh 1 Same 900;   Acosh 1 Same 900;   Atanh 1 Same 700;   Sigmoid 1 Same 400;
        Erf 1 Same 500;     Erfinv 1 Same 900;
        // of complex numbers: parts exchanged; the real parts of two as parts of one
        Swap 1 Same 40;     Join 2 Same 40;
        IsNan 1 Truth 40;   IsInf 1 Truth 40;   IsFinite 1 Truth 40;
        // two operands; `Rem` and `FloorDiv` round down, as Python does
        Add 2 Same 40;      Sub 2 Same 40;      Mul 2 Same 40;      Div 2 Same 120;     Rem 2 Same 400;
        FloorDiv 2 Same 400; Max 2 Same 50;     Min 2 Same 50;      Pow 2 Same 3000;    Atan2 2 Same 600;
        Logaddexp 2 Same 900;
        And 2 Same 40;      Or 2 Same 40;       Xor 2 Same 40;      Shl 2 Same 60;      Shr 2 Same 60;
        Lt 2 Truth 50;      Le 2 Truth 50;      Gt 2 Truth 50;      Ge 2 Truth 50;
        Eq 2 Truth 50;      Ne 2 Truth 50;
        // three operands
        Select 3 Chosen 60;
    }
    fused {
        Cube 1 40;      ExpNeg 1 250;   ExpNegSquare 1 260;
        ExpSub 2 250;   ScaleTanh 2 350; ScaleErf 2 500;
        MulAdd 3 50;    MulSub 3 50;    NegMulAdd 3 50; AddMul 3 50;    SubMul 3 50;
        MulMul 3 50;    AddAdd 3 50;
        MulMulAdd 4 60; AddMulMul 4 60; MulAddMul 4 60; MulAddSub 4 60; SubMulMul 4 60;
        SelectLt 4 70;  SelectLe 4 70;  SelectEq 4 70;
    }
}

impl Op {
    /// The operand whose type selects the kernel.
    pub const fn key_operand(self) -> usize {
        matches!(self, Op::Select) as usize
    }

    /// The operation that gives the same value with its first two operands swapped, if there is one.
    pub const fn swapped(self) -> Option<Op> {
        Some(match self {
            Op::Lt => Op::Gt,
            Op::Le => Op::Ge,
            Op::Gt => Op::Lt,
            Op::Ge => Op::Le,
            Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Eq | Op::Ne => self,
            Op::Max | Op::Min | Op::MulAdd | Op::MulSub | Op::NegMulAdd | Op::AddMul | Op::MulMul => self,
            Op::AddAdd | Op::MulMulAdd | Op::AddMulMul | Op::MulAddMul | Op::MulAddSub => self,
            _ => return None,
        })
    }
}

impl Map {
    /// Type of the result, or why these operands do not fit.
    ///
    /// # Errors
    /// A sentence for a bug report: the compiler writes programs, so a misfit is its bug.
    pub fn result(self, args: &[Dtype]) -> Result<Dtype, String> {
        if args.len() != self.arity() {
            return Err(format!("[{self:?}] takes {} operands, not {}", self.arity(), args.len()));
        }
        let shared = match self.result_kind() {
            Kind::Chosen if args[0] != Dtype::Bool => {
                return Err(format!("[{self:?}] chooses by a bool, not {}", args[0]));
            }
            Kind::Chosen => &args[1..],
            _ => args,
        };
        if shared.iter().any(|&dtype| dtype != shared[0]) {
            return Err(format!("[{self:?}] operands of different types: {args:?}"));
        }
        Ok(if self.result_kind() == Kind::Truth { Dtype::Bool } else { shared[0] })
    }

    /// The operand whose type selects the kernel.
    pub const fn key_operand(self) -> usize {
        matches!(self.result_kind(), Kind::Chosen) as usize
    }
}

/// What a reduction computes. `Max` and `Min` keep NaN; integers wrap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Fold {
    Sum,
    Prod,
    Max,
    Min,
}
