//! From a group program to tile code.
//!
//! * Operands of a smaller class than their user (`classes`) are scalar operands of a kernel where it has that form,
//!   else they are spread over a tile.
//! * A value used in a later walk than its own is kept in a row-long buffer; inputs are simply read again.

use pullback_kernels::tile::{self, layout};
use pullback_kernels::{Isa, Op};

use crate::classes::{Class, Classes, classify};
use crate::code::{Code, From, Home, Operand, Phase, Place, Step, TILE_BYTES};
use crate::ir::{Inst, Layout, Tiled, Val};
use crate::regs::Registers;

/// What a plan depends on beside the program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Variant {
    /// Rows are short: a tile holds several.
    pub narrow: bool,
    /// Some output is the memory of an input: outputs are written after all inputs of the tile are read.
    pub in_place: bool,
}

/// A plan in the making.
pub(crate) struct Planner<'a> {
    pub(crate) program: &'a Tiled,
    pub(crate) isa: Isa,
    pub(crate) variant: Variant,
    pub(crate) class: Vec<Class>,
    /// The walk in which a value is computed, reduced or stored.
    pub(crate) walk: Vec<usize>,
    /// Where a value is, once computed.
    pub(crate) place: Vec<Option<Place>>,
    /// Where a value has been spread over a tile, in this walk.
    pub(crate) spread: Vec<Option<Place>>,
    pub(crate) registers: Registers,
    pub(crate) code: Code,
}

/// Plans a program that `fuse` has been over.
pub(crate) fn plan(program: &Tiled, isa: Isa, variant: Variant) -> Result<Code, String> {
    let n = program.insts.len();
    let wide = program.types.iter().any(|dtype| dtype.size() == 8);
    let Classes { class, walk, walks, whole_rows } = classify(program);
    let code = Code {
        tile: if wide { TILE_BYTES / 8 } else { TILE_BYTES / 4 },
        phases: vec![Phase::default(); walks],
        whole_rows,
        ..Code::default()
    };
    let (place, spread, registers) = (vec![None; n], vec![None; n], Registers::default());
    let mut planner = Planner { program, isa, variant, class, walk, place, spread, registers, code };
    planner.emit()?;
    Ok(planner.code)
}

