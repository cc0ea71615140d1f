//! Nanoseconds per element of a few programs: the best of many runs.
//!
//!     cargo run --release -p pullback-cpu --example bench [name]      PULLBACK_THREADS=1 PULLBACK_ISA=base|avx2|avx512

use std::sync::Arc;
use std::time::Instant;

use pullback_base::{Aval, Device, Dtype, Layout, Scalar, Shape, Storage};
use pullback_compile::program::Class;
use pullback_compile::{Backend, GroupStep, Inst, Operand, Program, Step, Task, Val, WholeStep};
use pullback_cpu::Cpu;
use pullback_kernels::{Fold, Map, Whole};

const F: Dtype = Dtype::F32;

fn number(p: &mut Program, x: f64) -> Val {
    p.push(Inst::Const { bits: Scalar::Float(x).bits(F) }, F)
}

/// x · 0.5 · (1 + tanh(0.79788 · (x + 0.044715 x³)))
fn gelu() -> Program {
    let mut p = Program::default();
    let x = p.load(F, Class::Full);
    let (half, one) = (number(&mut p, 0.5), number(&mut p, 1.));
    let (a, b) = (number(&mut p, 0.7978845608), number(&mut p, 0.044715));
    let x2 = p.map(Map::Mul, &[x, x], F);
    let x3 = p.map(Map::Mul, &[x2, x], F);
    let t = p.map(Map::Mul, &[b, x3], F);
    let t = p.map(Map::Add, &[x, t], F);
    let t = p.map(Map::Mul, &[a, t], F);
    let t = p.map(Map::Tanh, &[t], F);
    let t = p.map(Map::Add, &[one, t], F);
    let h = p.map(Map::Mul, &[x, half], F);
    let y = p.map(Map::Mul, &[h, t], F);
    p.store(F, y);
    p
}

/// (a · b + c) · 0.5 - a
fn cheap() -> Program {
    let mut p = Program::default();
    let [a, b, c] = [(); 3].map(|()| p.load(F, Class::Full));
    let half = number(&mut p, 0.5);
    let t = p.map(Map::Mul, &[a, b], F);
    let t = p.map(Map::Add, &[t, c], F);
    let t = p.map(Map::Mul, &[t, half], F);
    let t = p.map(Map::Sub, &[t, a], F);
    p.store(F, t);
    p
}

fn one(map: Option<Map>, fold: Option<Fold>) -> Program {
    let mut p = Program::default();
    let mut x = p.load(F, Class::Full);
    if let Some(map) = map {
        x = if map.arity() == 1 { p.map(map, &[x], F) } else { p.map(map, &[x, x], F) };
    }
    if let Some(fold) = fold {
        x = p.push(Inst::Reduce { fold, arg: x }, F);
    }
    p.store(F, x);
    p
}

/// Best seconds of many runs.
fn time(cpu: &Cpu, step: &Step, slots: &mut [Option<Storage>]) -> f64 {
    let mut best = f64::INFINITY;
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 5 || start.elapsed().as_secs_f64() < 0.4 {
        let repeats = if best < 1e-4 { 100 } else { 1 };
        let begin = Instant::now();
        for _ in 0..repeats {
            cpu.run(std::slice::from_ref(step), slots, &mut || Ok(())).unwrap();
        }
        best = best.min(begin.elapsed().as_secs_f64() / f64::from(repeats));
        rounds += 1;
    }
    best
}

fn block(cpu: &Cpu, n: usize) -> Storage {
    let bytes: Vec<u8> = (0..n).flat_map(|i| ((i * 37 % 1000) as f32 * 0.004 - 2.).to_le_bytes()).collect();
    cpu.upload(&bytes, F).unwrap()
}

