//! plan, first half: the program of a group, and what it reads.

use std::sync::Arc;

use pullback_base::{Dtype, Layout, Shape};
use pullback_core::op::Kernel;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::group::{Found, Group, Partition};
use crate::order::{Id, Item, ItemKind};
use crate::plan::GroupStep;
use crate::program::{Class, Inst, Program, Val, computing};

/// A program, the items whose blocks it reads with their layouts over its space, and the items it writes.
pub struct Emitted {
    /// What runs.
    pub step: GroupStep,
    /// Blocks by the item that owns them.
    pub reads: Vec<(Id, Layout)>,
    /// Items that get their block.
    pub writes: Vec<Id>,
}

struct Emitter<'a> {
    items: &'a [Item],
    partition: &'a Partition,
    unit: u32,
    space: Shape,
    program: Program,
    reads: Vec<(Id, Layout)>,
    values: FxHashMap<Id, Val>,
    loads: FxHashMap<(Id, Layout), Val>,
    consts: FxHashMap<(u64, Dtype), Val>,
}

/// Bound on what one program writes: bindings of a shader.
const WRITES_MAX: usize = 8;

/// The program of a group; several, which share work by doing it again, if it writes more than a device can bind.
pub fn emit_group(items: &[Item], partition: &Partition, unit: u32, group: &Group) -> Vec<Emitted> {
    let stored = |id: &Id| partition.stored[*id as usize];
    let writes: Vec<Id> = group.items.iter().copied().filter(stored).collect();
    writes.chunks(WRITES_MAX).map(|part| emit_part(items, partition, unit, group, part)).collect()
}

fn emit_part(items: &[Item], partition: &Partition, unit: u32, group: &Group, writes: &[Id]) -> Emitted {
    let mut needed: FxHashSet<Id> = writes.iter().copied().collect();
    for id in group.items.iter().rev() {
        if needed.contains(id) {
            needed.extend(&items[*id as usize].inputs);
        }
    }
    let mut emitter = Emitter::new(items, partition, unit, group.space.clone());
    for &id in group.items.iter().filter(|id| needed.contains(id)) {
        let value = emitter.item(id);
        emitter.values.insert(id, value);
    }
    for &id in writes {
        emitter.program.store(items[id as usize].aval.dtype, emitter.values[&id]);
    }
    let none = || vec![false; group.space.ndim()];
    let reduced = group.reduced.clone().filter(|_| emitter.program.reduces()).unwrap_or_else(none);
    emitter.finish(reduced, writes.to_vec())
}

/// The program that lays out an item in order.
pub fn emit_copy(items: &[Item], partition: &Partition, unit: u32, id: Id) -> Emitted {
    let aval = &items[id as usize].aval;
    let mut emitter = Emitter::new(items, partition, unit, aval.shape.clone());
    let value = match &partition.found[id as usize] {
        Found::Const(bits) => emitter.program.push(Inst::Const { bits: *bits }, aval.dtype),
        Found::At(base, layout) => {
            let input = emitter.read(*base, layout.clone());
            emitter.program.push(Inst::Load { input }, aval.dtype)
        }
        Found::Value(_) => unreachable!("an item of elements has its own block"),
    };
    // No cast on the way: the bits are moved as they are.
    emitter.program.store(aval.dtype, value);
    let reduced = vec![false; aval.shape.ndim()];
    emitter.finish(reduced, vec![id])
}

impl<'a> Emitter<'a> {
    fn new(items: &'a [Item], partition: &'a Partition, unit: u32, space: Shape) -> Emitter<'a> {
        Emitter {
            items,
            partition,
            unit,
            space,
            program: Program::default(),
            reads: Vec::new(),
            values: FxHashMap::default(),
            loads: FxHashMap::default(),
            consts: FxHashMap::default(),
        }
    }

    fn finish(self, reduced: Vec<bool>, writes: Vec<Id>) -> Emitted {
        let step = GroupStep { program: Arc::new(self.program), space: self.space, reduced };
        Emitted { step, reads: self.reads, writes }
    }

    fn item(&mut self, id: Id) -> Val {
        let item = &self.items[id as usize];
        let ItemKind::Op(op, _) = &item.kind else { unreachable!("leaves join no group") };
        let args: Vec<Val> = item.inputs.iter().map(|&x| self.value(x)).collect();
        let dtype = item.aval.dtype;
        let from = item.inputs.first().map_or(dtype, |&x| self.items[x as usize].aval.dtype);
        match op.kernel {
            Kernel::Map(map) => self.program.map(map, &args, dtype),
            Kernel::Fold(fold) => {
                let value = self.program.push(Inst::Reduce { fold, arg: args[0] }, computing(from));
                self.program.narrow(value, dtype)
            }
            Kernel::Cast => {
                let value = self.program.cast(dtype, args[0]);
                self.program.cast(computing(dtype), value)
            }
            Kernel::Bitcast => {
                let value = self.program.cast(from, args[0]);
                let value = self.program.push(Inst::Bitcast { arg: value }, dtype);
                self.program.cast(computing(dtype), value)
            }
            Kernel::View(_) | Kernel::Whole(_) | Kernel::Host => {
                unreachable!("[{}] joins no group", op.name)
            }
        }
    }

    /// The value of an item at the points of the space.
    fn value(&mut self, id: Id) -> Val {
        match self.partition.found[id as usize].clone() {
            Found::Value(unit) if unit == self.unit => self.values[&id],
            Found::Value(_) => self.load(id, Layout::contiguous(&self.space)),
            Found::At(base, layout) => self.load(base, layout),
            Found::Const(bits) => {
                let dtype = self.items[id as usize].aval.dtype;
                if let Some(&value) = self.consts.get(&(bits, dtype)) {
                    return value;
                }
                let value = self.program.push(Inst::Const { bits }, dtype);
                let value = self.program.cast(computing(dtype), value);
                self.consts.insert((bits, dtype), value);
                value
            }
        }
    }

    fn load(&mut self, base: Id, layout: Layout) -> Val {
        let key = (base, layout);
        if let Some(&value) = self.loads.get(&key) {
            return value;
        }
        let dtype = self.items[base as usize].aval.dtype;
        let input = self.read(base, key.1.clone());
        let value = self.program.push(Inst::Load { input }, dtype);
        let value = self.program.cast(computing(dtype), value);
        self.loads.insert(key, value);
        value
    }

    /// The next input.
    fn read(&mut self, base: Id, layout: Layout) -> u8 {
        let class = if layout.is_contiguous() && layout.shape.size() != 1 {
            Class::Full
        } else if layout.shape.iter().zip(&layout.strides).all(|(&size, &stride)| size == 1 || stride == 0) {
            Class::Scalar
        } else {
            Class::Strided
        };
        let input = self.program.inputs.len() as u8;
        self.program.inputs.push(class);
        self.reads.push((base, layout));
        input
    }
}
