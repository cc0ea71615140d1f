//! What a program means, in f64 and i128, one element at a time.

use pullback_base::{Aval, Dtype, Kind, Scalar};
use pullback_compile::program::Class;
use pullback_compile::{Inst, Program};
use pullback_kernels::{Fold, Map};

use crate::Input;

/// What a program writes.
pub fn outputs(program: &Program, space: &[usize], reduced: &[bool]) -> Vec<Aval> {
    let after = after(program);
    let mut all = vec![];
    for inst in &program.insts {
        if let Inst::Store { arg, .. } = inst {
            let kept = space.iter().zip(reduced).filter(|(_, reduced)| !**reduced || !after[*arg as usize]);
            let shape: Vec<usize> = kept.map(|(&n, _)| n).collect();
            all.push(Aval::new(shape, program.dtype(*arg)));
        }
    }
    all
}

/// Which values are made of reductions.
fn after(program: &Program) -> Vec<bool> {
    let mut after = vec![false; program.insts.len()];
    for (i, inst) in program.insts.iter().enumerate() {
        after[i] = matches!(inst, Inst::Reduce { .. }) || inst.args().iter().any(|&arg| after[arg as usize]);
    }
    after
}

/// The number of a point, from coordinates.
fn ravel(at: &[usize], sizes: &[usize]) -> usize {
    at.iter().zip(sizes).fold(0, |number, (at, size)| number * size + at)
}

fn unravel(mut number: usize, sizes: &[usize]) -> Vec<usize> {
    let mut at = vec![0; sizes.len()];
    for axis in (0..sizes.len()).rev() {
        at[axis] = number % sizes[axis].max(1);
        number /= sizes[axis].max(1);
    }
    at
}

/// Runs a program. Sums of floats are kept in f64, so they are what an exact machine would give.
pub fn eval(program: &Program, space: &[usize], reduced: &[bool], inputs: &[Input]) -> Vec<Vec<u64>> {
    let after = after(program);
    let mut results: Vec<Vec<u64>> =
        outputs(program, space, reduced).iter().map(|aval| vec![0; aval.size()]).collect();
    let kept: Vec<usize> = space.iter().zip(reduced).filter(|(_, r)| !**r).map(|(&n, _)| n).collect();
    let folded: Vec<usize> = space.iter().zip(reduced).filter(|(_, r)| **r).map(|(&n, _)| n).collect();
    for k in 0..kept.iter().product() {
        let mut values = vec![0; program.insts.len()];
        let mut cells: Vec<Option<Vec<u64>>> = vec![None; program.insts.len()];
        let depth: usize = folded.iter().product();
        // The pass after the last element computes what follows the reductions.
        for r in 0..=depth {
            let done = r == depth;
            let (mut ks, mut rs) =
                (unravel(k, &kept).into_iter(), unravel(if done { 0 } else { r }, &folded).into_iter());
            let at: Vec<usize> =
                reduced.iter().map(|r| if *r { rs.next() } else { ks.next() }.unwrap_or(0)).collect();
            for (i, inst) in program.insts.iter().enumerate() {
                match *inst {
                    Inst::Load { input } if !(done && depth == 0 && program.reduces()) => {
                        values[i] = load(&inputs[input as usize], program.inputs[input as usize], &at, space);
                    }
                    Inst::Load { input } => {
                        let input = &inputs[input as usize];
                        values[i] =
                            if input.bits.is_empty() { 0 } else { load(input, Class::Strided, &at, space) };
                    }
                    Inst::Reduce { arg, .. } if !done => {
                        cells[i].get_or_insert_default().push(values[arg as usize]);
                    }
                    Inst::Reduce { fold, .. } => {
                        let all = cells[i].take().unwrap_or_default();
                        values[i] = reduce(fold, program.types[i], &all);
                    }
                    Inst::Store { output, arg } => {
                        if after[arg as usize] && done {
                            results[output as usize][k] = values[arg as usize];
                        } else if !(after[arg as usize] || done && program.reduces()) {
                            results[output as usize][ravel(&at, space)] = values[arg as usize];
                        }
                    }
                    _ => values[i] = apply(program, i, &values),
                }
            }
            if !program.reduces() {
                break;
            }
        }
    }
    results
}

