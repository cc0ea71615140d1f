//! group: which items are computed together.
//!
//! One pass in order. An item of elements joins the latest group over its own space if everything else it needs
//! is ready before that group runs; so groups stay in an order in which they can run. A reduction joins the
//! group of its operand. Views join nothing: they become layouts of what they look at.

use pullback_base::{Aval, Device, Layout, Shape};
use pullback_core::op::{Infer, Kernel, Results, WholeCall};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::order::{Id, Item, ItemKind};

/// Items that are computed by one program.
#[derive(Debug)]
pub struct Group {
    /// Its points.
    pub space: Shape,
    /// The axes its reductions run over.
    pub reduced: Option<Vec<bool>>,
    /// Its items, in order.
    pub items: Vec<Id>,
    /// Blocks it reads, and where.
    pub reads: Vec<(Id, Layout)>,
}

/// What runs as one.
#[derive(Debug)]
pub enum Unit {
    /// A program.
    Group(Group),
    /// A kernel over whole arrays: it makes results of these types, and the items that are some of them, by their
    /// numbers.
    Whole(WholeCall, Results, Vec<(u32, Id)>),
    /// The elements of an item laid out in order.
    Copy(Id),
    /// A call of the host, and the items that are its results, by their numbers.
    Host(u32, Vec<(u32, Id)>),
}

/// Where a value is to be found.
#[derive(Clone, Debug)]
pub enum Found {
    /// A constant.
    Const(u64),
    /// In the block of an item, at a layout.
    At(Id, Layout),
    /// An item of elements of the unit named: a register there, and elsewhere its block.
    Value(u32),
}

/// The partition of a graph.
pub struct Partition {
    /// Units, in an order in which they can run.
    pub units: Vec<(Unit, Device)>,
    /// Where each item is found.
    pub found: Vec<Found>,
    /// Items that have a block of their own.
    pub stored: Vec<bool>,
    /// The copies, by item: its elements laid out in order.
    pub copies: FxHashMap<Id, u32>,
}

/// Bounds on a group: registers of the tile machine, bindings of a shader.
const ITEMS_MAX: usize = 64;
const READS_MAX: usize = 12;

/// Partitions `items`, each of which runs at its place.
pub fn partition(items: &[Item], places: &[Device]) -> Partition {
    let mut partition = Partitioner {
        items,
        units: Vec::new(),
        found: Vec::with_capacity(items.len()),
        stored: vec![false; items.len()],
        ready: vec![0; items.len()],
        copies: FxHashMap::default(),
        latest: FxHashMap::default(),
    };
    for (id, item) in items.iter().enumerate() {
        partition.add(id as Id, item, places[id]);
        if item.kept {
            partition.keep(id as Id, places[id]);
        }
    }
    let Partitioner { units, found, stored, copies, .. } = partition;
    Partition { units, found, stored, copies }
}

struct Partitioner<'a> {
    items: &'a [Item],
    units: Vec<(Unit, Device)>,
    found: Vec<Found>,
    stored: Vec<bool>,
    /// The first unit that can read an item's block.
    ready: Vec<u32>,
    copies: FxHashMap<Id, u32>,
    /// The latest group over a space on a device.
    latest: FxHashMap<(Shape, Device), u32>,
}

