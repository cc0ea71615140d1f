//! Kernels over whole arrays against plain references.

mod interpreter;

use interpreter::{Rng, block, pack, read, values};
use pullback_base::{Aval, Device, Dtype, Layout, Scalar, Shape};
use pullback_compile::{Backend, Operand, Step, Task, WholeStep};
use pullback_cpu::Cpu;
use pullback_kernels::{Cumulate, Fold, Scatter, Whole};

/// An operand: canonical shape, type, block, and how it lies there if not in order.
struct Given {
    shape: Shape,
    dtype: Dtype,
    bytes: Vec<u8>,
    layout: Option<Layout>,
}

fn given(shape: &[usize], dtype: Dtype, bytes: Vec<u8>) -> Given {
    Given { shape: Shape::new(shape), dtype, bytes, layout: None }
}

fn run(whole: Whole, operands: &[Given], shape: &[usize], dtype: Dtype) -> Vec<u8> {
    run_on(&Cpu::new().unwrap(), whole, operands, shape, dtype, false)
}

fn run_on(
    cpu: &Cpu,
    whole: Whole,
    operands: &[Given],
    shape: &[usize],
    dtype: Dtype,
    donate: bool,
) -> Vec<u8> {
    let dtypes: Vec<Dtype> = operands.iter().map(|operand| operand.dtype).collect();
    assert_eq!(cpu.lacks_whole(&whole, &dtypes), None);
    let mut slots: Vec<_> =
        operands.iter().map(|operand| Some(cpu.upload(&operand.bytes, operand.dtype).unwrap())).collect();
    slots.push(None);
    let out = operands.len() as u32;
    let input = |(slot, operand): (usize, &Given)| Operand {
        slot: slot as u32,
        layout: operand.layout.clone().unwrap_or_else(|| Layout::contiguous(&operand.shape)),
        aval: Aval::new([operand.bytes.len() / operand.dtype.size()], operand.dtype),
    };
    let step = Step {
        device: Device::Cpu,
        task: Task::Whole(WholeStep {
            whole,
            shapes: operands.iter().map(|operand| operand.shape.clone()).collect(),
            shape: Shape::new(shape),
        }),
        inputs: operands.iter().enumerate().map(input).collect(),
        outputs: vec![(out, Aval::new(shape, dtype))],
        dying: if donate { (0..out).collect() } else { vec![] },
    };
    let first = slots[0].as_ref().map(|block| block.id());
    cpu.run(&[step], &mut slots, &mut || Ok(())).unwrap();
    let block = slots[out as usize].as_ref().unwrap();
    if donate {
        assert_eq!(Some(block.id()), first, "the first operand's block is taken over");
    }
    cpu.download(block, dtype).unwrap()
}

fn scalars(dtype: Dtype, bytes: &[u8]) -> Vec<Scalar> {
    (0..bytes.len() / dtype.size()).map(|i| read(dtype, bytes, i)).collect()
}

fn reals() -> impl Iterator<Item = Dtype> {
    Dtype::ALL.into_iter().filter(|&dtype| dtype != Dtype::C64)
}

/// Some NaN among floats.
fn with_nan(dtype: Dtype, n: usize, rng: &mut Rng) -> Vec<u8> {
    let mut values = scalars(dtype, &block(dtype, n, rng));
    if matches!(dtype, Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64) {
        values.iter_mut().filter(|_| rng.below(5) == 0).for_each(|x| *x = Scalar::Float(f64::NAN));
    }
    pack(dtype, values)
}

fn positions(list: &[i32]) -> Given {
    given(&[list.len()], Dtype::I32, list.iter().flat_map(|x| x.to_le_bytes()).collect())
}

