//! Convolutions.
//!
//! One row is all of them. Channels are `[g, c]`, groups first, so that what a derivative or a batch makes of a
//! convolution is a convolution again, of operands whose axes are exchanged.

use pullback_base::{Aval, Error, Result, Shape};
use pullback_kernels::{Slide, Whole};

use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Sums of products of windows and kernels: `[n, s.., g, c] x [g, o, k.., c] -> [n, t.., g, o]`.
    CONV = "conv" ("input", "weight") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| {
            let slides = slides(params);
            let (r, (a, b)) = (slides.len(), (&x[0].shape, &x[1].shape));
            let fits = a.ndim() == r + 3
                && b.ndim() == r + 3
                && x[0].dtype == x[1].dtype
                && (a[r + 1], a[r + 2]) == (b[0], b[r + 2]);
            if slides.iter().any(|slide| !sensible(slide)) {
                return Err(Error::value("[conv] expected strides and dilations from 1 up to 2 ** 31, got others"));
            }
            if !fits {
                return Err(mismatch("conv", "input [n, s.., g, c] and weight [g, o, k.., c]", x));
            }
            let windows = slides.iter().map(|slide| slide.count);
            let shape = [a[0]].into_iter().chain(windows).chain([b[0], b[1]]);
            Ok(x[0].reshaped(shape.collect::<Shape>().checked("conv")?))
        }),
        diff: Diff::Bilinear(of_input, of_weight),
        batch: Batch::Custom(batch),
        kernel: Kernel::Whole(|params, x, out| WholeCall {
            whole: Whole::Conv(slides(params).to_vec()),
            shapes: x.iter().map(|aval| aval.shape.clone()).collect(),
            shape: out.shape.clone(),
        }),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(by_definition),
            samples: &[
                Sample {
                    shapes: &[&[2, 9, 1, 3], &[1, 4, 3, 3]],
                    dtypes: super::F32_2,
                    params: || Params::Slides(vec![slide(4, 2, 1, 2, 1)]),
                    domain: (-2., 2.),
                },
                Sample {
                    shapes: &[&[2, 4, 5, 2, 3], &[2, 1, 2, 3, 3]],
                    dtypes: super::F32_2,
                    params: || Params::Slides(vec![slide(5, 1, 2, 2, 1), slide(6, 2, 3, 1, 3)]),
                    domain: (-2., 2.),
                },
                // One channel for each group, more of them than a vector has places; elements cut off.
                Sample {
                    shapes: &[&[1, 7, 19, 1], &[19, 2, 3, 1]],
                    dtypes: super::F32_2,
                    params: || Params::Slides(vec![slide(6, 1, -1, 1, 1)]),
                    domain: (-2., 2.),
                },
            ],
            ulps: 8.,
        },
    }
}

/// Whether a position within the windows can be counted.
fn sensible(slide: &Slide) -> bool {
    let step = |step: usize| (1..=1 << 31).contains(&step);
    step(slide.stride) && step(slide.dilation) && step(slide.spread) && slide.low.unsigned_abs() <= 1 << 40
}

const fn slide(count: usize, stride: usize, low: isize, dilation: usize, spread: usize) -> Slide {
    Slide { count, stride, low, dilation, spread }
}

/// How windows slide along each spatial axis.
fn slides(params: &Params) -> &[Slide] {
    match params {
        Params::Slides(slides) => slides,
        other => unreachable!("a convolution has slides, found {other:?}"),
    }
}

/// The row applied.
pub(crate) fn convolve(x: &Array, w: &Array, slides: Vec<Slide>) -> Result<Array> {
    Array::apply(&CONV, Params::Slides(slides), &[x, w])
}

/// An order of the axes of an operand: `front`, the spatial ones, `back`.
fn axes(spatial: usize, front: &[usize], back: &[usize]) -> Vec<usize> {
    let middle = (0..spatial + 3).filter(|axis| !front.contains(axis) && !back.contains(axis));
    front.iter().copied().chain(middle).chain(back.iter().copied()).collect()
}

