//! Superinstructions: two instructions that are one pass over a tile.
//!
//! Every instruction saved is a load and a store less per element. A rule names an outer operation, which of
//! its operands is the inner one, and the operation that does both; rules apply to their own results, so
//! chains of three are found too. An inner value with another user stays as it is.
//!
//! Products feeding sums become fused multiply-adds where the target has them. So results differ in the last
//! place between AVX2 and the baseline, as they do in every compiler that contracts.

use pullback_kernels::{Isa, Op, tile};

use crate::ir::{Inst, Tiled, Val};

/// Where an operand of the fused operation comes from.
#[derive(Clone, Copy)]
enum Pick {
    /// Operand of the inner operation.
    In(usize),
    /// Operand of the outer operation.
    Out(usize),
}
use Pick::{In, Out};

struct Rule {
    outer: Op,
    at: usize,
    inner: Op,
    fused: Op,
    args: &'static [Pick],
}

const fn rule(outer: Op, at: usize, inner: Op, fused: Op, args: &'static [Pick]) -> Rule {
    Rule { outer, at, inner, fused, args }
}

/// The rules, in order of preference for one outer operation.
const RULES: &[Rule] = &[
    rule(Op::Add, 0, Op::MulMul, Op::MulMulAdd, &[In(0), In(1), In(2), Out(1)]),
    rule(Op::Add, 1, Op::MulMul, Op::MulMulAdd, &[In(0), In(1), In(2), Out(0)]),
    rule(Op::Add, 0, Op::Mul, Op::MulAdd, &[In(0), In(1), Out(1)]),
    rule(Op::Add, 1, Op::Mul, Op::MulAdd, &[In(0), In(1), Out(0)]),
    rule(Op::Add, 0, Op::Add, Op::AddAdd, &[In(0), In(1), Out(1)]),
    rule(Op::Add, 1, Op::Add, Op::AddAdd, &[In(0), In(1), Out(0)]),
    rule(Op::Sub, 0, Op::MulAdd, Op::MulAddSub, &[In(0), In(1), In(2), Out(1)]),
    rule(Op::Sub, 0, Op::Mul, Op::MulSub, &[In(0), In(1), Out(1)]),
    rule(Op::Sub, 1, Op::Mul, Op::NegMulAdd, &[In(0), In(1), Out(0)]),
    rule(Op::Mul, 0, Op::MulAdd, Op::MulAddMul, &[In(0), In(1), In(2), Out(1)]),
    rule(Op::Mul, 1, Op::MulAdd, Op::MulAddMul, &[In(0), In(1), In(2), Out(0)]),
    rule(Op::Mul, 0, Op::SubMul, Op::SubMulMul, &[In(0), In(1), In(2), Out(1)]),
    rule(Op::Mul, 1, Op::SubMul, Op::SubMulMul, &[In(0), In(1), In(2), Out(0)]),
    rule(Op::Mul, 0, Op::Add, Op::AddMul, &[In(0), In(1), Out(1)]),
    rule(Op::Mul, 1, Op::Add, Op::AddMul, &[In(0), In(1), Out(0)]),
    rule(Op::Mul, 0, Op::Sub, Op::SubMul, &[In(0), In(1), Out(1)]),
    rule(Op::Mul, 1, Op::Sub, Op::SubMul, &[In(0), In(1), Out(0)]),
    rule(Op::AddMul, 2, Op::Mul, Op::AddMulMul, &[Out(0), Out(1), In(0), In(1)]),
    rule(Op::Mul, 0, Op::Mul, Op::MulMul, &[In(0), In(1), Out(1)]),
    rule(Op::Mul, 1, Op::Mul, Op::MulMul, &[In(0), In(1), Out(0)]),
    rule(Op::Exp, 0, Op::Neg, Op::ExpNeg, &[In(0)]),
    rule(Op::Exp, 0, Op::Sub, Op::ExpSub, &[In(0), In(1)]),
    rule(Op::ExpNeg, 0, Op::Square, Op::ExpNegSquare, &[In(0)]),
    rule(Op::Tanh, 0, Op::Mul, Op::ScaleTanh, &[In(0), In(1)]),
    rule(Op::Erf, 0, Op::Mul, Op::ScaleErf, &[In(0), In(1)]),
    rule(Op::Select, 0, Op::Lt, Op::SelectLt, &[In(0), In(1), Out(1), Out(2)]),
    rule(Op::Select, 0, Op::Gt, Op::SelectLt, &[In(1), In(0), Out(1), Out(2)]),
    rule(Op::Select, 0, Op::Le, Op::SelectLe, &[In(0), In(1), Out(1), Out(2)]),
    rule(Op::Select, 0, Op::Ge, Op::SelectLe, &[In(1), In(0), Out(1), Out(2)]),
    rule(Op::Select, 0, Op::Eq, Op::SelectEq, &[In(0), In(1), Out(1), Out(2)]),
];