/// Runs a group over `space`, with inputs that lie as `layout` says.
fn group(cpu: &Cpu, mut program: Program, layout: Layout, reduced: &[bool]) -> f64 {
    let class = if layout.is_contiguous() { Class::Full } else { Class::Strided };
    program.inputs.iter_mut().for_each(|input| *input = class);
    let space = layout.shape.clone();
    let count = program.inputs.len();
    let kept: Shape = space.iter().zip(reduced).filter(|(_, r)| !**r).map(|(&n, _)| n).collect();
    let mut slots: Vec<Option<Storage>> = (0..count).map(|_| Some(block(cpu, space.size()))).collect();
    slots.push(None);
    let aval = Aval::new(space.clone(), F);
    let operand = |slot: usize| Operand { slot: slot as u32, layout: layout.clone(), aval: aval.clone() };
    let step = Step {
        device: Device::Cpu,
        task: Task::Group(GroupStep { program: Arc::new(program), space, reduced: reduced.to_vec() }),
        inputs: (0..count).map(operand).collect(),
        outputs: vec![(count as u32, Aval::new(kept, F))],
        dying: vec![],
    };
    time(cpu, &step, &mut slots)
}

fn matmul(cpu: &Cpu, n: usize) -> f64 {
    let shape = Shape::new(&[1, n, n]);
    let mut slots = [Some(block(cpu, n * n)), Some(block(cpu, n * n)), None];
    let operand =
        |slot| Operand { slot, layout: Layout::contiguous(&shape), aval: Aval::new(shape.clone(), F) };
    let step = Step {
        device: Device::Cpu,
        task: Task::Whole(WholeStep {
            whole: Whole::Matmul,
            shapes: vec![shape.clone(); 2],
            shape: shape.clone(),
        }),
        inputs: vec![operand(0), operand(1)],
        outputs: vec![(2, Aval::new(shape.clone(), F))],
        dying: vec![],
    };
    time(cpu, &step, &mut slots)
}

fn main() {
    let cpu = Cpu::new().unwrap();
    println!("{}, {} threads; ns per element", cpu.isa_name(), cpu.threads());
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let line = |name: &str, sizes: &[usize], run: &dyn Fn(usize) -> f64| {
        if name.contains(&wanted) {
            let cells = sizes.iter().map(|&n| format!("{n}: {:.3}", run(n) * 1e9 / n as f64));
            println!("{name:24} {}", cells.collect::<Vec<_>>().join("   "));
        }
    };
    let sizes = [1, 100, 10_000, 1_000_000, 16_000_000];
    let flat = |n: usize| Layout::contiguous(&Shape::new(&[n]));
    line("add", &sizes, &|n| group(&cpu, one(Some(Map::Add), None), flat(n), &[false]));
    line("cheap", &sizes, &|n| group(&cpu, cheap(), flat(n), &[false]));
    line("gelu", &sizes, &|n| group(&cpu, gelu(), flat(n), &[false]));
    line("sum", &sizes, &|n| group(&cpu, one(None, Some(Fold::Sum)), flat(n), &[true]));
    let square = |n: usize| {
        let rows = (n as f64).sqrt() as usize;
        Layout::contiguous(&Shape::new(&[rows, n / rows]))
    };
    let large = [10_000, 1_000_000, 16_000_000];
    let sum = || one(None, Some(Fold::Sum));
    line("sum of rows", &large, &|n| group(&cpu, sum(), square(n), &[false, true]));
    line("sum of columns", &large, &|n| group(&cpu, sum(), square(n), &[true, false]));
    line("copy transposed", &large, &|n| {
        group(&cpu, one(None, None), square(n).transpose(&[1, 0]), &[false, false])
    });
    line("gelu transposed", &large, &|n| group(&cpu, gelu(), square(n).transpose(&[1, 0]), &[false, false]));
    line("sum of rows transposed", &large, &|n| {
        group(&cpu, sum(), square(n).transpose(&[1, 0]), &[false, true])
    });
    line("sum of middle axis", &large, &|n| {
        let side = (n as f64).cbrt() as usize;
        group(&cpu, sum(), Layout::contiguous(&Shape::new(&[side, side, side])), &[false, true, false])
    });
    for n in [64, 256, 1024] {
        if "matmul".contains(&wanted) {
            let seconds = matmul(&cpu, n);
            println!("matmul {n:5}             {:.1} GFLOP/s", 2. * (n * n * n) as f64 / seconds / 1e9);
        }
    }
}
