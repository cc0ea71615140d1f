//! Programs without reductions.

use std::sync::Arc;

use pullback_base::{Aval, Device, Dtype, Layout, Scalar, Shape};
use pullback_compile::program::{Class, computing};
use pullback_compile::{Backend, GroupStep, Operand, Program, Step, Task, Val};
use pullback_kernels::Map;

use crate::oracle::{close, eval};
use crate::{Input, Noise, gpu, run_group, unpack};

/// The types that programs compute in here.
const COMPUTING: [Dtype; 6] = [Dtype::Bool, Dtype::I32, Dtype::U32, Dtype::I64, Dtype::U64, Dtype::F32];
const ALL: [Dtype; 12] = [
    Dtype::Bool,
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

/// A program of one function on whole inputs.
fn single(map: Map, dtype: Dtype) -> (Program, Vec<Dtype>) {
    let mut program = Program::default();
    let mut dtypes = vec![dtype; map.arity()];
    if map == Map::Select {
        dtypes[0] = Dtype::Bool;
    }
    let args: Vec<Val> = dtypes.iter().map(|&dtype| program.load(dtype, Class::Full)).collect();
    let result = map.result(&dtypes).unwrap();
    let value = program.map(map, &args, result);
    program.store(result, value);
    (program, dtypes)
}

#[test]
fn every_function_of_every_type_agrees_with_the_oracle_on_wild_operands() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(1);
    let (mut ran, mut lacking) = (0, vec![]);
    for &map in Map::ALL {
        for dtype in COMPUTING {
            let (program, dtypes) = single(map, dtype);
            if let Some(lack) = gpu.lacks_group(&program) {
                lacking.push(lack);
                continue;
            }
            let n = 3000;
            let inputs: Vec<Input> = dtypes
                .iter()
                .map(|&dtype| {
                    let bits = (0..n).map(|_| noise.wild(dtype)).collect();
                    Input::new(dtype, bits, Layout::contiguous(&Shape::new(&[n])))
                })
                .collect();
            let got = run_group(gpu, &program, &[n], &[false], &inputs).unwrap().remove(0);
            let exact = eval(&program, &[n], &[false], &inputs).remove(0);
            let out = *program.types.last().unwrap();
            for i in 0..n {
                let args: Vec<Scalar> =
                    inputs.iter().map(|input| Scalar::from_bits(input.bits[i], input.dtype)).collect();
                let alike = special(map, &args, got[i], exact[i]) || close(got[i], exact[i], out, 2e-6);
                let [got, exact] = [got[i], exact[i]].map(|bits| Scalar::from_bits(bits, out));
                assert!(alike, "{map:?} {dtype} of {args:?}: got {got:?}, expected {exact:?}");
            }
            ran += 1;
        }
    }
    println!("{ran} functions of a type agree; lacking: {lacking:?}");
    assert!(ran > 130, "{ran}");
}

/// Where the device may differ: numbers below the normal range count as zero, in operands and results, and what the
/// function makes of such an operand; results at the edge of overflow.
fn special(map: Map, args: &[Scalar], got: u64, exact: u64) -> bool {
    let tiny = |scalar: &Scalar| matches!(scalar, Scalar::Float(x) if *x != 0. && x.abs() < 1.2e-38);
    if !args.iter().any(|arg| matches!(arg, Scalar::Float(_))) {
        return false;
    }
    let [a, b] = [got, exact].map(|bits| f32::from_bits(bits as u32));
    args.iter().any(tiny) && !matches!(map, Map::Neg | Map::Abs | Map::Log | Map::Max | Map::Min)
        || (a == 0. && b.abs() < 1.2e-38)
        || (map == Map::FloorDiv && (a - b).abs() <= 2.5e-7 * b.abs())
}