fn load(input: &Input, class: Class, at: &[usize], space: &[usize]) -> u64 {
    let layout = &input.layout;
    let index = match class {
        Class::Full => layout.offset + ravel(at, space),
        Class::Scalar => layout.offset,
        Class::Strided => {
            let along: isize =
                at.iter().zip(&layout.strides).map(|(&at, &stride)| at as isize * stride).sum();
            (layout.offset as isize + along) as usize
        }
    };
    input.bits[index]
}

fn apply(program: &Program, i: usize, values: &[u64]) -> u64 {
    let to = program.types[i];
    match program.insts[i] {
        Inst::Const { bits } => bits,
        Inst::Map { map, args } => {
            let of = program.dtype(args[map.key_operand()]);
            function(map, of, &args.map(|arg| values[arg as usize]))
        }
        Inst::Cast { arg } => convert(values[arg as usize], program.dtype(arg), to),
        Inst::Bitcast { arg } => values[arg as usize],
        _ => unreachable!(),
    }
}

pub fn convert(bits: u64, from: Dtype, to: Dtype) -> u64 {
    let scalar = Scalar::from_bits(bits, from);
    match (scalar, to.kind()) {
        (Scalar::Float(x), Kind::Signed | Kind::Unsigned) => {
            let x = if x.is_nan() { 0. } else { x.trunc() };
            let whole = match to {
                Dtype::I64 => i128::from(x as i64),
                Dtype::U64 if x >= 9.2e18 => i128::from(x as u64),
                Dtype::U32 | Dtype::U64 => i128::from(x as i64),
                // Through 32 bits.
                _ => i128::from(x as i32),
            };
            truncate(whole, to)
        }
        _ => scalar.bits(to),
    }
}

fn truncate(x: i128, dtype: Dtype) -> u64 {
    let mask = if dtype.size() == 8 { u64::MAX } else { (1 << (8 * dtype.size())) - 1 };
    x as u64 & mask
}

pub fn function(map: Map, dtype: Dtype, args: &[u64; 3]) -> u64 {
    if map == Map::Select {
        return if args[0] != 0 { args[1] } else { args[2] };
    }
    match dtype.kind() {
        Kind::Float => {
            let [x, y, _] = args.map(|bits| Scalar::from_bits(bits, dtype).real());
            match comparison(map, x.partial_cmp(&y)).or(classified(map, x)) {
                Some(truth) => truth.into(),
                None => Scalar::Float(float(map, x, y)).bits(dtype),
            }
        }
        Kind::Bool => truth(map, args[0] != 0, args[1] != 0).into(),
        _ => {
            let [x, y, _] = args.map(|bits| integer(bits, dtype));
            match comparison(map, Some(x.cmp(&y))) {
                Some(truth) => truth.into(),
                None => truncate(whole(map, x, y, dtype), dtype),
            }
        }
    }
}

fn integer(bits: u64, dtype: Dtype) -> i128 {
    match dtype {
        Dtype::U64 => bits.into(),
        _ => Scalar::from_bits(bits, dtype).int().into(),
    }
}

fn comparison(map: Map, order: Option<std::cmp::Ordering>) -> Option<bool> {
    Some(match map {
        Map::Lt => order.is_some_and(|o| o.is_lt()),
        Map::Le => order.is_some_and(|o| o.is_le()),
        Map::Gt => order.is_some_and(|o| o.is_gt()),
        Map::Ge => order.is_some_and(|o| o.is_ge()),
        Map::Eq => order.is_some_and(|o| o.is_eq()),
        Map::Ne => !order.is_some_and(|o| o.is_eq()),
        _ => return None,
    })
}

fn classified(map: Map, x: f64) -> Option<bool> {
    Some(match map {
        Map::IsNan => x.is_nan(),
        Map::IsInf => x.is_infinite(),
        Map::IsFinite => x.is_finite(),
        _ => return None,
    })
}

fn truth(map: Map, x: bool, y: bool) -> bool {
    match map {
        Map::Not => !x,
        Map::Abs | Map::Sign | Map::Square => x,
        Map::And | Map::Mul | Map::Min => x && y,
        Map::Or | Map::Add | Map::Max => x || y,
        Map::Xor | Map::Ne => x != y,
        Map::Eq => x == y,
        Map::Lt => !x && y,
        Map::Le => !x || y,
        Map::Gt => x && !y,
        Map::Ge => x || !y,
        _ => unreachable!("{map:?}"),
    }
}

