//! Kernels over whole arrays against plain loops.

use pullback_base::{Dtype, Layout, Scalar, Shape};
use pullback_compile::Backend;
use pullback_gpu::Gpu;
use pullback_kernels::{Cumulate, Map, Scatter, Whole};

use crate::oracle::{close, convert, function};
use crate::{Input, Noise, gpu, run_whole};

pub const NUMBERS: [Dtype; 11] = [
    Dtype::U8,
    Dtype::U16,
    Dtype::U32,
    Dtype::U64,
    Dtype::I8,
    Dtype::I16,
    Dtype::I32,
    Dtype::I64,
    Dtype::F16,
    Dtype::Bf16,
    Dtype::F32,
];

/// An array of ordinary elements, some of them NaN or equal, with a gap in front.
pub fn any(noise: &mut Noise, dtype: Dtype, shape: &[usize]) -> Input {
    let shape = Shape::new(shape);
    let offset = noise.below(4);
    let element = |noise: &mut Noise| match noise.below(12) {
        0 if dtype.is_inexact() => Scalar::Float(f64::NAN).bits(dtype),
        1 => Scalar::Float(1.).bits(dtype),
        _ => noise.element(dtype),
    };
    let bits = (0..offset + shape.size()).map(|_| element(noise)).collect();
    Input::new(dtype, bits, Layout { offset, ..Layout::contiguous(&shape) })
}

fn at(input: &Input, i: usize) -> u64 {
    input.bits[input.layout.offset + i]
}

/// A function of the type that a program would compute in, its result as memory holds it.
pub fn narrow(map: Map, dtype: Dtype, x: u64, y: u64) -> u64 {
    let wide = pullback_compile::program::computing(dtype);
    let (x, y) = (convert(x, dtype, wide), convert(y, dtype, wide));
    convert(function(map, wide, &[x, y, y]), wide, dtype)
}

#[test]
fn products_of_matrices_in_any_layout() {
    let Some(shared) = gpu() else { return };
    products(shared);
    // What a software adapter would not choose.
    products(&Gpu::open().expect("there is one").as_hardware());
}

fn products(gpu: &Gpu) {
    let mut noise = Noise(10);
    let sizes: [[usize; 4]; 12] = [
        [2, 5, 1500, 6],
        [1, 1, 1, 1],
        [70, 1, 5, 6],
        [5, 6, 7, 9],
        [1, 3, 5, 2],
        [2, 65, 17, 66],
        [3, 128, 16, 64],
        [1, 1, 300, 70],
        [1, 70, 300, 1],
        [4, 7, 0, 5],
        [2, 0, 3, 5],
        [1, 130, 129, 131],
    ];
    for dtype in NUMBERS {
        for [b, m, k, n] in sizes {
            if b * m * k * n > 100_000 && dtype != Dtype::F32 {
                continue;
            }
            for form in 0..5 {
                // At last the right factor alone is repeated.
                let (left, right) = if form == 4 { (0, 2) } else { (form, form) };
                let left = factor(&mut noise, dtype, [b, m, k], left);
                let inputs = [left, factor(&mut noise, dtype, [b, k, n], right)];
                let got = run_whole(gpu, Whole::Matmul, &inputs, &[b, m, n], dtype);
                let tolerance = match dtype {
                    Dtype::F16 => 1e-3,
                    Dtype::Bf16 => 1e-2,
                    _ => 5e-5,
                };
                for (at, &got) in got.iter().enumerate() {
                    let exact = product(&inputs, k, [at / (m * n), at / n % m, at % n]);
                    let what = format!("{dtype} {b} {m} {k} {n} form {form}");
                    assert!(close(got, exact, dtype, tolerance), "{what}: {got:x} {exact:x}");
                }
            }
        }
    }
}

/// As it is, transposed, repeated along the batch, or backwards.
pub fn factor(noise: &mut Noise, dtype: Dtype, [b, rows, cols]: [usize; 3], form: usize) -> Input {
    let mut input = any(noise, dtype, &[b, rows, cols]);
    let layout = &mut input.layout;
    match form {
        1 => layout.strides = vec![(rows * cols) as isize, 1, rows as isize].into(),
        2 => layout.strides[0] = 0,
        3 if rows * cols > 0 => {
            layout.strides[1] = -(cols as isize);
            layout.offset += (rows - 1) * cols;
        }
        _ => {}
    }
    let finite = |bits: &u64| !Scalar::from_bits(*bits, dtype).real().is_nan();
    input.bits.iter_mut().for_each(|bits| *bits = if finite(bits) { *bits } else { 0 });
    input
}

