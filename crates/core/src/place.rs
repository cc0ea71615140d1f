//! Which device new operations are for: the thread's choice, else the default; and whether they were put there to
//! stay, so that operators on them follow.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};

use pullback_base::Device;

use crate::node::Node;

static DEFAULT: AtomicU8 = AtomicU8::new(Device::Cpu as u8);

thread_local! {
    static HERE: Cell<Option<Device>> = const { Cell::new(None) };
    /// Whether nodes made now are placed.
    static STAYS: Cell<bool> = const { Cell::new(false) };
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

/// Whether operations applied now are placed: what is built from them is for their device.
pub fn stays() -> bool {
    STAYS.get()
}

/// The thread's choice, until the guard is dropped; `None` leaves things as they are.
pub fn on(device: Option<Device>) -> Here {
    let before = HERE.get();
    if device.is_some() {
        HERE.set(device);
    }
    Here { before, stayed: STAYS.get() }
}

/// As `on`, and what is made is placed there.
pub fn placed(device: Device) -> Here {
    let here = on(Some(device));
    STAYS.set(true);
    here
}

/// As `on`, and what is made is not placed, whatever is around: for code that is called meanwhile and is no part of it.
pub fn unplaced(device: Device) -> Here {
    let here = on(Some(device));
    STAYS.set(false);
    here
}

/// Where a node is: what is made is for its device, and placed if it is.
pub fn beside(node: &Node) -> Here {
    let here = on(Some(node.device));
    STAYS.set(node.placed);
    here
}

/// Restores the thread's former choice.
#[must_use]
pub struct Here {
    before: Option<Device>,
    stayed: bool,
}
impl Drop for Here {
    fn drop(&mut self) {
        HERE.set(self.before);
        STAYS.set(self.stayed);
    }
}
