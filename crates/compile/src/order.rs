//! order: from arrays to a list of what is to be computed, each after what it needs.
//!
//! Aliases and custom nodes are looked through here: the leaves of a body alias the call's arguments, so its
//! outputs are the inlined graph. Nothing after this pass can see that there was a rule.

use std::sync::Arc;

use pullback_base::{Aval, Device, Dtype, Error, Result, Storage};
use pullback_core::callback::HostCall;
use pullback_core::op::{Kernel, OpDef};
use pullback_core::{Array, Node, NodeKind, Params};
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;

/// The number of an item.
pub type Id = u32;

/// What an item is.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// A block that is there already, by its number among the leaves, and where it is.
    Leaf(u32, Device),
    /// One of the constants worth knowing when planning, by its bits.
    Const(u64),
    /// An operation, and its first result.
    Op(&'static OpDef, Params),
    /// A call of the host, by its number among the calls, and its first result.
    Host(u32),
    /// A further result of the operation or call that is its operand. All results are there at once.
    Result(u32),
}

/// Something to be computed, or there already.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its operands.
    pub inputs: SmallVec<[Id; 3]>,
    /// Shape and dtype.
    pub aval: Aval,
    /// Where it is to be computed.
    pub device: Device,
    /// Whether its elements are wanted after the run: it is a root, or somebody outside the graph holds it.
    pub kept: bool,
}

/// A leaf of a run: a block, or a number that the plan does not know.
#[derive(Clone)]
pub enum Leaf {
    /// Elements.
    Block(Storage),
    /// One element, by its bits.
    Number(u64),
}

/// A graph in order.
#[derive(Default)]
pub struct Order {
    /// What is computed.
    pub items: Vec<Item>,
    /// What is there.
    pub leaves: Vec<Leaf>,
    /// What is called: given with each run, as leaves are, so that no plan keeps a closure. Each is there once.
    pub calls: Vec<HostCall>,
    /// Nodes that get elements from the run, with the items of their outputs.
    pub targets: Vec<(Arc<Node>, SmallVec<[Id; 1]>)>,
}

/// What is known of a node on the way.
struct Seen {
    node: Arc<Node>,
    /// References to it found in the graph.
    uses: usize,
    ids: SmallVec<[Id; 1]>,
}

/// Constants that the simplifier may ask for: other numbers are leaves, so that a plan does not depend on them.
const KNOWN: [f64; 5] = [0., 1., -1., 2., 0.5];

/// The error for an array without elements, a leaf of the transform named.
pub type NoValue = fn(&Array, &str) -> Error;

/// Lists what `roots` need. Whether a trace is still open, only the transforms know: they say what is wrong with
/// a tracer.
///
/// # Errors
/// What `no_value` answers for a tracer, which has no elements.
pub fn order(roots: &[Array], no_value: NoValue) -> Result<Order> {
    let mut walk = Walk {
        // Room for a small graph: what grows pays for each of its sizes.
        order: Order { items: Vec::with_capacity(8), leaves: Vec::with_capacity(4), ..Order::default() },
        seen: FxHashMap::with_capacity_and_hasher(14, FxBuildHasher),
        nodes: Vec::with_capacity(8),
        numbers: FxHashMap::default(),
        calls: FxHashMap::default(),
        no_value,
    };
    for root in roots {
        walk.visit(root.node())?;
    }
    Ok(walk.finish(roots))
}

struct Walk {
    order: Order,
    seen: FxHashMap<usize, u32>,
    nodes: Vec<Seen>,
    numbers: FxHashMap<(u64, Dtype), Id>,
    /// Numbers of calls, by the address of the closure.
    calls: FxHashMap<usize, SmallVec<[u32; 1]>>,
    no_value: NoValue,
}

fn address(node: &Arc<Node>) -> usize {
    Arc::as_ptr(node) as usize
}