#[test]
fn conversions_between_all_types() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(2);
    for from in ALL {
        for to in ALL {
            let mut program = Program::default();
            program.inputs.push(Class::Full);
            let value = program.push(pullback_compile::Inst::Load { input: 0 }, from);
            program.store(to, value);
            let n = 1000;
            let bits = (0..n).map(|_| noise.wild(from)).collect();
            let inputs = [Input::new(from, bits, Layout::contiguous(&Shape::new(&[n])))];
            let got = run_group(gpu, &program, &[n], &[false], &inputs).unwrap().remove(0);
            let exact = eval(&program, &[n], &[false], &inputs).remove(0);
            for i in 0..n {
                let x = Scalar::from_bits(inputs[0].bits[i], from);
                // Half floats round from f32 here and from f64 there; subnormal singles may vanish.
                let tolerance = if from.size() == 8 { 1e-2 } else { 0. };
                let zero = matches!(x, Scalar::Float(x) if x.abs() < 1.2e-38) && to == Dtype::Bool;
                let [a, b] = [got[i], exact[i]].map(|bits| Scalar::from_bits(bits, to));
                assert!(
                    zero || close(got[i], exact[i], to, tolerance),
                    "{from} {x:?} to {to}: {a:?}, expected {b:?}"
                );
            }
        }
    }
}

#[test]
fn halves_round_to_nearest_even() {
    let Some(gpu) = gpu() else { return };
    // All half floats and their midpoints, and numbers just beside them.
    let mut bits: Vec<u64> = vec![];
    for half in 0..=u16::MAX {
        let low = half::f16::from_bits(half).to_f32();
        let high = half::f16::from_bits(half.wrapping_add(1)).to_f32();
        let middle = ((f64::from(low) + f64::from(high)) / 2.) as f32;
        bits.extend([low, middle, f32::from_bits(middle.to_bits() ^ 1)].map(|x| u64::from(x.to_bits())));
    }
    let n = bits.len();
    for (dtype, expected) in [
        (Dtype::F16, (|x| half::f16::from_f32(x).to_bits()) as fn(f32) -> u16),
        (Dtype::Bf16, |x| half::bf16::from_f32(x).to_bits()),
    ] {
        let mut program = Program::default();
        let value = program.load(Dtype::F32, Class::Full);
        program.store(dtype, value);
        let input = Input::new(Dtype::F32, bits.clone(), Layout::contiguous(&Shape::new(&[n])));
        let got = run_group(gpu, &program, &[n], &[false], &[input]).unwrap().remove(0);
        for i in 0..n {
            let x = f32::from_bits(bits[i] as u32);
            let exact = expected(x);
            assert!(
                got[i] == u64::from(exact) || x.is_nan(),
                "{x} to {dtype}: {:x}, expected {exact:x}",
                got[i]
            );
        }
    }
}

#[test]
fn bits_seen_as_another_type() {
    let Some(gpu) = gpu() else { return };
    use Dtype::*;
    for group in [&[U8, I8][..], &[U16, I16, F16, Bf16], &[U32, I32, F32], &[U64, I64]] {
        for &from in group {
            for &to in group {
                let mut program = Program::default();
                program.inputs.push(Class::Full);
                let value = program.push(pullback_compile::Inst::Load { input: 0 }, from);
                let value = program.push(pullback_compile::Inst::Bitcast { arg: value }, to);
                program.store(to, value);
                // Numbers in both types: NaN need not keep its bits.
                let sample: Vec<u64> = match from.size() {
                    1 => (0..256).collect(),
                    2 => (0..0x7f80).chain(0x8000..0xff80).filter(|b| b & 0x7c00 != 0x7c00).collect(),
                    4 => (0..2000)
                        .map(|i| i * 0xffff_ffff / 3000)
                        .filter(|b| b & 0x7f80_0000 != 0x7f80_0000 && b & 0x7f80_0000 != 0)
                        .collect(),
                    _ => (0..2000).map(|i| i * (u64::MAX / 2000)).collect(),
                };
                let n = sample.len();
                let input = Input::new(from, sample.clone(), Layout::contiguous(&Shape::new(&[n])));
                let got = run_group(gpu, &program, &[n], &[false], &[input]).unwrap().remove(0);
                assert_eq!(got, sample, "{from} as {to}");
            }
        }
    }
}

