//! Convolutions: as products of matrices, a block of windows at a time, and where groups have next to no channels, as
//! sums side by side.
//!
//! `phases` takes zeros out that lie between the elements of the input; `blocks` and `lanes` are the two ways.

mod blocks;
mod lanes;
mod phases;

use pullback_base::{Buffer, Dtype, Error, Layout, Result, Shape};
use pullback_compile::WholeStep;
use pullback_kernels::array::place;
use pullback_kernels::tile::cast::cast;
use pullback_kernels::{Isa, Slide};
use smallvec::SmallVec;

use crate::memory::CpuBuffer;
use crate::whole::Source;

/// A spatial axis: windows over an input without gaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Along {
    /// Elements of the input, and memory from one to the next.
    pub size: usize,
    pub x: isize,
    /// Elements of the kernel.
    pub kernel: usize,
    pub w: isize,
    /// Windows.
    pub count: usize,
    pub out: isize,
    /// Window `t` and kernel element `k` meet element `t · stride + k · dilation - low`.
    pub stride: usize,
    pub dilation: usize,
    pub low: isize,
}

/// A part of a convolution, `[n, s.., g, c] x [g, o, k.., c] -> [n, t.., g, o]`. Strides are in elements; those of the
/// last two axes of the result are `o` and 1.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub n: usize,
    pub g: usize,
    pub c: usize,
    pub o: usize,
    pub axes: SmallVec<[Along; 3]>,
    /// Strides of the axes `n`, `g`, `c`.
    pub x: [isize; 3],
    /// Strides of the axes `g`, `o`, `c`.
    pub w: [isize; 3],
    /// From example to example of the result.
    pub out: isize,
}

impl Part {
    /// Windows of one example.
    fn windows(&self) -> usize {
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// Elements of a kernel in one channel.
    fn kernel(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }

    /// Where a window of an example goes.
    fn place(&self, example: usize, mut window: usize) -> isize {
        let mut at = example as isize * self.out;
        for axis in self.axes.iter().rev() {
            at += (window % axis.count) as isize * axis.out;
            window /= axis.count;
        }
        at
    }
}

/// Memory of a part: its operands and its result.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub dtype: Dtype,
    pub isa: Isa,
    pub x: *const u8,
    pub w: *const u8,
    pub out: *mut u8,
}
// SAFETY: threads write elements of their own.
unsafe impl Sync for Memory {}

/// # Safety
/// Operands are valid at all elements that shapes and layouts reach, the output at those of the step's shape.
///
/// # Errors
/// `Internal` for shapes that do not fit, `Memory` without room for scratch.
pub(crate) unsafe fn run(
    step: &WholeStep,
    slides: &[Slide],
    isa: Isa,
    sources: &[Source],
    out: *mut u8,
) -> Result<()> {
    let count = step.shape.size();
    let (a, b, r) = (&step.shapes[0], &step.shapes[1], slides.len());
    if a.ndim() != r + 3 || b.ndim() != r + 3 || a[r + 1..] != [b[0], b[r + 2]] || step.shape.ndim() != r + 3
    {
        return Err(Error::internal(format!("[Conv] shapes {a} and {b}")));
    }
    let dtype = sources[0].dtype;
    if count == 0 {
        return Ok(());
    }
    let [x, w] = [0, 1].map(|i| (sources[i].ptr, sources[i].layout));
    if !matches!(dtype, Dtype::F16 | Dtype::Bf16) {
        let memory = Memory { dtype, isa, x: x.0, w: w.0, out };
        // SAFETY: the caller's promise.
        return unsafe { parts(step, slides, memory, [x.1, w.1]) };
    }
    // Half floats through single.
    let sum = CpuBuffer::new(count * 4)?;
    // SAFETY: the caller's promise.
    let wide = |(ptr, layout): (*const u8, &Layout)| unsafe {
        crate::matmul::widened(dtype, isa, ptr, &layout.strides, &layout.shape)
    };
    let (x, w) = (wide(x)?, wide(w)?);
    let memory = Memory { dtype: Dtype::F32, isa, x: x.ptr(), w: w.ptr(), out: sum.ptr() };
    // SAFETY: copies of all elements, in order.
    unsafe {
        parts(step, slides, memory, [&Layout::contiguous(a), &Layout::contiguous(b)])?;
        let out = std::slice::from_raw_parts_mut(out, count * dtype.size());
        cast(Dtype::F32, dtype, isa)(out, sum.host().unwrap_or_default(), &[], &[], &[]);
    }
    Ok(())
}

/// # Safety
/// As `run`.
unsafe fn parts(step: &WholeStep, slides: &[Slide], memory: Memory, layouts: [&Layout; 2]) -> Result<()> {
    let size = memory.dtype.size() as isize;
    phases::each(step, slides, layouts, &mut |part, [w, out]| {
        let memory = Memory {
            w: memory.w.wrapping_offset(w * size),
            out: memory.out.wrapping_offset(out * size),
            ..memory
        };
        // SAFETY: the caller's promise: parts are within the whole.
        unsafe {
            if lanes::serve(&part, memory.dtype) {
                lanes::run(&part, memory)
            } else {
                blocks::run(&part, memory)
            }
        }
    })
}

/// Elements in another order of axes, one after the other.
///
/// # Safety
/// `ptr` is valid at all elements of `size` bytes that sizes and strides reach.
///
/// # Errors
/// `Memory` without room.
unsafe fn ordered(ptr: *const u8, sizes: &[usize], strides: &[isize], size: usize) -> Result<CpuBuffer> {
    let shape = Shape::new(sizes);
    let block = CpuBuffer::new(shape.size() * size)?;
    // SAFETY: the caller's promise; the block has room.
    unsafe { place::copy(block.ptr(), &shape.strides(), ptr, strides, sizes, size) };
    Ok(block)
}