impl Planner<'_> {
    pub(crate) fn size(&self, value: Val) -> usize {
        self.program.types[value as usize].size()
    }

    pub(crate) fn home(&mut self, home: Home) -> Place {
        let place = self.code.homes.len() as Place;
        self.code.homes.push(home);
        if !matches!(
            home,
            Home::Register { .. } | Home::Const { .. } | Home::Input { layout: Layout::Scalar, .. }
        ) {
            self.code.moving.push(place);
        }
        place
    }

    /// A free tile register.
    pub(crate) fn register(&mut self) -> Place {
        match self.registers.take() {
            Some(place) => place,
            None => self.fresh_register(),
        }
    }

    /// A tile register that nothing has used.
    fn fresh_register(&mut self) -> Place {
        let place = self.home(Home::Register { index: self.code.registers as u16 });
        self.code.registers += 1;
        self.registers.add(place);
        place
    }

    /// Where a value is. Inputs and constants get their place on first use.
    pub(crate) fn find(&mut self, value: Val) -> Place {
        if let Some(place) = self.place[value as usize] {
            return place;
        }
        let size = self.size(value) as u8;
        let home = match self.program.insts[value as usize] {
            Inst::Const { bits, .. } => Home::Const { bits },
            Inst::Load { input, layout, .. } => Home::Input { input, layout, size },
            other => unreachable!("{other:?} is used before it is computed"),
        };
        let place = self.home(home);
        self.place[value as usize] = Some(place);
        place
    }

    /// A value as a full tile.
    pub(crate) fn tile(&mut self, value: Val, steps: &mut Vec<Step>) -> Operand {
        let (size, v) = (self.size(value), value as usize);
        let layout = match self.program.insts[v] {
            Inst::Load { layout, .. } => Some(layout),
            _ => None,
        };
        let from = match (self.class[v], layout, self.program.insts[v]) {
            (Class::Full, Some(Layout::Strided), Inst::Load { input, .. }) => From::Input(input),
            (Class::Full, Some(Layout::Pitched), Inst::Load { input, .. }) if self.variant.narrow => {
                From::Input(input)
            }
            (Class::Full, Some(Layout::Row), _) if self.variant.narrow => From::PerCol,
            (Class::Full, ..) => return Operand::vector(self.find(value), size),
            (Class::PerRow, ..) => From::PerRow,
            (Class::Uniform, ..) => From::One,
        };
        if let Some(place) = self.spread[v] {
            return Operand::vector(place, size);
        }
        let src = self.find(value);
        let uniform = self.class[v] == Class::Uniform;
        // A fill lasts for the whole run: it needs a register that no earlier step of a tile writes.
        let place = if uniform { self.fresh_register() } else { self.register() };
        let dst = Operand::vector(place, size);
        let step = Step::Spread { spread: layout::spread(size), dst, src, from };
        self.spread[v] = Some(dst.place);
        if uniform {
            self.registers.pin(dst.place);
            self.code.fills.push(step);
        } else {
            self.code.cost += 30;
            steps.push(step);
        }
        dst
    }

    /// A value as an operand of an instruction of the given class, as a scalar where that is possible.
    pub(crate) fn operand(&mut self, value: Val, class: Class, steps: &mut Vec<Step>) -> Operand {
        let own = self.class[value as usize];
        let size = self.size(value);
        match class {
            Class::Full if own == Class::Full || (own == Class::PerRow && self.variant.narrow) => {
                self.tile(value, steps)
            }
            Class::PerRow if own == Class::PerRow => Operand::vector(self.find(value), size),
            Class::Uniform => Operand::vector(self.find(value), size),
            _ => Operand::scalar(self.find(value), size),
        }
    }

    /// Kernel and operands of a `Map`: the form with the most scalars that exists, operands swapped if that helps.
    pub(crate) fn map(
        &mut self,
        op: Op,
        args: &[Val],
        class: Class,
        steps: &mut Vec<Step>,
    ) -> Result<(tile::Kernel, [Operand; 4]), String> {
        let mut args = args.to_vec();
        let dtype = self.program.types[args[op.key_operand()] as usize];
        let mut operands: Vec<Operand> = args.iter().map(|&arg| self.operand(arg, class, steps)).collect();
        let mask = operands
            .iter()
            .enumerate()
            .fold(0u8, |mask, (k, operand)| mask | u8::from(operand.scale == 0) << k);
        let mut form = mask;
        loop {
            if let Some(kernel) = tile::map(op, dtype, form, self.isa) {
                return Ok((kernel, self.settle(&args, operands, form, steps)));
            }
            if let Some(swapped) = op.swapped() {
                let crossed = form & !3 | form >> 1 & 1 | form << 1 & 2;
                if let Some(kernel) = tile::map(swapped, dtype, crossed, self.isa) {
                    args.swap(0, 1);
                    operands.swap(0, 1);
                    return Ok((kernel, self.settle(&args, operands, crossed, steps)));
                }
            }
            if form == 0 {
                return Err(format!("[{op:?}] has no kernel for {dtype:?}"));
            }
            form = (form - 1) & mask;
        }
    }

    /// Spreads the scalars that a form wants as tiles.
    fn settle(
        &mut self,
        args: &[Val],
        operands: Vec<Operand>,
        form: u8,
        steps: &mut Vec<Step>,
    ) -> [Operand; 4] {
        let mut settled = [Operand::default(); 4];
        for (k, operand) in operands.into_iter().enumerate() {
            let spread = operand.scale == 0 && form >> k & 1 == 0;
            settled[k] = if spread { self.tile(args[k], steps) } else { operand };
        }
        settled
    }
}
