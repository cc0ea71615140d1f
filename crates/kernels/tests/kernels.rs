//! Every row of the kernel tables against a scalar reference, on every instruction set of this machine.

mod reference;

use pullback_base::Dtype;
use pullback_kernels::Isa;
use pullback_kernels::Op;
use pullback_kernels::tile::{self, Kernel};
use reference::{Number, apply, ulps};

/// Every edge and a spread of magnitudes.
fn samples_f64() -> Vec<f64> {
    let mut xs =
        vec![0., -0., 1., -1., 0.5, -0.5, 2., -2., 3., -3., 1e-45, -1e-45, 1e-39, -1e-39, 1.17549435e-38];
    xs.extend([
        3.4e38,
        -3.4e38,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        88.72,
        88.73,
        -87.3,
        -103.9,
        -104.,
        127.5,
        128.,
        -149.4,
    ]);
    xs.extend([
        1e-4, 1e-8, 1e5, 1e7, 16384., 16385., 1e10, 1e22, 8388607.5, 8388608., 4194303.5, 0.9999999,
        1.0000001, 9.01, 4.,
    ]);
    let mut state = 1u64;
    for _ in 0..900 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let u = (state >> 11) as f64 / (1u64 << 53) as f64;
        let scale = [1., 10., 100., 1e4, 1e-3, 1e-20, 1e20][(state >> 3) as usize % 7];
        xs.push((u - 0.5) * 2. * scale);
    }
    xs
}

fn pack<T: Copy>(values: &[T]) -> Vec<u64> {
    let bytes = size_of_val(values);
    let mut words = vec![0u64; bytes.div_ceil(8) + 8];
    // SAFETY: the words hold the bytes.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), words.as_mut_ptr().cast(), bytes) };
    words
}

fn bytes(words: &[u64], length: usize) -> &[u8] {
    // SAFETY: packed with at least that many bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), length) }
}

/// Allowed error in units in the last place.
fn bound(op: Op, dtype: Dtype, isa: Isa) -> f64 {
    use Op::*;
    let base: f64 = match op {
        Exp | ExpNeg | Exp2 | Log | Log1p | Erf | Sin | Cos | Atan | Pow | Cosh | Sqrt | Recip | Add
        | Sub | Mul | Div => 2.,
        _ => 4.,
    };
    match (dtype, op) {
        // Fused products cancel: their reference is exact, their bound is relative to the terms.
        (Dtype::F64, Erfinv | Asinh | Acosh | Atanh) => 64.,
        _ if isa == Isa::Base => base * 1.5,
        _ => base,
    }
}

/// Operations whose result may cancel: compared relative to the largest term.
fn cancels(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        MulAdd
            | MulSub
            | NegMulAdd
            | AddMul
            | SubMul
            | AddAdd
            | MulMulAdd
            | AddMulMul
            | MulAddMul
            | MulAddSub
            | SubMulMul
            | Rem
            | FloorDiv
            | ExpSub
            | ExpNegSquare
            | ScaleTanh
            | ScaleErf
            | MulMul
            | Cube
            | Square
            | Logaddexp
    )
}

/// One kernel with its operands.
struct Case<'a, T> {
    op: Op,
    dtype: Dtype,
    isa: Isa,
    form: u8,
    operands: &'a [Vec<T>; 4],
    packed: Vec<Vec<u64>>,
    expected: Vec<f64>,
}

