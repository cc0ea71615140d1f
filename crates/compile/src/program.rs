//! Group programs: straight-line code in single assignment over the points of a space.
//!
//! The CPU assembles one for its tile machine, the GPU prints it as WGSL; both cache by it. So it holds
//! structure and types only: sizes, strides and blocks come with each run.

use pullback_base::{Dtype, Kind};
use pullback_kernels::{Fold, Map};

/// A value: the index of the instruction that computes it.
pub type Val = u16;

/// One instruction. Operands come before their users.
///
/// The type of a value is in `Program::types`. Arithmetic (`Map`, `Reduce`) works on computing types only (see
/// `computing`); what memory holds in a narrower type is cast after its load and before its store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Inst {
    /// A constant: bits of its type, low bytes first.
    Const {
        /// The bits.
        bits: u64,
    },
    /// An element of an input, in the type that memory holds.
    Load {
        /// Which input.
        input: u8,
    },
    /// A function of elements. Unused operands repeat the first.
    Map {
        /// The function.
        map: Map,
        /// Its operands.
        args: [Val; 3],
    },
    /// Conversion to the value's type, as NumPy converts: float to integer cuts, to bool asks for non-zero.
    Cast {
        /// What is converted.
        arg: Val,
    },
    /// The same bits in a type of the same size.
    Bitcast {
        /// What is looked at.
        arg: Val,
    },
    /// A reduction over all reduced axes of the space. What uses it lives on the kept axes alone.
    Reduce {
        /// How.
        fold: Fold,
        /// Of what.
        arg: Val,
    },
    /// Writes a value to an output, in the type of the value: one element per point, or per point of the kept
    /// axes if the value is made of reductions.
    Store {
        /// Which output.
        output: u8,
        /// What is written.
        arg: Val,
    },
}

impl Inst {
    /// Its operands.
    pub fn args(&self) -> &[Val] {
        match self {
            Inst::Const { .. } | Inst::Load { .. } => &[],
            Inst::Map { map, args } => &args[..map.arity()],
            Inst::Cast { arg }
            | Inst::Bitcast { arg }
            | Inst::Reduce { arg, .. }
            | Inst::Store { arg, .. } => std::slice::from_ref(arg),
        }
    }
}

/// How an input spans the space; one class, one kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// One element per point of the space, in order.
    Full,
    /// One element for all points.
    Scalar,
    /// A stride per axis, given with each run.
    Strided,
}

/// A finished program.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Program {
    /// The instructions.
    pub insts: Vec<Inst>,
    /// The type of each value; of a store, of what it writes.
    pub types: Vec<Dtype>,
    /// How each input spans the space.
    pub inputs: Vec<Class>,
    /// How many outputs it writes.
    pub outputs: u8,
}

/// The type in which elements of `dtype` are computed on: half floats in f32, narrow integers in i32 (and cut
/// back after every instruction, so that they wrap).
pub const fn computing(dtype: Dtype) -> Dtype {
    match dtype {
        Dtype::F16 | Dtype::Bf16 => Dtype::F32,
        Dtype::U8 | Dtype::U16 | Dtype::I8 | Dtype::I16 => Dtype::I32,
        other => other,
    }
}

impl Program {
    /// Appends an instruction whose value has type `dtype`.
    ///
    /// # Panics
    /// If the program grows beyond 65535 instructions; groups are far smaller.
    pub fn push(&mut self, inst: Inst, dtype: Dtype) -> Val {
        self.insts.push(inst);
        self.types.push(dtype);
        (self.insts.len() - 1).try_into().expect("a group has fewer than 65536 instructions")
    }

    /// The next input, widened to its computing type.
    pub fn load(&mut self, dtype: Dtype, class: Class) -> Val {
        let input = self.inputs.len() as u8;
        self.inputs.push(class);
        let value = self.push(Inst::Load { input }, dtype);
        self.cast(computing(dtype), value)
    }

    /// A function of elements, of the type that the array program says (`dtype` may be narrow).
    ///
    /// # Panics
    /// On operands that do not fit: the compiler's bug.
    pub fn map(&mut self, map: Map, args: &[Val], dtype: Dtype) -> Val {
        let types: Vec<Dtype> = args.iter().map(|&arg| self.dtype(arg)).collect();
        let result = map.result(&types).unwrap_or_else(|message| panic!("{message}"));
        let mut all = [args[0]; 3];
        all[..args.len()].copy_from_slice(args);
        let value = self.push(Inst::Map { map, args: all }, result);
        self.narrow(value, dtype)
    }

    /// What is left of a value of a computing type when memory of type `dtype` had held it.
    pub fn narrow(&mut self, value: Val, dtype: Dtype) -> Val {
        let wide = self.dtype(value);
        // Half floats keep their extra bits within a group, as fused kernels everywhere do.
        if dtype == wide || matches!(dtype.kind(), Kind::Float) || dtype == Dtype::Bool {
            return value;
        }
        let cut = self.cast(dtype, value);
        self.cast(wide, cut)
    }

    /// Conversion; none if the type is right already.
    pub fn cast(&mut self, to: Dtype, arg: Val) -> Val {
        if self.dtype(arg) == to { arg } else { self.push(Inst::Cast { arg }, to) }
    }

    /// Writes a value to the next output, converting it to `dtype`.
    pub fn store(&mut self, dtype: Dtype, arg: Val) {
        let arg = self.cast(dtype, arg);
        let output = self.outputs;
        self.outputs += 1;
        self.push(Inst::Store { output, arg }, dtype);
    }

    /// The type of a value.
    pub fn dtype(&self, value: Val) -> Dtype {
        self.types[value as usize]
    }

    /// Whether it reduces.
    pub fn reduces(&self) -> bool {
        self.insts.iter().any(|inst| matches!(inst, Inst::Reduce { .. }))
    }
}