#[test]
fn products_of_every_type_and_layout() {
    let mut rng = Rng(1);
    for dtype in Dtype::ALL {
        for (b, m, k, n) in [
            (1, 4, 3, 5),
            (3, 2, 7, 2),
            (1, 1, 9, 4),
            (2, 5, 1, 3),
            (2, 3, 0, 2),
            (1, 0, 3, 4),
            (1, 33, 40, 70),
        ] {
            for kind in 0..4 {
                let mut sides = [[b, m, k], [b, k, n]].map(|shape| {
                    let shape = Shape::new(&shape);
                    // In order; transposed; the batch shared; backwards.
                    let (size, layout) = match kind {
                        0 => (shape.size(), Layout::contiguous(&shape)),
                        1 => {
                            let memory = Shape::new(&[shape[0], shape[2], shape[1]]);
                            (shape.size(), Layout::contiguous(&memory).transpose(&[0, 2, 1]))
                        }
                        2 => {
                            let memory = Shape::new(&[1, shape[1], shape[2]]);
                            (memory.size(), Layout::contiguous(&memory).broadcast(&shape))
                        }
                        _ => {
                            let start: Vec<usize> =
                                shape.iter().map(|&size| size.saturating_sub(1)).collect();
                            (shape.size(), Layout::contiguous(&shape).slice(&start, &[-1, -1, -1], &shape))
                        }
                    };
                    Given { dtype, bytes: block(dtype, size, &mut rng), layout: Some(layout), shape }
                });
                if kind == 2 {
                    // Only the right side shared.
                    let size = b * m * k;
                    sides[0] = given(&[b, m, k], dtype, block(dtype, size, &mut rng));
                }
                let at = |side: &Given, index: [usize; 3]| {
                    let layout = side.layout.clone().unwrap_or_else(|| Layout::contiguous(&side.shape));
                    let steps = index.iter().zip(&layout.strides).map(|(&i, &stride)| i as isize * stride);
                    read(dtype, &side.bytes, (layout.offset as isize + steps.sum::<isize>()) as usize)
                };
                let out = run(Whole::Matmul, &sides, &[b, m, n], dtype);
                let got = scalars(dtype, &out);
                for (p, &got) in got.iter().enumerate() {
                    let (batch, row, col) = (p / (m * n), p / n % m, p % n);
                    let (mut real, mut imag, mut whole) = (0., 0., 0i128);
                    for j in 0..k {
                        let (x, y) = (at(&sides[0], [batch, row, j]), at(&sides[1], [batch, j, col]));
                        real += x.real() * y.real() - x.imag() * y.imag();
                        imag += x.real() * y.imag() + x.imag() * y.real();
                        whole += i128::from(x.int()) * i128::from(y.int());
                    }
                    let want = match dtype {
                        Dtype::Bool => Scalar::Bool(whole != 0),
                        Dtype::C64 => Scalar::Complex(real, imag),
                        _ if dtype.is_inexact() => Scalar::Float(real),
                        _ => values::cast(Scalar::Int(whole as i64), Dtype::I64, dtype),
                    };
                    let scale = 1. + k as f64;
                    assert!(
                        values::close(got, want, dtype, scale),
                        "{dtype} {b} {m} {k} {n} kind {kind} [{p}]: {:?}, not {want:?}",
                        got
                    );
                }
            }
        }
    }
}

/// Half floats add up in single: 4096 ones and a half are not stuck at 2048.
#[test]
fn half_floats_accumulate_in_single() {
    for (m, n) in [(1, 1), (1, 3), (3, 1), (4, 4)] {
        for dtype in [Dtype::F16, Dtype::Bf16] {
            let one = |count: usize| pack(dtype, vec![Scalar::Float(1.); count]);
            let sides =
                [given(&[1, m, 4096], dtype, one(m * 4096)), given(&[1, 4096, n], dtype, one(4096 * n))];
            let out = scalars(dtype, &run(Whole::Matmul, &sides, &[1, m, n], dtype));
            assert!(out.iter().all(|&x| x == Scalar::Float(4096.)), "{dtype} {out:?}");
        }
    }
}

