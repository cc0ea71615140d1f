//! Convolutions against sums by their definition: every type, both ways to sum, any strides.

use pullback_kernels::Slide;

use super::*;

/// Sizes of a convolution: `n`, `g`, `c`, `o`, and for each spatial axis the size of the input, that of the kernel, and how
/// windows slide.
struct Sizes {
    n: usize,
    g: usize,
    c: usize,
    o: usize,
    axes: Vec<(usize, usize, Slide)>,
}

const fn slide(count: usize, stride: usize, low: isize, dilation: usize, spread: usize) -> Slide {
    Slide { count, stride, low, dilation, spread }
}

impl Sizes {
    fn shapes(&self) -> [Vec<usize>; 3] {
        let along =
            |pick: fn(&(usize, usize, Slide)) -> usize| self.axes.iter().map(pick).collect::<Vec<_>>();
        let (x, w, y) = (along(|axis| axis.0), along(|axis| axis.1), along(|axis| axis.2.count));
        [
            [&[self.n][..], &x, &[self.g, self.c]].concat(),
            [&[self.g, self.o][..], &w, &[self.c]].concat(),
            [&[self.n][..], &y, &[self.g, self.o]].concat(),
        ]
    }

    fn run(&self, x: &Given, w: &Given, dtype: Dtype) -> Vec<Scalar> {
        let operands = [x, w].map(|side| Given {
            shape: side.shape.clone(),
            dtype,
            bytes: side.bytes.clone(),
            layout: side.layout.clone(),
        });
        let slides = self.axes.iter().map(|axis| axis.2).collect();
        scalars(dtype, &run(Whole::Conv(slides), &operands, &self.shapes()[2], dtype))
    }
}

fn index(shape: &[usize], mut at: usize) -> Vec<usize> {
    let mut index: Vec<usize> = shape.iter().rev().map(|&n| (at % n, at /= n).0).collect();
    index.reverse();
    index
}

/// Where an element is, and how far it is to the next along the last axis.
fn find(side: &Given, index: &[usize]) -> (isize, isize) {
    let layout = side.layout.clone().unwrap_or_else(|| Layout::contiguous(&side.shape));
    let steps = index.iter().zip(&layout.strides).map(|(&i, &stride)| i as isize * stride);
    (layout.offset as isize + steps.sum::<isize>(), layout.strides[index.len()])
}

/// One element of the result, and of how many products it is the sum.
fn sum(sizes: &Sizes, x: &Given, w: &Given, place: &[usize]) -> (f64, f64, i64, usize) {
    let r = sizes.axes.len();
    let (g, o) = (place[r + 1], place[r + 2]);
    let kernel: Vec<usize> = sizes.axes.iter().map(|axis| axis.1).collect();
    let (mut real, mut imag, mut whole, mut count) = (0., 0., 0i64, 0);
    'kernel: for flat in 0..kernel.iter().product() {
        let k = index(&kernel, flat);
        let mut at = vec![place[0]];
        for (axis, (size, _, slide)) in sizes.axes.iter().enumerate() {
            let place = (place[axis + 1] * slide.stride + k[axis] * slide.dilation) as isize - slide.low;
            let spread = slide.spread as isize;
            if place < 0 || place % spread != 0 || place / spread >= *size as isize {
                continue 'kernel;
            }
            at.push((place / spread) as usize);
        }
        let (a, a_far) = find(x, &[&at[..], &[g]].concat());
        let (b, b_far) = find(w, &[&[g, o], &k[..]].concat());
        for c in 0..sizes.c as isize {
            let a = read(x.dtype, &x.bytes, (a + c * a_far) as usize);
            let b = read(w.dtype, &w.bytes, (b + c * b_far) as usize);
            real += a.real() * b.real() - a.imag() * b.imag();
            imag += a.real() * b.imag() + a.imag() * b.real();
            whole = whole.wrapping_add(a.int().wrapping_mul(b.int()));
            count += 1;
        }
    }
    (real, imag, whole, count)
}

fn check(sizes: &Sizes, x: &Given, w: &Given, dtype: Dtype, what: &str) {
    let shape = &sizes.shapes()[2];
    for (at, &got) in sizes.run(x, w, dtype).iter().enumerate() {
        let (real, imag, whole, count) = sum(sizes, x, w, &index(shape, at));
        let want = match dtype {
            Dtype::C64 => Scalar::Complex(real, imag),
            _ if dtype.is_inexact() => Scalar::Float(real),
            _ => values::cast(Scalar::Int(whole), Dtype::I64, dtype),
        };
        let close = values::close(got, want, dtype, 1. + count as f64);
        assert!(close, "{dtype} {what} [{at}]: {got:?}, not {want:?}");
    }
}

/// As it is, every axis backwards, or with the first and the last axis exchanged in memory.
fn lie(kind: usize, dtype: Dtype, shape: &[usize], rng: &mut Rng) -> Given {
    let own = Shape::new(shape);
    let layout = match kind {
        0 => None,
        1 => {
            let start: Vec<usize> = shape.iter().map(|&size| size.saturating_sub(1)).collect();
            Some(Layout::contiguous(&own).slice(&start, &vec![-1; shape.len()], &own))
        }
        _ => {
            let mut order: Vec<usize> = (0..shape.len()).collect();
            order.swap(0, shape.len() - 1);
            let memory: Shape = order.iter().map(|&axis| shape[axis]).collect();
            Some(Layout::contiguous(&memory).transpose(&order))
        }
    };
    Given { dtype, bytes: block(dtype, own.size(), rng), layout, shape: own }
}

