//! Blocks of device memory and the pool they come from.
//!
//! A new buffer is zeroed by wgpu at its first use, which takes as long as writing it: the pool pays for that
//! once. Small blocks share pages. wgpu tracks hazards per *buffer*, so blocks of one page never overlap in
//! time; large arrays, whose kernels are worth overlapping, have buffers of their own. A freed block may be
//! handed out at once: commands of one queue run in the order recorded.

use std::any::Any;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use pullback_base::{Buffer, Dtype, Error, Result, usage};
use rustc_hash::FxHashMap;
use wgpu::BufferUsages as Use;

use crate::device::{Device, lock};

/// What the engine does with an array: compute on it, copy it in and out.
const ARRAY: Use = Use::STORAGE.union(Use::COPY_SRC).union(Use::COPY_DST);
/// Blocks up to this size share a page.
const SMALL: u64 = 1 << 20;
/// Size of a page.
const PAGE: u64 = 8 << 20;
/// Smallest block; also the largest offset alignment that WebGPU allows an adapter to ask for.
const MIN: u64 = 256;

/// A piece of a buffer. Two pieces in use never share a byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Piece {
    pub buffer: wgpu::Buffer,
    pub offset: u64,
    pub size: u64,
}

impl Piece {
    /// For a bind group: this piece only, not its neighbours on the page.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        let size = NonZeroU64::new(self.size);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.buffer, offset: self.offset, size })
    }
}

/// Where dropped blocks wait for the pool. A lock of its own: blocks are dropped anywhere, also under the
/// lock of the device's state.
pub(crate) type Returns = Arc<Mutex<Vec<Piece>>>;

/// A block of elements on the device: one 32-bit word each, or one of 64 bits for 64-bit integers.
pub(crate) struct Block {
    piece: Option<Piece>,
    /// Number of elements.
    pub len: usize,
    /// The batch in which its memory may have been used before.
    pub used: u64,
    dtype: Dtype,
    returns: Returns,
}

impl Block {
    pub fn piece(&self) -> &Piece {
        self.piece.as_ref().expect("a block has its piece until it is dropped")
    }

    /// Its elements and nothing behind them: what checks of bounds go by. A binding holds one element at least.
    pub fn exactly(&self) -> Piece {
        let size = (self.len.max(1) as u64) * word(self.dtype);
        Piece { size, ..self.piece().clone() }
    }

    /// Bytes of its elements on the device.
    pub fn device_bytes(&self) -> u64 {
        self.len as u64 * word(self.dtype)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(piece) = self.piece.take() {
            usage::give(piece.size as usize);
            lock(&self.returns).push(piece);
        }
    }
}

impl Buffer for Block {
    fn device(&self) -> pullback_base::Device {
        pullback_base::Device::Gpu
    }
    fn bytes(&self) -> usize {
        self.len * self.dtype.size()
    }
    fn host(&self) -> Option<&[u8]> {
        None
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Bytes that an element takes on the device.
pub(crate) fn word(dtype: Dtype) -> u64 {
    if dtype.size() == 8 { 8 } else { 4 }
}

/// Rounds up to 1, 1¼, 1½ or 1¾ times a power of two: at most a quarter is wasted.
fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(MIN);
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(MIN))
}

/// Free pieces by size class.
#[derive(Default)]
pub(crate) struct Pool {
    /// With each, the batch that was open when it came back.
    free: FxHashMap<u64, Vec<(Piece, u64)>>,
    returns: Returns,
    held: u64,
}

impl Pool {
    /// A block for `len` elements, its content arbitrary. `batch` is the number of the open batch, from 1.
    pub fn block(&mut self, device: &Device, len: usize, dtype: Dtype, batch: u64) -> Result<Block> {
        let bytes = (len as u64).saturating_mul(word(dtype));
        let (piece, used) = self.piece(device, bytes, batch)?;
        usage::take(piece.size as usize);
        Ok(Block { piece: Some(piece), len, used, dtype, returns: self.returns.clone() })
    }

    fn piece(&mut self, device: &Device, bytes: u64, batch: u64) -> Result<(Piece, u64)> {
        if bytes > device.max_bytes() {
            return Err(Error::memory(format!(
                "[gpu] expected an array of at most {} bytes on the device, got {bytes}; split it or use the CPU",
                device.max_bytes()
            )));
        }
        // The class may lie above the limit where the request does not.
        let size = size_class(bytes).min(device.max_bytes() / 4 * 4);
        self.collect(batch);
        if let Some(piece) = self.free.get_mut(&size).and_then(Vec::pop) {
            return Ok(piece);
        }
        let total = if size <= SMALL { PAGE.min(device.max_bytes()) / size * size } else { size };
        let made = device.create(total, ARRAY)?;
        self.held += total;
        let mut pieces =
            (0..total / size).map(|i| (Piece { buffer: made.clone(), offset: i * size, size }, 0));
        let first = pieces.next().expect("a page holds at least one piece");
        self.free.entry(size).or_default().extend(pieces);
        Ok(first)
    }

    /// Takes back what was dropped.
    fn collect(&mut self, batch: u64) {
        for piece in lock(&self.returns).drain(..) {
            self.free.entry(piece.size).or_default().push((piece, batch));
        }
    }

    /// Gives unused buffers back to the driver, pages aside; says how many bytes.
    ///
    /// `destroy` and not drop: bind groups in a cache keep a dropped buffer's memory alive. Everything recorded must
    /// have been submitted: wgpu refuses commands with a destroyed buffer in them.
    pub fn trim(&mut self) -> u64 {
        self.collect(u64::MAX);
        let mut given = 0;
        for (_, pieces) in self.free.iter_mut().filter(|(size, _)| **size > SMALL) {
            for (piece, _) in pieces.drain(..) {
                given += piece.size;
                piece.buffer.destroy();
            }
        }
        self.held -= given;
        given
    }

    /// Bytes in pieces that nothing uses.
    pub fn free(&self) -> u64 {
        let returned = lock(&self.returns).iter().map(|piece| piece.size).sum::<u64>();
        returned + self.free.iter().map(|(size, pieces)| size * pieces.len() as u64).sum::<u64>()
    }

    /// Bytes of all buffers made and not given back.
    pub fn held(&self) -> u64 {
        self.held
    }
}