/// One element of a product.
pub fn product(inputs: &[Input; 2], depth: usize, [batch, row, col]: [usize; 3]) -> u64 {
    let dtype = inputs[0].dtype;
    let value = |input: &Input, at: [usize; 3]| {
        let along: isize = at.iter().zip(&input.layout.strides).map(|(&a, &s)| a as isize * s).sum();
        input.bits[(input.layout.offset as isize + along) as usize]
    };
    let pairs = (0..depth).map(|k| (value(&inputs[0], [batch, row, k]), value(&inputs[1], [batch, k, col])));
    if dtype.is_inexact() {
        let real = |bits| Scalar::from_bits(bits, dtype).real();
        return Scalar::Float(pairs.map(|(x, y)| real(x) * real(y)).sum()).bits(dtype);
    }
    pairs.fold(0, |sum, (x, y)| narrow(Map::Add, dtype, sum, narrow(Map::Mul, dtype, x, y)))
}

/// Shapes `[o, n, i]` that reach every kernel along an axis.
const ALONG: [[usize; 3]; 10] = [
    [1, 1, 1],
    [2, 3, 4],
    [3, 64, 1],
    [3, 65, 2],
    [1, 1000, 1],
    [2, 500, 3],
    [100, 70, 60],
    [1, 5000, 1],
    [2, 0, 3],
    [0, 4, 2],
];

/// Whether `a` sorts before `b`: NaN last.
fn before(a: u64, b: u64, dtype: Dtype) -> bool {
    match (Scalar::from_bits(a, dtype), Scalar::from_bits(b, dtype)) {
        (Scalar::Float(a), Scalar::Float(b)) => a < b || (!a.is_nan() && b.is_nan()),
        (Scalar::Bool(a), Scalar::Bool(b)) => !a & b,
        (Scalar::Uint(a), Scalar::Uint(b)) => a < b,
        (Scalar::Uint(_), _) => false,
        (_, Scalar::Uint(_)) => true,
        (a, b) => a.int() < b.int(),
    }
}

/// Offsets of the elements of each row of `[o, n, i]`.
fn lines([outer, n, inner]: [usize; 3]) -> impl Iterator<Item = Vec<usize>> {
    (0..outer * inner)
        .map(move |line| (0..n).map(|j| (line / inner * n + j) * inner + line % inner).collect())
}

#[test]
fn sorts_are_stable_and_put_nan_last() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(11);
    for dtype in NUMBERS.into_iter().chain([Dtype::Bool]) {
        for shape in ALONG {
            let input = any(&mut noise, dtype, &shape);
            let inputs = std::slice::from_ref(&input);
            let sorted = run_whole(gpu, Whole::Sort, inputs, &shape, dtype);
            let order = run_whole(gpu, Whole::ArgSort, inputs, &shape, Dtype::U32);
            for line in lines(shape) {
                let mut exact: Vec<usize> = (0..line.len()).collect();
                exact.sort_by(|&a, &b| {
                    let (a, b) = (at(&input, line[a]), at(&input, line[b]));
                    before(b, a, dtype).cmp(&before(a, b, dtype))
                });
                for (j, &from) in exact.iter().enumerate() {
                    assert_eq!(order[line[j]], from as u64, "{dtype} {shape:?}");
                    assert!(close(sorted[line[j]], at(&input, line[from]), dtype, 0.), "{dtype} {shape:?}");
                }
            }
        }
    }
}