impl Walk {
    /// A loop over an explicit stack: a graph may be deeper than any call stack.
    fn visit(&mut self, root: &Arc<Node>) -> Result<()> {
        let mut stack = vec![(root.clone(), false)];
        while let Some((node, inputs_done)) = stack.pop() {
            if inputs_done {
                self.enter(node)?;
                continue;
            }
            if self.seen.contains_key(&address(&node)) {
                continue;
            }
            if node.data().is_some() || matches!(node.kind, NodeKind::Const(_)) {
                self.enter(node)?;
                continue;
            }
            let depth = stack.len();
            stack.push((node.clone(), true));
            let mut push = |x: &Array| {
                if !self.seen.contains_key(&address(x.node())) {
                    stack.push((x.node().clone(), false));
                }
            };
            match node.custom() {
                Some(call) => match call.body.get() {
                    Some(body) => body.outs.iter().rev().for_each(&mut push),
                    None => return Err(self.no_value("vmap", &node)),
                },
                None => node.with_inputs(|inputs| inputs.iter().rev().for_each(&mut push)),
            }
            debug_assert!(stack.len() > depth);
        }
        Ok(())
    }

    fn no_value(&self, of: &str, node: &Arc<Node>) -> Error {
        (self.no_value)(&Array::output(node, 0), of)
    }

    fn id(&mut self, array: &Array) -> Id {
        let seen = &mut self.nodes[self.seen[&address(array.node())] as usize];
        seen.uses += 1;
        seen.ids[array.out()]
    }

    fn item(&mut self, item: Item) -> Id {
        self.order.items.push(item);
        (self.order.items.len() - 1) as Id
    }

    fn leaf(&mut self, leaf: Leaf, device: Device, aval: &Aval) -> Id {
        self.order.leaves.push(leaf);
        let kind = ItemKind::Leaf((self.order.leaves.len() - 1) as u32, device);
        self.item(Item { kind, inputs: SmallVec::new(), aval: aval.clone(), device, kept: false })
    }

    /// Gives a node its items; those of its operands are there.
    fn enter(&mut self, node: Arc<Node>) -> Result<()> {
        if self.seen.contains_key(&address(&node)) {
            return Ok(());
        }
        let ids: SmallVec<[Id; 1]> = if let Some(data) = node.data() {
            self.blocks(data, &node)
        } else {
            match &node.kind {
                NodeKind::Const(bits) => SmallVec::from_elem(self.constant(*bits, &node), 1),
                NodeKind::Alias => node.inputs().iter().map(|x| self.id(x)).collect(),
                NodeKind::Custom => self.inline(&node)?,
                NodeKind::Op(_, Params::Host(call)) => self.host(&node, call)?,
                NodeKind::Op(op, params) => {
                    let inputs = node.inputs().iter().map(|x| self.id(x)).collect();
                    self.results(ItemKind::Op(op, params.clone()), inputs, &node)
                }
                NodeKind::Tracer(of) => return Err(self.no_value(of, &node)),
                NodeKind::Data => {
                    return Err(Error::internal("[eval] expected elements, got a leaf without"));
                }
            }
        };
        self.seen.insert(address(&node), self.nodes.len() as u32);
        self.nodes.push(Seen { node, uses: 0, ids });
        Ok(())
    }

    fn blocks(&mut self, data: &[Storage], node: &Node) -> SmallVec<[Id; 1]> {
        let each = data.iter().zip(&node.avals);
        each.map(|(block, aval)| self.leaf(Leaf::Block(block.clone()), block.device(), aval)).collect()
    }

    /// The items of a call of the host: one for each result.
    fn host(&mut self, node: &Arc<Node>, call: &HostCall) -> Result<SmallVec<[Id; 1]>> {
        let (operands, call) = (node.inputs(), call.clone());
        // Another thread may have computed it meanwhile, and it has then forgotten what it was.
        if let Some(data) = node.data() {
            return Ok(self.blocks(data, node));
        }
        let forgot = || Error::internal("[eval] a call forgot its function");
        let fun = Arc::as_ptr(&call.fun().ok_or_else(forgot)?) as *const () as usize;
        let inputs: SmallVec<[Id; 3]> = operands.iter().map(|x| self.id(x)).collect();
        let (calls, same) = (&mut self.order.calls, self.calls.entry(fun).or_default());
        let known = same.iter().copied().find(|&other| calls[other as usize] == call);
        let number = known.unwrap_or_else(|| {
            calls.push(call);
            same.push(calls.len() as u32 - 1);
            calls.len() as u32 - 1
        });
        Ok(self.results(ItemKind::Host(number), inputs, node))
    }

