//! Group programs, random ones too, against an interpreter that knows nothing of tiles.

mod interpreter;

use interpreter::{LIES, Lie, Rng, Setup};
use pullback_base::{Dtype, Scalar, Shape};
use pullback_compile::program::{Class, computing};
use pullback_compile::{Inst, Program, Val};
use pullback_kernels::{Fold, Map};

fn constant(program: &mut Program, dtype: Dtype, value: Scalar) -> Val {
    program.push(Inst::Const { bits: value.bits(dtype) }, dtype)
}

/// A random program; `folds` says how many reductions it has.
fn random(rng: &mut Rng, folds: usize) -> Program {
    let mut p = Program::default();
    let mut floats = vec![p.load(Dtype::F32, Class::Full)];
    for _ in 0..rng.below(3) {
        let dtype = rng.pick(&[Dtype::F32, Dtype::F32, Dtype::F16, Dtype::Bf16]);
        floats.push(p.load(dtype, Class::Strided));
    }
    let int = rng.pick(&[Dtype::I32, Dtype::I64, Dtype::U8, Dtype::I16, Dtype::U64, Dtype::U32]);
    let ints =
        [p.load(int, Class::Strided), constant(&mut p, computing(int), Scalar::Int(rng.below(5) as i64))];
    let number = Scalar::Float(rng.unit());
    floats.push(constant(&mut p, Dtype::F32, number));
    grow(&mut p, rng, &mut floats, &ints, 3);
    if folds == 0 || rng.below(3) == 0 {
        let last = *floats.last().unwrap();
        p.store(rng.pick(&[Dtype::F32, Dtype::F16, Dtype::F64]), last);
        if rng.below(2) == 0 {
            p.store(int, ints[0]);
        }
    }
    for _ in 0..folds {
        let (fold, dtype) = (rng.pick(&[Fold::Sum, Fold::Max, Fold::Min]), p.dtype(ints[0]));
        let (arg, dtype) = if rng.below(4) == 0 { (ints[0], dtype) } else { (rng.pick(&floats), Dtype::F32) };
        let result = p.push(Inst::Reduce { fold, arg }, dtype);
        match rng.below(4) {
            0 if dtype == Dtype::F32 => {
                let half = constant(&mut p, Dtype::F32, Scalar::Float(0.5));
                let scaled = p.map(Map::Mul, &[result, half], Dtype::F32);
                p.store(Dtype::F16, scaled);
            }
            1 => {
                p.store(dtype, result);
                p.store(Dtype::F64, result);
            }
            _ => p.store(dtype, result),
        }
    }
    p
}

/// Adds instructions that work on floats.
fn grow(p: &mut Program, rng: &mut Rng, floats: &mut Vec<Val>, ints: &[Val; 2], least: usize) {
    let int = p.dtype(ints[0]);
    for _ in 0..least + rng.below(12) {
        let (x, y, z) = (rng.pick(floats), rng.pick(floats), rng.pick(floats));
        let f = Dtype::F32;
        let value = match rng.below(12) {
            0 => p.map(Map::Tanh, &[x], f),
            1 | 2 => p.map(Map::Mul, &[x, y], f),
            3 | 4 => p.map(Map::Add, &[x, y], f),
            5 => p.map(Map::Sub, &[x, y], f),
            6 => p.map(Map::Max, &[x, y], f),
            7 => p.map(Map::Sin, &[x], f),
            8 => {
                // Whole numbers decide, so that rounding cannot.
                let (i, j) = (rng.pick(ints), rng.pick(ints));
                let truth = p.map(rng.pick(&[Map::Lt, Map::Ge, Map::Eq]), &[i, j], Dtype::Bool);
                p.map(Map::Select, &[truth, x, y], f)
            }
            9 => {
                let i = p.map(rng.pick(&[Map::Mul, Map::FloorDiv, Map::Rem, Map::And]), ints, int);
                let i = p.map(Map::Max, &[i, ints[1]], int);
                let big = constant(p, int, Scalar::Int(100));
                let i = p.map(Map::Min, &[i, big], int);
                p.cast(f, i)
            }
            _ => {
                let t = p.map(Map::Mul, &[x, y], f);
                p.map(Map::Sub, &[t, z], f)
            }
        };
        // Bounded, so that differences stay small beside the tolerance.
        let value = if rng.below(2) == 0 { p.map(Map::Tanh, &[value], f) } else { value };
        floats.push(value);
    }
    let last = p.map(Map::Tanh, &[*floats.last().unwrap()], Dtype::F32);
    floats.push(last);
}

fn lies(program: &Program, rng: &mut Rng) -> Vec<Lie> {
    program.inputs.iter().map(|_| rng.pick(&LIES)).collect()
}