#[test]
fn positions_of_extremes_with_nan_as_both() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(12);
    for dtype in NUMBERS.into_iter().chain([Dtype::Bool]) {
        for shape in ALONG {
            let [outer, n, inner] = shape;
            if n == 0 {
                continue;
            }
            let mut input = any(&mut noise, dtype, &shape);
            if noise.below(2) == 0 {
                input.bits.iter_mut().for_each(|bits| {
                    if Scalar::from_bits(*bits, dtype).real().is_nan() {
                        *bits = 0;
                    }
                });
            }
            for max in [true, false] {
                let whole = Whole::ArgReduce { max };
                let got = run_whole(gpu, whole, std::slice::from_ref(&input), &[outer, inner], Dtype::U32);
                for (line, got) in lines(shape).zip(got) {
                    let better = |a: u64, b: u64| {
                        let nan = |x| Scalar::from_bits(x, dtype).real().is_nan();
                        !nan(b) && (nan(a) || if max { before(b, a, dtype) } else { before(a, b, dtype) })
                    };
                    let exact = (1..n).fold(0, |best, j| {
                        if better(at(&input, line[j]), at(&input, line[best])) { j } else { best }
                    });
                    assert_eq!(got, exact as u64, "{dtype} {shape:?} max {max}");
                }
            }
        }
    }
}

#[test]
fn running_results_in_both_directions() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(13);
    let ways = [
        (Cumulate::Sum, Map::Add),
        (Cumulate::Prod, Map::Mul),
        (Cumulate::Max, Map::Max),
        (Cumulate::Min, Map::Min),
    ];
    for dtype in NUMBERS {
        for shape in ALONG {
            for (how, map) in ways {
                let mut input = any(&mut noise, dtype, &shape);
                if dtype.is_inexact() && how == Cumulate::Prod {
                    let near = |i: usize| Scalar::Float(1. + (i % 7) as f64 * 0.004 - 0.012).bits(dtype);
                    input.bits.iter_mut().enumerate().for_each(|(i, bits)| *bits = near(i));
                }
                let [reverse, inclusive] = [noise.below(2) == 0, noise.below(2) == 0];
                let whole = Whole::Cumulate { how, reverse, inclusive };
                let got = run_whole(gpu, whole, std::slice::from_ref(&input), &shape, dtype);
                for mut line in lines(shape) {
                    if reverse {
                        line.reverse();
                    }
                    let wide = if dtype.is_inexact() { Dtype::F64 } else { dtype };
                    let mut sum = crate::oracle::reduce(super::whole::fold(how), wide, &[]);
                    for to in line {
                        let x = convert(at(&input, to), dtype, wide);
                        let next = if dtype.is_inexact() {
                            function(map, wide, &[sum, x, x])
                        } else {
                            narrow(map, dtype, sum, x)
                        };
                        let exact = convert(if inclusive { next } else { sum }, wide, dtype);
                        sum = next;
                        let tolerance = match dtype {
                            Dtype::F16 => 2e-3,
                            Dtype::Bf16 => 1e-2,
                            _ => 1e-4,
                        };
                        assert!(
                            close(got[to], exact, dtype, tolerance),
                            "{dtype} {shape:?} {how:?} {reverse} {inclusive}"
                        );
                    }
                }
            }
        }
    }
}

fn fold(how: Cumulate) -> pullback_kernels::Fold {
    match how {
        Cumulate::Sum => pullback_kernels::Fold::Sum,
        Cumulate::Prod => pullback_kernels::Fold::Prod,
        Cumulate::Max => pullback_kernels::Fold::Max,
        Cumulate::Min => pullback_kernels::Fold::Min,
    }
}

fn positions(noise: &mut Noise, k: usize, n: usize) -> Input {
    let range = 3 * n.max(1);
    let bits =
        (0..k).map(|_| (noise.below(range) as i64 - (n + n / 2) as i64) as i32 as u32 as u64).collect();
    Input::new(Dtype::I32, bits, Layout::contiguous(&Shape::new(&[k])))
}