    /// An item for each result of a node: what is computed is the first one's business.
    fn results(&mut self, kind: ItemKind, inputs: SmallVec<[Id; 3]>, node: &Node) -> SmallVec<[Id; 1]> {
        let item = |kind, inputs, aval: &Aval| {
            let (aval, device) = (aval.clone(), node.device);
            Item { kind, inputs, aval, device, kept: false }
        };
        let first = self.item(item(kind, inputs, &node.avals[0]));
        let mut ids = SmallVec::from_elem(first, 1);
        for (out, aval) in node.avals.iter().enumerate().skip(1) {
            let inputs = SmallVec::from_elem(first, 1);
            ids.push(self.item(item(ItemKind::Result(out as u32), inputs, aval)));
        }
        ids
    }

    fn constant(&mut self, bits: u64, node: &Arc<Node>) -> Id {
        let aval = &node.avals[0];
        let known = KNOWN.iter().any(|&x| pullback_base::Scalar::Float(x).bits(aval.dtype) == bits);
        if !known {
            if let Some(&id) = self.numbers.get(&(bits, aval.dtype)) {
                return id;
            }
            let id = self.leaf(Leaf::Number(bits), node.device, aval);
            self.numbers.insert((bits, aval.dtype), id);
            return id;
        }
        let (kind, device) = (ItemKind::Const(bits), node.device);
        self.item(Item { kind, inputs: SmallVec::new(), aval: aval.clone(), device, kept: false })
    }

    /// The items of a body's outputs. Everything else that the call holds is a reference within the graph too.
    fn inline(&mut self, node: &Arc<Node>) -> Result<SmallVec<[Id; 1]>> {
        let Some(call) = node.custom() else { return Err(self.no_value("a custom function", node)) };
        let Some(body) = call.body.get() else { return Err(self.no_value("vmap", node)) };
        let ids = body.outs.iter().map(|out| self.id(out)).collect();
        let mut held: SmallVec<[Array; 4]> = node.inputs().into_iter().collect();
        held.extend(call.inner().cloned());
        for array in &held {
            if let Some(&at) = self.seen.get(&address(array.node())) {
                self.nodes[at as usize].uses += 1;
            }
        }
        // The outputs of the body were counted twice.
        for out in &body.outs {
            self.nodes[self.seen[&address(out.node())] as usize].uses -= 1;
        }
        Ok(ids)
    }

    fn finish(mut self, roots: &[Array]) -> Order {
        let mut root = vec![false; self.nodes.len()];
        for array in roots {
            let at = self.seen[&address(array.node())] as usize;
            root[at] = true;
        }
        for (seen, root) in self.nodes.into_iter().zip(root) {
            if seen.node.data().is_some() || matches!(seen.node.kind, NodeKind::Const(_)) && !root {
                continue;
            }
            // Somebody outside the graph may ask for it later, and must not compute it again; a view costs
            // nothing to ask for. One reference is that of this list.
            let views = || seen.ids.iter().all(|&id| is_view(&self.order.items[id as usize]));
            if root || (Arc::strong_count(&seen.node) > seen.uses + 1 && !views()) {
                for &id in &seen.ids {
                    self.order.items[id as usize].kept = true;
                }
                self.order.targets.push((seen.node, seen.ids));
            }
        }
        self.order
    }
}

fn is_view(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Op(op, _) => matches!(op.kernel, Kernel::View(_)),
        ItemKind::Leaf(..) | ItemKind::Const(_) => true,
        ItemKind::Host(_) | ItemKind::Result(_) => false,
    }
}