/// An input over `space` with a random layout; class and elements fit it.
pub fn any_input(noise: &mut Noise, dtype: Dtype, space: &[usize], constant: &[bool]) -> (Class, Input) {
    let n = space.len();
    let (class, layout) = match noise.below(6) {
        0 => (Class::Full, Layout::contiguous(&Shape::new(space))),
        1 => (Class::Scalar, Layout { strides: vec![0; n].into(), ..Layout::contiguous(&Shape::new(space)) }),
        _ => {
            // Axes in random order, some repeated, some backwards, with gaps.
            let mut order: Vec<usize> = (0..n).collect();
            (1..n).for_each(|i| order.swap(i, noise.below(i + 1)));
            let (mut strides, mut span, mut offset) = (vec![0isize; n], 1 + noise.below(2), 0);
            for axis in order {
                match noise.below(5) {
                    0 => continue,
                    1 => {
                        strides[axis] = -(span as isize);
                        offset += (space[axis].max(1) - 1) * span;
                    }
                    _ => strides[axis] = span as isize,
                }
                span *= space[axis].max(1);
            }
            let strides = strides.into();
            (Class::Strided, Layout { shape: Shape::new(space), strides, offset })
        }
    };
    let mut layout = layout;
    let mut class = class;
    if constant.contains(&true) && class != Class::Scalar {
        class = Class::Strided;
        for (axis, constant) in constant.iter().enumerate() {
            if *constant {
                if layout.strides[axis] < 0 {
                    layout.offset -= layout.strides[axis].unsigned_abs() * (space[axis].max(1) - 1);
                }
                layout.strides[axis] = 0;
            }
        }
    }
    layout.offset += noise.below(5);
    let reach: usize =
        layout.strides.iter().zip(space).map(|(&s, &n)| if s > 0 { s as usize * n.max(1) } else { 0 }).sum();
    let size = layout.offset + reach + 1;
    let bits = (0..size).map(|_| noise.element(dtype)).collect();
    (class, Input::new(dtype, bits, layout))
}

/// Functions that random programs use: benign on ordinary elements.
fn benign(noise: &mut Noise, dtype: Dtype) -> Map {
    use Map::*;
    let float = [Neg, Abs, Square, Tanh, Sigmoid, Erf, Sin, Cos, Atan, Add, Sub, Mul, Max, Min, Atan2];
    let whole = [Neg, Abs, Sign, Square, Not, Add, Sub, Mul, Rem, FloorDiv, Max, Min, And, Or, Xor, Shl, Shr];
    let truth = [Not, And, Or, Xor, Add, Mul, Max, Min];
    match dtype {
        Dtype::Bool => truth[noise.below(truth.len())],
        Dtype::F32 => float[noise.below(float.len())],
        _ => whole[noise.below(whole.len())],
    }
}

/// Appends random instructions to a program; values of one type each come from `values`.
pub fn grow(noise: &mut Noise, program: &mut Program, values: &mut Vec<Val>, steps: usize) {
    for _ in 0..steps {
        let pick = values[noise.below(values.len())];
        let dtype = program.dtype(pick);
        let alike: Vec<Val> = values.iter().copied().filter(|&v| program.dtype(v) == dtype).collect();
        let other = alike[noise.below(alike.len())];
        let value = match noise.below(8) {
            0 if dtype != Dtype::F32 => program.map(Map::Lt, &[pick, other], Dtype::Bool),
            1 => {
                let truths: Vec<Val> =
                    values.iter().copied().filter(|&v| program.dtype(v) == Dtype::Bool).collect();
                match truths.is_empty() {
                    true => continue,
                    false => {
                        program.map(Map::Select, &[truths[noise.below(truths.len())], pick, other], dtype)
                    }
                }
            }
            // Floats are rounded differently by oracle and device: no cliffs after them.
            2 if dtype != Dtype::F32 => {
                let to = ALL[noise.below(ALL.len())];
                let narrow = program.cast(to, pick);
                program.cast(computing(to), narrow)
            }
            3 => program.push(
                pullback_compile::Inst::Const {
                    bits: Scalar::Float((noise.unit() * 5.).round()).bits(dtype),
                },
                dtype,
            ),
            _ => {
                let map = benign(noise, dtype);
                let args = if map.arity() == 1 { vec![pick] } else { vec![pick, other] };
                program.map(map, &args, dtype)
            }
        };
        values.push(value);
    }
}

