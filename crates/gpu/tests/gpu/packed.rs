//! Products with packed matrices against codes taken out one by one.

use pullback_base::{Dtype, Layout, Scalar, Shape};
use pullback_gpu::Gpu;
use pullback_kernels::{Codes, Packed, Whole};

use crate::{Input, Noise, gpu, run_whole};

const FORMATS: [(Codes, usize); 9] = [
    (Codes::Bits(1), 32),
    (Codes::Bits(2), 64),
    (Codes::Bits(3), 32),
    (Codes::Bits(4), 128),
    (Codes::Bits(5), 64),
    (Codes::Bits(6), 32),
    (Codes::Bits(8), 64),
    (Codes::E2m1, 16),
    (Codes::E4m3, 32),
];

/// Elements behind a few others; the batch is shared, or rows lie backwards.
fn operand(noise: &mut Noise, dtype: Dtype, shape: [usize; 3], way: usize, codes: Codes) -> Input {
    let own = Shape::from(shape);
    let (size, mut layout) = match way {
        1 => {
            let one = Shape::from([1, shape[1], shape[2]]);
            (one.size(), Layout::contiguous(&one).broadcast(&own))
        }
        2 => {
            let start: Vec<usize> = shape.iter().map(|&size| size - 1).collect();
            (own.size(), Layout::contiguous(&own).slice(&start, &[-1, -1, -1], &own))
        }
        _ => (own.size(), Layout::contiguous(&own)),
    };
    layout.offset += 3;
    let mask = if codes == Codes::E4m3 { 0xfefe_fefe } else { 0xffff_ffff };
    let mut bits = || if dtype == Dtype::U32 { noise.next() & mask } else { noise.element(dtype) };
    Input::new(dtype, (0..size + 3).map(|_| bits()).collect(), layout)
}

fn at(input: &Input, index: [usize; 3]) -> u64 {
    let steps = index.iter().zip(&input.layout.strides).map(|(&i, &stride)| i as isize * stride);
    input.bits[(input.layout.offset as isize + steps.sum::<isize>()) as usize]
}

fn real(input: &Input, index: [usize; 3]) -> f64 {
    Scalar::from_bits(at(input, index), input.dtype).real()
}

/// A number of the matrix, and the size of what it is the sum of.
fn value(of: Packed, inputs: &[Input], [b, row, column]: [usize; 3]) -> (f64, f64) {
    let bits = of.codes.bits();
    let bit = |i: usize| (at(&inputs[1], [b, row, i / 32]) >> (i % 32) & 1) << (i - column * bits);
    let code: u64 = (column * bits..(column + 1) * bits).map(bit).sum();
    let float = |exponent: u32, mantissa: u32| {
        let (field, digits) = (code >> mantissa & ((1 << exponent) - 1), code & ((1 << mantissa) - 1));
        let fraction = digits as f64 / f64::from(1u32 << mantissa) + f64::from(u8::from(field > 0));
        let size = fraction * 2f64.powi(field.max(1) as i32 - (1 << (exponent - 1)) + 1);
        if code >> (exponent + mantissa) == 1 { -size } else { size }
    };
    let number = match of.codes {
        Codes::Bits(_) => code as f64,
        Codes::E2m1 => float(2, 1),
        Codes::E4m3 => float(4, 3),
    };
    let group = [b, row, column / of.group];
    let (scaled, bias) = (number * real(&inputs[2], group), inputs.get(3).map_or(0., |x| real(x, group)));
    (scaled + bias, scaled.abs() + bias.abs())
}

fn products(gpu: &Gpu, dtypes: &[Dtype]) {
    let mut noise = Noise(5);
    for &dtype in dtypes {
        for (codes, group) in FORMATS {
            for (number, m) in [1, 3, 8, 9].into_iter().enumerate() {
                let (transposed, way) = (number % 2 == 0, number % 3);
                let of = Packed { codes, group, transposed };
                let (lines, columns) = (5, 3 * group);
                let (k, n) = if transposed { (columns, lines) } else { (lines, columns) };
                let mut inputs = vec![
                    operand(&mut noise, dtype, [2, m, k], way, codes),
                    operand(
                        &mut noise,
                        Dtype::U32,
                        [2, lines, columns * codes.bits() / 32],
                        (way + 1) % 3,
                        codes,
                    ),
                    operand(&mut noise, dtype, [2, lines, 3], (way + 2) % 3, codes),
                ];
                if of.biased() {
                    inputs.push(operand(&mut noise, dtype, [2, lines, 3], way, codes));
                }
                let got = run_whole(gpu, Whole::Packed(of), &inputs, &[2, m, n], dtype);
                assert_eq!(got.len(), 2 * m * n);
                for (place, &bits) in got.iter().enumerate() {
                    let (b, i, j) = (place / (m * n), place / n % m, place % n);
                    let (mut sum, mut size) = (0., 0.);
                    for l in 0..k {
                        let x = real(&inputs[0], [b, i, l]);
                        let of_matrix = if transposed { [b, j, l] } else { [b, l, j] };
                        let (value, terms) = value(of, &inputs, of_matrix);
                        sum += x * value;
                        size += x.abs() * terms;
                    }
                    let own = match dtype {
                        Dtype::F16 => 2f64.powi(-10),
                        Dtype::Bf16 => 2f64.powi(-7),
                        _ => 0.,
                    };
                    let found = Scalar::from_bits(bits, dtype).real();
                    let bound = (k + 3) as f64 * 2f64.powi(-24) * size + own * sum.abs();
                    assert!((found - sum).abs() <= bound, "{dtype} {of:?} {m} [{place}]: {found}, not {sum}");
                }
            }
        }
    }
}

#[test]
fn products_with_packed_matrices() {
    let Some(shared) = gpu() else { return };
    products(shared, &[Dtype::F32, Dtype::F16, Dtype::Bf16]);
    // What a software adapter would not choose.
    products(&Gpu::open().expect("there is one").as_hardware(), &[Dtype::F32, Dtype::F16]);
}
