//! Products of matrices.

use super::*;

/// A side of a product: in order; transposed; its batch shared; backwards.
fn lie(kind: usize, dtype: Dtype, shape: &[usize; 3], rng: &mut Rng) -> Given {
    let shape = Shape::new(shape);
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
            let start: Vec<usize> = shape.iter().map(|&size| size.saturating_sub(1)).collect();
            (shape.size(), Layout::contiguous(&shape).slice(&start, &[-1, -1, -1], &shape))
        }
    };
    Given { dtype, bytes: block(dtype, size, rng), layout: Some(layout), shape }
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
                let mut sides = [[b, m, k], [b, k, n]].map(|shape| lie(kind, dtype, &shape, &mut rng));
                if kind == 2 {
                    // Only the right side shared.
                    sides[0] = lie(0, dtype, &[b, m, k], &mut rng);
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
