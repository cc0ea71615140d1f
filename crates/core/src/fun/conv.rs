//! Convolutions of arrays with channels last.

use pullback_base::{Error, Result, Shape};
use pullback_kernels::Slide;

use super::contract::meet;
use super::{flip, reshape, slice, transpose};
use crate::array::Array;
use crate::ops::{contract, conv as row};

/// How windows lie over the input. Each list has a number for every spatial axis, or one for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// From window to window.
    pub stride: &'a [isize],
    /// Zeros before and behind the input.
    pub padding: (&'a [isize], &'a [isize]),
    /// From element to element of the kernel.
    pub kernel_dilation: &'a [isize],
    /// From element to element of the input; what lies between is zero.
    pub input_dilation: &'a [isize],
    /// Into how many groups channels are cut: each kernel sees the channels of one.
    pub groups: isize,
    /// Whether kernels are read backwards.
    pub flip: bool,
}

/// `input [n, s.., c]` under `weight [o, k.., c / groups]`: `[n, t.., o]`. `op` is named in errors, and `spatial` says
/// how many spatial axes there must be.
///
/// # Errors
/// `Value` for shapes that do not fit, kernels larger than what they slide over, and numbers that mean nothing.
pub fn conv(
    op: &str,
    input: &Array,
    weight: &Array,
    spatial: Option<usize>,
    windows: &Windows,
) -> Result<Array> {
    let operands = Operands::of(op, input, weight, spatial, windows.groups)?;
    let r = operands.kernel.len();
    let stride = listed(op, "stride", windows.stride, r, 1)?;
    let low = listed(op, "padding", windows.padding.0, r, 0)?;
    let high = listed(op, "padding", windows.padding.1, r, 0)?;
    let dilation = listed(op, "kernel_dilation", windows.kernel_dilation, r, 1)?;
    let spread = listed(op, "input_dilation", windows.input_dilation, r, 1)?;
    let mut slides = Vec::new();
    for axis in 0..r {
        let (size, kernel) = (input.shape()[axis + 1], operands.kernel[axis]);
        let there = extent(op, size, spread[axis])?.checked_add(low[axis] + high[axis]);
        let there = there.filter(|&there| there <= FAR).ok_or_else(|| far(op))?;
        let reach = extent(op, kernel, dilation[axis])?;
        if there > 0 && reach > there {
            return Err(Error::value(format!(
                "[{op}] expected kernels that fit into the input, got {reach} elements over {there} on spatial axis \
                 {axis} of {} and {}, dilation and padding counted; more padding makes room",
                input.aval(),
                weight.aval()
            )));
        }
        slides.push(Slide {
            count: if there == 0 { 0 } else { ((there - reach) / stride[axis]) as usize + 1 },
            stride: stride[axis] as usize,
            low: low[axis] as isize,
            dilation: dilation[axis] as usize,
            spread: spread[axis] as usize,
        });
    }
    operands.apply(slides, windows.flip)
}

/// The transpose of `conv` in its input, up to how channels are called: `input [n, t.., c]` spread under kernels
/// `weight [o, k.., c / groups]`, each of which adds its elements where it lies, `stride` apart. `padding` elements are
/// cut off at both ends, and `output_padding` put behind.
///
/// # Errors
/// As `conv`.
#[expect(clippy::too_many_arguments, reason = "they are what MLX's function has")]
pub fn conv_transpose(
    op: &str,
    input: &Array,
    weight: &Array,
    spatial: usize,
    stride: &[isize],
    padding: &[isize],
    dilation: &[isize],
    output_padding: &[isize],
    groups: isize,
) -> Result<Array> {
    let operands = Operands::of(op, input, weight, Some(spatial), groups)?;
    let stride = listed(op, "stride", stride, spatial, 1)?;
    let padding = listed(op, "padding", padding, spatial, 0)?;
    let dilation = listed(op, "dilation", dilation, spatial, 1)?;
    let behind = listed(op, "output_padding", output_padding, spatial, 0)?;
    let mut slides = Vec::new();
    for axis in 0..spatial {
        let (size, kernel) = (input.shape()[axis + 1], operands.kernel[axis]);
        let (there, reach) = (extent(op, size, stride[axis])?, extent(op, kernel, dilation[axis])?);
        let count = if there == 0 { 0 } else { there + reach - 1 - 2 * padding[axis] + behind[axis] };
        if count < 0 {
            return Err(Error::value(format!(
                "[{op}] expected padding of at most {} on spatial axis {axis} of {} and {}, got {}",
                (there + reach - 1 + behind[axis]) / 2,
                input.aval(),
                weight.aval(),
                padding[axis]
            )));
        }
        slides.push(Slide {
            count: if count > FAR { return Err(far(op)) } else { count as usize },
            stride: 1,
            low: (reach - 1 - padding[axis]) as isize,
            dilation: dilation[axis] as usize,
            spread: stride[axis] as usize,
        });
    }
    operands.apply(slides, true)
}

/// What fits into the positions of kernels.
const FAR: i64 = i32::MAX as i64;

fn far(op: &str) -> Error {
    Error::memory(format!("[{op}] expected spatial axes of fewer than 2 ** 31 elements, zeros counted"))
}

