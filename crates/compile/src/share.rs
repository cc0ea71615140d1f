//! share: equal operations on equal operands are computed once.

use pullback_core::Params;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::order::{Id, ItemKind, Order};

/// Renames operands to the first item that computes the same. What nobody reads any more is left out of the
/// order.
#[expect(clippy::mutable_key_type, reason = "params of calls, which change, are keys of nothing here")]
pub fn share(order: &mut Order) {
    type Key = (usize, Params, SmallVec<[Id; 3]>, u8);
    let mut first: FxHashMap<Key, Id> = FxHashMap::default();
    // Calls of one closure have one number; what it computes of the same operands is the same.
    type Call = (bool, u32, SmallVec<[Id; 3]>, u8);
    let mut calls: FxHashMap<Call, Id> = FxHashMap::default();
    let mut same: Vec<Id> = (0..order.items.len() as Id).collect();
    let mut consts: FxHashMap<(u64, pullback_base::Dtype), Id> = FxHashMap::default();
    for id in 0..order.items.len() {
        let item = &mut order.items[id];
        item.inputs.iter_mut().for_each(|x| *x = same[*x as usize]);
        match &item.kind {
            ItemKind::Op(op, params) => {
                let address = std::ptr::from_ref(*op) as usize;
                let key = (address, params.clone(), item.inputs.clone(), item.device as u8);
                same[id] = *first.entry(key).or_insert(id as Id);
            }
            ItemKind::Const(bits) => same[id] = *consts.entry((*bits, item.aval.dtype)).or_insert(id as Id),
            ItemKind::Host(number) | ItemKind::Result(number) => {
                let call = matches!(item.kind, ItemKind::Host(_));
                let key = (call, *number, item.inputs.clone(), item.device as u8);
                same[id] = *calls.entry(key).or_insert(id as Id);
            }
            ItemKind::Leaf(..) => {}
        }
        if same[id] != id as Id && order.items[id].kept {
            order.items[same[id] as usize].kept = true;
        }
    }
    for (_, ids) in &mut order.targets {
        ids.iter_mut().for_each(|id| *id = same[*id as usize]);
    }
    sweep(order);
}

/// Leaves out items that no target needs.
fn sweep(order: &mut Order) {
    let mut needed = vec![false; order.items.len()];
    order.targets.iter().flat_map(|(_, ids)| ids).for_each(|&id| needed[id as usize] = true);
    for id in (0..order.items.len()).rev() {
        // Leaves stay: a run binds them by number.
        if matches!(order.items[id].kind, ItemKind::Leaf(..)) {
            needed[id] = true;
        }
        if needed[id] {
            order.items[id].inputs.iter().for_each(|&x| needed[x as usize] = true);
        } else {
            order.items[id].kept = false;
        }
    }
    let mut place = vec![0; order.items.len()];
    let mut count = 0;
    for (id, &needed) in needed.iter().enumerate() {
        place[id] = count;
        count += Id::from(needed);
    }
    let mut id = 0;
    order.items.retain(|_| {
        id += 1;
        needed[id - 1]
    });
    for item in &mut order.items {
        item.inputs.iter_mut().for_each(|x| *x = place[*x as usize]);
    }
    for (_, ids) in &mut order.targets {
        ids.iter_mut().for_each(|id| *id = place[*id as usize]);
    }
}
