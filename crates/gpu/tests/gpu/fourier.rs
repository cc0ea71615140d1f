//! Fourier transforms against their definition in f64: pass by pass, and in workgroup memory.

use pullback_base::{Aval, Dtype, Layout, Scalar, Shape};
use pullback_compile::Backend;
use pullback_core::Params;
use pullback_core::op::{OpDef, Reference};
use pullback_core::ops::fft::{FFT, IRFFT, RFFT};
use pullback_gpu::Gpu;
use pullback_kernels::{Fourier, Scale, Spectrum, Whole};

use crate::{Input, Noise, gpu, run_whole};

/// Real and imaginary parts in turn of complex numbers.
fn parts(bits: &[u64], dtype: Dtype) -> Vec<f64> {
    let parts = |&bits: &u64| match Scalar::from_bits(bits, dtype) {
        Scalar::Complex(re, im) => vec![re, im],
        other => vec![other.real()],
    };
    bits.iter().flat_map(parts).collect()
}

fn check(gpu: &Gpu, row: &OpDef, of: Fourier, [o, i]: [usize; 2], noise: &mut Noise) {
    let (from, to) =
        (row.test.samples[0].dtypes[0], if row.name == "irfft" { Dtype::F32 } else { Dtype::C64 });
    let (read, written) = match row.name {
        "rfft" => (of.n, of.coefficients()),
        "irfft" => (of.coefficients(), of.n),
        _ => (of.n, of.n),
    };
    let offset = noise.below(4);
    let shape = Shape::from([o, read, i]);
    let element = |noise: &mut Noise| match from {
        Dtype::C64 => Scalar::Complex(noise.unit(), noise.unit()).bits(from),
        _ => Scalar::Float(noise.unit()).bits(from),
    };
    let bits: Vec<u64> = (0..offset + shape.size()).map(|_| element(noise)).collect();
    let x = parts(&bits[offset..], from);
    let input = Input::new(from, bits, Layout { offset, ..Layout::contiguous(&shape) });
    let found = parts(&run_whole(gpu, Whole::Fourier(of), &[input], &[o, written, i], to), to);
    let Reference::Whole(definition) = row.test.reference else { unreachable!("it has one") };
    let out = Aval::new([o, written, i], to);
    let want = definition(&Params::Fourier(1, of), &[(&Aval::new(shape, from), &x)], &out);
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

fn transforms(gpu: &Gpu) {
    let mut noise = Noise(21);
    for n in [1, 2, 3, 4, 5, 6, 8, 9, 12, 15, 16, 25, 60, 64, 100, 1000, 1024, 1080, 2048] {
        let at = noise.below(3);
        let (inverse, scale) = [(false, Scale::One), (true, Scale::Length), (true, Scale::Root)][at];
        let shape =
            if n < 200 { [[3, 1], [1, 3], [2, 19]][noise.below(3)] } else { [[1, 1], [1, 2]][n / 10 % 2] };
        check(gpu, &FFT, Fourier { n, inverse, scale, spectrum: Spectrum::Full }, shape, &mut noise);
        let spectrum = [Spectrum::Full, Spectrum::Once, Spectrum::Twice][noise.below(3)];
        for row in [&RFFT, &IRFFT] {
            check(gpu, row, Fourier { n, inverse, scale, spectrum }, shape, &mut noise);
        }
    }
    // More lines than a workgroup has, of both kinds.
    for shape in [[700, 1], [1, 700]] {
        check(
            gpu,
            &FFT,
            Fourier { n: 6, inverse: true, scale: Scale::One, spectrum: Spectrum::Full },
            shape,
            &mut noise,
        );
    }
}

#[test]
fn fourier_transforms_are_sums() {
    let Some(shared) = gpu() else { return };
    transforms(shared);
    // What a software adapter would not choose.
    transforms(&Gpu::open().expect("there is one").as_hardware());
}

#[test]
fn other_lengths_are_refused() {
    let Some(gpu) = gpu() else { return };
    let of =
        |n: usize| Whole::Fourier(Fourier { n, inverse: false, scale: Scale::One, spectrum: Spectrum::Full });
    for dtype in [Dtype::F32, Dtype::C64] {
        assert!(
            gpu.lacks_whole(&of(7 * 64), &[dtype]).is_some_and(|why| why.contains("prime factor above 5"))
        );
        assert_eq!(gpu.lacks_whole(&of(3 * 64), &[dtype]), None);
    }
}
