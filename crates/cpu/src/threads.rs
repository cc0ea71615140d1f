//! Threads: one rayon pool, entered once per run, with work cut into equal parts beforehand.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Work below which a second thread costs more than it brings: waking a worker takes 15 to 40 µs.
const GRAIN_PICOSECONDS: usize = 30_000_000;

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// The pool; none where one thread is all there is, or where the system refuses threads.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let build = || {
        let threads = configured();
        let name = |index| format!("pullback-{index}");
        let builder = ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
        if threads > 1 { builder.build().ok() } else { None }
    };
    POOL.get_or_init(build).as_ref()
}

/// What `PULLBACK_THREADS` says, else as many as there are processors.
fn configured() -> usize {
    let named = std::env::var("PULLBACK_THREADS").ok().and_then(|text| text.parse().ok());
    let all = || std::thread::available_parallelism().map_or(1, |n| n.get());
    named.filter(|&threads| threads > 0).unwrap_or_else(all)
}

/// Uses at most this many threads from now on; 0 for as many as the pool has.
pub fn limit(threads: usize) {
    LIMIT.store(threads, Ordering::Relaxed);
}

/// How many threads work on a large step.
pub fn count() -> usize {
    let all = pool().map_or(1, ThreadPool::current_num_threads);
    match LIMIT.load(Ordering::Relaxed) {
        0 => all,
        limit => limit.min(all),
    }
}

/// How many parts to cut work into.
pub(crate) fn parts(picoseconds: usize, pieces: usize) -> usize {
    if picoseconds < 2 * GRAIN_PICOSECONDS || pieces < 2 {
        return 1;
    }
    count().min(picoseconds / GRAIN_PICOSECONDS).min(pieces).max(1)
}

/// Runs `work` once for each part. The calling thread takes the first part itself.
pub(crate) fn each(parts: usize, work: impl Fn(usize) + Sync) {
    let pool = if parts > 1 { pool() } else { None };
    let Some(pool) = pool else { return (0..parts).for_each(work) };
    let work = &work;
    pool.in_place_scope(|scope| {
        for part in 1..parts {
            scope.spawn(move |_| work(part));
        }
        work(0);
    });
}

/// Cuts `0..pieces` into `parts` ranges and works on each.
pub(crate) fn ranges(parts: usize, pieces: usize, work: impl Fn(std::ops::Range<usize>) + Sync) {
    each(parts, |part| work(pieces * part / parts..pieces * (part + 1) / parts));
}

/// Cuts `out` into pieces of `unit` bytes that take so many picoseconds each, and works on ranges of them.
pub(crate) fn pieces(
    out: &mut [u8],
    unit: usize,
    picoseconds: usize,
    work: impl Fn(std::ops::Range<usize>, &mut [u8]) + Sync,
) {
    if unit == 0 || out.is_empty() {
        return;
    }
    struct Shared(*mut u8);
    // SAFETY: every part writes to pieces of its own.
    unsafe impl Sync for Shared {}
    let (count, shared) = (out.len() / unit, &Shared(out.as_mut_ptr()));
    ranges(parts(count.saturating_mul(picoseconds), count), count, |range| {
        let start = { shared }.0.wrapping_add(range.start * unit);
        // SAFETY: ranges are disjoint and within `out`.
        work(range.clone(), unsafe { std::slice::from_raw_parts_mut(start, range.len() * unit) });
    });
}

/// Runs `work` inside the pool, for libraries that split work themselves.
pub(crate) fn inside<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match pool() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