#[test]
fn extremes_by_position() {
    let mut rng = Rng(2);
    for dtype in reals() {
        for [o, n, i] in [[1, 9, 1], [3, 5, 4], [2, 1, 3], [0, 4, 2], [4, 100, 1]] {
            for max in [false, true] {
                let bytes = with_nan(dtype, o * n * i, &mut rng);
                let x = scalars(dtype, &bytes);
                let out =
                    run(Whole::ArgReduce { max }, &[given(&[o, n, i], dtype, bytes)], &[o, i], Dtype::U32);
                for (p, &got) in scalars(Dtype::U32, &out).iter().enumerate() {
                    let line: Vec<f64> = (0..n).map(|j| x[(p / i * n + j) * i + p % i].real()).collect();
                    let best = line.iter().position(|x| x.is_nan()).unwrap_or_else(|| {
                        let top = line.iter().copied().fold(line[0], if max { f64::max } else { f64::min });
                        line.iter().position(|&x| x == top).unwrap()
                    });
                    assert_eq!(got, Scalar::Int(best as i64), "{dtype} max {max} {line:?}");
                }
            }
        }
    }
}

#[test]
fn running_results() {
    let mut rng = Rng(3);
    for dtype in reals() {
        for [o, n, i] in [[1, 9, 1], [3, 5, 4], [2, 0, 3], [2, 1, 1]] {
            for (how, fold) in [
                (Cumulate::Sum, Fold::Sum),
                (Cumulate::Prod, Fold::Prod),
                (Cumulate::Max, Fold::Max),
                (Cumulate::Min, Fold::Min),
            ] {
                for (reverse, inclusive) in [(false, true), (true, true), (false, false), (true, false)] {
                    let bytes = block(dtype, o * n * i, &mut rng);
                    let x = scalars(dtype, &bytes);
                    let whole = Whole::Cumulate { how, reverse, inclusive };
                    let out = run(whole, &[given(&[o, n, i], dtype, bytes)], &[o, n, i], dtype);
                    let got = scalars(dtype, &out);
                    for lane in 0..o * i {
                        let mut carried = values::neutral(fold, dtype);
                        for j in 0..n {
                            let at = (lane / i * n + if reverse { n - 1 - j } else { j }) * i + lane % i;
                            let next = values::join(fold, dtype, carried, x[at]);
                            let want = if inclusive { next } else { carried };
                            let scale = if want.real().is_finite() { 1. + want.real().abs() } else { 1. };
                            assert!(
                                values::close(got[at], want, dtype, scale),
                                "{dtype} {how:?} {reverse} {inclusive}: {:?}, not {want:?}",
                                got[at]
                            );
                            carried = next;
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn sorting() {
    let mut rng = Rng(4);
    for dtype in reals() {
        for [o, n, i] in [[1, 50, 1], [3, 20, 4], [2, 0, 3], [2, 1, 1], [1, 150_000, 1], [1, 100, 30]] {
            if n > 1000 && !matches!(dtype, Dtype::F32 | Dtype::I32 | Dtype::F16) {
                continue;
            }
            let bytes = with_nan(dtype, o * n * i, &mut rng);
            let x = scalars(dtype, &bytes);
            let operand = || given(&[o, n, i], dtype, bytes.clone());
            let sorted = scalars(dtype, &run(Whole::Sort, &[operand()], &[o, n, i], dtype));
            let order = scalars(Dtype::U32, &run(Whole::ArgSort, &[operand()], &[o, n, i], Dtype::U32));
            for lane in 0..o * i {
                let at = |j: usize| (lane / i * n + j) * i + lane % i;
                let mut want: Vec<usize> = (0..n).collect();
                let key = |j: usize| x[at(j)].real();
                want.sort_by(|&a, &b| match (key(a).is_nan(), key(b).is_nan()) {
                    (false, false) => key(a).total_cmp(&key(b)),
                    (a, b) => a.cmp(&b),
                });
                for (j, &from) in want.iter().enumerate() {
                    assert_eq!(
                        order[at(j)],
                        Scalar::Int(from as i64),
                        "{dtype} {o} {n} {i} lane {lane} place {j}"
                    );
                    assert_eq!(sorted[at(j)].bits(dtype), x[at(from)].bits(dtype));
                }
            }
        }
    }
}

/// Signed zeros are equal: they stay in order.
#[test]
fn sorting_is_stable() {
    let x: Vec<f32> = vec![0., -0., 1., -0., 0., -1.];
    let bytes = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let out = run(Whole::ArgSort, &[given(&[1, 6, 1], Dtype::F32, bytes)], &[1, 6, 1], Dtype::U32);
    let order: Vec<i64> = scalars(Dtype::U32, &out).iter().map(|x| x.int()).collect();
    assert_eq!(order, [5, 0, 1, 3, 4, 2]);
}

#[test]
fn rows_taken() {
    let mut rng = Rng(5);
    for dtype in Dtype::ALL {
        for (n, i) in [(5, 1), (4, 3), (1, 2), (3, 0)] {
            let table = block(dtype, n * i, &mut rng);
            let list = [0, 1, -1, n as i32, -(n as i32), 100, -100, i32::MIN, i32::MAX, 2];
            let operands = [given(&[n, i], dtype, table.clone()), positions(&list)];
            let out = run(Whole::Take, &operands, &[list.len(), i], dtype);
            let row = i * dtype.size();
            for (k, &position) in list.iter().enumerate() {
                let p = i64::from(position) + if position < 0 { n as i64 } else { 0 };
                let p = p.clamp(0, n as i64 - 1) as usize;
                assert_eq!(out[k * row..(k + 1) * row], table[p * row..(p + 1) * row], "{dtype} {position}");
            }
        }
    }
    let empty = [given(&[0, 2], Dtype::F32, vec![]), positions(&[0, 3])];
    assert_eq!(run(Whole::Take, &empty, &[2, 2], Dtype::F32), [0; 16]);
}

#[test]
fn rows_written() {
    let mut rng = Rng(6);
    for dtype in Dtype::ALL {
        for how in [Scatter::Set, Scatter::Add, Scatter::Prod, Scatter::Max, Scatter::Min] {
            for (n, i) in [(5, 1), (4, 3), (2, 40)] {
                let x = block(dtype, n * i, &mut rng);
                let list = [0, 1, -1, 1, n as i32, -(n as i32), 100, -100, i32::MIN, 1, 0];
                let updates = block(dtype, list.len() * i, &mut rng);
                let mut want = scalars(dtype, &x);
                for (k, &position) in list.iter().enumerate() {
                    let p = i64::from(position) + if position < 0 { n as i64 } else { 0 };
                    if !(0..n as i64).contains(&p) {
                        continue;
                    }
                    for j in 0..i {
                        let old = &mut want[p as usize * i + j];
                        let update = read(dtype, &updates, k * i + j);
                        *old = combine(how, dtype, *old, update);
                    }
                }
                for donate in [false, true] {
                    let operands = [
                        given(&[n, i], dtype, x.clone()),
                        positions(&list),
                        given(&[list.len(), i], dtype, updates.clone()),
                    ];
                    let cpu = Cpu::new().unwrap();
                    let out = run_on(&cpu, Whole::Scatter(how), &operands, &[n, i], dtype, donate);
                    for (got, &want) in scalars(dtype, &out).iter().zip(&want) {
                        let scale = 1. + want.real().abs() + want.imag().abs();
                        assert!(
                            values::close(*got, want, dtype, scale),
                            "{dtype} {how:?} {got:?}, not {want:?}"
                        );
                    }
                }
            }
        }
    }
}

fn combine(how: Scatter, dtype: Dtype, old: Scalar, update: Scalar) -> Scalar {
    let fold = match how {
        Scatter::Set => return update,
        Scatter::Add => Fold::Sum,
        Scatter::Prod => Fold::Prod,
        Scatter::Max => Fold::Max,
        Scatter::Min => Fold::Min,
    };
    if let (Scalar::Complex(a, b), Scalar::Complex(c, d)) = (old, update) {
        return match fold {
            Fold::Sum => Scalar::Complex(a + c, b + d),
            Fold::Prod => Scalar::Complex(a * c - b * d, a * d + b * c),
            Fold::Max => {
                if (c, d) > (a, b) {
                    update
                } else {
                    old
                }
            }
            Fold::Min => {
                if (c, d) < (a, b) {
                    update
                } else {
                    old
                }
            }
        };
    }
    values::join(fold, dtype, old, update)
}

/// Long rows are split over threads; equal positions still combine in order.
#[test]
fn large_scatters_combine_in_order() {
    let (n, i, k) = (300, 512, 2000);
    let mut rng = Rng(7);
    let list: Vec<i32> = (0..k).map(|_| rng.below(n) as i32).collect();
    let updates: Vec<f32> = (0..k * i).map(|j| (j % 1000) as f32 * 0.1).collect();
    let mut want = vec![0f32; n * i];
    for (row, &position) in updates.chunks(i).zip(&list) {
        let to = &mut want[position as usize * i..][..i];
        to.iter_mut().zip(row).for_each(|(to, x)| *to += x);
    }
    let bytes = |x: &[f32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let operands = [
        given(&[n, i], Dtype::F32, vec![0; n * i * 4]),
        positions(&list),
        given(&[k, i], Dtype::F32, bytes(&updates)),
    ];
    assert!(run(Whole::Scatter(Scatter::Add), &operands, &[n, i], Dtype::F32) == bytes(&want));
}

#[test]
fn parts_joined() {
    let mut rng = Rng(8);
    for dtype in Dtype::ALL {
        for (o, i, lengths) in [
            (1, 1, vec![3, 0, 2]),
            (3, 2, vec![1, 4]),
            (2, 5, vec![2]),
            (4, 0, vec![1, 1]),
            (1, 700, vec![300, 700]),
        ] {
            let parts: Vec<Given> = lengths
                .iter()
                .map(|&n| given(&[o, n, i], dtype, block(dtype, o * n * i, &mut rng)))
                .collect();
            let total = lengths.iter().sum::<usize>();
            let mut want = Vec::new();
            for row in 0..o {
                for (part, n) in parts.iter().zip(&lengths) {
                    let line = n * i * dtype.size();
                    want.extend_from_slice(&part.bytes[row * line..(row + 1) * line]);
                }
            }
            assert!(run(Whole::Concatenate, &parts, &[o, total, i], dtype) == want);
        }
    }
}

#[test]
fn elements_placed() {
    let mut rng = Rng(9);
    let into = [
        (Layout { shape: Shape::new(&[2, 3]), strides: [10, 2].into_iter().collect(), offset: 5 }, 24),
        (Layout { shape: Shape::new(&[3, 2]), strides: [-4, -1].into_iter().collect(), offset: 11 }, 12),
        (Layout { shape: Shape::new(&[]), strides: [].into_iter().collect(), offset: 2 }, 4),
        (Layout { shape: Shape::new(&[0, 3]), strides: [1, 1].into_iter().collect(), offset: 0 }, 3),
        (Layout { shape: Shape::new(&[2, 3]), strides: [1, 2].into_iter().collect(), offset: 0 }, 6),
        (
            Layout { shape: Shape::new(&[700, 300]), strides: [1, 701].into_iter().collect(), offset: 1 },
            701 * 300,
        ),
    ];
    for dtype in Dtype::ALL {
        for (into, size) in into.clone() {
            let x = block(dtype, into.shape.size(), &mut rng);
            let fill = block(dtype, 1, &mut rng);
            let s = dtype.size();
            let mut want: Vec<u8> = fill.iter().copied().cycle().take(size * s).collect();
            for p in 0..into.shape.size() {
                let mut at = into.offset as isize;
                let mut rest = p;
                for (&n, &stride) in into.shape.iter().zip(&into.strides).rev() {
                    at += (rest % n) as isize * stride;
                    rest /= n;
                }
                want[at as usize * s..][..s].copy_from_slice(&x[p * s..][..s]);
            }
            let operands = [given(&into.shape, dtype, x), given(&[], dtype, fill)];
            assert!(
                run(Whole::Place { size, into: into.clone() }, &operands, &[size], dtype) == want,
                "{dtype} {into:?}"
            );
        }
    }
}

#[test]
fn counting() {
    for dtype in Dtype::ALL {
        let n = if dtype.size() == 1 { 100 } else { 250 };
        let got = scalars(dtype, &run(Whole::Iota, &[], &[n], dtype));
        for (i, got) in got.into_iter().enumerate() {
            assert_eq!(
                got.real(),
                if dtype == Dtype::Bool { f64::from(u8::from(i > 0)) } else { i as f64 },
                "{dtype}"
            );
        }
    }
}

/// Words that MLX 0.32.4 gives for `random.key(42)`: `random.split(key, n)` are 2 n words, and those of odd number were
/// checked through `random.uniform`.
#[test]
fn random_words_are_those_of_mlx() {
    let cases: [&[u32]; 5] = [
        &[64467757, 2916123636],
        &[2465931498, 3679230171, 255383827, 267815257],
        &[3134548294, 3733159049, 3746501087, 894150801, 801545058, 2363201431],
        &[3134548294, 3733159049, 843694964, 894150801, 801545058],
        &[1832780943],
    ];
    for words in cases {
        let keys: Vec<u8> = [0u32, 42, 0, 42].iter().flat_map(|x| x.to_le_bytes()).collect();
        let out = run(
            Whole::RandomBits { words: words.len() },
            &[given(&[2, 2], Dtype::U32, keys)],
            &[2, words.len()],
            Dtype::U32,
        );
        let got: Vec<u32> = out.as_chunks::<4>().0.iter().map(|x| u32::from_le_bytes(*x)).collect();
        assert_eq!(got, [words, words].concat());
    }
    assert!(
        run(Whole::RandomBits { words: 0 }, &[given(&[1, 2], Dtype::U32, vec![0; 8])], &[1, 0], Dtype::U32)
            .is_empty()
    );
}

/// Every word by itself, whatever thread makes it.
#[test]
fn many_random_words() {
    use pullback_kernels::array::random::{middle, threefry};
    for words in [100_000, 100_001] {
        let keys: Vec<u8> = [7u32, 9].iter().flat_map(|x| x.to_le_bytes()).collect();
        let out =
            run(Whole::RandomBits { words }, &[given(&[1, 2], Dtype::U32, keys)], &[1, words], Dtype::U32);
        let half = words.div_ceil(2);
        for (i, got) in out.as_chunks::<4>().0.iter().enumerate() {
            let want = if words % 2 == 1 && i == half - 1 {
                middle([7, 9], words)
            } else {
                let pair = if i < half { i } else { i - half };
                threefry([7, 9], [pair as u32, (pair + half) as u32])[usize::from(i >= half)]
            };
            assert_eq!(u32::from_le_bytes(*got), want, "{i}");
        }
    }
}

#[test]
fn what_is_missing_is_said() {
    let cpu = Cpu::new().unwrap();
    for whole in [Whole::Sort, Whole::ArgSort, Whole::ArgReduce { max: true }] {
        assert!(cpu.lacks_whole(&whole, &[Dtype::C64]).unwrap().contains("complex"));
        assert_eq!(cpu.lacks_whole(&whole, &[Dtype::F16]), None);
    }
}
