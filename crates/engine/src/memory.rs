//! What the devices hold, and how much of it is kept for reuse.

use pullback_base::{Result, usage};

use crate::devices;

/// Bytes of arrays and scratch in use, on all devices.
pub fn active() -> usize {
    usage::live()
}

/// The most that has been in use at once, since the beginning or since `reset_peak`.
pub fn peak() -> usize {
    usage::peak()
}

/// Counts the peak from what is in use now.
pub fn reset_peak() {
    usage::forget_peak();
}

/// Bytes in free blocks, kept for reuse, on all devices.
pub fn cached() -> usize {
    pullback_cpu::memory().kept + devices::kept()
}

/// Gives free blocks back to the system and to the driver; those of a shared page of the GPU stay.
///
/// # Errors
/// `Device` if one failed meanwhile.
pub fn clear_cache() -> Result<()> {
    pullback_cpu::clear_cache();
    devices::clear_cache()
}

/// Bytes of free blocks that the CPU keeps at most.
pub fn cache_limit() -> usize {
    pullback_cpu::cache_limit()
}

/// Changes that; what is too much is given back at once.
pub fn set_cache_limit(bytes: usize) {
    pullback_cpu::set_cache_limit(bytes);
}

/// Above how many bytes, in use or kept, the CPU gives free blocks back before it asks for more memory.
pub fn limit() -> usize {
    pullback_cpu::limit()
}

/// Changes that.
pub fn set_limit(bytes: usize) {
    pullback_cpu::set_limit(bytes);
}
