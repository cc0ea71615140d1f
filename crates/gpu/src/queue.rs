//! Recording many dispatches into one compute pass and submitting them in batches.
//!
//! A submit costs as much as a hundred dispatches and a pass as much as seven, so one pass stays open until the
//! batch is full or somebody reads. wgpu puts a barrier between two dispatches of a pass that use one buffer: a
//! dispatch sees what earlier ones wrote.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use pullback_base::{Error, Result};
use rustc_hash::FxHashMap;
use wgpu::BufferUsages as Use;

use crate::device::Device;
use crate::kernel::{Kernel, PARAM_WORDS, ZERO_WORD};
use crate::memory::Piece;

/// Dispatches per submit.
const BATCH: usize = 64;
/// Submits on their way before recording waits for the oldest.
const IN_FLIGHT: usize = 8;
/// Bind groups per generation of the cache.
const GENERATION: usize = 1024;
/// Most workgroups in one dimension of a dispatch.
pub(crate) const MAX_GROUPS: u64 = 65_535;
/// Workgroups per submit: systems end what keeps a device for seconds.
const WORK: u64 = 1 << 20;
/// Dispatches that are worth a submit when a run of steps ends.
const ENOUGH: usize = 16;
/// Writes that wait for a submit before there is one for their sake.
const WRITES: usize = 32;
/// Bytes of parameters per batch.
const ARENA: usize = 64 << 10;
/// Bytes that one dispatch sees of them.
const WINDOW: usize = PARAM_WORDS * 4;

/// Keeps dispatches in order. There is one per device.
pub(crate) struct Recorder {
    /// Pass first: it has to end before its encoder may finish.
    open: Option<(wgpu::ComputePass<'static>, wgpu::CommandEncoder)>,
    recorded: usize,
    /// Workgroups recorded.
    work: u64,
    /// Writes since the last submit.
    writes: usize,
    /// Number of the open batch, from 1.
    batch: u64,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    binds: BindCache,
    arena: Arena,
    staging: Vec<wgpu::Buffer>,
}

/// A copy on its way to the host.
pub(crate) struct Reading {
    index: wgpu::SubmissionIndex,
    staging: wgpu::Buffer,
    len: u64,
    told: Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Recorder {
    pub fn new(device: &Device, params: &wgpu::BindGroupLayout) -> Result<Recorder> {
        let arena = Arena::new(device, params)?;
        let (in_flight, binds) = (VecDeque::new(), BindCache::default());
        let staging = Vec::new();
        Ok(Recorder {
            open: None,
            recorded: 0,
            work: 0,
            writes: 0,
            batch: 1,
            in_flight,
            binds,
            arena,
            staging,
        })
    }

    /// Records one dispatch of at least `groups` workgroups, in two dimensions: kernels number them
    /// `y * num_workgroups.x + x` and leave out what is too much.
    pub fn dispatch(
        &mut self,
        device: &Device,
        kernel: &Arc<Kernel>,
        arrays: &[Piece],
        params: &[u32],
        groups: u64,
    ) -> Result<()> {
        if groups == 0 {
            return Ok(());
        }
        let rows = groups.div_ceil(MAX_GROUPS);
        if rows > MAX_GROUPS || params.len() > PARAM_WORDS {
            return Err(Error::memory(format!(
                "[gpu] expected at most 2^32 workgroups and {PARAM_WORDS} parameters in one kernel, got {groups} and \
                 {}; split the arrays or use the CPU",
                params.len()
            )));
        }
        self.record(device, kernel, arrays, params, [groups.div_ceil(rows) as u32, rows as u32, 1])
    }

    /// Records one dispatch of exactly so many workgroups, at most `MAX_GROUPS` in each dimension.
    pub fn record(
        &mut self,
        device: &Device,
        kernel: &Arc<Kernel>,
        arrays: &[Piece],
        params: &[u32],
        groups: [u32; 3],
    ) -> Result<()> {
        debug_assert!(params.get(ZERO_WORD).is_none_or(|&word| word == 0));
        if self.recorded >= BATCH || self.work >= WORK || !self.arena.fits(params.len()) {
            self.flush(device)?;
        }
        let group = self.binds.get(device, &kernel.layout, arrays);
        let slot = self.arena.push(params);
        let (pass, _) = self.open.get_or_insert_with(|| {
            let mut encoder = device.raw.create_command_encoder(&Default::default());
            // `forget_lifetime`: the borrow of the encoder is checked at run time, so both can be stored.
            (encoder.begin_compute_pass(&Default::default()).forget_lifetime(), encoder)
        });
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.set_bind_group(1, &self.arena.group, &[slot]);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        self.recorded += 1;
        self.work += groups.iter().map(|&groups| u64::from(groups)).product::<u64>();
        Ok(())
    }

    /// Submits what is recorded. Every error of the batch surfaces here: encoding happens in `finish`.
    pub fn flush(&mut self, device: &Device) -> Result<()> {
        let Some((pass, encoder)) = self.open.take() else { return Ok(()) };
        (self.recorded, self.work, self.writes) = (0, 0, 0);
        self.batch += 1;
        drop(pass);
        let index = device.catch(|| {
            self.arena.upload(device);
            device.queue.submit([encoder.finish()])
        })?;
        self.in_flight.push_back(index);
        if self.in_flight.len() > IN_FLIGHT {
            let oldest = self.in_flight.pop_front();
            device.wait(oldest)?;
        }
        Ok(())
    }

    /// Submits, and gives what to wait for.
    pub fn finish(&mut self, device: &Device) -> Result<Option<wgpu::SubmissionIndex>> {
        self.flush(device)?;
        Ok(self.in_flight.drain(..).next_back())
    }

    /// Number of the open batch.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// Submits if that is worth it: the device should not wait for the next run.
    pub fn nudge(&mut self, device: &Device) -> Result<()> {
        if self.recorded >= ENOUGH { self.flush(device) } else { Ok(()) }
    }

    /// Writes into a piece that commands up to batch `used` may use. `write_buffer` takes effect at the next submit,
    /// *before* the open pass: if that is of this batch, it goes out first.
    pub fn upload(&mut self, device: &Device, to: &Piece, used: u64, bytes: &[u8]) -> Result<()> {
        if used >= self.batch {
            self.flush(device)?;
        }
        device.catch(|| device.queue.write_buffer(&to.buffer, to.offset, bytes))?;
        self.writes += 1 + bytes.len() / (4 << 20);
        if self.writes >= WRITES {
            self.writes = 0;
            device.catch(|| device.queue.submit([]))?;
        }
        Ok(())
    }

    /// Starts to read a piece after everything recorded so far.
    pub fn read(&mut self, device: &Device, from: &Piece, len: u64) -> Result<Reading> {
        self.flush(device)?;
        self.in_flight.clear(); // who waits for the read waits for all of them
        let staging = match self.staging.iter().position(|buffer| buffer.size() >= len) {
            Some(at) => self.staging.swap_remove(at),
            None => device.create(device.roomy(len), Use::MAP_READ | Use::COPY_DST)?,
        };
        let (tell, told) = channel();
        let index = device.catch(|| {
            let mut encoder = device.raw.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&from.buffer, from.offset, &staging, 0, len);
            encoder.map_buffer_on_submit(&staging, wgpu::MapMode::Read, ..len, move |done| {
                let _ = tell.send(done); // nobody listens any more if waiting failed
            });
            device.queue.submit([encoder.finish()])
        })?;
        Ok(Reading { index, staging, len, told })
    }

