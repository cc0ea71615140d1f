//! What a device gets to run: steps over numbered slots.

use std::sync::Arc;

use pullback_base::{Aval, Device, Layout, Shape};
use pullback_kernels::Whole;

use crate::program::Program;

/// The number of a block in a run.
pub type Slot = u32;

/// A block as one step reads it. For a group, `layout.shape` is the space; strides of repeated axes are 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Operand {
    /// Which block.
    pub slot: Slot,
    /// What is read of it.
    pub layout: Layout,
    /// What the block holds; its shape is that of the whole block.
    pub aval: Aval,
}

/// One run of a group program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStep {
    /// What is computed at each point.
    pub program: Arc<Program>,
    /// The points. May be of size 0, with or without a reduction.
    pub space: Shape,
    /// Per axis of the space, whether the program's reductions run over it. All false without one.
    pub reduced: Vec<bool>,
}

/// One run of a kernel over whole arrays; `shapes` are the canonical ones of `Whole`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeStep {
    /// Which kernel.
    pub whole: Whole,
    /// Canonical shapes of the operands. Operands are contiguous, with an offset, except for kernels that take strides:
    /// the layouts of their operands have these shapes.
    pub shapes: Vec<Shape>,
    /// Canonical shape of the first result.
    pub shape: Shape,
}

/// A call of the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostStep {
    /// Which of the run's calls.
    pub call: u32,
    /// Per output of the step, which result it is; others nobody reads.
    pub results: Vec<u32>,
}

/// What a step runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// A group program.
    Group(GroupStep),
    /// A kernel over whole arrays.
    Whole(WholeStep),
    /// A call of the host, on blocks of the step's device; it is run by whoever runs the plan.
    Host(HostStep),
    /// Brings a block from the other device.
    Transfer,
}

impl Task {
    /// Whether a device runs it by itself.
    pub fn is_kernel(&self) -> bool {
        matches!(self, Task::Group(_) | Task::Whole(_))
    }
}

/// A step of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Which device runs it.
    pub device: Device,
    /// What it runs.
    pub task: Task,
    /// What it reads. Several operands may read one slot.
    pub inputs: Vec<Operand>,
    /// What it writes: fresh, contiguous blocks; some of a kernel's results may be read by nobody.
    pub outputs: Vec<(Slot, Aval)>,
    /// Slots that no later step reads. A block that is held by its slot alone may be written over.
    pub dying: Vec<Slot>,
}
