//! Floor 4: runs programs on a GPU through wgpu: Vulkan, Metal, DX12.
//!
//! `device` opens the adapter and turns its failures into values; `memory` is blocks and their pool, `convert` what
//! their words mean; `kernel` compiles, `queue` records and submits. `text` and `inst` print WGSL, `point` and `fold`
//! whole programs of it, `whole` the kernels over whole arrays; `shader` is what users write. wgpu's interface breaks every few months: nothing
//! of it leaves this crate.
//!
//! Everything printed is validated for Vulkan, Metal and DX12; what is run in tests is what the machine has.

mod convert;
mod device;
#[cfg(test)]
mod faults;
mod fold;
mod gpu;
mod inst;
mod kernel;
mod memory;
mod point;
mod queue;
mod shader;
mod space;
mod text;
#[cfg(test)]
mod texts;
mod whole;

pub use device::{ADAPTER_ENV, Info};
pub use gpu::{Gpu, Memory};
