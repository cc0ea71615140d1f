//! Trace numbers, and which traces somebody may still walk.
//!
//! Every transform that traces takes the next number and marks its leaves with it; a node has the largest
//! number of its inputs. So a node numbered below a trace cannot depend on it. A trace stays live while it is
//! open and while a pullback over it exists: until then no node that may depend on it forgets its inputs.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

static NEXT: AtomicU64 = AtomicU64::new(1);
static LIVE: Mutex<Vec<Span>> = Mutex::new(Vec::new());
/// The smallest live number: what is asked on every evaluated node, without the lock.
static FLOOR: AtomicU64 = AtomicU64::new(u64::MAX);

/// Numbers that somebody may still walk to, from `low` up to below `high`.
struct Span {
    low: u64,
    high: u64,
}

/// The next trace number.
pub fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Nodes numbered below this cannot be reached by any walk to come.
pub fn floor() -> u64 {
    FLOOR.load(Ordering::Acquire)
}

/// Whether a walk to come may reach nodes of this number.
pub fn is_live(number: u64) -> bool {
    number >= floor() && locked(|live| live.iter().any(|span| span.low <= number && number < span.high))
}

thread_local! {
    static LEAST: Cell<u64> = const { Cell::new(0) };
}

/// What nodes made on this thread are numbered at least.
#[inline]
pub(crate) fn least() -> u64 {
    LEAST.get()
}

/// Numbers what is made on this thread at least so, until the guard is dropped: leaves with a number of their own aside,
/// and what depends on no trace at all. What was made before is then told from what was made meanwhile of captured arrays
/// alone.
pub fn at_least(number: u64) -> AtLeast {
    AtLeast(LEAST.replace(LEAST.get().max(number)))
}

/// As if nothing were numbered so, until the guard is dropped: for what is made on the way and belongs further out.
pub fn as_ever() -> AtLeast {
    AtLeast(LEAST.replace(0))
}

/// Ends what `at_least` or `as_ever` began.
#[must_use]
pub struct AtLeast(u64);

impl Drop for AtLeast {
    fn drop(&mut self) {
        LEAST.set(self.0);
    }
}

/// Keeps a trace live.
#[derive(Debug)]
pub struct Live {
    low: u64,
    high: u64,
}

impl Live {
    /// Keeps trace `number` live until dropped, and whatever is numbered above it.
    pub fn new(number: u64) -> Live {
        change(|live| live.push(Span { low: number, high: u64::MAX }));
        Live { low: number, high: u64::MAX }
    }

    /// The trace has ended, and walks to come start from what has been built: later numbers are none of theirs.
    /// So a pullback that is kept for long does not keep what is computed meanwhile.
    #[must_use]
    pub fn ended(mut self) -> Live {
        let high = NEXT.load(Ordering::Relaxed);
        change(|live| {
            if let Some(at) = self.position(live) {
                live[at].high = high;
            }
        });
        self.high = high;
        self
    }

    /// Equal spans are interchangeable.
    fn position(&self, live: &[Span]) -> Option<usize> {
        live.iter().rposition(|span| span.low == self.low && span.high == self.high)
    }
}
impl Drop for Live {
    fn drop(&mut self) {
        change(|live| {
            if let Some(at) = self.position(live) {
                live.swap_remove(at);
            }
        });
    }
}

fn locked<R>(f: impl FnOnce(&mut Vec<Span>) -> R) -> R {
    f(&mut LIVE.lock().unwrap_or_else(PoisonError::into_inner))
}

fn change(f: impl FnOnce(&mut Vec<Span>)) {
    locked(|live| {
        f(live);
        FLOOR.store(live.iter().map(|span| span.low).min().unwrap_or(u64::MAX), Ordering::Release);
    });
}
