//! Floor 4: runs programs on the host's processors.
//!
//! `backend` is the door; `group` runs a group program: `space` fits its N-dimensional space to the rows × columns of
//! the tile machine, `gather` brings inputs that lie across it into order, `programs` finds or makes its tile code (`translate`, `fuse`, `classes`, `plan`, `steps`, `regs`,
//! `code`), `run` and `walk` walk it. `whole` runs kernels over whole arrays, `matmul` products of matrices, `conv`
//! convolutions, `fourier` Fourier transforms, `linalg` factorizations. `memory` and `threads` are what the device has.

mod backend;
mod classes;
mod code;
mod conv;
mod fourier;
mod fuse;
mod gather;
mod group;
mod ir;
mod linalg;
mod matmul;
mod memory;
mod packed;
mod plan;
mod programs;
mod regs;
mod run;
mod space;
mod steps;
#[cfg(test)]
mod tests;
pub mod threads;
mod translate;
mod walk;
mod whole;

pub use backend::Cpu;
pub use memory::{CpuBuffer, Memory, cache_limit, clear_cache, limit, memory, set_cache_limit, set_limit};
