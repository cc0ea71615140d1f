//! Trace numbers, and which traces somebody may still walk.
//!
//! Every transform that traces takes the next number and marks its leaves with it; a node has the largest
//! number of its inputs. So a node numbered below a trace cannot depend on it. A trace stays live while it is
//! open and while a pullback over it exists: until then no node that may depend on it forgets its inputs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

static NEXT: AtomicU64 = AtomicU64::new(1);
static LIVE: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());
/// The smallest live number: what is asked on every evaluated node, without the lock.
static FLOOR: AtomicU64 = AtomicU64::new(u64::MAX);

/// The next trace number.
pub fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Nodes numbered below this cannot be reached by any walk to come.
pub fn floor() -> u64 {
    FLOOR.load(Ordering::Acquire)
}

/// Keeps a trace live.
#[derive(Debug)]
pub struct Live(u64);

impl Live {
    /// Keeps trace `number` live until dropped.
    pub fn new(number: u64) -> Live {
        change(|live| *live.entry(number).or_default() += 1);
        Live(number)
    }
}
impl Clone for Live {
    fn clone(&self) -> Live {
        Live::new(self.0)
    }
}
impl Drop for Live {
    fn drop(&mut self) {
        change(|live| {
            if let Some(count) = live.get_mut(&self.0) {
                *count -= 1;
                if *count == 0 {
                    live.remove(&self.0);
                }
            }
        });
    }
}

fn change(f: impl FnOnce(&mut BTreeMap<u64, usize>)) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    f(&mut live);
    FLOOR.store(live.keys().next().copied().unwrap_or(u64::MAX), Ordering::Release);
}
