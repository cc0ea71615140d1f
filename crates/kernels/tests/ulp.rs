//! Largest error of each function, in units in the last place, and the bound that it keeps.
//!
//! `f32` is compared with the C library's double on a sample of all floats. `f64` is compared with values that mpmath
//! rounded correctly (`data/double.py`): its figures are steps from there, half a unit more from the exact value. Run
//! with `--nocapture` to see what was measured. Every 61st float instead of every 8191st takes minutes: `ULP_STRIDE=61`.

mod reference;

use pullback_base::Dtype;
use pullback_kernels::tile::{self, Kernel};
use pullback_kernels::{Isa, Op};

/// Bounds for `f32` (with fused multiply-add, without) in ulp, and for `f64` in steps.
const BOUNDS: &[(Op, f64, f64, i64)] = &[
    (Op::Exp, 1.0, 1.0, 1),
    (Op::Exp2, 1.0, 1.1, 1),
    (Op::Expm1, 1.6, 1.6, 1),
    (Op::Log, 1.0, 1.0, 1),
    (Op::Log2, 1.6, 1.6, 1),
    (Op::Log10, 1.6, 1.6, 1),
    (Op::Log1p, 1.6, 1.6, 1),
    (Op::Sin, 1.6, 2.4, 1),
    (Op::Cos, 1.6, 2.4, 1),
    (Op::Tan, 2.4, 3.5, 1),
    (Op::Asin, 2.4, 2.4, 1),
    (Op::Acos, 1.6, 1.6, 1),
    (Op::Atan, 1.6, 1.6, 1),
    (Op::Sinh, 1.6, 1.6, 1),
    (Op::Cosh, 1.6, 1.6, 1),
    (Op::Tanh, 3.4, 3.4, 2),
    (Op::Asinh, 2.4, 2.4, 2),
    (Op::Acosh, 2.4, 2.4, 2),
    (Op::Atanh, 2.4, 2.4, 2),
    (Op::Sigmoid, 2.4, 2.4, 1),
    (Op::Erf, 1.6, 2.0, 1),
    (Op::Erfinv, 3.4, 3.4, 2),
    (Op::Sqrt, 0.5, 0.5, 0),
    (Op::Rsqrt, 1.6, 1.6, 1),
    (Op::Pow, 0.51, 0.51, 1),
    (Op::Atan2, 1.6, 1.6, 1),
];

fn raw<T>(values: &[T]) -> &[u8] {
    // SAFETY: any values are bytes.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

fn run<T: Copy + Default>(kernel: Kernel, x: &[T], y: &[T]) -> Vec<T> {
    let mut out = vec![T::default(); x.len()];
    // SAFETY: floats of the kernel's type, equally many.
    unsafe {
        let dst = std::slice::from_raw_parts_mut(out.as_mut_ptr().cast(), size_of_val(x));
        kernel(dst, raw(x), raw(y), &[], &[]);
    }
    out
}

/// Error of `got`: exact beyond the rounding that any answer has.
fn error(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.to_bits() == rounded.to_bits() || (got.is_nan() && rounded.is_nan()) {
        if !want.is_normal() || want.is_infinite() || rounded.is_infinite() {
            return 0.;
        }
    } else if got.is_nan() || rounded.is_nan() || (got == 0. && want == 0.) {
        // A zero of the wrong sign is as wrong as a NaN.
        return f64::INFINITY;
    } else if got.is_infinite() || rounded.is_infinite() {
        let end = got.is_infinite() || got == f32::MAX.copysign(got);
        return if end && want.abs() > 3.402e38 { 1. } else { f64::INFINITY };
    }
    let exponent = ((want.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(-126) - 23;
    (f64::from(got) - want).abs() * f64::from_bits(((1023 - exponent) as u64) << 52)
}

/// How many doubles further `got` is than `want`.
fn steps(got: f64, want: f64) -> i64 {
    let place = |x: f64| if x < 0. { -((x.to_bits() & !(1 << 63)) as i64) } else { x.to_bits() as i64 };
    if got.is_nan() || want.is_nan() {
        i64::from(got.is_nan() != want.is_nan()) << 62
    } else {
        (place(got) - place(want)).abs()
    }
}

/// Random pairs of moderate size for functions of two operands, else every `stride`-th float.
fn points(op: Op, stride: u64) -> Vec<(f32, f32)> {
    if op.arity() == 1 {
        return (0..(1u64 << 32) / stride).map(|i| (f32::from_bits((i * stride) as u32), 0.)).collect();
    }
    let pair = |i: u64| {
        let bits = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = (bits ^ bits >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        // Exponents within 2^±12, so that most results are finite.
        let float = |b: u32| f32::from_bits(b & 0x807f_ffff | ((b >> 23 & 0xff) % 25 + 115) << 23);
        let (x, y) = (float(bits as u32), float((bits >> 32) as u32));
        if op == Op::Pow { (x.abs(), y) } else { (x, y) }
    };
    (0..400_000).map(pair).collect()
}

#[test]
fn single() {
    let stride = std::env::var("ULP_STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(8191);
    let mut failures = Vec::new();
    for &(op, fused, plain, _) in BOUNDS {
        let points = points(op, stride);
        let (x, y): (Vec<f32>, Vec<f32>) = points.iter().copied().unzip();
        let wants: Vec<f64> =
            points.iter().map(|&(x, y)| reference::float(op, [x.into(), y.into(), 0., 0.])).collect();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let kernel = tile::map(op, Dtype::F32, 0, isa).expect("every function here has a kernel");
            let got = run(kernel, &x, &y);
            let errors = got.iter().zip(&wants).map(|(&got, &want)| error(got, want));
            let (at, worst) = errors.enumerate().fold((0, 0.), |a, b| if b.1 > a.1 { b } else { a });
            let bound = if isa == Isa::Base && cfg!(target_arch = "x86_64") { plain } else { fused };
            println!("{op:?} f32 {}: {worst:.3} of {bound} at {:e}, {:e}", isa.name(), x[at], y[at]);
            if worst > bound {
                failures.push(format!("{op:?} {isa:?}: {worst} at {:e}, {:e}", x[at], y[at]));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn double() {
    let word = |text: &str| f64::from_bits(u64::from_str_radix(text, 16).unwrap());
    let mut failures = Vec::new();
    for &(op, _, _, bound) in BOUNDS {
        let name = format!("{op:?}");
        // The operands, and the value.
        let points: Vec<Vec<f64>> = include_str!("data/double.txt")
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .filter(|line| line[0] == name)
            .map(|line| line[1..].iter().map(|text| word(text)).collect())
            .collect();
        assert!(points.len() >= 100, "{op:?}");
        let operand = |k: usize| points.iter().map(|point| point[k]).collect::<Vec<f64>>();
        let (x, y) = (operand(0), operand(1));
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let kernel = tile::map(op, Dtype::F64, 0, isa).expect("every function here has a kernel");
            let got = run(kernel, &x, &y);
            let errors = got.iter().zip(&points).map(|(&got, point)| steps(got, point[op.arity()]));
            let (at, worst) = errors.enumerate().fold((0, 0), |a, b| if b.1 > a.1 { b } else { a });
            println!("{op:?} f64 {}: {worst} of {bound} at {:e}", isa.name(), x[at]);
            if worst > bound {
                failures.push(format!("{op:?} {isa:?}: {worst} at {:e}", x[at]));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
