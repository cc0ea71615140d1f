//! Plans by structure: a loop that does the same again pays one hash per item, and no planning.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use pullback_base::{Device, Dtype};
use pullback_core::op::Kernel;
use rustc_hash::{FxHashMap, FxHasher};

use crate::backend::Backend;
use crate::group::partition;
use crate::order::{Id, Item, ItemKind, Leaf, Order};
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
    let mut shared = Order {
        items: order.items.clone(),
        leaves: order.leaves.clone(),
        targets: order.targets.clone(),
        ..Order::default()
    };
    share(&mut shared);
    let mut places: Vec<Device> = Vec::with_capacity(shared.items.len());
    for (id, item) in shared.items.iter().enumerate() {
        places.push(match (&item.kind, backends.gpu) {
            (ItemKind::Result(_), _) => places[item.inputs[0] as usize],
            (ItemKind::Host(_), Some(gpu)) if item.device == Device::Gpu => {
                place_of_call(id as Id, &shared.items, gpu)
            }
            _ => place(item, &shared.items, backends, &mut moved),
        });
    }
    let groups = partition(&shared.items, &places);
    schedule(&shared, &groups, backends, moved)
}

/// Where an item runs: where it was asked to, or else on the CPU.
fn place(item: &Item, items: &[Item], backends: &Backends, moved: &mut Vec<String>) -> Device {
    let gpu = match (item.device, backends.gpu) {
        (Device::Gpu, Some(gpu)) => gpu,
        (Device::Gpu, None) if !matches!(item.kind, ItemKind::Leaf(..) | ItemKind::Const(_)) => {
            return Device::Cpu;
        }
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
        Kernel::View(_) | Kernel::Host => return item.device,
        _ => operands().chain([&item.aval]).find_map(|aval| lacks_type(gpu, aval.dtype)),
    };
    match why {
        Some(why) => {
            moved.push(format!("[{}] {why}", op.name));
            Device::Cpu
        }
        None => Device::Gpu,
    }
}

/// Why a device cannot hold a type at all.
fn lacks_type(gpu: &dyn Backend, dtype: Dtype) -> Option<String> {
    let mut program = Program::default();
    let value = program.load(dtype, Class::Full);
    program.store(dtype, value);
    gpu.lacks_group(&program)
}

/// Where a call of the host takes and leaves its blocks: it runs on the host in any case, so that they stay on the
/// CPU where the device cannot hold one of them is no news for anybody.
fn place_of_call(call: Id, items: &[Item], gpu: &dyn Backend) -> Device {
    let item = &items[call as usize];
    let result = |other: &&Item| matches!(other.kind, ItemKind::Result(_)) && other.inputs[0] == call;
    let operands = item.inputs.iter().map(|&x| &items[x as usize]);
    let mut all = operands.chain(items.iter().filter(result)).chain([item]);
    if all.any(|item| lacks_type(gpu, item.aval.dtype).is_some()) { Device::Cpu } else { Device::Gpu }
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
            ItemKind::Host(call) => (2u8, call).hash(&mut state),
            ItemKind::Result(result) => (3u8, result).hash(&mut state),
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
            (ItemKind::Host(i), ItemKind::Host(j)) | (ItemKind::Result(i), ItemKind::Result(j)) => i == j,
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
