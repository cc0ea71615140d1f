//! How many nodes there are.
//!
//! Each thread counts those that it makes and drops by itself: a counter that all share takes longer to count up than
//! the memory of a node takes to get.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts of threads.
static COUNTS: Mutex<Vec<Arc<AtomicIsize>>> = Mutex::new(Vec::new());
/// Counted while a thread was ending.
static LATE: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static MINE: Arc<AtomicIsize> = {
        let mine = Arc::new(AtomicIsize::new(0));
        COUNTS.lock().unwrap_or_else(PoisonError::into_inner).push(mine.clone());
        mine
    };
}

/// So many more.
#[inline]
pub(crate) fn count(by: isize) {
    // Nobody else stores here, so it need not be one step.
    let counted = MINE.try_with(|mine| mine.store(mine.load(Ordering::Relaxed) + by, Ordering::Relaxed));
    if counted.is_err() {
        LATE.fetch_add(by, Ordering::Relaxed);
    }
}

/// All of them. What other threads do meanwhile may or may not be counted.
pub(crate) fn nodes() -> usize {
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    // Threads that have ended count no more.
    counts.retain(|count| {
        let ended = Arc::strong_count(count) == 1;
        if ended {
            LATE.fetch_add(count.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        !ended
    });
    let all = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<isize>();
    usize::try_from(all + LATE.load(Ordering::Relaxed)).unwrap_or(0)
}
