//! Where nodes come from, while somebody asks: by which line, in which rule, as the derivative of what.
//!
//! A table of the thread beside the graph, and not a field of the node: while nobody asks, a node costs one look at
//! a counter. It keeps addresses from being used again, but no node alive.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;

use crate::custom::Site;
use crate::node::{Node, NodeKind};

/// Where a node comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The line that made it, or that made what it was derived from.
    pub site: Option<Site>,
    /// The rules in which it was made, innermost first.
    pub within: Vec<Arc<str>>,
    /// The operation of whose derivative it is a part.
    pub derivative_of: Option<Arc<str>>,
}

/// How a node follows from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum How {
    Derivative,
    /// The same operation, over other arrays.
    Copy,
}

/// Finds the line that is running.
pub type Locate = fn() -> Option<Site>;

#[derive(Default)]
struct Table {
    /// How many ask.
    asked: usize,
    locate: Option<Locate>,
    nodes: FxHashMap<usize, (Weak<Node>, Origin)>,
    /// Entries of dead nodes are swept out when there are so many.
    sweep_at: usize,
    within: Vec<Arc<str>>,
    /// From what nodes made now follow; `None` where a rule is running.
    from: Vec<Option<Origin>>,
}

static ASKED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

/// From now on, nodes made on this thread are noted.
pub fn start(locate: Locate) {
    TABLE.with_borrow_mut(|table| {
        table.asked += 1;
        table.locate = Some(locate);
    });
    ASKED.fetch_add(1, Ordering::Relaxed);
}

/// One less asks; when nobody does, the table is emptied.
pub fn stop() {
    let before = TABLE.with_borrow_mut(|table| {
        if table.asked == 0 {
            return None;
        }
        ASKED.fetch_sub(1, Ordering::Relaxed);
        table.asked -= 1;
        (table.asked == 0).then(|| std::mem::take(&mut table.nodes))
    });
    drop(before);
}

/// Whether anybody asks, on any thread.
#[inline]
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed) > 0
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node) as usize
}

/// Notes a new node.
#[cold]
pub(crate) fn note(node: &Arc<Node>) {
    if !matches!(node.kind, NodeKind::Op(..) | NodeKind::Custom) {
        return;
    }
    let known = TABLE.with_borrow(|table| {
        let here = (table.asked > 0).then_some(table.locate)??;
        let mut origin = table.from.last().cloned().flatten().unwrap_or_default();
        for rule in table.within.iter().rev() {
            if !origin.within.contains(rule) {
                origin.within.push(rule.clone());
            }
        }
        Some((here, origin))
    });
    let Some((locate, mut origin)) = known else { return };
    // Nothing is borrowed while the host language looks.
    origin.site = origin.site.or_else(locate);
    TABLE.with_borrow_mut(|table| {
        table.nodes.insert(address(node), (Arc::downgrade(node), origin));
        if table.nodes.len() > table.sweep_at {
            table.nodes.retain(|_, (node, _)| node.strong_count() > 0);
            table.sweep_at = 2 * table.nodes.len() + 1024;
        }
    });
}

/// Where a node comes from, if it was made while this thread asked.
pub fn of(node: &Node) -> Option<Origin> {
    TABLE.with_borrow(|table| table.nodes.get(&address(node)).map(|(_, origin)| origin.clone()))
}

/// Nodes that were noted on this thread and are still there.
pub fn alive() -> Vec<Arc<Node>> {
    TABLE.with_borrow(|table| table.nodes.values().filter_map(|(node, _)| node.upgrade()).collect())
}

/// While it lives, something is said of new nodes.
#[must_use]
pub struct Scope(Said);

enum Said {
    Nothing,
    From,
    Within,
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Said::Nothing = self.0 {
            return;
        }
        TABLE.with_borrow_mut(|table| {
            table.from.pop();
            if let Said::Within = self.0 {
                table.within.pop();
            }
        });
    }
}

/// New nodes follow from `node`.
#[inline]
pub fn from(node: &Node, how: How) -> Scope {
    if asked() { follow(node, how) } else { Scope(Said::Nothing) }
}

#[cold]
fn follow(node: &Node, how: How) -> Scope {
    let mut origin = of(node).unwrap_or_default();
    if how == How::Derivative {
        origin.derivative_of = Some(match &node.kind {
            NodeKind::Op(op, _) => op.name.into(),
            _ => node.custom().map_or_else(|| "?".into(), |call| call.owner.func.name.clone()),
        });
    }
    TABLE.with_borrow_mut(|table| table.from.push(Some(origin)));
    Scope(Said::From)
}

/// New nodes are made by somebody else's code: a rule, as `text` says.
#[inline]
pub fn within(text: impl FnOnce() -> String) -> Scope {
    if !asked() {
        return Scope(Said::Nothing);
    }
    let text: Arc<str> = text().into();
    TABLE.with_borrow_mut(|table| {
        table.from.push(None);
        table.within.push(text);
    });
    Scope(Said::Within)
}
