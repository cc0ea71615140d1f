//! How far each function is from the exact value on this device, with the bound that is promised.
//!
//! Figures are maxima over samples: lower bounds of the true worst case. A bound leaves room above them.

use pullback_base::{Dtype, Layout, Scalar, Shape};
use pullback_compile::Program;
use pullback_compile::program::Class;
use pullback_kernels::Map;

use crate::oracle::float;
use crate::{Input, Noise, gpu, run_group};

/// Distance from the exact value in units of the last place of a number of that size and type.
fn ulps(got: f64, exact: f64, dtype: Dtype) -> f64 {
    let (digits, low, high) = match dtype {
        Dtype::F16 => (10, -14, 15),
        Dtype::Bf16 => (7, -126, 127),
        _ => (23, -126, 127),
    };
    let unit = |exponent: i32| 2f64.powi(exponent - digits);
    if (got.is_nan() && exact.is_nan()) || got == exact {
        return 0.;
    }
    if got.is_infinite()
        && exact.abs() >= 2f64.powi(high + 1) - unit(high) / 2.
        && got.signum() == exact.signum()
    {
        return 0.;
    }
    let error = (got - exact).abs() / unit((exact.abs().log2().floor() as i32).clamp(low, high));
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Where operands are drawn from.
#[derive(Clone, Copy)]
enum From {
    /// Evenly.
    Even(f64, f64),
    /// Evenly in the exponent, both signs.
    Wide(f64, f64),
    /// Evenly in the exponent, positive.
    Positive(f64, f64),
}

impl From {
    fn draw(self, noise: &mut Noise) -> f32 {
        let t = (noise.unit() + 1.) / 2.;
        let wide = |low: f64, high: f64| low * (high / low).powf(t);
        (match self {
            From::Even(low, high) => low + (high - low) * t,
            From::Wide(low, high) => wide(low, high) * if noise.below(2) == 0 { 1. } else { -1. },
            From::Positive(low, high) => wide(low, high),
        }) as f32
    }
}

/// Function, operands, bound.
const ROWS: &[(Map, From, f64)] = &[
    (Map::Sqrt, From::Positive(1e-30, 1e30), 1.0),
    (Map::Rsqrt, From::Positive(1e-30, 1e30), 2.0),
    (Map::Recip, From::Wide(1e-30, 1e30), 1.0),
    (Map::Exp, From::Even(-87., 88.7), 2.0),
    (Map::Exp, From::Even(-1., 1.), 2.0),
    (Map::Exp2, From::Even(-126., 127.9), 2.0),
    (Map::Expm1, From::Even(-18., 88.), 2.5),
    (Map::Expm1, From::Wide(1e-30, 1.), 2.5),
    (Map::Log, From::Positive(1e-37, 1e38), 1.5),
    (Map::Log, From::Even(0.5, 2.), 1.5),
    (Map::Log2, From::Positive(1e-37, 1e38), 1.5),
    (Map::Log2, From::Even(0.5, 2.), 2.0),
    (Map::Log10, From::Positive(1e-37, 1e38), 1.5),
    (Map::Log10, From::Even(0.5, 2.), 2.0),
    (Map::Log1p, From::Positive(1e-30, 1e38), 2.0),
    (Map::Log1p, From::Even(-0.999, 1.), 2.0),
    (Map::Sin, From::Even(-3.2, 3.2), 2.0),
    (Map::Sin, From::Wide(1e-30, 1.6e4), 2.0),
    (Map::Sin, From::Wide(1.6e4, 3e38), 2.5),
    (Map::Cos, From::Even(-3.2, 3.2), 2.0),
    (Map::Cos, From::Wide(1.6e4, 3e38), 2.5),
    (Map::Tan, From::Even(-3.2, 3.2), 3.5),
    (Map::Tan, From::Wide(1.6e4, 3e38), 4.0),
    (Map::Asin, From::Even(-1., 1.), 3.5),
    (Map::Asin, From::Wide(1e-30, 1.), 3.5),
    (Map::Acos, From::Even(-1., 1.), 2.5),
    (Map::Atan, From::Wide(1e-30, 1e30), 2.5),
    (Map::Sinh, From::Even(-89., 89.), 2.5),
    (Map::Sinh, From::Wide(1e-30, 1.), 2.5),
    (Map::Cosh, From::Even(-89., 89.), 2.5),
    (Map::Tanh, From::Even(-9.5, 9.5), 3.5),
    (Map::Tanh, From::Wide(1e-30, 1.), 3.5),
    (Map::Asinh, From::Wide(1e-30, 1e38), 4.0),
    (Map::Acosh, From::Positive(1., 1e38), 4.0),
    (Map::Atanh, From::Even(-1., 1.), 4.0),
    (Map::Atanh, From::Wide(1e-30, 1.), 4.0),
    (Map::Sigmoid, From::Even(-87., 20.), 3.0),
    (Map::Erf, From::Even(-4., 4.), 3.0),
    (Map::Erf, From::Wide(1e-30, 1.), 3.0),
    (Map::Erfinv, From::Even(-0.9999, 0.9999), 6.0),
    (Map::Erfinv, From::Wide(1e-30, 1.), 6.0),
];

/// Function of two operands, where they are drawn from, bound.
const PAIRS: &[(Map, From, From, f64)] = &[
    (Map::Div, From::Wide(1e-15, 1e15), From::Wide(1e-15, 1e15), 2.5),
    (Map::Pow, From::Positive(1e-3, 1e3), From::Even(-10., 10.), 2.0),
    (Map::Pow, From::Positive(1e-30, 1e30), From::Even(-1.2, 1.2), 2.0),
    (Map::Pow, From::Even(0.99, 1.01), From::Even(-5000., 5000.), 2.5),
    (Map::Atan2, From::Wide(1e-30, 1e30), From::Wide(1e-30, 1e30), 3.0),
    (Map::Logaddexp, From::Even(0., 50.), From::Even(0., 50.), 2.5),
    (Map::Rem, From::Wide(1e-3, 1e9), From::Wide(1e-3, 1e3), 0.5),
];

const SAMPLES: usize = 1 << 15;

fn measure(map: Map, from: &[From], dtype: Dtype, noise: &mut Noise) -> (f64, Vec<f64>) {
    let gpu = gpu().expect("asked before");
    let draw = |from: &From, noise: &mut Noise| Scalar::Float(from.draw(noise).into()).bits(dtype);
    let operands: Vec<Vec<u64>> =
        from.iter().map(|from| (0..SAMPLES).map(|_| draw(from, noise)).collect()).collect();
    let mut program = Program::default();
    let args: Vec<_> = operands.iter().map(|_| program.load(dtype, Class::Full)).collect();
    let value = program.map(map, &args, Dtype::F32);
    program.store(dtype, value);
    let layout = Layout::contiguous(&Shape::new(&[SAMPLES]));
    let inputs: Vec<Input> =
        operands.iter().map(|bits| Input::new(dtype, bits.clone(), layout.clone())).collect();
    let got = run_group(gpu, &program, &[SAMPLES], &[false], &inputs).unwrap().remove(0);
    let mut worst = (0., vec![]);
    for (i, &got) in got.iter().enumerate() {
        let real = |bits: u64| Scalar::from_bits(bits, dtype).real();
        let args: Vec<f64> = operands.iter().map(|bits| real(bits[i])).collect();
        let exact = float(map, args[0], args.get(1).copied().unwrap_or(0.));
        // Beyond the normal range of f32 devices may flush.
        let tiny = |x: f64| x != 0. && x.abs() < 1.2e-38;
        let error =
            if tiny(exact) || args.iter().any(|&x| tiny(x)) { 0. } else { ulps(real(got), exact, dtype) };
        if error > worst.0 {
            worst = (error, args);
        }
    }
    worst
}

#[test]
fn every_function_is_within_its_bound() {
    let Some(gpu) = gpu() else { return };
    println!("{}", gpu.info().name);
    let mut noise = Noise(30);
    let mut missed = vec![];
    let rows = ROWS.iter().map(|&(map, from, bound)| (map, vec![from], bound));
    let pairs = PAIRS.iter().map(|&(map, x, y, bound)| (map, vec![x, y], bound));
    for (map, from, bound) in rows.chain(pairs) {
        // What is computed in f32 and rounded once is as good as a half type can say.
        for (dtype, bound) in [(Dtype::F32, bound), (Dtype::F16, 0.502), (Dtype::Bf16, 0.502)] {
            let (worst, at) = measure(map, &from, dtype, &mut noise);
            let name = format!("{map:?}");
            let line = format!("{name:10} {dtype:9} {worst:6.3} of {bound} ulp at {at:?}");
            println!("{line}");
            if worst > bound {
                missed.push(line);
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
