//! An input whose elements lie apart, cut into windows that see no gap.
//!
//! Of a kernel that slides over such an input, every window meets elements with a part of its own elements only, and
//! which part, repeats from window to window. Windows that see alike are a convolution over the input as it is, by a
//! part of the kernel, so no product with a zero is computed: for stride 2 in two directions these are three of four.

use pullback_base::{Layout, Result};
use pullback_compile::WholeStep;
use pullback_kernels::Slide;
use smallvec::SmallVec;

use super::{Along, Part};

/// An axis of one phase, and where its kernel and result begin.
type Phase = (Along, [isize; 2]);

/// Calls `with` for every part of a convolution, with where its kernel and its result begin.
///
/// # Errors
/// What `with` answers.
pub(super) fn each(
    step: &WholeStep,
    slides: &[Slide],
    [x, w]: [&Layout; 2],
    with: &mut dyn FnMut(Part, [isize; 2]) -> Result<()>,
) -> Result<()> {
    let r = slides.len();
    let out = step.shape.strides();
    let axes: Vec<Vec<Phase>> = slides
        .iter()
        .enumerate()
        .map(|(at, slide)| {
            let whole = Along {
                size: x.shape[at + 1],
                x: x.strides[at + 1],
                kernel: w.shape[at + 2],
                w: w.strides[at + 2],
                count: slide.count,
                out: out[at + 1],
                stride: slide.stride,
                dilation: slide.dilation,
                low: slide.low,
            };
            phases(whole, slide.spread)
        })
        .collect();
    let mut part = Part {
        n: x.shape[0],
        g: x.shape[r + 1],
        c: x.shape[r + 2],
        o: w.shape[1],
        axes: SmallVec::new(),
        x: [x.strides[0], x.strides[r + 1], x.strides[r + 2]],
        w: [w.strides[0], w.strides[1], w.strides[r + 2]],
        out: out[0],
    };
    let count: usize = axes.iter().map(Vec::len).product();
    for mut number in 0..count {
        part.axes.clear();
        let mut begin = [0, 0];
        for axis in &axes {
            let (along, offsets) = axis[number % axis.len()];
            number /= axis.len();
            part.axes.push(along);
            begin = [begin[0] + offsets[0], begin[1] + offsets[1]];
        }
        with(part.clone(), begin)?;
    }
    Ok(())
}

/// Windows along an axis, by the elements of the kernel that meet elements of an input `spread` apart.
fn phases(whole: Along, spread: usize) -> Vec<Phase> {
    let Along { stride, dilation, low, .. } = whole;
    let (windows, kernels) = (spread / common(stride, spread), spread / common(dilation, spread));
    let phase = |first: usize| {
        let at = |k: usize| (first * stride + k * dilation) as isize - low;
        let meets = |&k: &usize| at(k).rem_euclid(spread as isize) == 0;
        let start = (0..kernels.min(whole.kernel)).find(meets);
        let along = Along {
            kernel: start.map_or(0, |start| (whole.kernel - start).div_ceil(kernels)),
            w: whole.w * kernels as isize,
            count: (whole.count - first).div_ceil(windows),
            out: whole.out * windows as isize,
            stride: windows * stride / spread,
            dilation: kernels * dilation / spread,
            low: -at(start.unwrap_or(0)).div_euclid(spread as isize),
            ..whole
        };
        (along, [start.unwrap_or(0) as isize * whole.w, first as isize * whole.out])
    };
    (0..windows.min(whole.count)).map(phase).collect()
}

/// The greatest common divisor.
fn common(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
