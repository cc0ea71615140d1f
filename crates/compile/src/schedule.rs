//! plan, second half: slots for blocks, transfers between devices, and when a block dies.

use pullback_base::{Aval, Device, Layout};
use rustc_hash::FxHashMap;

use crate::backend::Backend;
use crate::emit::{Emitted, emit_copy, emit_group};
use crate::group::{Found, Partition, Unit};
use crate::order::{Id, ItemKind, Order};
use crate::plan::{HostStep, Operand, Slot, Step, Task, WholeStep};

/// What `eval` runs again and again.
#[derive(Debug)]
pub struct Plan {
    /// What is run, in order.
    pub steps: Vec<Step>,
    /// How many slots there are; the first are the leaves, in order.
    pub slots: usize,
    /// Per leaf, where its block must be: a number has no place of its own.
    pub leaves: Vec<Device>,
    /// Per target, the slots of its outputs.
    pub targets: Vec<Vec<Slot>>,
    /// Sentences about what could not run where it was asked to.
    pub moved: Vec<String>,
}

/// The devices that there are.
pub struct Backends<'a> {
    /// Always there, and able to run everything that runs at all.
    pub cpu: &'a dyn Backend,
    /// There if there is an adapter.
    pub gpu: Option<&'a dyn Backend>,
}

impl Backends<'_> {
    /// The backend of a device.
    pub fn get(&self, device: Device) -> &dyn Backend {
        match (device, self.gpu) {
            (Device::Gpu, Some(gpu)) => gpu,
            _ => self.cpu,
        }
    }
}

struct Scheduler<'a> {
    order: &'a Order,
    partition: &'a Partition,
    steps: Vec<Step>,
    /// The slot of an item's block, per device.
    slots: FxHashMap<(Id, Device), Slot>,
    /// Where an item's block was made.
    homes: FxHashMap<Id, Device>,
    count: Slot,
}

/// Makes the plan of a partition.
pub fn schedule(order: &Order, partition: &Partition, backends: &Backends, moved: Vec<String>) -> Plan {
    let leaves = leaf_homes(order, partition);
    let mut scheduler = Scheduler {
        order,
        partition,
        steps: Vec::new(),
        slots: FxHashMap::default(),
        homes: FxHashMap::default(),
        count: order.leaves.len() as Slot,
    };
    for (id, item) in order.items.iter().enumerate() {
        if let ItemKind::Leaf(leaf, _) = item.kind {
            scheduler.slots.insert((id as Id, leaves[leaf as usize]), leaf);
            scheduler.homes.insert(id as Id, leaves[leaf as usize]);
        }
    }
    let mut moved = moved;
    for (unit, (task, device)) in partition.units.iter().enumerate() {
        scheduler.unit(unit as u32, task, *device, backends, &mut moved);
    }
    let slot_of = |scheduler: &Scheduler, id: Id| {
        let base = match &partition.found[id as usize] {
            _ if partition.copies.contains_key(&id) => id,
            Found::At(base, _) => *base,
            _ => id,
        };
        scheduler.slots[&(base, scheduler.homes[&base])]
    };
    let targets: Vec<Vec<Slot>> = order
        .targets
        .iter()
        .map(|(_, ids)| ids.iter().map(|&id| slot_of(&scheduler, id)).collect())
        .collect();
    let Scheduler { mut steps, count, .. } = scheduler;
    mark_dying(&mut steps, &targets, count);
    moved.sort();
    moved.dedup();
    Plan { steps, slots: count as usize, leaves, targets, moved }
}

/// Where each leaf is; a number goes where it is first read.
fn leaf_homes(order: &Order, partition: &Partition) -> Vec<Device> {
    let mut homes: Vec<Option<Device>> = vec![None; order.leaves.len()];
    for item in &order.items {
        let ItemKind::Leaf(leaf, device) = item.kind else { continue };
        if let crate::order::Leaf::Block(_) = order.leaves[leaf as usize] {
            homes[leaf as usize] = Some(device);
        }
    }
    for (unit, device) in &partition.units {
        let Unit::Group(group) = unit else { continue };
        for &id in &group.items {
            for &x in &order.items[id as usize].inputs {
                let Found::At(base, _) = &partition.found[x as usize] else { continue };
                if let ItemKind::Leaf(leaf, _) = order.items[*base as usize].kind {
                    homes[leaf as usize].get_or_insert(*device);
                }
            }
        }
    }
    homes.into_iter().map(|home| home.unwrap_or(Device::Cpu)).collect()
}