#[test]
fn rows_taken_and_written() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(14);
    let ways = [
        (Scatter::Set, None),
        (Scatter::Add, Some(Map::Add)),
        (Scatter::Prod, Some(Map::Mul)),
        (Scatter::Max, Some(Map::Max)),
        (Scatter::Min, Some(Map::Min)),
    ];
    for dtype in NUMBERS.into_iter().chain([Dtype::Bool]) {
        for [n, k, inner] in
            [[1, 1, 1], [5, 20, 3], [300, 7, 2], [50, 1000, 1], [4, 0, 3], [3, 5, 0], [20, 30, 40]]
        {
            let table = any(&mut noise, dtype, &[n, inner]);
            let index = positions(&mut noise, k, n);
            let got = run_whole(gpu, Whole::Take, &[table.clone(), index.clone()], &[k, inner], dtype);
            let row = |k: usize| {
                let row = index.bits[k] as u32 as i32;
                if row < 0 { row + n as i32 } else { row }
            };
            for (i, got) in got.iter().enumerate() {
                let row = row(i / inner).clamp(0, n as i32 - 1) as usize;
                assert!(close(*got, at(&table, row * inner + i % inner), dtype, 0.), "take {dtype}");
            }
            for (how, map) in ways {
                let updates = any(&mut noise, dtype, &[k, inner]);
                let inputs = [table.clone(), index.clone(), updates.clone()];
                let got = run_whole(gpu, Whole::Scatter(how), &inputs, &[n, inner], dtype);
                // Half floats are rounded once, at the end.
                let wide = if dtype.is_inexact() { Dtype::F64 } else { dtype };
                let mut exact: Vec<u64> =
                    (0..n * inner).map(|i| convert(at(&table, i), dtype, wide)).collect();
                for update in 0..k * inner {
                    let to = row(update / inner);
                    if to < 0 || to >= n as i32 {
                        continue;
                    }
                    let to = to as usize * inner + update % inner;
                    let y = convert(at(&updates, update), dtype, wide);
                    exact[to] = match map {
                        None => y,
                        Some(map) if dtype.is_inexact() || dtype == Dtype::Bool => {
                            function(map, wide, &[exact[to], y, y])
                        }
                        Some(map) => narrow(map, dtype, exact[to], y),
                    };
                }
                for (got, exact) in got.iter().zip(exact) {
                    let exact = convert(exact, wide, dtype);
                    let overflow = Scalar::from_bits(exact, dtype).real().abs() > 1e4;
                    let tolerance = if dtype == Dtype::Bf16 { 1e-2 } else { 1e-3 };
                    assert!(
                        close(*got, exact, dtype, tolerance) || overflow,
                        "{how:?} {dtype} {n} {k} {inner}"
                    );
                }
            }
        }
    }
}

#[test]
fn arrays_side_by_side_and_in_place() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(15);
    for dtype in NUMBERS.into_iter().chain([Dtype::Bool]) {
        for (outer, sizes, inner) in [(2, vec![3, 0, 4, 1], 5), (1, vec![1000, 2000], 1), (7, vec![1], 3)] {
            let parts: Vec<Input> =
                sizes.iter().map(|&n| any(&mut noise, dtype, &[outer, n, inner])).collect();
            let total: usize = sizes.iter().sum();
            let got = run_whole(gpu, Whole::Concatenate, &parts, &[outer, total, inner], dtype);
            let mut exact = vec![];
            for o in 0..outer {
                for (part, n) in parts.iter().zip(&sizes) {
                    exact.extend((0..n * inner).map(|i| at(part, o * n * inner + i)));
                }
            }
            assert!(got.iter().zip(&exact).all(|(a, b)| close(*a, *b, dtype, 0.)), "{dtype}");
        }
        let into = |shape: &[usize], strides: &[isize], offset| Layout {
            shape: Shape::new(shape),
            strides: strides.into(),
            offset,
        };
        for (size, into) in [
            (20, into(&[3, 2], &[5, 2], 1)),
            (20, into(&[4], &[-3], 12)),
            (6, into(&[2, 3], &[3, 1], 0)),
            (5, into(&[0, 3], &[3, 1], 0)),
            (1, into(&[], &[], 0)),
            (500, into(&[2, 3, 4, 5], &[7, 100, 20, 1], 3)),
        ] {
            let x = any(&mut noise, dtype, &into.shape);
            let fill = any(&mut noise, dtype, &[]);
            let whole = Whole::Place { size, into: into.clone() };
            let got = run_whole(gpu, whole, &[x.clone(), fill.clone()], &[size], dtype);
            let mut exact = vec![at(&fill, 0); size];
            for i in 0..into.shape.size() {
                let (mut rest, mut to) = (i, into.offset as isize);
                for axis in (0..into.shape.ndim()).rev() {
                    to += (rest % into.shape[axis]) as isize * into.strides[axis];
                    rest /= into.shape[axis];
                }
                exact[to as usize] = at(&x, i);
            }
            assert!(got.iter().zip(&exact).all(|(a, b)| close(*a, *b, dtype, 0.)), "{dtype} {into:?}");
        }
    }
}

