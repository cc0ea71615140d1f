//! Fourier transforms against their definition in f64, in shapes and lengths of every kind.

use pullback_core::Params;
use pullback_core::op::{OpDef, Reference};
use pullback_core::ops::fft::{FFT, IRFFT, RFFT};
use pullback_kernels::{Fourier, Scale, Spectrum};

use super::*;

/// What the row says, of real and imaginary parts in turn.
fn exact(row: &OpDef, of: Fourier, x: (&Aval, &[f64]), out: &Aval) -> Vec<f64> {
    let Reference::Whole(definition) = row.test.reference else { unreachable!("it has one") };
    definition(&Params::Fourier(1, of), &[x], out)
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<4>().0.iter().map(|&x| f64::from(f32::from_le_bytes(x))).collect()
}

fn check(row: &OpDef, of: Fourier, [o, i]: [usize; 2], rng: &mut Rng) {
    let (from, to) =
        (row.test.samples[0].dtypes[0], if row.name == "irfft" { Dtype::F32 } else { Dtype::C64 });
    let (read, written) = match row.name {
        "rfft" => (of.n, of.coefficients()),
        "irfft" => (of.coefficients(), of.n),
        _ => (of.n, of.n),
    };
    let bytes = block(from, o * read * i, rng);
    let out = run(Whole::Fourier(of), &[given(&[o, read, i], from, bytes.clone())], &[o, written, i], to);
    let (x, found) = (floats(&bytes), floats(&out));
    let want = exact(row, of, (&Aval::new([o, read, i], from), &x), &Aval::new([o, written, i], to));
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let error: Vec<f64> = found.iter().zip(&want).map(|(x, y)| x - y).collect();
    assert_eq!(found.len(), want.len());
    let bound = f64::from(f32::EPSILON) * (1. + (of.n as f64).log2());
    assert!(
        norm(&error) <= bound * norm(&want),
        "{} {of:?} {o} {i}: {:e}",
        row.name,
        norm(&error) / norm(&want)
    );
}

#[test]
fn fourier_transforms_are_sums() {
    let mut rng = Rng(9);
    for n in (1..=17).chain([31, 64, 100, 101, 127, 128, 243, 257, 360, 1009, 1024]) {
        for (at, inverse, scale) in [(0, false, Scale::One), (1, true, Scale::Length), (2, true, Scale::Root)]
        {
            let shapes = if n < 300 { [[2, 1], [1, 3], [2, 19]] } else { [[1, 1], [2, 1], [1, 2]] };
            let shape = shapes[(n + at) % 3];
            check(&FFT, Fourier { n, inverse, scale, spectrum: Spectrum::Full }, shape, &mut rng);
            for spectrum in [Spectrum::Full, Spectrum::Once, Spectrum::Twice] {
                for row in [&RFFT, &IRFFT] {
                    check(row, Fourier { n, inverse, scale, spectrum }, shape, &mut rng);
                }
            }
        }
    }
}

/// What the imaginary parts of ends are has no effect, whatever they are.
#[test]
fn ends_of_half_a_spectrum_are_real() {
    let of = Fourier { n: 4, inverse: true, scale: Scale::One, spectrum: Spectrum::Twice };
    let z = [Scalar::Complex(1., f64::NAN), Scalar::Complex(2., 1.), Scalar::Complex(3., f64::INFINITY)];
    let bytes = pack(Dtype::C64, z);
    let out = run(Whole::Fourier(of), &[given(&[1, 3, 1], Dtype::C64, bytes)], &[1, 4, 1], Dtype::F32);
    assert_eq!(floats(&out), [8., -4., 0., 0.]);
}

#[test]
fn no_lines_are_no_work() {
    let of = Fourier { n: 8, inverse: false, scale: Scale::One, spectrum: Spectrum::Full };
    for (o, i) in [(0, 1), (0, 3), (3, 0)] {
        let given = given(&[o, 8, i], Dtype::C64, vec![]);
        assert_eq!(run(Whole::Fourier(of), &[given], &[o, 8, i], Dtype::C64), []);
    }
}
