//! The one registry of devices: opened when first needed, and never closed.

use std::sync::{Mutex, OnceLock, PoisonError};

use pullback_base::{Device, Error, Result, Storage};
use pullback_compile::{Backend, Backends};
use pullback_cpu::Cpu;
use rustc_hash::FxHashMap;

static CPU: OnceLock<Result<Cpu>> = OnceLock::new();

/// The CPU.
///
/// # Errors
/// `Value` if the environment asks for threads or an instruction set that there are not.
pub fn cpu() -> Result<&'static Cpu> {
    CPU.get_or_init(Cpu::new).as_ref().map_err(Error::clone)
}

#[cfg(feature = "gpu")]
mod adapter {
    use super::*;
    use pullback_gpu::Gpu;

    static GPU: OnceLock<Result<Gpu>> = OnceLock::new();

    /// The GPU, or why there is none.
    ///
    /// # Errors
    /// `Device` if there is no adapter, or it could not be opened.
    pub fn gpu() -> Result<&'static Gpu> {
        GPU.get_or_init(Gpu::open).as_ref().map_err(Error::clone)
    }

    pub(super) fn backend() -> Result<&'static dyn Backend> {
        gpu().map(|gpu| gpu as &dyn Backend)
    }

    /// The GPU, if somebody has opened it.
    fn opened() -> Option<&'static Gpu> {
        GPU.get()?.as_ref().ok()
    }

    pub(crate) fn kept() -> usize {
        opened().map_or(0, |gpu| gpu.memory().free as usize)
    }

    pub(crate) fn clear_cache() -> Result<()> {
        opened().map_or(Ok(()), |gpu| gpu.clear_cache().map(|_| ()))
    }
}

#[cfg(not(feature = "gpu"))]
mod adapter {
    use super::*;

    pub(super) fn backend() -> Result<&'static dyn Backend> {
        Err(Error::device("[gpu] expected a build with the feature 'gpu', got one without"))
    }

    pub(crate) fn kept() -> usize {
        0
    }

    pub(crate) fn clear_cache() -> Result<()> {
        Ok(())
    }
}

#[cfg(feature = "gpu")]
pub use adapter::gpu;
pub(crate) use adapter::{clear_cache, kept};

/// A device's backend.
///
/// # Errors
/// `Device` if there is none.
pub fn backend(device: Device) -> Result<&'static dyn Backend> {
    match device {
        Device::Cpu => Ok(cpu()?),
        Device::Gpu => adapter::backend(),
    }
}

/// Whether a device can be used.
pub fn available(device: Device) -> bool {
    backend(device).is_ok()
}

/// The devices that a plan may use; a GPU is looked for only if the plan asks for one.
///
/// # Errors
/// `Device` if a GPU is wanted and there is none.
pub fn backends(with_gpu: bool) -> Result<Backends<'static>> {
    Ok(Backends { cpu: cpu()?, gpu: if with_gpu { Some(backend(Device::Gpu)?) } else { None } })
}

/// Waits until every device has done what it was given.
///
/// # Errors
/// `Device` if one failed meanwhile.
pub fn synchronize() -> Result<()> {
    cpu()?.synchronize()?;
    match GPU_USED.get() {
        Some(()) => backend(Device::Gpu)?.synchronize(),
        None => Ok(()),
    }
}

static GPU_USED: OnceLock<()> = OnceLock::new();

pub(crate) fn note_use(device: Device) {
    if device == Device::Gpu {
        let _ = GPU_USED.set(());
    }
}

/// Numbers on the GPU: a loop that adds 0.001 in each turn uploads it once.
static NUMBERS: Mutex<Option<FxHashMap<(u64, pullback_base::Dtype), Storage>>> = Mutex::new(None);
/// Above this many numbers the store starts anew.
const NUMBERS_MAX: usize = 1024;

/// A block of one element.
pub(crate) fn number(bits: u64, dtype: pullback_base::Dtype, device: Device) -> Result<Storage> {
    let bytes = &bits.to_le_bytes()[..dtype.size()];
    if device == Device::Cpu {
        return cpu()?.upload(bytes, dtype);
    }
    let lock = || NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(block) = lock().as_ref().and_then(|numbers| numbers.get(&(bits, dtype)).cloned()) {
        return Ok(block);
    }
    let block = backend(device)?.upload(bytes, dtype)?;
    let mut numbers = lock();
    let numbers = numbers.get_or_insert_default();
    if numbers.len() >= NUMBERS_MAX {
        numbers.clear();
    }
    numbers.insert((bits, dtype), block.clone());
    Ok(block)
}