const SPACES: [&[usize]; 18] = [
    &[],
    &[1],
    &[7],
    &[2000],
    &[3, 7],
    &[70, 3],
    &[5, 1000],
    &[30, 193],
    &[2, 900],
    &[0, 5],
    &[5, 0, 3],
    &[4, 5, 6],
    &[3, 1, 800],
    &[20, 30, 2],
    &[2, 3, 4, 5],
    &[6, 1, 2, 200],
    &[2, 2, 2, 2, 2, 3],
    &[1, 1, 1],
];

#[test]
fn random_programs() {
    let mut rng = Rng(1);
    for round in 0..360 {
        let space = Shape::new(SPACES[round % SPACES.len()]);
        let program = random(&mut rng, 0);
        let lies = lies(&program, &mut rng);
        let reduced = vec![false; space.ndim()];
        Setup::new(program, space, reduced, &lies, &mut rng).check(&format!("round {round}"));
    }
}

#[test]
fn random_reductions() {
    let mut rng = Rng(2);
    for round in 0..720 {
        let space = Shape::new(SPACES[round % SPACES.len()]);
        let program = random(&mut rng, 1 + round % 3);
        let lies = lies(&program, &mut rng);
        let reduced = space.iter().map(|_| rng.below(2) == 0).collect();
        Setup::new(program, space, reduced, &lies, &mut rng).check(&format!("round {round}"));
    }
}

#[test]
fn every_small_size() {
    let mut rng = Rng(7);
    for n in 0..=70 {
        for space in [vec![n], vec![n, 1], vec![3, n], vec![n, 3]] {
            let program = random(&mut rng, n % 2);
            let lies = lies(&program, &mut rng);
            let reduced = space.iter().map(|_| rng.below(2) == 0).collect();
            Setup::new(program, space.into(), reduced, &lies, &mut rng).check("small");
        }
    }
}

/// Every fold on every type over every set of axes, for a plain and a transposed input.
#[test]
fn every_fold() {
    let mut rng = Rng(3);
    for fold in [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min] {
        for dtype in [Dtype::Bool, Dtype::I32, Dtype::U32, Dtype::I64, Dtype::U64, Dtype::F32, Dtype::F64] {
            for axes in 0..8u8 {
                for lie in [Lie::Full, Lie::Transposed] {
                    let mut p = Program::default();
                    let x = p.load(dtype, Class::Full);
                    let s = p.push(Inst::Reduce { fold, arg: x }, dtype);
                    p.store(dtype, s);
                    let reduced = (0..3).map(|axis| axes >> axis & 1 == 1).collect();
                    Setup::new(p, Shape::new(&[3, 4, 5]), reduced, &[lie], &mut rng).check("fold");
                }
            }
        }
    }
}

/// Conversions between all pairs of types.
#[test]
fn every_cast() {
    let mut rng = Rng(4);
    for from in Dtype::ALL {
        for to in Dtype::ALL {
            let mut p = Program { inputs: vec![Class::Full], ..Program::default() };
            let x = p.push(Inst::Load { input: 0 }, from);
            p.store(to, x);
            Setup::new(p, Shape::new(&[300]), vec![false], &[Lie::Full], &mut rng).check("cast");
        }
    }
}

#[test]
fn bits_are_looked_at_in_another_type() {
    let mut rng = Rng(5);
    for (from, to) in [(Dtype::F32, Dtype::I32), (Dtype::F64, Dtype::U64), (Dtype::C64, Dtype::I64)] {
        let mut p = Program { inputs: vec![Class::Full], ..Program::default() };
        let x = p.push(Inst::Load { input: 0 }, from);
        let y = p.push(Inst::Bitcast { arg: x }, to);
        p.store(to, y);
        let z = p.push(Inst::Bitcast { arg: y }, from);
        p.store(from, z);
        Setup::new(p, Shape::new(&[5, 300]), vec![false; 2], &[Lie::Transposed], &mut rng).check("bits");
    }
}

/// Inputs that lie across the order of points, large enough to be brought into order first.
#[test]
fn large_transposed_inputs() {
    let mut rng = Rng(6);
    for (dtype, space) in [
        (Dtype::F64, &[180, 190][..]),
        (Dtype::F64, &[3, 100, 120]),
        (Dtype::F64, &[31, 33, 35]),
        (Dtype::F32, &[260, 270]),
    ] {
        for fold in [false, true] {
            let mut p = Program::default();
            let (x, y) = (p.load(dtype, Class::Strided), p.load(dtype, Class::Strided));
            let z = p.map(Map::Max, &[x, y], dtype);
            if fold {
                let s = p.push(Inst::Reduce { fold: Fold::Max, arg: z }, p.dtype(z));
                p.store(dtype, s);
            }
            p.store(dtype, z);
            let reduced = (0..space.len()).map(|axis| fold && axis + 1 == space.len()).collect();
            let lies = [Lie::Transposed, Lie::Full];
            Setup::new(p, Shape::new(space), reduced, &lies, &mut rng).check("large");
        }
    }
}
