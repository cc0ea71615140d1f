//! Programs with reductions: what leads to them, the reductions, and what follows, in one or two kernels.
//!
//! A *unit* of work is one kept point and one part of what is reduced into it. It is done by one thread, or by a
//! workgroup whose threads are joined by a tree. Where there are several parts, a second kernel joins them.
//! How units are cut follows from sizes alone, so results are the same on every run. Each thread sums blocks of 64
//! first, which keeps rounding errors of long sums small.

use std::fmt::Write;

use pullback_compile::program::Class;
use pullback_compile::{Inst, Program, Val};
use pullback_kernels::Fold;

use crate::inst::{Lack, expression, identity, join, ty};
use crate::kernel::{THREADS, header, param};
use crate::point::unravel;
use crate::space::Space;
use crate::text::{Ty, prelude};

/// First parameter word after the fixed ones: kept points, depth, elements per part, zero, parts, units.
const AXES: usize = 8;
/// Elements that a thread joins before they join the rest.
const BLOCK: u64 = 64;
/// Threads that are enough to fill a device.
const ENOUGH: u64 = 1 << 16;

/// What of the work a kernel does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stage {
    /// All of it.
    Whole,
    /// A part of each reduction, to memory.
    Parts,
    /// Joins the parts, and what follows.
    Finish,
}

/// Which of a program's kernels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Form {
    pub stage: Stage,
    /// A workgroup per unit, else a thread.
    pub grouped: bool,
    /// Kept and reduced axes.
    pub ranks: (u8, u8),
}

/// What a kernel binds, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    Input(u8),
    Output(u8),
    /// Partial results of the n-th reduction.
    Part(usize),
}

/// How a run is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub grouped: bool,
    pub parts: u64,
    pub chunk: u64,
}

impl Cut {
    pub fn of(space: &Space) -> Cut {
        let (points, depth) = (space.points.max(1), space.depth);
        let threads = THREADS as u64;
        // Neighbouring threads should read neighbouring elements; short reductions are not worth a tree.
        let grouped = depth > BLOCK && (space.inner || points < BLOCK);
        let lanes = if grouped { threads } else { 1 };
        let most = depth.div_ceil(lanes * BLOCK).max(1);
        let parts = ENOUGH.div_ceil(points * lanes).min(most).max(1);
        let chunk = depth.div_ceil(parts).next_multiple_of(lanes).max(1);
        Cut { grouped, parts: depth.div_ceil(chunk).max(1), chunk }
    }
}

/// What of a program belongs before and after its reductions.
pub(crate) struct Halves<'a> {
    program: &'a Program,
    /// Per value: made of reductions.
    after: Vec<bool>,
    /// The reductions.
    pub folds: Vec<(Val, Fold, Val)>,
}

impl<'a> Halves<'a> {
    pub fn of(program: &'a Program) -> Result<Halves<'a>, Lack> {
        let mut after = vec![false; program.insts.len()];
        let mut folds = vec![];
        for (value, inst) in program.insts.iter().enumerate() {
            let made = inst.args().iter().any(|&arg| after[arg as usize]);
            if let Inst::Reduce { fold, arg } = *inst {
                if made {
                    return Err("a reduction of reductions has no GPU kernel".to_string());
                }
                folds.push((value as Val, fold, arg));
            }
            after[value] = made || matches!(inst, Inst::Reduce { .. });
        }
        Ok(Halves { program, after, folds })
    }

    /// Whether output `o` has an element per kept point.
    fn stores(&self, after: bool) -> impl Iterator<Item = (u8, Val)> + '_ {
        self.program.insts.iter().filter_map(move |inst| match *inst {
            Inst::Store { output, arg } if self.after[arg as usize] == after => Some((output, arg)),
            _ => None,
        })
    }

    /// Whether some output has an element for every point of the space.
    pub fn full(&self) -> bool {
        self.stores(false).next().is_some()
    }

    /// Values that a half needs, in order; reductions end the search.
    fn needed(&self, after: bool) -> Vec<Val> {
        let mut marked = vec![false; self.program.insts.len()];
        self.stores(after).for_each(|(_, arg)| marked[arg as usize] = true);
        if !after {
            self.folds.iter().for_each(|&(_, _, arg)| marked[arg as usize] = true);
        }
        for value in (0..marked.len()).rev() {
            let inst = &self.program.insts[value];
            if marked[value] && !matches!(inst, Inst::Reduce { .. }) {
                inst.args().iter().for_each(|&arg| marked[arg as usize] = true);
            }
        }
        let wanted =
            |&value: &usize| marked[value] && !matches!(self.program.insts[value], Inst::Reduce { .. });
        (0..marked.len()).filter(wanted).map(|value| value as Val).collect()
    }

