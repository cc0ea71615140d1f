//! Vectorization, within.
//!
//! A function is traced on leaves without the mapped axis; the graph is then replayed on the arrays that have
//! it. The replay is memoised and can run up to any node at any time, so at a custom call the batched forms of
//! the arguments are known while the trace is still open.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use pullback_base::{Aval, Error, Result, Shape};
use pullback_core::op::Batch;
use pullback_core::origin::{self, How};
use pullback_core::{Array, Node, NodeKind, fun, place, trace};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::custom::batched;
use crate::stack::{self, Kind};
use crate::walk::{id, visited};

/// An array and where its batch axis is, if it has one.
#[derive(Clone)]
pub(crate) struct Entry {
    pub array: Array,
    pub axis: Option<usize>,
    /// It has the axis, and all examples are the same: a result that was repeated for the sake of its cotangents.
    pub uniform: bool,
}

impl Entry {
    /// An array with its batch axis, along which it may vary.
    pub fn new(array: Array, axis: Option<usize>) -> Entry {
        Entry { array, axis, uniform: false }
    }

    /// Whether it is the same for all examples.
    pub fn shared(&self) -> bool {
        self.axis.is_none() || self.uniform
    }

    /// With the batch axis at `axis`, repeated if there was none.
    pub fn at(&self, axis: usize, size: usize) -> Result<Array> {
        match self.axis {
            Some(from) => fun::move_axis(&self.array, from, axis),
            None => repeat(&self.array, axis, size),
        }
    }

    /// With the batch axis in front, if there is one.
    fn lead(&self) -> Result<Array> {
        self.axis.map_or(Ok(self.array.clone()), |from| fun::move_axis(&self.array, from, 0))
    }

    /// Summed over the batch; also where all examples agree, so that only one is there.
    pub fn sum(&self, size: usize) -> Result<Array> {
        match self.axis {
            Some(axis) => fun::sum(&self.array, &[axis]),
            None => fun::multiply(&self.array, &self.array.weak(size as f64)),
        }
    }
}

/// A new axis of length `size` at `axis`.
pub(crate) fn repeat(x: &Array, axis: usize, size: usize) -> Result<Array> {
    let lined = if axis == 0 { x.clone() } else { fun::reshape(x, x.shape().with(axis, 1))? };
    fun::broadcast_to(&lined, &x.shape().with(axis, size))
}

/// The axis of length `n * n` in front of `x` as the diagonal of the two it is made of.
pub(crate) fn diagonal(x: &Array, n: usize) -> Result<Array> {
    let merged: Shape = std::iter::once(n * n).chain(x.shape()[2..].iter().copied()).collect();
    let step = pullback_base::Scalar::Int(n as i64 + 1);
    let step = Array::scalar(step, pullback_base::Dtype::I32);
    let index = fun::multiply(&fun::index::iota(n, pullback_base::Dtype::I32)?, &step)?;
    fun::index::take(&fun::reshape(x, merged)?, &index)
}

/// Arrays with the batch axis in front; the last flag stands for the rest.
fn in_front(arrays: impl IntoIterator<Item = Array>, uniform: &[bool]) -> SmallVec<[Entry; 1]> {
    let flag = |i: usize| uniform.get(i).or(uniform.last()).is_some_and(|&uniform| uniform);
    let entry = |(i, array)| Entry { array, axis: Some(0), uniform: flag(i) };
    arrays.into_iter().enumerate().map(entry).collect()
}

/// A node and the batched forms of its outputs.
type Replayed = (Arc<Node>, SmallVec<[Entry; 1]>);

/// The same for as long as somebody else holds them.
struct Faded {
    /// Keeps the address from being used again, and nothing alive.
    _node: Weak<Node>,
    entries: SmallVec<[FadedEntry; 1]>,
}

struct FadedEntry {
    node: Weak<Node>,
    out: usize,
    axis: Option<usize>,
    uniform: bool,
}

impl Faded {
    fn of((node, entries): &Replayed) -> Faded {
        let faded = |entry: &Entry| FadedEntry {
            node: Arc::downgrade(entry.array.node()),
            out: entry.array.out(),
            axis: entry.axis,
            uniform: entry.uniform,
        };
        Faded { _node: Arc::downgrade(node), entries: entries.iter().map(faded).collect() }
    }

    fn entry(&self, out: usize) -> Option<Entry> {
        let FadedEntry { node, out, axis, uniform } = &self.entries[out];
        let array = Array::output(&node.upgrade()?, *out);
        Some(Entry { array, axis: *axis, uniform: *uniform })
    }
}

