//! How many bytes of blocks are in use, on all devices together.

use std::sync::atomic::{AtomicUsize, Ordering};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// A block of so many bytes is in use now.
pub fn take(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

/// It no longer is.
pub fn give(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::Relaxed);
}

/// Bytes in blocks that are in use.
pub fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// The most that have been in use at once, since the beginning or since `forget_peak`.
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Counts the peak from what is in use now.
pub fn forget_peak() {
    PEAK.store(live(), Ordering::Relaxed);
}