impl Scheduler<'_> {
    fn unit(&mut self, unit: u32, task: &Unit, device: Device, backends: &Backends, moved: &mut Vec<String>) {
        let items = &self.order.items;
        match task {
            Unit::Group(group) => {
                for emitted in emit_group(items, self.partition, unit, group) {
                    self.group(emitted, device, backends, moved);
                }
            }
            Unit::Copy(id) => {
                self.group(emit_copy(items, self.partition, unit, *id), device, backends, moved);
            }
            Unit::Whole(call, results, wanted) => {
                let item = &items[wanted[0].1 as usize];
                let mut inputs = Vec::new();
                for (&x, shape) in item.inputs.iter().zip(&call.shapes) {
                    let (base, layout) = self.found(x, unit);
                    let layout = layout.reshape(shape).expect("grouping has copied what does not fit");
                    inputs.push(self.operand(base, layout, device));
                }
                let step = WholeStep {
                    whole: call.whole.clone(),
                    shapes: call.shapes.clone(),
                    shape: call.shape.clone(),
                };
                let mut outputs = Vec::with_capacity(results.len());
                for (number, aval) in results.iter().enumerate() {
                    let slot = match wanted.iter().find(|(result, _)| *result as usize == number) {
                        Some((_, id)) => self.new_slot(*id, device),
                        None => self.unnamed_slot(),
                    };
                    outputs.push((slot, aval.clone()));
                }
                self.steps.push(Step { device, task: Task::Whole(step), inputs, outputs, dying: vec![] });
            }
            Unit::Host(call, results) => {
                let mut inputs = Vec::new();
                for &x in &items[results[0].1 as usize].inputs {
                    let layout = Layout::contiguous(&items[x as usize].aval.shape);
                    inputs.push(self.operand(self.found(x, unit).0, layout, device));
                }
                let (results, writes): (Vec<u32>, Vec<Id>) = results.iter().copied().unzip();
                self.push(Task::Host(HostStep { call: *call, results }), device, inputs, &writes);
            }
        }
    }

    /// Where a unit finds an item that it wants in a block.
    fn found(&self, x: Id, unit: u32) -> (Id, Layout) {
        match &self.partition.found[x as usize] {
            // A copy made for a later unit is not there yet.
            Found::At(base, layout) if self.partition.copies.get(&x).is_none_or(|&made| made > unit) => {
                (*base, layout.clone())
            }
            _ => (x, Layout::contiguous(&self.order.items[x as usize].aval.shape)),
        }
    }

    fn group(&mut self, emitted: Emitted, wanted: Device, backends: &Backends, moved: &mut Vec<String>) {
        let device = match backends.get(wanted).lacks_group(&emitted.step.program) {
            Some(why) if wanted != Device::Cpu => {
                moved.push(why);
                Device::Cpu
            }
            _ => wanted,
        };
        let inputs =
            emitted.reads.into_iter().map(|(base, layout)| self.operand(base, layout, device)).collect();
        self.push(Task::Group(emitted.step), device, inputs, &emitted.writes);
    }

    fn push(&mut self, task: Task, device: Device, inputs: Vec<Operand>, writes: &[Id]) {
        let outputs = writes.iter().map(|&id| (self.new_slot(id, device), self.aval(id))).collect();
        self.steps.push(Step { device, task, inputs, outputs, dying: vec![] });
    }

    fn aval(&self, id: Id) -> Aval {
        self.order.items[id as usize].aval.clone()
    }

    /// For a result that nobody reads.
    fn unnamed_slot(&mut self) -> Slot {
        self.count += 1;
        self.count - 1
    }

    fn new_slot(&mut self, id: Id, device: Device) -> Slot {
        let slot = self.unnamed_slot();
        self.slots.insert((id, device), slot);
        self.homes.entry(id).or_insert(device);
        slot
    }

    /// A block as a step on `device` reads it, brought there if need be.
    fn operand(&mut self, base: Id, layout: Layout, device: Device) -> Operand {
        let aval = self.aval(base);
        if let Some(&slot) = self.slots.get(&(base, device)) {
            return Operand { slot, layout, aval };
        }
        let home = self.homes[&base];
        let from = self.slots[&(base, home)];
        let whole = Operand { slot: from, layout: Layout::contiguous(&aval.shape), aval: aval.clone() };
        let slot = self.new_slot(base, device);
        let step = Step {
            device,
            task: Task::Transfer,
            inputs: vec![whole],
            outputs: vec![(slot, aval.clone())],
            dying: vec![],
        };
        self.steps.push(step);
        Operand { slot, layout, aval }
    }
}

/// Tells each step which blocks it reads last.
fn mark_dying(steps: &mut [Step], targets: &[Vec<Slot>], count: Slot) {
    let mut needed = vec![false; count as usize];
    targets.iter().flatten().for_each(|&slot| needed[slot as usize] = true);
    for step in steps.iter_mut().rev() {
        let mut dying = Vec::new();
        let made = step.outputs.iter().map(|(slot, _)| *slot);
        for slot in step.inputs.iter().map(|operand| operand.slot).chain(made) {
            if !std::mem::replace(&mut needed[slot as usize], true) {
                dying.push(slot);
            }
        }
        step.dying = dying;
    }
}