impl<'a, T: Number> Case<'a, T> {
    fn new(op: Op, dtype: Dtype, isa: Isa, form: u8, operands: &'a [Vec<T>; 4]) -> Case<'a, T> {
        let n = operands[0].len();
        let truth: Vec<u8> = (0..n).map(|i| (i % 3 == 0).into()).collect();
        let chooses = op == Op::Select && dtype != Dtype::Bool;
        let packed = (0..4).map(|k| if k == 0 && chooses { pack(&truth) } else { pack(&operands[k]) });
        let expected = (0..n).map(|i| {
            let mut args = [operands[0][i], operands[1][i], operands[2][i], operands[3][i]];
            if chooses {
                args[0] = T::from_bool(truth[i] != 0);
            }
            apply(op, args)
        });
        Case { op, dtype, isa, form, operands, packed: packed.collect(), expected: expected.collect() }
    }

    fn result(&self) -> Dtype {
        let (op, dtype) = (self.op, self.dtype);
        let args = if op == Op::Select { vec![Dtype::Bool, dtype, dtype] } else { vec![dtype; op.arity()] };
        op.map().map_or(dtype, |map| map.result(&args).unwrap())
    }

    /// Operands at i.
    fn at(&self, i: usize) -> Vec<f64> {
        self.operands[..self.op.arity()].iter().map(|operand| operand[i].wide()).collect()
    }

    fn fine(&self, got: f64, i: usize) -> bool {
        if cancels(self.op) && self.dtype >= Dtype::F32 {
            let all: Vec<f64> = self.operands.iter().map(|operand| operand[i].wide()).collect();
            return reference::close(got, self.expected[i], &all, self.dtype);
        }
        ulps(got, self.expected[i], self.dtype) <= bound(self.op, self.dtype, self.isa)
    }

    /// What is wrong with the first `length` results, if anything.
    fn run(&self, kernel: Kernel, length: usize) -> Option<String> {
        let (result, n) = (self.result(), self.expected.len());
        let mut out = vec![0u64; n + 8];
        // SAFETY: operands of this type and length.
        unsafe {
            let dst = std::slice::from_raw_parts_mut(out.as_mut_ptr().cast(), length * result.size());
            let arg = |k: usize| {
                let size = if k == 0 && self.op == Op::Select { 1 } else { self.dtype.size() };
                bytes(&self.packed[k], if self.form >> k & 1 == 1 { size } else { length * size })
            };
            kernel(dst, arg(0), arg(1), arg(2), arg(3));
        }
        let got = |i: usize| {
            if result == Dtype::Bool { f64::from(bytes(&out, n)[i]) } else { T::read(&out, i).wide() }
        };
        let wrong = (0..length).find(|&i| !self.fine(got(i), i))?;
        let Case { op, dtype, isa, form, .. } = self;
        let (args, got, want) = (self.at(wrong), got(wrong), self.expected[wrong]);
        Some(format!("{isa:?} {op:?} {dtype:?} form {form} length {length} {args:?}: {got:e}, not {want:e}"))
    }
}

fn check<T: Number>(dtype: Dtype, values: &[T]) {
    let n = values.len();
    let mut failures = Vec::new();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        for (&op, form) in Op::ALL.iter().flat_map(|op| (0..16u8).map(move |form| (op, form))) {
            let Some(kernel) = tile::map(op, dtype, form, isa) else { continue };
            let operands: [Vec<T>; 4] = std::array::from_fn(|k| {
                let shift = [0usize, 7, 101, 333][k];
                let scalar = form >> k & 1 == 1;
                (0..n)
                    .map(|i| values[if scalar { 35 + k } else { (i * (1 + shift % 5) + shift) % n }])
                    .collect()
            });
            let case = Case::new(op, dtype, isa, form, &operands);
            // Tails of every length, then everything.
            failures.extend((1..=70).chain([n]).find_map(|length| case.run(kernel, length)));
        }
    }
    assert!(failures.is_empty(), "{} rows\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn single() {
    check::<f32>(Dtype::F32, &samples_f64().iter().map(|&x| x as f32).collect::<Vec<_>>());
}

#[test]
fn double() {
    check::<f64>(Dtype::F64, &samples_f64());
}

fn integers() -> impl Iterator<Item = i64> {
    let edges = [
        0,
        1,
        -1,
        2,
        -2,
        31,
        32,
        33,
        63,
        64,
        65,
        i64::MAX,
        i64::MIN,
        i32::MAX as i64,
        i32::MIN as i64,
        7,
        -7,
    ];
    edges
        .into_iter()
        .chain((0..400).map(|i: i64| (i - 200) * (i % 7 + 1) * if i % 3 == 0 { 100_003 } else { 1 }))
}

#[test]
fn whole_numbers() {
    check::<i32>(Dtype::I32, &integers().map(|x| x as i32).collect::<Vec<_>>());
    check::<u32>(Dtype::U32, &integers().map(|x| x as u32).collect::<Vec<_>>());
    check::<i64>(Dtype::I64, &integers().map(|x| x >> 12).collect::<Vec<_>>());
    check::<u64>(Dtype::U64, &integers().map(|x| (x as u64) >> 12).collect::<Vec<_>>());
    check::<u8>(Dtype::Bool, &integers().map(|x| (x & 1) as u8).collect::<Vec<_>>());
}

/// Every f16 and bf16 there is, and their neighbours, against the `half` crate.
#[test]
fn half_types() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let mut wide = vec![0f32; all.len()];
        for (dtype, reference) in [
            (Dtype::F16, (|h| half::f16::from_bits(h).to_f32()) as fn(u16) -> f32),
            (Dtype::Bf16, |h| half::bf16::from_bits(h).to_f32()),
        ] {
            let kernel = tile::cast::cast(dtype, Dtype::F32, isa);
            // SAFETY: slices of the types asked for.
            unsafe { kernel(raw_mut(&mut wide), raw(&all), &[], &[], &[]) };
            for (&h, &x) in all.iter().zip(&wide) {
                assert!(
                    x.to_bits() == reference(h).to_bits() || x.is_nan() && reference(h).is_nan(),
                    "{dtype:?} {h:#x} {x}"
                );
            }
        }
        let singles: Vec<f32> = (0..1 << 22).map(|i: u32| f32::from_bits(i << 10 | (i % 1021))).collect();
        let mut narrow = vec![0u16; singles.len()];
        for (dtype, reference) in [
            (Dtype::F16, (|x| half::f16::from_f32(x).to_bits()) as fn(f32) -> u16),
            (Dtype::Bf16, |x| half::bf16::from_f32(x).to_bits()),
        ] {
            let kernel = tile::cast::cast(Dtype::F32, dtype, isa);
            // SAFETY: slices of the types asked for.
            unsafe { kernel(raw_mut(&mut narrow), raw(&singles), &[], &[], &[]) };
            for (&x, &h) in singles.iter().zip(&narrow) {
                assert!(
                    h == reference(x) || x.is_nan() && h & 0x7fff > 0x7c00,
                    "{dtype:?} {x:e} {h:#x} {:#x}",
                    reference(x)
                );
            }
        }
    }
}

fn raw<T>(values: &[T]) -> &[u8] {
    // SAFETY: any values are bytes.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

fn raw_mut<T>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as above; the types used have no invalid bytes.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}