    /// What a kernel binds, and the type of its words.
    pub fn bound(&self, stage: Stage) -> Result<Vec<(Bound, &'static str)>, Lack> {
        let (before, after) = (stage != Stage::Finish, stage != Stage::Parts);
        let mut values: Vec<Val> = if before { self.needed(false) } else { vec![] };
        values.extend(if after { self.needed(true) } else { vec![] });
        let mut all: Vec<(Bound, &'static str)> = vec![];
        for value in values {
            if let Inst::Load { input } = self.program.insts[value as usize] {
                let word = ty(self.program, value)?.word();
                if !all.iter().any(|&(bound, _)| bound == Bound::Input(input)) {
                    all.push((Bound::Input(input), word));
                }
            }
        }
        for (half, is_after) in [(before, false), (after, true)] {
            if half {
                for (output, arg) in self.stores(is_after) {
                    all.push((Bound::Output(output), ty(self.program, arg)?.word()));
                }
            }
        }
        if stage != Stage::Whole {
            for (n, &(value, ..)) in self.folds.iter().enumerate() {
                all.push((Bound::Part(n), ty(self.program, value)?.word()));
            }
        }
        Ok(all)
    }

    /// A kernel's text.
    pub fn text(&self, form: Form) -> Result<String, Lack> {
        let printer = Printer { halves: self, form };
        let (body, shared) = printer.body()?;
        let name = |bound: &Bound| match bound {
            Bound::Input(k) => format!("in{k}"),
            Bound::Output(o) => format!("out{o}"),
            Bound::Part(n) => format!("part{n}"),
        };
        let arrays: Vec<_> =
            self.bound(form.stage)?.iter().map(|(bound, word)| (name(bound), *word)).collect();
        let head = format!(
            "@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>,
        @builtin(local_invocation_index) l: u32) {{
"
        );
        Ok(header(&arrays) + &prelude(&body) + &shared + &head + &body + "}\n")
    }
}

struct Printer<'a> {
    halves: &'a Halves<'a>,
    form: Form,
}

impl Printer<'_> {
    fn program(&self) -> &Program {
        self.halves.program
    }

    fn ranks(&self) -> (usize, usize) {
        (self.form.ranks.0.into(), self.form.ranks.1.into())
    }

    /// Parameter word of an input's offset; its strides follow. Of the full outputs for the number of inputs.
    fn walk(&self, input: usize) -> usize {
        let (kept, reduced) = self.ranks();
        AXES + kept + reduced + input * (1 + kept + reduced)
    }

    fn body(&self) -> Result<(String, String), Lack> {
        let Form { stage, grouped, .. } = self.form;
        let (kept, _) = self.ranks();
        let group = "w.y * g.x + w.x";
        let mut out = match grouped {
            true => format!("    let u = {group};\n"),
            false => format!("    let u = ({group}) * {THREADS}u + l;\n"),
        };
        let _ = writeln!(out, "    if (u >= {}) {{ return; }}", param(5));
        let _ = writeln!(out, "    let k = u % {};", param(0));
        let _ = writeln!(out, "    let lane = {};", if grouped { "l" } else { "0u" });
        let _ = writeln!(out, "    let first = (u / {}) * {};", param(0), param(2));
        let _ = writeln!(out, "    let last = min(first + {}, {});", param(2), param(1));
        let needs_kept = (0..self.program().inputs.len()).any(|k| self.program().inputs[k] != Class::Scalar);
        if needs_kept || self.halves.full() {
            out += &unravel("k", "c", kept, AXES);
        }
        let walks = self.program().inputs.len() + usize::from(self.halves.full());
        for input in 0..walks {
            let at = self.walk(input);
            let mut base = param(at);
            if self.program().inputs.get(input) != Some(&Class::Scalar) {
                (0..kept).for_each(|axis| base += &format!(" + c{axis} * {}", param(at + 1 + axis)));
            }
            let _ = writeln!(out, "    let b{input} = {base};");
        }
        out += &self.loops()?;
        let mut shared = String::new();
        if grouped {
            for (n, &(value, fold, _)) in self.halves.folds.iter().enumerate() {
                let ty = ty(self.program(), value)?;
                let declared =
                    format!("var<workgroup> {}: array<{}, {THREADS}>;\n", shared_name(ty), ty.name());
                if !shared.contains(&declared) {
                    shared += &declared;
                }
                out += &tree(n, fold, ty);
            }
            out += "    if (l != 0u) { return; }\n";
        } else {
            (0..self.halves.folds.len()).for_each(|n| out += &format!("    let r{n} = acc{n};\n"));
        }
        match stage {
            Stage::Parts => {
                for (n, &(value, ..)) in self.halves.folds.iter().enumerate() {
                    let _ = writeln!(
                        out,
                        "    part{n}[u] = {};",
                        ty(self.program(), value)?.write(&format!("r{n}"))
                    );
                }
            }
            Stage::Whole | Stage::Finish => out += &self.epilogue()?,
        }
        Ok((out, shared))
    }

