//! The steps of a plan, walk by walk, with registers freed as soon as their values have no use left.

use pullback_kernels::Fold;
use pullback_kernels::tile::{cast, fold as folds};

use crate::classes::Class;
use crate::code::{Home, Operand, Phase, Place, Step, Tail};
use crate::ir::{Axis, Inst, Layout, Val};
use crate::plan::Planner;

impl Planner<'_> {
    /// All steps of the program.
    pub(crate) fn emit(&mut self) -> Result<(), String> {
        let program = self.program;
        for i in 0..program.insts.len() {
            if self.class[i] == Class::Uniform {
                let mut steps = std::mem::take(&mut self.code.once);
                self.compute(i, None, &mut steps)?;
                self.code.once = steps;
            }
        }
        for walk in 0..self.code.phases.len() {
            let mut phase = Phase::default();
            for i in 0..program.insts.len() {
                if self.class[i] != Class::PerRow || self.walk[i] != walk {
                    continue;
                }
                match program.insts[i] {
                    Inst::Reduce { .. } => {}
                    Inst::Store { output, arg, per_row: true } => {
                        let size = self.size(arg) as u8;
                        let dst = self.home(Home::Output { output, layout: Layout::Col, size });
                        let src = Operand::vector(self.find(arg), size.into());
                        phase.before.push(Step::Copy { dst: Operand::vector(dst, size.into()), src });
                    }
                    Inst::Store { .. } => {}
                    _ => self.compute(i, None, &mut phase.before)?,
                }
            }
            self.body(walk, &mut phase.body)?;
            self.code.phases[walk] = phase;
        }
        Ok(())
    }

    /// The steps of one walk, in order, with registers freed after their last use in it.
    fn body(&mut self, walk: usize, steps: &mut Vec<Step>) -> Result<(), String> {
        let program = self.program;
        let here = |planner: &Self, i: usize| match program.insts[i] {
            Inst::Const { .. } | Inst::Load { .. } => false,
            Inst::Reduce { .. } => planner.walk[i] == walk,
            Inst::Store { per_row, .. } => !per_row && planner.walk[i] == walk,
            _ => planner.class[i] == Class::Full && planner.walk[i] == walk,
        };
        let list: Vec<usize> = (0..program.insts.len()).filter(|&i| here(self, i)).collect();
        let mut last = vec![0usize; program.insts.len()];
        for (at, &i) in list.iter().enumerate() {
            for &arg in program.insts[i].args() {
                last[arg as usize] = at;
            }
        }
        for value in 0..program.insts.len() {
            if self.class[value] != Class::Uniform {
                self.spread[value] = None;
            }
        }
        let mut late = Vec::new();
        for (at, &i) in list.iter().enumerate() {
            match program.insts[i] {
                Inst::Reduce { fold, axis, arg } => self.reduce(i, fold, axis, arg, steps)?,
                Inst::Store { output, arg, .. } => self.store(output, arg, steps, &mut late)?,
                _ => {
                    let dst = self.destination(i);
                    self.compute(i, dst, steps)?;
                }
            }
            for &arg in program.insts[i].args() {
                let value = arg as usize;
                // A value stored late keeps its register to the end of the tile.
                if last[value] == at && late.iter().all(|&(_, kept)| kept != arg) {
                    let fill = self.class[value] == Class::Uniform;
                    let spread = if fill { None } else { self.spread[value].take() };
                    for place in [spread, self.place[value]].into_iter().flatten() {
                        self.registers.free(place);
                    }
                }
            }
        }
        for (output, arg) in late {
            let (src, size) = (self.tile(arg, steps), self.size(arg));
            let dst = self.home(Home::Output { output, layout: Layout::Full, size: size as u8 });
            steps.push(Step::Copy { dst: Operand::vector(dst, size), src });
            self.registers.free(src.place);
        }
        Ok(())
    }

    /// Where a full value goes if not to a register: to its output, or to a buffer that outlives the walk.
    fn destination(&mut self, i: usize) -> Option<Place> {
        let size = self.program.types[i].size() as u8;
        let mut users =
            self.program.insts.iter().enumerate().filter(|(_, inst)| inst.args().contains(&(i as Val)));
        let later = users.clone().any(|(user, _)| self.walk[user] > self.walk[i]);
        let output = users.find_map(|(_, inst)| match inst {
            Inst::Store { output, .. } if !self.variant.in_place => Some(*output),
            _ => None,
        });
        if let Some(output) = output {
            return Some(self.home(Home::Output { output, layout: Layout::Full, size }));
        }
        later.then(|| {
            self.code.buffers.push(size.into());
            self.home(Home::Buffer { index: (self.code.buffers.len() - 1) as u16, size })
        })
    }

    /// The steps of an instruction that computes a value.
    fn compute(&mut self, i: usize, dst: Option<Place>, steps: &mut Vec<Step>) -> Result<(), String> {
        let (class, size) = (self.class[i], self.program.types[i].size());
        let types = &self.program.types;
        let inst = self.program.insts[i];
        let (kernel, args) = match inst {
            Inst::Map { op, args } => {
                self.code.cost += op.cost();
                self.map(op, &args[..op.arity()], class, steps)?
            }
            Inst::Cast { arg } => {
                let kernel = cast::cast(types[arg as usize], types[i], self.isa);
                let arg = self.operand(arg, class, steps);
                self.code.cost += 60;
                (kernel, [arg, Operand::default(), Operand::default(), Operand::default()])
            }
            Inst::Bitcast { arg } => {
                let src = self.operand(arg, class, steps);
                let place = dst.unwrap_or_else(|| self.register());
                self.code.cost += 30;
                steps.push(Step::Copy { dst: Operand::vector(place, size), src });
                self.keep(i, place);
                return Ok(());
            }
            _ => return Ok(()),
        };
        // After its operands and before they are freed, so that it is none of them.
        let place = dst.unwrap_or_else(|| self.register());
        steps.push(Step::Map { kernel, dst: Operand::vector(place, size), args });
        self.keep(i, place);
        Ok(())
    }

    /// Notes where a value is. What is computed once, or once per row, keeps its register for good.
    fn keep(&mut self, i: usize, place: Place) {
        self.place[i] = Some(place);
        if self.class[i] != Class::Full {
            self.registers.pin(place);
        }
    }

    fn reduce(
        &mut self,
        i: usize,
        fold: Fold,
        axis: Axis,
        arg: Val,
        steps: &mut Vec<Step>,
    ) -> Result<(), String> {
        let dtype = self.program.types[i];
        let reducer =
            folds::reducer(fold, dtype, self.isa).ok_or_else(|| format!("[{fold:?}] on {dtype:?}"))?;
        let src = self.tile(arg, steps);
        self.code.cost += 40;
        if axis == Axis::Inner {
            let dst = self.register();
            self.keep(i, dst);
            steps.push(Step::FoldInner { reducer, cell: self.code.inner_cells as u16, src, dst });
            self.code.inner_cells += 1;
            return Ok(());
        }
        let stores = self.program.insts.iter().filter_map(|inst| match *inst {
            Inst::Store { output, arg, .. } if arg as usize == i => Some(output),
            _ => None,
        });
        let [output] = stores.collect::<Vec<_>>()[..] else {
            return Err(format!("[{fold:?}] over {axis:?} is stored once and not used otherwise"));
        };
        let tail = Tail { reducer, size: dtype.size(), output };
        if axis == Axis::All {
            steps.push(Step::FoldAll { reducer, cell: self.code.totals.len() as u16, src });
            self.code.totals.push(tail);
        } else {
            let index = self.code.columns.len() as u16;
            let dst = self.home(Home::Partial { index, size: dtype.size() as u8 });
            steps.push(Step::FoldOuter { reducer, src, dst });
            self.code.columns.push(tail);
        }
        Ok(())
    }

    fn store(
        &mut self,
        output: u8,
        arg: Val,
        steps: &mut Vec<Step>,
        late: &mut Vec<(u8, Val)>,
    ) -> Result<(), String> {
        if matches!(self.program.insts[arg as usize], Inst::Reduce { axis: Axis::Outer | Axis::All, .. }) {
            return Ok(());
        }
        if self.variant.in_place {
            late.push((output, arg));
            return Ok(());
        }
        let direct = self.place[arg as usize].map(|place| self.code.homes[place as usize]);
        if matches!(direct, Some(Home::Output { output: written, layout: Layout::Full, .. }) if written == output)
        {
            return Ok(());
        }
        let (src, size) = (self.tile(arg, steps), self.size(arg));
        let dst = self.home(Home::Output { output, layout: Layout::Full, size: size as u8 });
        steps.push(Step::Copy { dst: Operand::vector(dst, size), src });
        Ok(())
    }
}
