//! The device: steps in, blocks out.

use pullback_base::{Aval, Device, Dtype, Error, Result, Storage};
use pullback_compile::backend::{Backend, Poll, Slots};
use pullback_compile::{GroupStep, Inst, Operand, Program, Slot, Step, Task, WholeStep};
use pullback_kernels::tile::{self, fold};
use pullback_kernels::{Isa, Whole};
use smallvec::SmallVec;

use crate::group::{self, Read};
use crate::memory::CpuBuffer;
use crate::programs::Programs;
use crate::translate::Facts;
use crate::{linalg, threads, whole};

/// The host's processors.
pub struct Cpu {
    isa: Isa,
    programs: Programs,
}

/// Outputs of a step: blocks, new or taken over from an operand that dies.
type Blocks = SmallVec<[Storage; 4]>;

impl Cpu {
    /// The processors with the best instruction set they have, or the one that `PULLBACK_ISA` names.
    ///
    /// # Errors
    /// `Device` if that is unknown or not available.
    pub fn new() -> Result<Cpu> {
        let named = std::env::var("PULLBACK_ISA").ok();
        let isa =
            Isa::choose(named.as_deref()).map_err(|text| Error::device(format!("[PULLBACK_ISA] {text}")))?;
        Ok(Cpu::with_isa(isa))
    }

    /// The processors with one instruction set.
    ///
    /// # Panics
    /// If they do not have it.
    pub fn with_isa(isa: Isa) -> Cpu {
        assert!(isa.available(), "[isa] {isa:?} is not available here");
        Cpu { isa, programs: Programs::default() }
    }

    /// Name of the instruction set in use.
    pub fn isa_name(&self) -> &'static str {
        self.isa.name()
    }

    /// How many threads work on a large step.
    pub fn threads(&self) -> usize {
        threads::count()
    }

    /// How many programs have been planned.
    pub fn programs(&self) -> usize {
        self.programs.len()
    }

    fn group(&self, group: &GroupStep, step: &Step, slots: &mut Slots) -> Result<Blocks> {
        let reads = step
            .inputs
            .iter()
            .map(|operand| Ok(Read { ptr: source(slots, operand)?, layout: &operand.layout }));
        let reads: SmallVec<[Read; 8]> = reads.collect::<Result<_>>()?;
        let known = self.programs.get(&group.program);
        let donors = known.facts.reduces.is_empty() && !known.facts.stores_input;
        let mut blocks = Blocks::new();
        for (_, aval) in &step.outputs {
            let donor = if donors { donor(step, aval, slots) } else { None };
            blocks.push(match donor {
                Some(slot) => take(slots, slot)?,
                None => Storage::new(CpuBuffer::new(aval.bytes())?),
            });
        }
        let outputs: SmallVec<[*mut u8; 8]> = blocks.iter().map(target).collect::<Result<_>>()?;
        // SAFETY: operands were found to fit their blocks; outputs are blocks of their own, or donated by the rules
        // of `group::run`.
        unsafe { group::run(&known, self.isa, group, &reads, &outputs)? };
        Ok(blocks)
    }

    fn whole(&self, whole: &WholeStep, step: &Step, slots: &mut Slots) -> Result<Blocks> {
        whole::counted(whole, step.inputs.len())?;
        let sources = step.inputs.iter().map(|operand| {
            Ok(whole::Source {
                ptr: source(slots, operand)?,
                dtype: operand.aval.dtype,
                layout: &operand.layout,
            })
        });
        let sources: SmallVec<[whole::Source; 4]> = sources.collect::<Result<_>>()?;
        if let Whole::Linalg(linalg) = whole.whole {
            let block = |(_, aval): &(Slot, Aval)| Ok(Storage::new(CpuBuffer::new(aval.bytes())?));
            let blocks: Blocks = step.outputs.iter().map(block).collect::<Result<_>>()?;
            let outputs: SmallVec<[*mut u8; 3]> = blocks.iter().map(target).collect::<Result<_>>()?;
            // SAFETY: operands were found to fit their blocks; outputs are blocks of their own, as large as the
            // row's shape rule says.
            unsafe { linalg::run(linalg, whole, &sources, &outputs)? };
            return Ok(blocks);
        }
        let [(_, aval)] = &step.outputs[..] else {
            return Err(Error::internal(format!("[{:?}] writes one output", whole.whole)));
        };
        let donor = match (&whole.whole, step.inputs.first()) {
            // An array that is also written into itself is read while it is written.
            (Whole::Scatter(_), Some(x)) => donor(step, aval, slots)
                .filter(|&slot| slot == x.slot && !step.inputs[1..].iter().any(|other| other.slot == slot)),
            _ => None,
        };
        let block = match donor {
            Some(slot) => take(slots, slot)?,
            None => Storage::new(CpuBuffer::new(aval.bytes())?),
        };
        // SAFETY: operands were found to fit their blocks; the output is a block of its own, or that of the first
        // operand of a scatter, which nobody else reads.
        unsafe { whole::run(whole, self.isa, &sources, target(&block)?, aval, donor.is_some())? };
        Ok(Blocks::from_iter([block]))
    }
}