#[test]
fn counting_in_every_type() {
    let Some(gpu) = gpu() else { return };
    for dtype in NUMBERS {
        for n in [0, 1, 300] {
            let got = run_whole(gpu, Whole::Iota, &[], &[n], dtype);
            let exact: Vec<u64> = (0..n).map(|i| convert(i as u64, Dtype::U64, dtype)).collect();
            assert_eq!(got, exact, "{dtype}");
        }
    }
}

/// Plain threefry2x32, in the layout of the kernel's description.
fn threefry(key: [u32; 2], words: usize) -> Vec<u64> {
    let hash = |counter: [u32; 2]| {
        let ks = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd1_1bda];
        let mut v = [counter[0].wrapping_add(ks[0]), counter[1].wrapping_add(ks[1])];
        for round in 0..5 {
            for turn in [[13, 15, 26, 6], [17, 29, 16, 24]][round % 2] {
                v[0] = v[0].wrapping_add(v[1]);
                v[1] = v[1].rotate_left(turn) ^ v[0];
            }
            v[0] = v[0].wrapping_add(ks[(round + 1) % 3]);
            v[1] = v[1].wrapping_add(ks[(round + 2) % 3]).wrapping_add(round as u32 + 1);
        }
        v
    };
    let half = words / 2;
    let second = half + words % 2;
    let mut out = vec![0; words];
    for j in 0..half {
        let v = hash([j as u32, (j + second) as u32]);
        out[j] = v[0].into();
        out[second + j] = v[1].into();
    }
    if words % 2 == 1 {
        out[half] = hash([half as u32, 0])[0].into();
    }
    out
}

#[test]
fn random_words_are_those_of_mlx() {
    let Some(gpu) = gpu() else { return };
    let bits = |keys: &[u64], words: usize| {
        let b = keys.len() / 2;
        let keys = Input::new(Dtype::U32, keys.to_vec(), Layout::contiguous(&Shape::new(&[b, 2])));
        run_whole(gpu, Whole::RandomBits { words }, &[keys], &[b, words], Dtype::U32)
    };
    // From MLX 0.32.4: `mx.random.split(mx.random.key(k), n).reshape(-1)`.
    assert_eq!(bits(&[0, 0], 2), [928981903, 3453687069]);
    assert_eq!(bits(&[0, 7], 4), [966301609, 989289821, 1948237315, 1058547403]);
    assert_eq!(
        bits(&[28, 3197704724], 6),
        [1631868399, 623415342, 3315665206, 4204008113, 3113440949, 666028723]
    );
    // `mx.random.uniform(shape=(5,), key=mx.random.key(42))` times 2^32: a float keeps the upper 24 bits.
    let uniform = [3134548224u64, 3733159168, 843694976, 894150784, 801545088];
    assert!(bits(&[0, 42], 5).iter().zip(uniform).all(|(&a, b)| a.abs_diff(b) <= 256));
    let mut noise = Noise(16);
    for words in [0, 1, 2, 3, 5, 8, 1001] {
        let keys: Vec<u64> = (0..6).map(|_| noise.next() & 0xffff_ffff).collect();
        let exact: Vec<u64> =
            keys.chunks(2).flat_map(|key| threefry([key[0] as u32, key[1] as u32], words)).collect();
        assert_eq!(bits(&keys, words), exact);
    }
}

#[test]
fn what_is_lacking_says_why() {
    let Some(gpu) = gpu() else { return };
    for dtype in [Dtype::F64, Dtype::C64] {
        let lack = gpu.lacks_whole(&Whole::Sort, &[dtype]).expect("one has no GPU type, one no order");
        assert!(lack.contains(dtype.name()));
    }
    assert!(gpu.lacks_whole(&Whole::Matmul, &[Dtype::Bool; 2]).is_some());
}