    /// Takes a staging buffer back. Large ones are rare and would be held for ever.
    pub fn recycle(&mut self, staging: wgpu::Buffer) {
        if self.staging.len() < 4 && staging.size() <= 1 << 26 {
            self.staging.push(staging);
        }
    }
}

impl Reading {
    /// Waits, hands the bytes to `look`, and gives the staging buffer back. Called without any lock.
    pub fn finish<T>(self, device: &Device, look: impl FnOnce(&[u8]) -> T) -> Result<(T, wgpu::Buffer)> {
        let failed = |e: &dyn std::fmt::Display| Error::device(format!("[gpu] reading an array failed: {e}"));
        device.wait(Some(self.index))?;
        self.told.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let view = self.staging.get_mapped_range(..self.len).map_err(|e| failed(&e))?;
        let seen = look(&view);
        drop(view); // a live view would be unmapped under our feet
        self.staging.unmap();
        Ok((seen, self.staging))
    }
}

/// Bind groups by what they bind: to make one costs as much as to record a dispatch.
///
/// Two generations: when the young one is full it becomes the old one; what is used again moves back.
#[derive(Default)]
struct BindCache {
    young: FxHashMap<Vec<Piece>, wgpu::BindGroup>,
    old: FxHashMap<Vec<Piece>, wgpu::BindGroup>,
}

impl BindCache {
    /// The layout is not part of the key: it follows from the number of arrays.
    fn get(&mut self, device: &Device, layout: &wgpu::BindGroupLayout, arrays: &[Piece]) -> &wgpu::BindGroup {
        if !self.young.contains_key(arrays) {
            if self.young.len() == GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            let group = self.old.remove(arrays).unwrap_or_else(|| {
                let entries: Vec<_> = (0..)
                    .zip(arrays)
                    .map(|(binding, piece)| wgpu::BindGroupEntry { binding, resource: piece.binding() })
                    .collect();
                let desc = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
                device.raw.create_bind_group(&desc)
            });
            self.young.insert(arrays.to_vec(), group);
        }
        &self.young[arrays]
    }
}

/// Parameters of a whole batch in one uniform buffer, uploaded once, just before the batch.
///
/// One buffer serves all batches: `write_buffer` is ordered after the submits before it.
struct Arena {
    buffer: wgpu::Buffer,
    group: wgpu::BindGroup,
    alignment: usize,
    staged: Vec<u8>,
}

impl Arena {
    fn new(device: &Device, layout: &wgpu::BindGroupLayout) -> Result<Arena> {
        // The last dispatch's window may reach beyond the last parameters.
        let buffer = device.create((ARENA + WINDOW) as u64, Use::UNIFORM | Use::COPY_DST)?;
        let window = wgpu::BufferBinding { buffer: &buffer, offset: 0, size: NonZeroU64::new(WINDOW as u64) };
        let entries = [wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(window) }];
        let desc = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
        let group = device.catch(|| device.raw.create_bind_group(&desc))?;
        Ok(Arena { buffer, group, alignment: device.uniform_alignment(), staged: Vec::new() })
    }

    fn fits(&self, words: usize) -> bool {
        self.staged.len() + (words * 4).next_multiple_of(self.alignment) <= ARENA
    }

    /// Adds one set of parameters, returns its offset.
    fn push(&mut self, params: &[u32]) -> u32 {
        let offset = self.staged.len();
        self.staged.extend_from_slice(bytemuck::cast_slice(params));
        self.staged.resize((offset + params.len().max(4) * 4).next_multiple_of(self.alignment), 0);
        offset as u32
    }

    fn upload(&mut self, device: &Device) {
        if !self.staged.is_empty() {
            device.queue.write_buffer(&self.buffer, 0, &self.staged);
            self.staged.clear();
        }
    }
}