/// Where an operand's first element is.
///
/// # Errors
/// `Internal` if its slot is empty, its block not of this device, or the layout reaches beyond the block.
fn source(slots: &Slots, operand: &Operand) -> Result<*const u8> {
    let block = slots.get(operand.slot as usize).and_then(Option::as_ref);
    let host = block.and_then(Storage::host);
    let host =
        host.ok_or_else(|| Error::internal(format!("[cpu] slot {} has no block here", operand.slot)))?;
    let (layout, size) = (&operand.layout, operand.aval.dtype.size() as isize);
    let (mut low, mut high) = (layout.offset as isize, layout.offset as isize + 1);
    for (&count, &stride) in layout.shape.iter().zip(&layout.strides) {
        let end = (count as isize - 1) * stride;
        low += end.min(0);
        high += end.max(0);
    }
    if layout.shape.size() > 0 && (low < 0 || high * size > host.len() as isize) {
        return Err(Error::internal(format!("[cpu] {layout:?} reaches beyond {} bytes", host.len())));
    }
    Ok(host.as_ptr().wrapping_offset(layout.offset as isize * size))
}

/// A dying slot whose block may become an output: nobody else holds it, it is as large, and the step reads it
/// only in order, element for element.
fn donor(step: &Step, aval: &Aval, slots: &Slots) -> Option<Slot> {
    step.dying.iter().copied().find(|&slot| {
        let Some(block) = slots[slot as usize].as_ref() else { return false };
        let mut readers = step.inputs.iter().filter(|operand| operand.slot == slot).peekable();
        readers.peek().is_some()
            && readers.all(|operand| {
                operand.aval.dtype.size() == aval.dtype.size()
                    && operand.layout.offset == 0
                    && operand.layout.shape.size() == aval.size()
                    && operand.layout.is_contiguous()
            })
            && aval.bytes() > 0
            && block.bytes() == aval.bytes()
            && block.is_unique()
            && block.get::<CpuBuffer>().is_some()
    })
}

fn take(slots: &mut Slots, slot: Slot) -> Result<Storage> {
    slots[slot as usize].take().ok_or_else(|| Error::internal(format!("[cpu] slot {slot} is empty")))
}

fn target(block: &Storage) -> Result<*mut u8> {
    let buffer = block.get::<CpuBuffer>();
    buffer.map(CpuBuffer::ptr).ok_or_else(|| Error::internal("[cpu] an output is a block of this device"))
}

impl Backend for Cpu {
    fn device(&self) -> Device {
        Device::Cpu
    }

    fn lacks_group(&self, program: &Program) -> Option<String> {
        let facts = Facts::new(program);
        if program.inputs.len() + facts.reduces.len() > 255
            || program.outputs as usize + facts.reduces.len() > 255
        {
            return Some("[cpu] a group has at most 255 inputs, and outputs".into());
        }
        program.insts.iter().enumerate().find_map(|(i, inst)| match *inst {
            Inst::Map { map, args } => {
                let dtype = program.dtype(args[map.key_operand()]);
                let kernel = tile::map(map.into(), dtype, 0, self.isa);
                kernel.is_none().then(|| format!("[{map:?}] has no kernel for {dtype} on the cpu"))
            }
            Inst::Reduce { fold, arg } => {
                let dtype = program.types[i];
                if facts.made[arg as usize] {
                    return Some(format!("[{fold:?}] of a reduction takes a group of its own"));
                }
                let kernel = fold::reducer(fold, dtype, self.isa);
                kernel.is_none().then(|| format!("[{fold:?}] has no kernel for {dtype} on the cpu"))
            }
            _ => None,
        })
    }

    fn lacks_whole(&self, whole: &Whole, dtypes: &[Dtype]) -> Option<String> {
        whole::lacks(whole, dtypes)
    }

    fn run(&self, steps: &[Step], slots: &mut Slots, poll: &mut Poll) -> Result<()> {
        for step in steps {
            poll()?;
            let blocks = match &step.task {
                Task::Group(group) => self.group(group, step, slots)?,
                Task::Whole(whole) => self.whole(whole, step, slots)?,
                Task::Host(_) | Task::Transfer => {
                    return Err(Error::internal("[cpu] calls and transfers are not a device's to run"));
                }
            };
            for &slot in &step.dying {
                slots[slot as usize] = None;
            }
            for ((slot, _), block) in step.outputs.iter().zip(blocks) {
                // A result that nobody reads dies at once.
                slots[*slot as usize] = Some(block).filter(|_| !step.dying.contains(slot));
            }
        }
        Ok(())
    }

    fn upload(&self, bytes: &[u8], _: Dtype) -> Result<Storage> {
        let block = CpuBuffer::new(bytes.len())?;
        // SAFETY: a new block, as long.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), block.ptr(), bytes.len()) };
        Ok(Storage::new(block))
    }

    fn download(&self, block: &Storage, _: Dtype) -> Result<Vec<u8>> {
        let host = block.host().ok_or_else(|| Error::internal("[cpu] the block is of another device"))?;
        Ok(host.to_vec())
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}