    /// The loops of one thread.
    fn loops(&self) -> Result<String, Lack> {
        let folds = &self.halves.folds;
        let step = if self.form.grouped { THREADS as u64 } else { 1 };
        let (mut start, mut inner, mut joined) = (String::new(), String::new(), String::new());
        for (n, &(value, fold, _)) in folds.iter().enumerate() {
            let ty = ty(self.program(), value)?;
            let _ = writeln!(start, "    var acc{n} = {};", identity(fold, ty));
            let _ = writeln!(inner, "        var x{n} = {};", identity(fold, ty));
            let _ = writeln!(
                joined,
                "        acc{n} = {};",
                join(fold, ty, &format!("acc{n}"), &format!("x{n}"))
            );
        }
        let elements = match self.form.stage {
            Stage::Finish => self.join_parts()?,
            _ => self.prologue()?,
        };
        Ok(format!(
            "{start}    for (var at = first + lane; at < last; at += {span}u) {{
        let stop = min(at + {span}u, last);
{inner}        for (var r = at; r < stop; r += {step}u) {{
{elements}        }}
{joined}    }}
",
            span = step * BLOCK,
        ))
    }

    /// One element of each reduction, from the inputs.
    fn prologue(&self) -> Result<String, Lack> {
        let (kept, reduced) = self.ranks();
        let program = self.program();
        let mut out = unravel("r", "d", reduced, AXES + kept);
        let index = |input: usize| {
            let mut index = format!("b{input}");
            let at = self.walk(input) + 1 + kept;
            (0..reduced).for_each(|axis| index += &format!(" + d{axis} * {}", param(at + axis)));
            index
        };
        let name = |value: Val| format!("v{value}");
        for value in self.halves.needed(false) {
            let text = match program.insts[value as usize] {
                Inst::Load { input } => {
                    let scalar = program.inputs[input as usize] == Class::Scalar;
                    let index = if scalar { format!("b{input}") } else { index(input.into()) };
                    ty(program, value)?.read(&format!("in{input}[{index}]"))
                }
                _ => expression(program, value, name)?,
            };
            let _ = writeln!(out, "            let v{value} = {text};");
        }
        for (output, arg) in self.halves.stores(false) {
            let word = ty(program, arg)?.write(&name(arg));
            let _ = writeln!(out, "            out{output}[{}] = {word};", index(program.inputs.len()));
        }
        for (n, &(value, fold, arg)) in self.halves.folds.iter().enumerate() {
            let text = join(fold, ty(program, value)?, &format!("x{n}"), &name(arg));
            let _ = writeln!(out, "            x{n} = {text};");
        }
        Ok(out)
    }

    /// One element of each reduction, from partial results.
    fn join_parts(&self) -> Result<String, Lack> {
        let mut out = String::new();
        for (n, &(value, fold, _)) in self.halves.folds.iter().enumerate() {
            let ty = ty(self.program(), value)?;
            let part = ty.read(&format!("part{n}[r * {} + k]", param(0)));
            let _ = writeln!(out, "            x{n} = {};", join(fold, ty, &format!("x{n}"), &part));
        }
        Ok(out)
    }

    /// What follows the reductions, at a kept point; inputs that it reads are the same along reduced axes.
    fn epilogue(&self) -> Result<String, Lack> {
        let program = self.program();
        let fold = |value: Val| self.halves.folds.iter().position(|&(of, ..)| of == value);
        let name = |value: Val| fold(value).map_or(format!("e{value}"), |n| format!("r{n}"));
        let mut out = String::new();
        for value in self.halves.needed(true) {
            let text = match program.insts[value as usize] {
                Inst::Load { input } => ty(program, value)?.read(&format!("in{input}[b{input}]")),
                _ => expression(program, value, name)?,
            };
            let _ = writeln!(out, "    let e{value} = {text};");
        }
        for (output, arg) in self.halves.stores(true) {
            let _ = writeln!(out, "    out{output}[k] = {};", ty(program, arg)?.write(&name(arg)));
        }
        Ok(out)
    }
}

/// The array in workgroup memory for values of a type.
fn shared_name(ty: Ty) -> String {
    format!("s_{ty:?}")
}

/// Joins the threads of a workgroup.
fn tree(n: usize, fold: Fold, ty: Ty) -> String {
    let s = shared_name(ty);
    let joined = join(fold, ty, &format!("{s}[l]"), &format!("{s}[l + h{n}]"));
    format!(
        "    {s}[l] = acc{n};
    workgroupBarrier();
    for (var h{n} = {half}u; h{n} > 0u; h{n} = h{n} >> 1u) {{
        if (l < h{n}) {{ {s}[l] = {joined}; }}
        workgroupBarrier();
    }}
    let r{n} = {s}[0];
    workgroupBarrier();
",
        half = THREADS / 2
    )
}

/// The parameters of a kernel that does `stage`.
pub(crate) fn params(space: &Space, cut: &Cut, stage: Stage) -> Vec<u32> {
    let points = space.points;
    let [depth, chunk, parts] = match stage {
        Stage::Finish => [cut.parts, cut.parts, 1],
        _ => [space.depth, cut.chunk, cut.parts],
    };
    let mut words = [points, depth, chunk, 0, parts, points * parts, 0, 0].map(|word| word as u32).to_vec();
    words.extend(&space.kept);
    words.extend(&space.reduced);
    for walk in space.inputs.iter().chain([&space.full]) {
        words.push(walk.offset);
        words.extend(&walk.kept);
        words.extend(&walk.reduced);
    }
    words
}