fn whole(map: Map, x: i128, y: i128, dtype: Dtype) -> i128 {
    let bits = 8 * dtype.size() as i128;
    match map {
        Map::Neg => -x,
        Map::Abs => x.abs(),
        Map::Sign => x.signum(),
        Map::Square => x.wrapping_mul(x),
        Map::Not => !x,
        Map::Add => x + y,
        Map::Sub => x - y,
        Map::Mul => x.wrapping_mul(y),
        Map::Rem if y == 0 => 0,
        Map::Rem => x - y * x.div_floor_(y),
        Map::FloorDiv if y == 0 => 0,
        Map::FloorDiv => x.div_floor_(y),
        Map::Max => x.max(y),
        Map::Min => x.min(y),
        Map::Pow if y < 0 => match x {
            1 => 1,
            -1 => {
                if y % 2 == 0 {
                    1
                } else {
                    -1
                }
            }
            _ => 0,
        },
        Map::Pow => {
            let (mut result, mut base, mut left) = (1i128, x, y);
            while left > 0 {
                if left & 1 == 1 {
                    result = i128::from(result.wrapping_mul(base) as u64);
                }
                base = i128::from(base.wrapping_mul(base) as u64);
                left >>= 1;
            }
            result
        }
        Map::And => x & y,
        Map::Or => x | y,
        Map::Xor => x ^ y,
        Map::Shl => {
            if (0..bits).contains(&y) {
                x << y
            } else {
                0
            }
        }
        Map::Shr => {
            if (0..bits).contains(&y) {
                x >> y
            } else if x < 0 {
                -1
            } else {
                0
            }
        }
        _ => unreachable!("{map:?}"),
    }
}

trait DivFloor {
    fn div_floor_(self, other: i128) -> i128;
}
impl DivFloor for i128 {
    fn div_floor_(self, other: i128) -> i128 {
        let q = self / other;
        if self % other != 0 && (self < 0) != (other < 0) { q - 1 } else { q }
    }
}

/// A function of numbers, exact to f64.
pub fn float(map: Map, x: f64, y: f64) -> f64 {
    match map {
        Map::Neg => -x,
        Map::Abs => x.abs(),
        Map::Sign => {
            if x > 0. {
                1.
            } else if x < 0. {
                -1.
            } else {
                x
            }
        }
        Map::Square => x * x,
        Map::Floor => x.floor(),
        Map::Ceil => x.ceil(),
        Map::Trunc => x.trunc(),
        Map::Round => x.round_ties_even(),
        Map::Recip => 1. / x,
        Map::Sqrt => x.sqrt(),
        Map::Rsqrt => 1. / x.sqrt(),
        Map::Exp => x.exp(),
        Map::Exp2 => x.exp2(),
        Map::Expm1 => x.exp_m1(),
        Map::Log => x.ln(),
        Map::Log2 => x.log2(),
        Map::Log10 => x.log10(),
        Map::Log1p => x.ln_1p(),
        Map::Sin => x.sin(),
        Map::Cos => x.cos(),
        Map::Tan => x.tan(),
        Map::Asin => x.asin(),
        Map::Acos => x.acos(),
        Map::Atan => x.atan(),
        Map::Sinh => x.sinh(),
        Map::Cosh => x.cosh(),
        Map::Tanh => x.tanh(),
        Map::Asinh => libm::asinh(x),
        Map::Acosh => {
            if x < 1. {
                f64::NAN
            } else {
                libm::acosh(x)
            }
        }
        Map::Atanh => libm::atanh(x),
        Map::Sigmoid => 1. / (1. + (-x).exp()),
        Map::Erf => libm::erf(x),
        Map::Erfinv => erfinv(x),
        _ => of_two(map, x, y),
    }
}