/// What has been replayed, by the address of the node.
#[derive(Default)]
struct Memo {
    held: FxHashMap<usize, Replayed>,
    faded: FxHashMap<usize, Faded>,
}

/// A vmap in progress; kept by the custom nodes it made, whose rules are called later.
pub(crate) struct VmapTrace {
    pub number: u64,
    /// Nothing numbered below this is mapped.
    pub floor: u64,
    pub size: usize,
    memo: Mutex<Memo>,
    /// A leaf that is mapped and means nothing; made when asked for.
    lead: OnceLock<Array>,
    /// The same batch, traced before: rules may have captured its tracers.
    parent: Option<Arc<VmapTrace>>,
}

/// Lets go of what was replayed when the trace closes: it would keep alive, in a cycle, the custom nodes that keep the
/// trace. The leaves stay. What somebody holds is found again, and not replayed: a rule that captured a tracer asks for
/// it later, and a copy of a custom node would get a part of the cotangent, of which a rule that is not linear makes
/// something else than of the whole.
struct Scope(Arc<VmapTrace>);
impl Drop for Scope {
    fn drop(&mut self) {
        let vmap = &self.0;
        // Moved out first: dropping nodes may run code that looks here.
        let mut memo = std::mem::take(&mut *vmap.lock());
        let lead = vmap.lead.get().map(|lead| id(lead.node()));
        // Nobody will ask where no custom node was made: the references are those of `map` and of this scope.
        let asked = Arc::strong_count(vmap) > 2 || vmap.parent.is_some();
        let (Memo { held, faded }, mut outer) = (&mut memo, Vec::new());
        held.retain(|&at, replayed| {
            if matches!(replayed.0.kind, NodeKind::Tracer(_)) || Some(at) == lead {
                return true;
            }
            match &vmap.parent {
                _ if !asked => {}
                // It depends on no leaf of this trace: it is one of those that this one continues.
                Some(_) if replayed.0.trace < vmap.number => outer.push((at, Faded::of(replayed))),
                _ => drop(faded.insert(at, Faded::of(replayed))),
            }
            false
        });
        if let Some(parent) = &vmap.parent {
            parent.lock().faded.extend(outer);
        }
        *vmap.lock() = memo;
    }
}

/// Runs `f` on one leaf per entry and replays what it returns. Everything that maps is this.
pub(crate) fn map(
    size: usize,
    parent: Option<Arc<VmapTrace>>,
    entries: &[Entry],
    f: impl FnOnce(&[Array]) -> Result<Vec<Option<Array>>>,
) -> Result<Vec<Option<Entry>>> {
    let number = trace::next();
    let floor = parent.as_ref().map_or(number, |parent| parent.floor);
    let vmap =
        Arc::new(VmapTrace { number, floor, size, memo: Mutex::default(), lead: OnceLock::new(), parent });
    let _scope = Scope(vmap.clone());
    let leaves: Vec<Array> = entries.iter().map(|entry| vmap.leaf(entry)).collect();
    // Open until all is replayed: that may call rules, which may meet tracers of this trace.
    let _open = stack::open(Kind::Vmap(vmap.clone()));
    let results = f(&leaves)?;
    results.iter().map(|result| result.as_ref().map(|array| vmap.replay(array)).transpose()).collect()
}

impl VmapTrace {
    fn lock(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, node: &Arc<Node>, entries: SmallVec<[Entry; 1]>) {
        let old = self.lock().held.insert(id(node), (node.clone(), entries));
        drop(old);
    }

    /// A leaf that stands for one example; an array that is not mapped stands for itself.
    fn leaf(&self, entry: &Entry) -> Array {
        let Some(axis) = entry.axis else { return entry.array.clone() };
        let aval = entry.array.aval();
        let _here = place::beside(entry.array.node());
        let leaf = Array::tracer(aval.reshaped(aval.shape.without(axis)), "vmap", self.number);
        self.remember(leaf.node(), SmallVec::from_elem(entry.clone(), 1));
        leaf
    }

    /// A mapped leaf that means nothing: what waits for it is mapped too.
    pub fn lead(&self) -> Result<Array> {
        let _outer = trace::as_ever();
        let zero = Array::scalar(pullback_base::Scalar::Int(0), pullback_base::Dtype::I32);
        let entry = Entry { array: repeat(&zero, 0, self.size)?, axis: Some(0), uniform: true };
        let make = || {
            // It has a value, which is the same for all examples: so has what waits for it.
            let leaf = zero.alias(self.number);
            self.remember(leaf.node(), SmallVec::from_elem(entry, 1));
            leaf
        };
        Ok(self.lead.get_or_init(make).clone())
    }