#[test]
fn random_programs_over_random_layouts() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(3);
    for round in 0..120 {
        let space: Vec<usize> =
            (0..noise.below(5)).map(|_| [0, 1, 2, 3, 7, 16][noise.below(6).max(noise.below(2))]).collect();
        let mut program = Program::default();
        let (mut values, mut inputs) = (vec![], vec![]);
        for _ in 0..1 + noise.below(4) {
            let dtype = ALL[noise.below(ALL.len())];
            let (class, input) = any_input(&mut noise, dtype, &space, &[]);
            values.push(program.load(dtype, class));
            inputs.push(input);
        }
        let steps = 1 + noise.below(20);
        grow(&mut noise, &mut program, &mut values, steps);
        for _ in 0..1 + noise.below(3) {
            let value = values[values.len() - 1 - noise.below(values.len().min(3))];
            let dtype = program.dtype(value);
            program.store(dtype, value);
        }
        let reduced = vec![false; space.len()];
        let got = run_group(gpu, &program, &space, &reduced, &inputs).unwrap();
        let exact = eval(&program, &space, &reduced, &inputs);
        compare(&program, &got, &exact, 1e-3, &format!("round {round}, space {space:?}, {inputs:?}"));
    }
}

/// All outputs of a program.
pub fn compare(program: &Program, got: &[Vec<u64>], exact: &[Vec<u64>], tolerance: f64, what: &str) {
    let mut output = 0;
    for inst in &program.insts {
        let pullback_compile::Inst::Store { arg, .. } = inst else { continue };
        let dtype = program.dtype(*arg);
        assert_eq!(got[output].len(), exact[output].len(), "{what}");
        for (i, (&a, &b)) in got[output].iter().zip(&exact[output]).enumerate() {
            let [x, y] = [a, b].map(|bits| Scalar::from_bits(bits, dtype));
            assert!(
                close(a, b, dtype, tolerance),
                "output {output}[{i}]: {x:?}, expected {y:?} in {what}\n{program:#?}"
            );
        }
        output += 1;
    }
}

#[test]
fn a_dying_input_gives_its_memory_to_the_output_and_a_shared_one_does_not() {
    let Some(gpu) = gpu() else { return };
    let mut program = Program::default();
    let a = program.load(Dtype::F32, Class::Full);
    let b = program.load(Dtype::F32, Class::Full);
    let sum = program.map(Map::Add, &[a, b], Dtype::F32);
    let product = program.map(Map::Mul, &[a, b], Dtype::F32);
    program.store(Dtype::F32, sum);
    program.store(Dtype::F32, product);
    let n = 1000;
    let x = Input::flat(Dtype::F32, [n], |i| i as f64);
    let y = Input::flat(Dtype::F32, [n], |i| 2. * i as f64);
    let (first, second) =
        (gpu.upload(&x.bytes(), x.dtype).unwrap(), gpu.upload(&y.bytes(), y.dtype).unwrap());
    let (id, held) = (first.id(), second.clone());
    let mut slots = vec![Some(first), Some(second), None, None];
    let aval = Aval::new([n], Dtype::F32);
    let operand = |slot| Operand { slot, layout: x.layout.clone(), aval: aval.clone() };
    let step = Step {
        device: Device::Gpu,
        task: Task::Group(GroupStep { program: Arc::new(program), space: [n].into(), reduced: vec![false] }),
        inputs: vec![operand(0), operand(1)],
        outputs: vec![(2, aval.clone()), (3, aval.clone())],
        dying: vec![0, 1],
    };
    gpu.run(&[step], &mut slots, &mut || Ok(())).unwrap();
    assert!(slots[0].is_none() && slots[1].is_none());
    assert_eq!(slots[2].as_ref().unwrap().id(), id);
    assert_ne!(slots[3].as_ref().unwrap().id(), held.id());
    let read = |storage| unpack(&gpu.download(storage, Dtype::F32).unwrap(), Dtype::F32);
    let floats = |bits: Vec<u64>| bits.iter().map(|&b| f32::from_bits(b as u32)).collect::<Vec<_>>();
    assert_eq!(floats(read(slots[2].as_ref().unwrap())), (0..n).map(|i| 3. * i as f32).collect::<Vec<_>>());
    assert_eq!(
        floats(read(slots[3].as_ref().unwrap())),
        (0..n).map(|i| 2. * (i * i) as f32).collect::<Vec<_>>()
    );
    assert_eq!(read(&held), y.bits);
}

#[test]
fn float64_is_lacking_with_a_sentence() {
    let Some(gpu) = gpu() else { return };
    let (program, _) = single(Map::Add, Dtype::F64);
    let lack = gpu.lacks_group(&program).expect("no GPU language has it");
    assert!(lack.contains("float64"), "{lack}");
}
