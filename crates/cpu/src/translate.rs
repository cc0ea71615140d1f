//! From a group program to programs on rows × columns.
//!
//! A program that reduces has up to two parts: what is computed at every point, up to the reductions, and what is
//! computed of their results (the epilogue), which runs over the kept axes alone.

use pullback_compile::{Inst as Source, Program};
use pullback_kernels::Fold;

use crate::ir::{Axis, Inst, Layout, Tiled, Val};

/// Which part of a program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Part {
    /// Everything, where nothing is reduced over: a reduction is what it reduces.
    Points,
    /// What is stored of every point.
    Full,
    /// The reductions. Their results are outputs, numbered after those of the program.
    Fold,
    /// Both at once.
    Both,
    /// The reductions again, over partial results: input and output k belong to reduction k.
    Again,
    /// What is made of the reductions. Their results are inputs, numbered after those of the program.
    Epilogue,
}

/// What is known of a program before any layout is.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The reductions.
    pub reduces: Vec<usize>,
    /// Whether each value is made of reductions.
    pub made: Vec<bool>,
    /// For each reduction, the output that is just that.
    pub direct: Vec<Option<u8>>,
    /// Whether something is stored of every point.
    pub full: bool,
    /// Whether something is made of the reductions.
    pub epilogue: bool,
    /// For each input, whether the points need it, and whether the epilogue does.
    pub used: Vec<(bool, bool)>,
    /// Whether an input is stored as it is.
    pub stores_input: bool,
}

impl Facts {
    pub(crate) fn new(program: &Program) -> Facts {
        let n = program.insts.len();
        let (mut reduces, mut made) = (Vec::new(), vec![false; n]);
        for (i, inst) in program.insts.iter().enumerate() {
            made[i] = inst.args().iter().any(|&arg| made[arg as usize]);
            if matches!(inst, Source::Reduce { .. }) {
                made[i] = true;
                reduces.push(i);
            }
        }
        let mut direct = vec![None; reduces.len()];
        let (mut full, mut epilogue, mut stores_input) = (false, false, false);
        // Whether the points, and whether the epilogue, need a value.
        let mut needs = vec![(false, false); n];
        for (i, inst) in program.insts.iter().enumerate() {
            let Source::Store { output, arg } = *inst else { continue };
            stores_input |= matches!(program.insts[arg as usize], Source::Load { .. });
            if !made[i] {
                full = true;
                needs[i].0 = true;
                continue;
            }
            let slot = reduces.iter().position(|&reduce| reduce == arg as usize).map(|k| &mut direct[k]);
            match slot {
                Some(slot @ None) => *slot = Some(output),
                _ => (epilogue, needs[i].1) = (true, true),
            }
        }
        for &reduce in &reduces {
            needs[reduce].0 = true;
        }
        for i in (0..n).rev() {
            let (points, rest) = needs[i];
            let rest = rest && !matches!(program.insts[i], Source::Reduce { .. });
            for &arg in program.insts[i].args() {
                let need = &mut needs[arg as usize];
                *need = (need.0 || points, need.1 || rest);
            }
        }
        let mut used = vec![(false, false); program.inputs.len()];
        for (i, inst) in program.insts.iter().enumerate() {
            if let Source::Load { input } = *inst {
                let used = &mut used[input as usize];
                *used = (used.0 || needs[i].0, used.1 || needs[i].1);
            }
        }
        Facts { reduces, made, direct, full, epilogue, used, stores_input }
    }

    /// How a reduction folds.
    pub(crate) fn fold(&self, program: &Program, k: usize) -> Fold {
        match program.insts[self.reduces[k]] {
            Source::Reduce { fold, .. } => fold,
            _ => unreachable!("the list holds reductions"),
        }
    }
}

/// The part of a program, with inputs that lie so. `axis` is what reductions run over.
pub(crate) fn translate(
    program: &Program,
    facts: &Facts,
    part: Part,
    axis: Option<Axis>,
    layouts: &[Layout],
) -> Tiled {
    let mut tiled = Tiled::default();
    if part == Part::Again {
        again(&mut tiled, program, facts, axis, layouts);
        return tiled;
    }
    let at_points = matches!(part, Part::Full | Part::Fold | Part::Both);
    let mut names = vec![0 as Val; program.insts.len()];
    for (i, inst) in program.insts.iter().enumerate() {
        let dtype = program.types[i];
        let is_reduce = matches!(inst, Source::Reduce { .. });
        if at_points && facts.made[i] && !is_reduce {
            continue;
        }
        names[i] = match *inst {
            Source::Const { bits } => tiled.push(Inst::Const { bits }, dtype),
            Source::Load { input } => {
                tiled.push(Inst::Load { input, layout: layouts[input as usize] }, dtype)
            }
            Source::Map { map, args: [a, b, c] } => {
                let [a, b, c] = [a, b, c].map(|arg| names[arg as usize]);
                tiled.push(Inst::Map { op: map.into(), args: [a, b, c, a] }, dtype)
            }
            Source::Cast { arg } => tiled.push(Inst::Cast { arg: names[arg as usize] }, dtype),
            Source::Bitcast { arg } => tiled.push(Inst::Bitcast { arg: names[arg as usize] }, dtype),
            Source::Reduce { fold, arg } => {
                let k = facts.reduces.iter().position(|&reduce| reduce == i).unwrap_or(0);
                match (part, axis) {
                    (Part::Epilogue, _) => {
                        let input = program.inputs.len() + k;
                        tiled.push(Inst::Load { input: input as u8, layout: layouts[input] }, dtype)
                    }
                    (Part::Fold | Part::Both, Some(axis)) => {
                        let arg = names[arg as usize];
                        reduce(&mut tiled, fold, axis, arg, program.outputs + k as u8, dtype)
                    }
                    _ => names[arg as usize],
                }
            }
            Source::Store { output, arg } => {
                let direct = facts.direct.contains(&Some(output));
                let wanted = match part {
                    Part::Points | Part::Full | Part::Both => true,
                    Part::Epilogue => facts.made[i] && !direct,
                    Part::Fold | Part::Again => false,
                };
                if wanted {
                    let arg = names[arg as usize];
                    tiled.push(Inst::Store { output, arg, per_row: false }, dtype);
                }
                0
            }
        };
    }
    tiled
}

fn reduce(
    tiled: &mut Tiled,
    fold: Fold,
    axis: Axis,
    arg: Val,
    output: u8,
    dtype: pullback_base::Dtype,
) -> Val {
    let arg = tiled.push(Inst::Reduce { fold, axis, arg }, dtype);
    tiled.push(Inst::Store { output, arg, per_row: axis == Axis::Inner }, dtype);
    arg
}

/// Reductions of partial results.
fn again(tiled: &mut Tiled, program: &Program, facts: &Facts, axis: Option<Axis>, layouts: &[Layout]) {
    for (k, &i) in facts.reduces.iter().enumerate() {
        let dtype = program.types[i];
        let arg = tiled.push(Inst::Load { input: k as u8, layout: layouts[k] }, dtype);
        reduce(tiled, facts.fold(program, k), axis.unwrap_or(Axis::All), arg, k as u8, dtype);
    }
}
