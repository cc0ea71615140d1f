//! A caching allocator for arrays and scratch.
//!
//! Fresh memory is what large cheap operations spend their time on: 16 000 page faults for 64 MB. So blocks are
//! kept when freed, by size class, and large ones ask for huge pages.

use std::alloc::{Layout, alloc, dealloc};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use pullback_base::{Buffer, Device, Error, Result, usage};

/// Every block is aligned to a cache line, which is also the widest vector.
pub(crate) const ALIGN: usize = 64;
const HUGE: usize = 2 << 20;
/// Bytes kept for reuse at most, unless somebody says otherwise.
static KEEP: AtomicUsize = AtomicUsize::new(1 << 30);

/// Above this many bytes, in use or kept, what is kept goes back before more is asked for.
static LIMIT: AtomicUsize = AtomicUsize::new(isize::MAX as usize);

/// Free blocks of each size class.
static POOL: Mutex<[Vec<Block>; CLASSES]> = Mutex::new([const { Vec::new() }; CLASSES]);
static KEPT: AtomicUsize = AtomicUsize::new(0);
const CLASSES: usize = 160;

struct Block(NonNull<u8>);
// SAFETY: a free block belongs to nobody.
unsafe impl Send for Block {}

/// What is held, in bytes; `live` and `peak` are of all devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// In blocks that are in use.
    pub live: usize,
    /// The largest value that `live` has had.
    pub peak: usize,
    /// In free blocks, kept for reuse.
    pub kept: usize,
}

/// What the allocator holds now.
pub fn memory() -> Memory {
    Memory { live: usage::live(), peak: usage::peak(), kept: KEPT.load(Ordering::Relaxed) }
}

/// Bytes of free blocks that are kept at most.
pub fn cache_limit() -> usize {
    KEEP.load(Ordering::Relaxed)
}

/// Changes that; what is too much goes back at once.
pub fn set_cache_limit(bytes: usize) {
    KEEP.store(bytes, Ordering::Relaxed);
    if KEPT.load(Ordering::Relaxed) > bytes {
        clear_cache();
    }
}

/// Above how many bytes, in use or kept, free blocks go back to the system before more memory is asked for.
pub fn limit() -> usize {
    LIMIT.load(Ordering::Relaxed)
}

/// Changes that.
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// Gives all free blocks back to the system.
pub fn clear_cache() {
    let mut pool = pool();
    for (class, free) in pool.iter_mut().enumerate() {
        for Block(block) in free.drain(..) {
            let size = class_size(class);
            KEPT.fetch_sub(size, Ordering::Relaxed);
            // SAFETY: allocated with this layout, and free.
            unsafe { dealloc(block.as_ptr(), layout(size)) }
        }
    }
}

fn pool() -> MutexGuard<'static, [Vec<Block>; CLASSES]> {
    // Nothing panics under this lock but a failing allocation of the list itself: the list is whole then too.
    POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Four classes to each power of two: at most a quarter is wasted.
fn class(bytes: usize) -> (usize, usize) {
    let bytes = bytes.max(256);
    let power = bytes.next_power_of_two().trailing_zeros() as usize - 1;
    let quarter = 1usize << (power - 2);
    let steps = (bytes - (1 << power)).div_ceil(quarter);
    (power * 4 + steps - 32 + 4, (1 << power) + steps * quarter)
}

/// Bytes of the blocks of a class.
fn class_size(class: usize) -> usize {
    let (power, steps) = ((class + 27) / 4, (class + 27) % 4 + 1);
    (1 << power) + steps * (1 << (power - 2))
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, if size >= HUGE { HUGE } else { ALIGN })
        .expect("sizes were checked when the block was made")
}

/// A block of host memory: an array's elements, or scratch. Given back to the pool when dropped.
pub struct CpuBuffer {
    block: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a buffer owns its memory. It is written by the step that makes it, which has it to itself, and by a step
// that found it unshared; else only read.
unsafe impl Send for CpuBuffer {}
// SAFETY: as above.
unsafe impl Sync for CpuBuffer {}

impl CpuBuffer {
    /// A block of `bytes` bytes, aligned to a cache line. Its contents are what was left there.
    ///
    /// # Errors
    /// `Memory` if there is not so much.
    pub(crate) fn new(bytes: usize) -> Result<CpuBuffer> {
        let refused =
            || Error::memory(format!("[memory] expected room for {bytes} bytes, the system has none"));
        if bytes > isize::MAX as usize / 4 {
            return Err(refused());
        }
        let (class, size) = class(bytes);
        let kept = pool().get_mut(class).and_then(Vec::pop);
        let block = match kept {
            Some(Block(block)) => {
                KEPT.fetch_sub(size, Ordering::Relaxed);
                block
            }
            None => {
                if usage::live() + KEPT.load(Ordering::Relaxed) + size > LIMIT.load(Ordering::Relaxed) {
                    clear_cache();
                }
                fresh(size).ok_or_else(refused)?
            }
        };
        usage::take(size);
        Ok(CpuBuffer { block, bytes })
    }

    /// Where it starts.
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.block.as_ptr()
    }
}

impl Buffer for CpuBuffer {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn bytes(&self) -> usize {
        self.bytes
    }
    fn host(&self) -> Option<&[u8]> {
        // SAFETY: the block is that long, and was written whole before it was shared.
        Some(unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.bytes) })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for CpuBuffer {
    fn drop(&mut self) {
        let (class, size) = class(self.bytes);
        usage::give(size);
        if KEPT.fetch_add(size, Ordering::Relaxed) + size <= cache_limit()
            && let Some(free) = pool().get_mut(class)
        {
            return free.push(Block(self.block));
        }
        KEPT.fetch_sub(size, Ordering::Relaxed);
        // SAFETY: allocated with this layout, and nobody has it any more.
        unsafe { dealloc(self.block.as_ptr(), layout(size)) }
    }
}

fn fresh(size: usize) -> Option<NonNull<u8>> {
    let layout = layout(size);
    // SAFETY: the size is not zero.
    let block = NonNull::new(unsafe { alloc(layout) })?;
    if size >= HUGE {
        advise_huge(block, size);
    }
    Some(block)
}

/// Asks for huge pages; where that is refused nothing is lost.
#[cfg(target_os = "linux")]
fn advise_huge(block: NonNull<u8>, size: usize) {
    const MADV_HUGEPAGE: i32 = 14;
    // SAFETY: the signature that the C library declares.
    unsafe extern "C" {
        fn madvise(addr: *mut u8, length: usize, advice: i32) -> i32;
    }
    // SAFETY: advice on whole pages of our own block.
    unsafe { madvise(block.as_ptr(), size & !4095, MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_: NonNull<u8>, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_say() {
        for bytes in (0..100_000).chain([1 << 20, (1 << 20) + 1, 3 << 30]) {
            let (class, size) = class(bytes);
            assert!(size >= bytes.max(256) && size <= (bytes * 5 / 4 + 64).max(256), "{bytes} {size}");
            assert_eq!(class_size(class), size);
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert!(CpuBuffer::new(usize::MAX).is_err());
        assert!(CpuBuffer::new(1 << 61).is_err());
    }
}