    /// Says what the outputs of `node` are, batched: `values` with the batch axis first, and whether all examples are
    /// the same.
    pub fn set(&self, node: &Arc<Node>, values: impl IntoIterator<Item = Array>, uniform: &[bool]) {
        self.remember(node, in_front(values, uniform));
    }

    /// Whether leaves numbered `number` are mapped by this trace or by one that it continues.
    pub fn owns(&self, number: u64) -> bool {
        self.number == number || self.parent.as_ref().is_some_and(|parent| parent.owns(number))
    }

    fn known(&self, array: &Array) -> Option<Entry> {
        if array.number() < self.floor {
            return Some(Entry::new(array.clone(), None));
        }
        self.remembered(array)
    }

    fn remembered(&self, array: &Array) -> Option<Entry> {
        let at = id(array.node());
        let here = {
            let memo = self.lock();
            let held = memo.held.get(&at).map(|(_, entries)| entries[array.out()].clone());
            held.or_else(|| memo.faded.get(&at)?.entry(array.out()))
        };
        here.or_else(|| self.parent.as_ref()?.remembered(array))
    }

    /// The batched form of `root`.
    pub fn replay(self: &Arc<VmapTrace>, root: &Array) -> Result<Entry> {
        let _outer = trace::as_ever();
        let mut stack = vec![root.clone()];
        while let Some(array) = stack.last().cloned() {
            visited(1);
            if self.known(&array).is_some() {
                stack.pop();
                continue;
            }
            let node = array.node();
            let operands = node.inputs();
            let depth = stack.len();
            let mut inputs: Vec<Entry> = Vec::with_capacity(operands.len());
            for operand in &operands {
                match self.known(operand) {
                    Some(entry) => inputs.push(entry),
                    None => stack.push(operand.clone()),
                }
            }
            if stack.len() > depth {
                continue;
            }
            let _here = place::beside(node);
            let _from = origin::from(node, How::Copy);
            let entries = if inputs.iter().all(|entry| entry.axis.is_none()) {
                node.outputs().into_iter().map(|array| Entry::new(array, None)).collect()
            } else if let NodeKind::Custom = node.kind {
                match batched::replay(self, node, &inputs, &|x| self.known(x))? {
                    batched::Step::Done(values, uniform) => in_front(values.outputs(), &uniform),
                    batched::Step::Needs(more) => {
                        stack.extend(more);
                        continue;
                    }
                }
            } else {
                self.replay_op(node, &operands, &inputs)?
            };
            self.remember(node, entries);
            stack.pop();
        }
        self.known(root).ok_or_else(|| Error::internal("[vmap] lost what it replayed"))
    }

    fn replay_op(&self, node: &Node, operands: &[Array], inputs: &[Entry]) -> Result<SmallVec<[Entry; 1]>> {
        let (op, params) = match &node.kind {
            // Stays a leaf, with its number: the batched body ends where the body did.
            NodeKind::Alias => {
                let array = inputs[0].array.alias(node.trace);
                return Ok(SmallVec::from_elem(Entry { array, ..inputs[0].clone() }, 1));
            }
            NodeKind::Op(op, params) => (*op, params),
            _ => unreachable!("a leaf has no inputs, a custom node is replayed elsewhere"),
        };
        match &op.batch {
            Batch::Lead(lead) => {
                let xs = inputs.iter().map(|entry| entry.at(0, self.size)).collect::<Result<Vec<Array>>>()?;
                let avals: SmallVec<[&Aval; 3]> = operands.iter().map(Array::aval).collect();
                let params = lead(params, self.size, &avals);
                let outs = Array::apply_all(op, params, &xs.iter().collect::<SmallVec<[&Array; 3]>>())?;
                Ok(in_front(outs, &[inputs.iter().all(Entry::shared)]))
            }
            Batch::Custom(rule) => {
                let xs = inputs.iter().map(Entry::lead).collect::<Result<Vec<Array>>>()?;
                let axes: Vec<Option<usize>> = inputs.iter().map(|entry| entry.axis.map(|_| 0)).collect();
                let outs = rule(params, &xs, &axes, self.size)?;
                let uniform = inputs.iter().all(Entry::shared);
                Ok(outs.into_iter().map(|(array, axis)| Entry { array, axis, uniform }).collect())
            }
            Batch::Missing(why) => Err(Error::rule(format!("'{}' has no batched form: {why}", op.name))),
        }
    }
}