impl Partitioner<'_> {
    fn add(&mut self, id: Id, item: &Item, device: Device) {
        let (op, params) = match &item.kind {
            ItemKind::Leaf(..) => {
                self.stored[id as usize] = true;
                self.found.push(Found::At(id, Layout::contiguous(&item.aval.shape)));
                return;
            }
            ItemKind::Const(bits) => {
                self.found.push(Found::Const(*bits));
                return;
            }
            ItemKind::Op(op, params) => (*op, params),
            ItemKind::Host(call) => return self.host(id, item, *call, device),
            ItemKind::Result(result) => {
                let call = item.inputs[0];
                let unit = self.ready[call as usize] - 1;
                match &mut self.units[unit as usize].0 {
                    Unit::Host(_, results) | Unit::Whole(_, _, results) => results.push((*result, id)),
                    _ => unreachable!("a result is one of a call, or of a kernel over whole arrays"),
                }
                return self.own(id, item, unit);
            }
        };
        match &op.kernel {
            Kernel::Map(_) | Kernel::Cast | Kernel::Bitcast => {
                let unit = self.join(id, &item.aval.shape, None, device);
                self.found.push(Found::Value(unit));
                self.ready[id as usize] = unit + 1;
            }
            Kernel::Fold(_) => {
                let space = self.items[item.inputs[0] as usize].aval.shape.clone();
                let mut reduced = vec![false; space.ndim()];
                params.axes().iter().for_each(|&axis| reduced[axis] = true);
                let unit = self.join(id, &space, Some(reduced), device);
                self.own(id, item, unit);
            }
            Kernel::View(view) => {
                let found = match self.found[item.inputs[0] as usize].clone() {
                    Found::Const(bits) => Found::Const(bits),
                    _ => {
                        let (base, layout) = self.block(item.inputs[0]);
                        match view(params, &layout, &item.aval.shape) {
                            Some(layout) => Found::At(base, layout),
                            None => {
                                let base = self.copy(item.inputs[0], device);
                                let layout = Layout::contiguous(&self.items[base as usize].aval.shape);
                                let again = view(params, &layout, &item.aval.shape);
                                Found::At(base, again.expect("a view of elements in order is a layout"))
                            }
                        }
                    }
                };
                self.ready[id as usize] = self.ready_of(&found);
                self.found.push(found);
            }
            Kernel::Whole(call) => {
                let avals: SmallVec<[&Aval; 3]> =
                    item.inputs.iter().map(|&x| &self.items[x as usize].aval).collect();
                let results = match op.infer {
                    Infer::Many(rule) => rule(params, &avals).expect("the operands have been found to fit"),
                    _ => Results::from_elem(item.aval.clone(), 1),
                };
                self.whole(id, item, call(params, &avals, &item.aval), results, device);
            }
            Kernel::Host => unreachable!("a call of the host is an item of its own kind"),
        }
    }

    /// A kernel over whole arrays: a unit by itself.
    fn whole(&mut self, id: Id, item: &Item, call: WholeCall, results: Results, device: Device) {
        for (&x, shape) in item.inputs.iter().zip(&call.shapes) {
            self.whole_operand(x, shape, &call, device);
        }
        self.units.push((Unit::Whole(call, results, vec![(0, id)]), device));
        self.own(id, item, self.units.len() as u32 - 1);
    }

    /// An item whose block a unit makes.
    fn own(&mut self, id: Id, item: &Item, unit: u32) {
        self.stored[id as usize] = true;
        self.ready[id as usize] = unit + 1;
        self.found.push(Found::At(id, Layout::contiguous(&item.aval.shape)));
    }

    /// A call of the host: a unit by itself, which takes blocks of exactly its operands' elements.
    fn host(&mut self, id: Id, item: &Item, call: u32, device: Device) {
        for &x in &item.inputs {
            self.keep(x, device);
        }
        self.units.push((Unit::Host(call, vec![(0, id)]), device));
        self.own(id, item, self.units.len() as u32 - 1);
    }

    fn ready_of(&self, found: &Found) -> u32 {
        match found {
            Found::Const(_) => 0,
            Found::At(base, _) => self.copies.get(base).map_or(self.ready[*base as usize], |&unit| unit + 1),
            Found::Value(unit) => unit + 1,
        }
    }

    /// The block and layout in which an item is found, made to have one.
    fn block(&mut self, id: Id) -> (Id, Layout) {
        match &self.found[id as usize] {
            Found::At(base, layout) => (*base, layout.clone()),
            Found::Value(_) => {
                self.stored[id as usize] = true;
                (id, Layout::contiguous(&self.items[id as usize].aval.shape))
            }
            Found::Const(_) => unreachable!("a constant has no block until it is copied"),
        }
    }

    /// Lays out an item in order; it is found there from now on.
    fn copy(&mut self, id: Id, device: Device) -> Id {
        if !self.copies.contains_key(&id) {
            let unit = self.units.len() as u32;
            self.units.push((Unit::Copy(id), device));
            self.copies.insert(id, unit);
        }
        id
    }

    /// Makes an operand of a whole kernel such as it must be: in order, but for kernels that take any strides.
    fn whole_operand(&mut self, id: Id, shape: &Shape, call: &WholeCall, device: Device) {
        let fits = match &self.found[id as usize] {
            Found::Const(_) => false,
            Found::Value(_) => {
                self.stored[id as usize] = true;
                true
            }
            Found::At(_, layout) => {
                layout.is_contiguous() || (call.whole.takes_strides() && layout.reshape(shape).is_some())
            }
        };
        if !fits {
            self.copy(id, device);
        }
    }

    /// Puts an item into a group over `space`: the latest one, if that can be, else a new one.
    fn join(&mut self, id: Id, space: &Shape, reduced: Option<Vec<bool>>, device: Device) -> u32 {
        let key = (space.clone(), device);
        if let Some(&unit) = self.latest.get(&key)
            && self.admits(unit, id, &reduced)
        {
            self.put(unit, id, reduced);
            return unit;
        }
        let unit = self.units.len() as u32;
        let group = Group { space: space.clone(), reduced: None, items: vec![], reads: vec![] };
        self.units.push((Unit::Group(group), device));
        self.latest.insert(key, unit);
        self.put(unit, id, reduced);
        unit
    }

    fn admits(&self, unit: u32, id: Id, reduced: &Option<Vec<bool>>) -> bool {
        let (Unit::Group(group), _) = &self.units[unit as usize] else { return false };
        let inputs = &self.items[id as usize].inputs;
        let in_time = inputs.iter().all(|&x| match &self.found[x as usize] {
            Found::Value(at) => *at <= unit,
            found => self.ready_of(found) <= unit,
        });
        let same_axes = match (reduced, &group.reduced) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        in_time
            && same_axes
            && group.items.len() < ITEMS_MAX
            && group.reads.len() + self.reads(unit, id).len() <= READS_MAX
    }

    fn put(&mut self, unit: u32, id: Id, reduced: Option<Vec<bool>>) {
        let reads = self.reads(unit, id);
        for &x in &self.items[id as usize].inputs {
            if matches!(self.found[x as usize], Found::Value(at) if at != unit) {
                self.stored[x as usize] = true;
            }
        }
        let Unit::Group(group) = &mut self.units[unit as usize].0 else { unreachable!("items join groups") };
        group.reads.extend(reads);
        group.items.push(id);
        if reduced.is_some() {
            group.reduced = reduced;
        }
    }

    /// What an item reads that its group does not read yet.
    fn reads(&self, unit: u32, id: Id) -> SmallVec<[(Id, Layout); 3]> {
        let (Unit::Group(group), _) = &self.units[unit as usize] else { return SmallVec::new() };
        let mut new: SmallVec<[(Id, Layout); 3]> = SmallVec::new();
        for &x in &self.items[id as usize].inputs {
            let read = match &self.found[x as usize] {
                Found::At(base, layout) => (*base, layout.clone()),
                Found::Value(at) if *at != unit => (x, Layout::contiguous(&group.space)),
                _ => continue,
            };
            if !group.reads.contains(&read) && !new.contains(&read) {
                new.push(read);
            }
        }
        new
    }

    /// Sees to it that an item has a block of exactly its elements.
    fn keep(&mut self, id: Id, device: Device) {
        match &self.found[id as usize] {
            Found::Value(_) => self.stored[id as usize] = true,
            Found::Const(_) => {
                self.copy(id, device);
            }
            Found::At(base, layout) => {
                let whole = &self.items[*base as usize].aval;
                let same =
                    layout.is_contiguous() && layout.offset == 0 && whole.size() == layout.shape.size();
                if !same {
                    self.copy(id, device);
                }
            }
        }
    }
}
