//! Programs with reductions.

use pullback_base::{Dtype, Layout, Shape};
use pullback_compile::program::Class;
use pullback_compile::{Inst, Program};
use pullback_kernels::{Fold, Map};

use crate::oracle::{close, eval};
use crate::point::{any_input, compare, grow};
use crate::{Input, Noise, gpu, run_group};

const FOLDS: [Fold; 4] = [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min];

#[test]
fn random_reductions_with_prologue_and_epilogue() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(4);
    for round in 0..150 {
        let sizes = [0, 1, 2, 3, 5, 65, 130];
        let space: Vec<usize> =
            (0..1 + noise.below(3)).map(|_| sizes[noise.below(7).max(noise.below(2))]).collect();
        let reduced: Vec<bool> = space.iter().map(|_| noise.below(2) == 0).collect();
        let mut program = Program::default();
        let (mut values, mut inputs) = (vec![], vec![]);
        let dtypes = [Dtype::F32, Dtype::I32, Dtype::Bool, Dtype::F16, Dtype::U8, Dtype::I64];
        for _ in 0..1 + noise.below(3) {
            let dtype = dtypes[noise.below(dtypes.len())];
            let (class, input) = any_input(&mut noise, dtype, &space, &[]);
            values.push(program.load(dtype, class));
            inputs.push(input);
        }
        let steps = noise.below(6);
        grow(&mut noise, &mut program, &mut values, steps);
        if noise.below(4) == 0 {
            // An output with an element for every point.
            let value = values[noise.below(values.len())];
            program.store(program.dtype(value), value);
        }
        let mut after = vec![];
        for _ in 0..1 + noise.below(3) {
            let arg = values[noise.below(values.len())];
            let dtype = program.dtype(arg);
            let fold = match dtype {
                Dtype::F32 => [Fold::Sum, Fold::Max, Fold::Min][noise.below(3)],
                _ => FOLDS[noise.below(4)],
            };
            after.push(program.push(Inst::Reduce { fold, arg }, dtype));
        }
        // What follows reads reductions, constants, and inputs that are the same along reduced axes.
        let (class, input) = any_input(&mut noise, Dtype::F32, &space, &reduced);
        let extra = program.load(Dtype::F32, class);
        inputs.push(input);
        let mut late = after.clone();
        for &value in &after {
            if program.dtype(value) == Dtype::F32 {
                late.push(program.map(Map::Add, &[value, extra], Dtype::F32));
            }
        }
        for &value in &late {
            program.store(program.dtype(value), value);
        }
        let got = run_group(gpu, &program, &space, &reduced, &inputs).unwrap();
        let exact = eval(&program, &space, &reduced, &inputs);
        compare(
            &program,
            &got,
            &exact,
            2e-3,
            &format!("round {round}, space {space:?}, reduced {reduced:?}"),
        );
    }
}

#[test]
fn every_reduction_of_every_type_over_every_shape() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(5);
    // Few and many points, short and long reductions: a thread or a workgroup for each, in one step or two.
    let cases: [(&[usize], &[bool]); 12] = [
        (&[40000], &[true]),
        (&[3, 20000], &[false, true]),
        (&[20000, 3], &[true, false]),
        (&[300, 300], &[false, true]),
        (&[300, 300], &[true, false]),
        (&[3000, 100], &[true, false]),
        (&[50, 30, 40], &[true, false, true]),
        (&[50, 30, 40], &[false, true, false]),
        (&[7, 0], &[false, true]),
        (&[0, 7], &[false, true]),
        (&[5, 1], &[false, true]),
        (&[], &[]),
    ];
    let dtypes = [Dtype::F32, Dtype::I32, Dtype::U32, Dtype::I64, Dtype::U64, Dtype::Bool];
    for (space, reduced) in cases {
        for dtype in dtypes {
            let mut program = Program::default();
            let value = program.load(dtype, Class::Full);
            for fold in FOLDS {
                let result = program.push(Inst::Reduce { fold, arg: value }, dtype);
                program.store(dtype, result);
            }
            let shape = Shape::new(space);
            let element = |noise: &mut Noise| match dtype {
                // A product of many must not leave the range.
                Dtype::F32 => u64::from((1. + noise.unit() as f32 * 1e-3).to_bits()),
                Dtype::Bool => u64::from(noise.below(5000) != 0),
                _ => noise.wild(dtype),
            };
            let bits = (0..shape.size()).map(|_| element(&mut noise)).collect();
            let inputs = [Input::new(dtype, bits, Layout::contiguous(&shape))];
            let got = run_group(gpu, &program, space, reduced, &inputs).unwrap();
            let exact = eval(&program, space, reduced, &inputs);
            let what = format!("{dtype} {space:?} {reduced:?}");
            for (fold, (got, exact)) in FOLDS.iter().zip(got.iter().zip(&exact)) {
                let tolerance = if *fold == Fold::Prod { 1e-3 } else { 2e-6 };
                for (&a, &b) in got.iter().zip(exact) {
                    assert!(close(a, b, dtype, tolerance), "{fold:?} {what}: {a:x}, expected {b:x}");
                }
            }
        }
    }
}

#[test]
fn maxima_keep_nan_and_sums_of_many_keep_their_digits() {
    let Some(gpu) = gpu() else { return };
    let mut program = Program::default();
    let value = program.load(Dtype::F32, Class::Full);
    for fold in FOLDS {
        let result = program.push(Inst::Reduce { fold, arg: value }, Dtype::F32);
        program.store(Dtype::F32, result);
    }
    let n = 100_000;
    let mut input = Input::flat(Dtype::F32, [n], |_| 0.1);
    let got = run_group(gpu, &program, &[n], &[true], std::slice::from_ref(&input)).unwrap();
    let sum = f32::from_bits(got[0][0] as u32);
    let exact = f64::from(0.1f32) * n as f64;
    assert!((f64::from(sum) - exact).abs() < 1e-6 * exact, "{sum}, expected {exact}");
    input.bits[77_777] = f32::NAN.to_bits().into();
    let got = run_group(gpu, &program, &[n], &[true], &[input]).unwrap();
    assert!(got.iter().all(|all| f32::from_bits(all[0] as u32).is_nan()));
}

#[test]
fn results_are_the_same_on_every_run() {
    let Some(gpu) = gpu() else { return };
    let mut noise = Noise(6);
    let mut program = Program::default();
    let value = program.load(Dtype::F32, Class::Full);
    let sum = program.push(Inst::Reduce { fold: Fold::Sum, arg: value }, Dtype::F32);
    program.store(Dtype::F32, sum);
    let n = 123_457;
    let bits = (0..n).map(|_| noise.element(Dtype::F32)).collect();
    let inputs = [Input::new(Dtype::F32, bits, Layout::contiguous(&Shape::new(&[n])))];
    let runs: Vec<_> = (0..5).map(|_| run_group(gpu, &program, &[n], &[true], &inputs).unwrap()).collect();
    assert!(runs.iter().all(|run| *run == runs[0]));
}