/// The program with superinstructions, and without values that nothing uses.
pub(crate) fn fuse(program: &Tiled, isa: Isa) -> Tiled {
    let mut uses = vec![0usize; program.insts.len()];
    for inst in &program.insts {
        for &arg in inst.args() {
            uses[arg as usize] += 1;
        }
    }
    let mut insts = program.insts.clone();
    for i in 0..insts.len() {
        while let Some(fused) = apply(&insts, &uses, program, insts[i], isa) {
            insts[i] = fused;
        }
    }
    sweep(insts, program)
}

/// The instruction that one rule makes of `outer`.
fn apply(insts: &[Inst], uses: &[usize], program: &Tiled, outer: Inst, isa: Isa) -> Option<Inst> {
    let Inst::Map { op, args } = outer else { return None };
    let exists = |op: Op, dtype| tile::map(op, dtype, 0, isa).is_some();
    if op == Op::Mul {
        let dtype = program.types[args[0] as usize];
        if args[0] == args[1] && exists(Op::Square, dtype) {
            return Some(Inst::Map { op: Op::Square, args });
        }
        for (inner, other) in [(args[0], args[1]), (args[1], args[0])] {
            let cube = Inst::Map { op: Op::Square, args: [other; 4] };
            if insts[inner as usize] == cube && uses[inner as usize] == 1 && exists(Op::Cube, dtype) {
                return Some(Inst::Map { op: Op::Cube, args: [other; 4] });
            }
        }
    }
    RULES.iter().filter(|rule| rule.outer == op).find_map(|rule| {
        let inner = args[rule.at];
        let Inst::Map { op: inner_op, args: inner_args } = insts[inner as usize] else { return None };
        if inner_op != rule.inner || uses[inner as usize] != 1 {
            return None;
        }
        let picked = |pick: &Pick| match *pick {
            In(k) => inner_args[k],
            Out(k) => args[k],
        };
        let mut fused = [picked(&rule.args[0]); 4];
        for (slot, pick) in fused.iter_mut().zip(rule.args) {
            *slot = picked(pick);
        }
        let dtype = program.types[fused[0] as usize];
        // A comparison of one type that chooses between values of another stays two instructions.
        let same = fused.iter().all(|&arg| program.types[arg as usize] == dtype);
        (same && exists(rule.fused, dtype)).then_some(Inst::Map { op: rule.fused, args: fused })
    })
}

/// Drops values without users and renumbers the rest.
fn sweep(insts: Vec<Inst>, program: &Tiled) -> Tiled {
    let mut used = vec![false; insts.len()];
    for (i, inst) in insts.iter().enumerate().rev() {
        used[i] |= matches!(inst, Inst::Store { .. });
        if used[i] {
            for &arg in inst.args() {
                used[arg as usize] = true;
            }
        }
    }
    let mut names = vec![0 as Val; insts.len()];
    let mut swept = Tiled::default();
    for (i, mut inst) in insts.into_iter().enumerate() {
        if !used[i] {
            continue;
        }
        for arg in inst.args_mut() {
            *arg = names[*arg as usize];
        }
        names[i] = swept.insts.len() as Val;
        swept.insts.push(inst);
        swept.types.push(program.types[i]);
    }
    swept
}