/// Element `u` of the input is in the windows `t` for which `t · stride = u · spread + low - k · dilation`: windows over
/// the cotangent, whose kernels are read backwards.
fn of_input(params: &Params, w: &Array, x: &Aval, g: &Array) -> Result<Array> {
    let slides = slides(params);
    let r = slides.len();
    let turned = slides.iter().enumerate().map(|(at, slide)| {
        let last = (w.shape()[at + 2] as isize - 1) * slide.dilation as isize;
        Slide {
            count: x.shape[at + 1],
            stride: slide.spread,
            low: last - slide.low,
            dilation: slide.dilation,
            spread: slide.stride,
        }
    });
    let spatial: Vec<isize> = (2..r as isize + 2).collect();
    let w = fun::transpose(&fun::flip(w, Some(&spatial))?, &axes(r, &[0, r + 2], &[1]))?;
    convolve(g, &w, turned.collect())
}

/// Element `k` of a kernel meets what lies `k · dilation` behind the start of each window: windows over the input, whose
/// kernel is the cotangent, with examples in the place of channels.
fn of_weight(params: &Params, x: &Array, w: &Aval, g: &Array) -> Result<Array> {
    let slides = slides(params);
    let r = slides.len();
    let turned = slides.iter().enumerate().map(|(at, slide)| Slide {
        count: w.shape[at + 2],
        stride: slide.dilation,
        dilation: slide.stride,
        ..*slide
    });
    let x = fun::transpose(x, &axes(r, &[r + 2], &[r + 1, 0]))?;
    let g = fun::transpose(g, &axes(r, &[r + 1, r + 2], &[0]))?;
    fun::transpose(&convolve(&x, &g, turned.collect())?, &axes(r, &[r + 1, r + 2], &[0]))
}

/// A batch of inputs is more examples, a batch of weights more kernels of each group, and a batch of both more groups.
fn batch(
    params: &Params,
    x: &[Array],
    lead: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let slides = slides(params);
    let r = slides.len();
    let (x, w) = (&x[0], &x[1]);
    let merged = |y: &Array, from: usize, to: usize| {
        let y = fun::move_axis(y, from, to)?;
        let joined = y.shape()[to] * y.shape()[to + 1];
        fun::reshape(&y, y.shape().without(to).without(to).with(to, joined))
    };
    let (many, kernels, at, each) = match (lead[0], lead[1]) {
        (Some(_), None) => (merged(x, 0, 0)?, w.clone(), 0, x.shape()[1]),
        (None, Some(_)) => (x.clone(), merged(w, 0, 1)?, r + 2, w.shape()[2]),
        _ => (merged(x, 0, r + 1)?, merged(w, 0, 0)?, r + 1, w.shape()[1]),
    };
    let y = convolve(&many, &kernels, slides.to_vec())?;
    let parted = y.shape().without(at).with(at, each).with(at, size);
    Ok(vec![(fun::reshape(&y, parted)?, Some(at))])
}

/// The sums by their definition, in f64.
fn by_definition(params: &Params, x: &[(&Aval, &[f64])], out: &Aval) -> Vec<f64> {
    let slides = slides(params);
    let r = slides.len();
    let (a, b) = (&x[0].0.shape, &x[1].0.shape);
    let (c, kernel) = (a[r + 2], Shape::new(&b[2..r + 2]));
    let index = |shape: &[usize], mut at: usize| {
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            (index[axis], at) = (at % shape[axis], at / shape[axis]);
        }
        index
    };
    let cell = |at: usize| {
        let place = index(&out.shape, at);
        let (n, g, o) = (place[0], place[r + 1], place[r + 2]);
        let mut sum = 0.;
        for k in 0..kernel.size() {
            let step = |(&k, (slide, &t)): (&usize, (&Slide, &usize))| {
                let at = (t * slide.stride + k * slide.dilation) as isize - slide.low;
                let at = usize::try_from(at).ok()?;
                at.is_multiple_of(slide.spread).then_some(at / slide.spread)
            };
            let of_kernel = index(&kernel, k);
            let meets: Option<Vec<usize>> =
                of_kernel.iter().zip(slides.iter().zip(&place[1..])).map(step).collect();
            let Some(meets) = meets else { continue };
            if meets.iter().zip(&a[1..]).any(|(at, size)| at >= size) {
                continue;
            }
            let from = meets.iter().zip(&a[1..]).fold(n, |from, (at, size)| from * size + at);
            let (from, to) = ((from * a[r + 1] + g) * c, ((g * b[1] + o) * kernel.size() + k) * c);
            sum += (0..c).map(|c| x[0].1[from + c] * x[1].1[to + c]).sum::<f64>();
        }
        sum
    };
    (0..out.size()).map(cell).collect()
}
