//! Discrete Fourier transforms along one axis: between complex numbers, and two that have a real side, since they
//! cost half.
//!
//! All three multiply by one symmetric matrix of powers of a root of unity, of which the real side takes real parts.
//! Cotangents of complex numbers pair as `Re(g * y)`, without a conjugate: so the transpose of a transform has the
//! same root, and the two with a real side are each other's.

use std::f64::consts::TAU;

use pullback_base::{Aval, Dtype, Result};
use pullback_kernels::{Fourier, Scale, Spectrum, Whole};

use super::{C64, F32, SHIFT, has_axes};
use crate::array::{Array, mismatch};
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Discrete Fourier transform of complex numbers along an axis.
    FFT = "fft" ("a") {
        dtypes: Dtypes::Complex,
        infer: Infer::One(|params, x| along("fft", params, x, params.fourier().n, params.fourier().n, Dtype::C64)),
        diff: Diff::Linear(&[Some(|params, _, g| Array::apply(&FFT, params.clone(), &[g]))]),
        batch: SHIFT,
        kernel: Kernel::Whole(call),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(definition),
            samples: &[
                Sample { shapes: &[&[2, 6]], dtypes: C64, params: || last(6, false), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 7, 3]], dtypes: C64, params: || last(7, true), domain: (-2., 2.) },
                Sample { shapes: &[&[3, 1]], dtypes: C64, params: || last(1, false), domain: (-2., 2.) },
            ],
            ulps: 16.,
        },
    }
    /// Discrete Fourier transform of real numbers along an axis: half of the coefficients, or all of them.
    RFFT = "rfft" ("a") {
        dtypes: Dtypes::Single,
        infer: Infer::One(|params, x| {
            let fourier = params.fourier();
            along("rfft", params, x, fourier.n, fourier.coefficients(), Dtype::C64)
        }),
        diff: Diff::Linear(&[Some(|params, _, g| Array::apply(&IRFFT, params.clone(), &[g]))]),
        batch: SHIFT,
        kernel: Kernel::Whole(call),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(definition),
            samples: &[
                Sample { shapes: &[&[2, 6]], dtypes: F32, params: || half(6, Spectrum::Once), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 7, 2]], dtypes: F32, params: || half(7, Spectrum::Once), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 8]], dtypes: F32, params: || half(8, Spectrum::Twice), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 5]], dtypes: F32, params: || half(5, Spectrum::Full), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 4]], dtypes: F32, params: || half(4, Spectrum::Full), domain: (-2., 2.) },
            ],
            ulps: 16.,
        },
    }
    /// Real part of the discrete Fourier transform of complex numbers along an axis, from half of them or from all.
    IRFFT = "irfft" ("a") {
        dtypes: Dtypes::Complex,
        infer: Infer::One(|params, x| {
            let fourier = params.fourier();
            along("irfft", params, x, fourier.coefficients(), fourier.n, Dtype::F32)
        }),
        diff: Diff::Linear(&[Some(|params, _, g| Array::apply(&RFFT, params.clone(), &[g]))]),
        batch: SHIFT,
        kernel: Kernel::Whole(call),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(definition),
            samples: &[
                Sample { shapes: &[&[2, 4]], dtypes: C64, params: || half(6, Spectrum::Twice), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 4, 2]], dtypes: C64, params: || half(7, Spectrum::Twice), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 5]], dtypes: C64, params: || half(8, Spectrum::Once), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 5]], dtypes: C64, params: || half(5, Spectrum::Full), domain: (-2., 2.) },
                Sample { shapes: &[&[2, 4]], dtypes: C64, params: || half(4, Spectrum::Full), domain: (-2., 2.) },
            ],
            ulps: 16.,
        },
    }
}

/// Params of a sample: the transformed axis is the second one.
fn last(n: usize, inverse: bool) -> Params {
    let scale = if inverse { Scale::Length } else { Scale::One };
    Params::Fourier(1, Fourier { n, inverse, scale, spectrum: Spectrum::Full })
}

fn half(n: usize, spectrum: Spectrum) -> Params {
    Params::Fourier(1, Fourier { n, inverse: n % 2 == 1, scale: Scale::Root, spectrum })
}

/// The operand with `to` elements of another type in place of `from` along the axis.
fn along(op: &str, params: &Params, x: &[&Aval], from: usize, to: usize, dtype: Dtype) -> Result<Aval> {
    has_axes(op, params, x[0])?;
    let axis = params.axis();
    if x[0].shape[axis] != from || to == 0 {
        return Err(mismatch(op, &format!("{from} elements, and at least one, along axis {axis}"), x));
    }
    let mut sizes = x[0].shape.to_vec();
    sizes[axis] = to;
    Ok(x[0].reshaped(sizes).retyped(dtype))
}

fn call(params: &Params, x: &[&Aval], out: &Aval) -> WholeCall {
    let around = |aval: &Aval| fun::around(&aval.shape, params.axis());
    WholeCall { whole: Whole::Fourier(params.fourier()), shapes: vec![around(x[0])], shape: around(out) }
}

/// Real and imaginary parts in turn, of complex numbers; of real ones, themselves.
fn parts(dtype: Dtype) -> usize {
    if dtype == Dtype::C64 { 2 } else { 1 }
}

/// The transform by its definition, in f64. Of complex numbers, elements are real and imaginary parts in turn.
fn definition(params: &Params, x: &[(&Aval, &[f64])], out: &Aval) -> Vec<f64> {
    let (aval, values) = x[0];
    let fourier = params.fourier();
    let (from, to) = (fun::around(&aval.shape, params.axis()), fun::around(&out.shape, params.axis()));
    let (read, write) = (parts(aval.dtype), parts(out.dtype));
    let mut result = vec![0.; out.size() * write];
    for at in 0..out.size() {
        let (o, k, i) = (at / (to[1] * to[2]), at / to[2] % to[1], at % to[2]);
        let mut sum = [0.; 2];
        for j in 0..from[1] {
            let cell = ((o * from[1] + j) * from[2] + i) * read;
            let (re, im) = (values[cell], if read == 2 { values[cell + 1] } else { 0. });
            let turn = TAU * (j * k % fourier.n) as f64 / fourier.n as f64;
            let (sin, cos) = if fourier.inverse { turn } else { -turn }.sin_cos();
            let coefficient = if read == 2 { j } else { k };
            let pair = if fourier.stands_for_two(coefficient) { 2. } else { 1. };
            let weight = pair * fourier.factor();
            sum[0] += weight * (re * cos - im * sin);
            sum[1] += weight * (re * sin + im * cos);
        }
        result[at * write..(at + 1) * write].copy_from_slice(&sum[..write]);
    }
    result
}
