//! Convolutions against sums by their definition.

use pullback_base::{Dtype, Layout, Scalar, Shape};
use pullback_gpu::Gpu;
use pullback_kernels::{Map, Slide, Whole};

use crate::oracle::close;
use crate::whole::{NUMBERS, any, narrow};
use crate::{Input, Noise, gpu, run_whole};

const fn slide(count: usize, stride: usize, low: isize, dilation: usize, spread: usize) -> Slide {
    Slide { count, stride, low, dilation, spread }
}

/// Shapes of input and weight, and how windows slide.
pub type Case = (Vec<usize>, Vec<usize>, Vec<Slide>);

/// Little of everything.
pub fn cases() -> Vec<Case> {
    vec![
        (vec![2, 9, 1, 3], vec![1, 6, 3, 3], vec![slide(4, 2, 1, 2, 1)]),
        (vec![2, 4, 5, 2, 3], vec![2, 1, 2, 3, 3], vec![slide(5, 1, 2, 2, 1), slide(6, 2, 3, 1, 3)]),
        (vec![1, 7, 19, 1], vec![19, 2, 3, 1], vec![slide(6, 1, -1, 1, 1)]),
        (
            vec![3, 2, 2, 3, 1, 2],
            vec![1, 5, 2, 1, 2, 2],
            vec![slide(1, 1, 0, 1, 1), slide(3, 1, 1, 1, 1), slide(2, 1, 0, 1, 1)],
        ),
        (vec![3, 2, 4], vec![2, 3, 4], vec![]),
        (vec![2, 3, 2, 0], vec![2, 3, 2, 0], vec![slide(2, 1, 0, 1, 1)]),
        (vec![2, 0, 1, 2], vec![1, 3, 2, 2], vec![slide(2, 1, 1, 1, 1)]),
        (vec![2, 4, 1, 2], vec![1, 0, 2, 2], vec![slide(3, 1, 0, 1, 1)]),
    ]
}

pub fn index(shape: &[usize], mut at: usize) -> Vec<usize> {
    let mut index: Vec<usize> = shape.iter().rev().map(|&n| (at % n, at /= n).0).collect();
    index.reverse();
    index
}

/// Without NaN, which would hide what else is summed; its axes backwards if `turned`.
pub fn operand(noise: &mut Noise, dtype: Dtype, shape: &[usize], turned: bool) -> Input {
    let mut input = any(noise, dtype, shape);
    let finite = |bits: &u64| !Scalar::from_bits(*bits, dtype).real().is_nan();
    input.bits.iter_mut().for_each(|bits| *bits = if finite(bits) { *bits } else { 0 });
    if turned {
        let own = Shape::new(shape);
        let start: Vec<usize> = shape.iter().map(|&size| size.saturating_sub(1)).collect();
        let whole = Layout { offset: input.layout.offset, ..Layout::contiguous(&own) };
        input.layout = whole.slice(&start, &vec![-1; shape.len()], &own);
    }
    input
}

fn element(input: &Input, index: &[usize]) -> u64 {
    let along: isize = index.iter().zip(&input.layout.strides).map(|(&a, &stride)| a as isize * stride).sum();
    input.bits[(input.layout.offset as isize + along) as usize]
}

/// One element of the result.
pub fn sum(x: &Input, w: &Input, slides: &[Slide], place: &[usize]) -> u64 {
    let (dtype, r) = (x.dtype, slides.len());
    let kernel = &w.layout.shape[2..r + 2];
    let mut pairs = Vec::new();
    'kernel: for flat in 0..kernel.iter().product() {
        let k = index(kernel, flat);
        let mut at = vec![place[0]];
        for (axis, slide) in slides.iter().enumerate() {
            let place = (place[axis + 1] * slide.stride + k[axis] * slide.dilation) as isize - slide.low;
            let spread = slide.spread as isize;
            if place < 0 || place % spread != 0 || place / spread >= x.layout.shape[axis + 1] as isize {
                continue 'kernel;
            }
            at.push((place / spread) as usize);
        }
        for c in 0..x.layout.shape[r + 2] {
            let a = element(x, &[&at[..], &[place[r + 1], c]].concat());
            let b = element(w, &[&place[r + 1..], &k[..], &[c]].concat());
            pairs.push((a, b));
        }
    }
    if dtype.is_inexact() {
        let real = |bits| Scalar::from_bits(bits, dtype).real();
        return Scalar::Float(pairs.iter().map(|&(a, b)| real(a) * real(b)).sum()).bits(dtype);
    }
    pairs.iter().fold(0, |sum, &(a, b)| narrow(Map::Add, dtype, sum, narrow(Map::Mul, dtype, a, b)))
}

#[test]
fn convolutions_of_every_type_and_layout() {
    let Some(shared) = gpu() else { return };
    convolutions(shared, &NUMBERS, cases());
    // What a software adapter would not choose.
    let hardware = Gpu::open().expect("there is one").as_hardware();
    convolutions(&hardware, &[Dtype::F32, Dtype::I32], cases());
    convolutions(&hardware, &NUMBERS, large());
    convolutions(&hardware, &[Dtype::F32, Dtype::U8], deep());
}

/// Enough for tiles: rows and channels beyond one, groups, gaps, and elements cut off.
pub fn large() -> Vec<Case> {
    vec![
        (vec![3, 30, 2, 9], vec![2, 17, 4, 9], vec![slide(28, 1, 1, 1, 1)]),
        (vec![2, 5, 6, 1, 5], vec![1, 70, 2, 3, 5], vec![slide(8, 1, 2, 2, 1), slide(9, 2, -1, 1, 3)]),
        (vec![17, 1, 20], vec![1, 16, 20], vec![]),
    ]
}

/// Few tiles of great depth, which are summed in parts.
fn deep() -> Vec<Case> {
    vec![(vec![4, 340, 1, 4], vec![1, 16, 335, 4], vec![slide(6, 1, 0, 1, 1)])]
}

fn convolutions(gpu: &Gpu, dtypes: &[Dtype], cases: Vec<Case>) {
    let mut noise = Noise(11);
    for &dtype in dtypes {
        for (number, (x, w, slides)) in cases.iter().enumerate() {
            for turned in [false, true] {
                let inputs = [operand(&mut noise, dtype, x, turned), operand(&mut noise, dtype, w, !turned)];
                let r = slides.len();
                let windows = slides.iter().map(|slide| slide.count);
                let shape: Vec<usize> = [x[0]].into_iter().chain(windows).chain([x[r + 1], w[1]]).collect();
                let got = run_whole(gpu, Whole::Conv(slides.clone()), &inputs, &shape, dtype);
                assert_eq!(got.len(), shape.iter().product::<usize>());
                let tolerance = match dtype {
                    Dtype::F16 => 1e-3,
                    Dtype::Bf16 => 1e-2,
                    // Sums of many products cancel.
                    _ => 5e-5 * (w[2..].iter().product::<usize>() as f64 / 100.).max(1.),
                };
                for (at, &got) in got.iter().enumerate() {
                    let exact = sum(&inputs[0], &inputs[1], slides, &index(&shape, at));
                    let what = format!("{dtype} case {number} turned {turned} [{at}]");
                    assert!(close(got, exact, dtype, tolerance), "{what}: {got:x} {exact:x}");
                }
            }
        }
    }
}
