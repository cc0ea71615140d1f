//! What a factorization works with: threads, and memory that is used again for the next matrix.

use std::mem::MaybeUninit;
use std::num::NonZeroUsize;

use faer::Par;
use faer::dyn_stack::{MemStack, StackReq};

/// Threads and memory for one matrix after another.
pub struct Work {
    pub(crate) par: Par,
    memory: Vec<MaybeUninit<u8>>,
}

impl Work {
    /// With so many threads of the pool in which the caller is.
    pub fn new(threads: usize) -> Work {
        let several = NonZeroUsize::new(threads).filter(|threads| threads.get() > 1);
        Work { par: several.map_or(Par::Seq, Par::Rayon), memory: Vec::new() }
    }

    /// Memory of this size.
    pub(crate) fn stack(&mut self, size: StackReq) -> &mut MemStack {
        let bytes = size.unaligned_bytes_required();
        if self.memory.len() < bytes {
            self.memory.resize(bytes, MaybeUninit::uninit());
        }
        MemStack::new(&mut self.memory)
    }
}
