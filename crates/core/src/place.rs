//! Which device new operations are for: the thread's choice, else the default.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};

use pullback_base::Device;

static DEFAULT: AtomicU8 = AtomicU8::new(Device::Cpu as u8);

thread_local! {
    static HERE: Cell<Option<Device>> = const { Cell::new(None) };
}

/// The device of operations applied now on this thread.
pub fn current() -> Device {
    HERE.get().unwrap_or_else(default)
}

/// The device where no thread says otherwise.
pub fn default() -> Device {
    if DEFAULT.load(Ordering::Relaxed) == Device::Gpu as u8 { Device::Gpu } else { Device::Cpu }
}

/// Changes the default.
pub fn set_default(device: Device) {
    DEFAULT.store(device as u8, Ordering::Relaxed);
}

/// The thread's choice, until the guard is dropped; `None` leaves things as they are.
pub fn on(device: Option<Device>) -> Here {
    let before = HERE.get();
    if device.is_some() {
        HERE.set(device);
    }
    Here { before }
}

/// Restores the thread's former choice.
#[must_use]
pub struct Here {
    before: Option<Device>,
}
impl Drop for Here {
    fn drop(&mut self) {
        HERE.set(self.before);
    }
}