fn of_two(map: Map, x: f64, y: f64) -> f64 {
    match map {
        Map::Add => x + y,
        Map::Sub => x - y,
        Map::Mul => x * y,
        Map::Div => x / y,
        Map::Rem => remainder(x, y),
        Map::FloorDiv => floor_div(x, y),
        Map::Max => {
            if x.is_nan() || x > y {
                x
            } else {
                y
            }
        }
        Map::Min => {
            if x.is_nan() || x < y {
                x
            } else {
                y
            }
        }
        Map::Pow => x.powf(y),
        Map::Atan2 => x.atan2(y),
        Map::Logaddexp => logaddexp(x, y),
        _ => unreachable!("{map:?}"),
    }
}

fn remainder(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r == 0. {
        0f64.copysign(y)
    } else if (r < 0.) != (y < 0.) {
        r + y
    } else {
        r
    }
}

fn floor_div(x: f64, y: f64) -> f64 {
    if y == 0. {
        return x / y;
    }
    let r = x % y;
    let q = (x - r) / y;
    let q = if r != 0. && (r < 0.) != (y < 0.) { q - 1. } else { q };
    if q == 0. { 0f64.copysign(x / y) } else { q.round_ties_even() }
}

fn logaddexp(x: f64, y: f64) -> f64 {
    let (high, low) = if x > y { (x, y) } else { (y, x) };
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if high == low {
        high + 2f64.ln()
    } else {
        high + (low - high).exp().ln_1p()
    }
}

fn erfinv(x: f64) -> f64 {
    if x.abs() >= 1. {
        return if x.abs() == 1. { f64::INFINITY.copysign(x) } else { f64::NAN };
    }
    // Newton's method, in the tail on the complement, which keeps its digits.
    let a = x.abs();
    let w = -((1. - a) * (1. + a)).ln();
    let mut z = if w < 5. { a * 0.9 } else { w.sqrt() * 0.95 };
    for _ in 0..60 {
        let gap = if a < 0.5 { libm::erf(z) - a } else { (1. - a) - libm::erfc(z) };
        let step = gap / (2. / std::f64::consts::PI.sqrt() * (-z * z).exp());
        z -= step.clamp(-0.3, 0.3);
    }
    z.copysign(x)
}

pub fn reduce(fold: Fold, dtype: Dtype, all: &[u64]) -> u64 {
    if dtype.is_inexact() {
        let numbers = all.iter().map(|&bits| Scalar::from_bits(bits, dtype).real());
        let result = match fold {
            Fold::Sum => numbers.sum(),
            Fold::Prod => numbers.product(),
            Fold::Max => numbers.fold(f64::NEG_INFINITY, |a, b| float(Map::Max, a, b)),
            Fold::Min => numbers.fold(f64::INFINITY, |a, b| float(Map::Min, a, b)),
        };
        return Scalar::Float(result).bits(dtype);
    }
    let map = match fold {
        Fold::Sum => Map::Add,
        Fold::Prod => Map::Mul,
        Fold::Max => Map::Max,
        Fold::Min => Map::Min,
    };
    let signed = dtype.kind() == Kind::Signed;
    let start = match (fold, dtype) {
        (Fold::Sum, _) => 0,
        (Fold::Prod, _) => 1,
        (Fold::Max, Dtype::Bool) => 0,
        (Fold::Min, Dtype::Bool) => 1,
        (Fold::Max, _) if signed => truncate(-(1i128 << (8 * dtype.size() - 1)), dtype),
        (Fold::Min, _) if signed => truncate((1i128 << (8 * dtype.size() - 1)) - 1, dtype),
        (Fold::Max, _) => 0,
        (Fold::Min, _) => truncate(-1, dtype),
    };
    all.iter().fold(start, |a, &b| function(map, dtype, &[a, b, b]))
}

/// Whether two elements agree: bits for what is exact, `tolerance` relative to the larger of 1 and the exact one for
/// floats.
pub fn close(got: u64, exact: u64, dtype: Dtype, tolerance: f64) -> bool {
    if !dtype.is_inexact() {
        return got == exact;
    }
    let (got, exact) = (Scalar::from_bits(got, dtype).real(), Scalar::from_bits(exact, dtype).real());
    if got.is_nan() || exact.is_nan() {
        return got.is_nan() && exact.is_nan();
    }
    got == exact || (got - exact).abs() <= tolerance * exact.abs().max(1.)
}