/// How many elements there are with `size - 1` gaps.
fn extent(op: &str, size: usize, dilation: i64) -> Result<i64> {
    let gaps = size as i64 - 1;
    let extent = if gaps < 0 { Some(0) } else { gaps.checked_mul(dilation).map(|reach| reach + 1) };
    extent.filter(|&extent| extent <= FAR).ok_or_else(|| far(op))
}

/// One number for each spatial axis, none of them below `least`.
fn listed(op: &str, name: &str, list: &[isize], spatial: usize, least: i64) -> Result<Vec<i64>> {
    if list.len() != 1 && list.len() != spatial {
        let text = format!("[{op}] expected {name} of 1 or {spatial} integers, got {}", list.len());
        return Err(Error::value(text));
    }
    let good = |&&value: &&isize| value as i64 >= least && value as i64 <= FAR;
    if let Some(wrong) = list.iter().find(|value| !good(value)) {
        let text = format!("[{op}] expected {name} of at least {least} and below 2 ** 31, got {wrong}");
        return Err(Error::value(text));
    }
    Ok((0..spatial).map(|axis| *list.get(axis).unwrap_or(&list[0]) as i64).collect())
}

/// Operands that fit, with the axes that the row has.
struct Operands {
    x: Array,
    w: Array,
    kernel: Vec<usize>,
    out_channels: usize,
}

impl Operands {
    fn of(
        op: &str,
        input: &Array,
        weight: &Array,
        spatial: Option<usize>,
        groups: isize,
    ) -> Result<Operands> {
        let (a, b) = (input.shape(), weight.shape());
        let r = spatial.unwrap_or(a.ndim().saturating_sub(2));
        let wrong = |text: String| {
            Error::value(format!("[{op}] expected {text}, got {} and {}", input.aval(), weight.aval()))
        };
        if a.ndim() != r + 2 || b.ndim() != r + 2 {
            let axes = if spatial.is_some() {
                format!("{} axes each", r + 2)
            } else {
                "2 axes or more, as many each".into()
            };
            return Err(wrong(format!("input (N, .., C_in) and weight (C_out, .., C_in) of {axes}")));
        }
        let groups = usize::try_from(groups)
            .ok()
            .filter(|&groups| groups > 0)
            .ok_or_else(|| Error::value(format!("[{op}] expected groups of at least 1, got {groups}")))?;
        let (channels, out_channels, each) = (a[r + 1], b[0], b[r + 1]);
        if !channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
            return Err(wrong(format!("numbers of channels that are multiples of {groups} groups")));
        }
        if each != channels / groups {
            let fit = channels / groups;
            return Err(wrong(format!(
                "weight with a last axis of {fit}, the channels of the input for each group"
            )));
        }
        if b[1..=r].contains(&0) {
            return Err(wrong("kernels with an element on every spatial axis".into()));
        }
        let (x, w) = meet(op, input, weight)?;
        let x = reshape(&x, a.without(r + 1).with(r + 1, each).with(r + 1, groups))?;
        let w = reshape(&w, b.without(0).with(0, out_channels / groups).with(0, groups))?;
        Ok(Operands { x, w, kernel: b[1..=r].to_vec(), out_channels })
    }

    fn apply(&self, slides: Vec<Slide>, backwards: bool) -> Result<Array> {
        let r = slides.len();
        let spatial: Vec<isize> = (2..r as isize + 2).collect();
        let w = if backwards { flip(&self.w, Some(&spatial))? } else { self.w.clone() };
        let whole = |(axis, slide): (usize, &Slide)| {
            let taken = slide.count.saturating_sub(1) * slide.stride;
            self.kernel[axis] == 1 && slide.low == 0 && slide.spread == 1 && taken < self.x.shape()[axis + 1]
        };
        let y = if slides.iter().enumerate().all(whole) {
            pointwise(&self.x, &w, &slides)?
        } else {
            row::convolve(&self.x, &w, slides)?
        };
        reshape(&y, y.shape().without(r + 1).without(r + 1).with(r + 1, self.out_channels))
    }
}

/// Kernels of one element are matrices, and nothing else.
fn pointwise(x: &Array, w: &Array, slides: &[Slide]) -> Result<Array> {
    let r = slides.len();
    let counts = slides.iter().map(|slide| slide.count);
    let (n, groups, each) = (x.shape()[0], x.shape()[r + 1], x.shape()[r + 2]);
    let shape: Shape = [n].into_iter().chain(counts).chain([groups, each]).collect();
    let step: Vec<isize> =
        [1].into_iter().chain(slides.iter().map(|slide| slide.stride as isize)).chain([1, 1]).collect();
    let x = slice(x, &vec![0; r + 3], &step, &shape)?;
    let rows = shape[..=r].iter().product();
    let out = w.shape()[1];
    let x = transpose(&reshape(&x, Shape::from([rows, groups, each]))?, &[1, 0, 2])?;
    let w = transpose(&reshape(w, Shape::from([groups, out, each]))?, &[0, 2, 1])?;
    let y = transpose(&contract::multiply(&x, &w)?, &[1, 0, 2])?;
    reshape(&y, Shape::from([&shape[..=r], &[groups, out]].concat()))
}
