//! What the devices hold, in bytes of all of them together, and how much of it the CPU keeps for reuse.

use pullback_base::Result;
pub use pullback_base::usage::{forget_peak, live, peak};
pub use pullback_cpu::{cache_limit, limit, set_cache_limit, set_limit};

use crate::devices;

/// Bytes in free blocks, kept for reuse.
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
