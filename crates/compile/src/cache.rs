//! Plans by structure: a loop that does the same again pays one hash per item, and no planning.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use pullback_base::Device;
use pullback_core::op::Kernel;
use rustc_hash::{FxHashMap, FxHasher};

use crate::group::partition;
use crate::order::{Item, ItemKind, Leaf, Order};
use crate::program::{Class, Program};
use crate::schedule::{Backends, Plan, schedule};
use crate::share::share;

/// Plans that were made, and for what.
#[derive(Default)]
pub struct Plans {
    entries: Mutex<FxHashMap<u64, Vec<Entry>>>,
}

struct Entry {
    items: Vec<Item>,
    numbers: Vec<bool>,
    targets: Vec<Vec<u32>>,
    plan: Arc<Plan>,
}

/// Above this many the cache starts anew: a program that never repeats itself must not keep its plans.
const ENTRIES_MAX: usize = 4096;

impl Plans {
    /// The plan of a graph, and whether it was there.
    pub fn get(&self, order: &Order, backends: &Backends) -> (Arc<Plan>, bool) {
        let hash = hash(order);
        let lock = || self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = lock().get(&hash).and_then(|list| list.iter().find(|entry| entry.fits(order))) {
            return (entry.plan.clone(), true);
        }
        let plan = Arc::new(make(order, backends));
        let mut entries = lock();
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.entry(hash).or_default().push(Entry {
            items: order.items.clone(),
            numbers: numbers(order).collect(),
            targets: order.targets.iter().map(|(_, ids)| ids.to_vec()).collect(),
            plan: plan.clone(),
        });
        (plan, false)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Plans a graph.
pub fn make(order: &Order, backends: &Backends) -> Plan {
    let mut moved = Vec::new();
    let mut shared =
        Order { items: order.items.clone(), leaves: order.leaves.clone(), targets: order.targets.clone() };
    share(&mut shared);
    let places: Vec<Device> =
        shared.items.iter().map(|item| place(item, &shared.items, backends, &mut moved)).collect();
    let groups = partition(&shared.items, &places);
    schedule(&shared, &groups, backends, moved)
}

/// Where an item runs: where it was asked to, or else on the CPU.
fn place(item: &Item, items: &[Item], backends: &Backends, moved: &mut Vec<String>) -> Device {
    let gpu = match (item.device, backends.gpu) {
        (Device::Gpu, Some(gpu)) => gpu,
        (Device::Gpu, None) if matches!(item.kind, ItemKind::Op(..)) => return Device::Cpu,
        _ => return item.device,
    };
    let ItemKind::Op(op, params) = &item.kind else { return item.device };
    let operands = || item.inputs.iter().map(|&x| &items[x as usize].aval);
    let why = match &op.kernel {
        Kernel::Whole(call) => {
            let avals: Vec<_> = operands().collect();
            let mut dtypes: Vec<_> = avals.iter().map(|aval| aval.dtype).collect();
            dtypes.push(item.aval.dtype);
            gpu.lacks_whole(&call(params, &avals, &item.aval).whole, &dtypes)
        }
        Kernel::View(_) => return item.device,
        _ => operands().chain([&item.aval]).find_map(|aval| {
            // Whether the device can hold the type at all.
            let mut program = Program::default();
            let value = program.load(aval.dtype, Class::Full);
            program.store(aval.dtype, value);
            gpu.lacks_group(&program)
        }),
    };
    match why {
        Some(why) => {
            moved.push(format!("[{}] {why}", op.name));
            Device::Cpu
        }
        None => Device::Gpu,
    }
}

fn numbers(order: &Order) -> impl Iterator<Item = bool> {
    order.leaves.iter().map(|leaf| matches!(leaf, Leaf::Number(_)))
}

fn hash(order: &Order) -> u64 {
    let mut state = FxHasher::default();
    for item in &order.items {
        match &item.kind {
            ItemKind::Leaf(leaf, device) => (0u8, leaf, device).hash(&mut state),
            ItemKind::Const(bits) => (1u8, bits).hash(&mut state),
            ItemKind::Op(op, params) => (std::ptr::from_ref(*op) as usize, params).hash(&mut state),
        }
        item.inputs.hash(&mut state);
        item.aval.hash(&mut state);
        (item.kept, item.device).hash(&mut state);
    }
    order.targets.iter().for_each(|(_, ids)| ids.hash(&mut state));
    state.finish()
}

impl Entry {
    /// Whether the plan is one for this graph: the hash is only where to look.
    fn fits(&self, order: &Order) -> bool {
        let kind = |a: &ItemKind, b: &ItemKind| match (a, b) {
            (ItemKind::Leaf(i, d), ItemKind::Leaf(j, e)) => i == j && d == e,
            (ItemKind::Const(x), ItemKind::Const(y)) => x == y,
            (ItemKind::Op(f, p), ItemKind::Op(g, q)) => std::ptr::eq(*f, *g) && p == q,
            _ => false,
        };
        let item = |a: &Item, b: &Item| {
            kind(&a.kind, &b.kind)
                && a.inputs == b.inputs
                && a.aval == b.aval
                && a.kept == b.kept
                && a.device == b.device
        };
        self.items.len() == order.items.len()
            && self.items.iter().zip(&order.items).all(|(a, b)| item(a, b))
            && self.numbers.iter().copied().eq(numbers(order))
            && self.targets.len() == order.targets.len()
            && self.targets.iter().zip(&order.targets).all(|(a, (_, b))| a[..] == b[..])
    }
}