fn all() -> Vec<Sizes> {
    vec![
        Sizes { n: 2, g: 1, c: 3, o: 4, axes: vec![(9, 3, slide(4, 2, 1, 2, 1))] },
        Sizes {
            n: 1,
            g: 2,
            c: 2,
            o: 1,
            axes: vec![(4, 2, slide(5, 1, 2, 2, 1)), (5, 3, slide(6, 2, 3, 1, 3))],
        },
        // Groups side by side: more than a vector has places, elements cut off, and gaps in the input.
        Sizes {
            n: 2,
            g: 70,
            c: 1,
            o: 1,
            axes: vec![(5, 3, slide(4, 1, -1, 1, 1)), (4, 2, slide(5, 1, 1, 1, 1))],
        },
        Sizes { n: 2, g: 9, c: 3, o: 4, axes: vec![(5, 3, slide(9, 1, 1, 1, 2))] },
        Sizes { n: 1, g: 33, c: 2, o: 2, axes: vec![] },
        Sizes { n: 3, g: 1, c: 2, o: 2, axes: vec![(2, 2, slide(2, 1, 0, 1, 1)); 3] },
        // Nothing to sum, and nothing to write.
        Sizes { n: 2, g: 2, c: 0, o: 3, axes: vec![(3, 2, slide(2, 1, 0, 1, 1))] },
        Sizes { n: 2, g: 2, c: 3, o: 2, axes: vec![(3, 0, slide(2, 1, 0, 1, 1))] },
        Sizes { n: 2, g: 1, c: 3, o: 2, axes: vec![(0, 2, slide(2, 1, 1, 1, 1))] },
        Sizes { n: 0, g: 1, c: 3, o: 2, axes: vec![(3, 2, slide(2, 1, 0, 1, 1))] },
        // All in the zeros before and behind.
        Sizes { n: 1, g: 1, c: 2, o: 2, axes: vec![(3, 2, slide(9, 3, 12, 1, 1))] },
    ]
}

#[test]
fn convolutions_of_every_type_and_layout() {
    let mut rng = Rng(11);
    for dtype in Dtype::ALL.into_iter().filter(|&dtype| dtype != Dtype::Bool) {
        for (number, sizes) in all().iter().enumerate() {
            let [x, w, _] = sizes.shapes();
            for kind in 0..3 {
                let (x, w) = (lie(kind, dtype, &x, &mut rng), lie((kind + number) % 3, dtype, &w, &mut rng));
                check(sizes, &x, &w, dtype, &format!("sizes {number} kind {kind}"));
            }
        }
    }
}

/// Blocks, steps of depth, sums in parts and threads, in both ways that windows lie.
#[test]
fn large_convolutions() {
    let mut rng = Rng(12);
    let large = [
        // Several steps of depth, and rows of several blocks.
        Sizes {
            n: 2,
            g: 1,
            c: 700,
            o: 3,
            axes: vec![(6, 3, slide(6, 1, 1, 1, 1)), (30, 2, slide(29, 1, 0, 1, 1))],
        },
        // One block, so deep that it is summed in parts.
        Sizes {
            n: 4,
            g: 1,
            c: 9,
            o: 5,
            axes: vec![(40, 38, slide(3, 1, 0, 1, 1)), (40, 38, slide(3, 1, 0, 1, 1))],
        },
        Sizes {
            n: 3,
            g: 130,
            c: 1,
            o: 2,
            axes: vec![(20, 3, slide(20, 1, 1, 1, 1)), (9, 3, slide(9, 1, 1, 1, 1))],
        },
    ];
    for (number, sizes) in large.iter().enumerate() {
        let [x, w, _] = sizes.shapes();
        for dtype in [Dtype::F32, Dtype::F64, Dtype::I32] {
            for kind in [0, 2] {
                let (x, w) = (lie(kind, dtype, &x, &mut rng), lie(kind, dtype, &w, &mut rng));
                check(sizes, &x, &w, dtype, &format!("large sizes {number} kind {kind}"));
            }
        }
    }
}

/// Half floats add up in single: 4096 ones are not stuck at 2048.
#[test]
fn half_floats_are_summed_in_single() {
    for (g, o) in [(1, 1), (9, 1)] {
        let sizes = Sizes { n: 1, g, c: 2, o, axes: vec![(2048, 2048, slide(1, 1, 0, 1, 1))] };
        let [x, w, _] = sizes.shapes();
        for dtype in [Dtype::F16, Dtype::Bf16] {
            let ones = |shape: &[usize]| {
                given(shape, dtype, pack(dtype, vec![Scalar::Float(1.); shape.iter().product()]))
            };
            let out = sizes.run(&ones(&x), &ones(&w), dtype);
            assert!(out.iter().all(|&x| x == Scalar::Float(4096.)), "{dtype} {out:?}");
        }
    }
}
