//! From one element type to another.

use pullback_base::{Dtype, Error, Scalar};

use super::SAME;
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Sample, Test};
use crate::ops;
use crate::params::Params;

ops! {
    /// The elements in another type, as NumPy converts them: a float is cut to an integer, and anything but
    /// zero is true.
    CAST = "cast" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| Ok(x[0].retyped(params.dtype()))),
        diff: Diff::Custom {
            // Linear between inexact types; a tangent cannot pass an integer.
            jvp: |params, x, _, t| {
                let through = x[0].is_inexact() && params.dtype().is_inexact();
                Ok(vec![t[0].as_ref().filter(|_| through).map(|t| fun::cast(t, params.dtype())).transpose()?])
            },
            vjp: |params, x, _, g| {
                let through = x[0].is_inexact() && params.dtype().is_inexact();
                Ok(vec![g[0].as_ref().filter(|_| through).map(|g| fun::cast(g, x[0].dtype())).transpose()?])
            },
        },
        batch: SAME,
        kernel: Kernel::Cast,
        api: Api::Composed,
        test: Test {
            reference: Reference::Each(|x| x[0]),
            samples: &[Sample {
                shapes: &[&[2, 3]],
                dtypes: &[Dtype::F32],
                params: || Params::Dtype(Dtype::F64),
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
    /// The same bits, read as another type of the same size.
    BITCAST = "bitcast" ("a") {
        dtypes: Dtypes::Any,
        infer: Infer::One(|params, x| {
            let to = params.dtype();
            if to.size() != x[0].dtype.size() {
                let text = format!("[view] expected a type of {} bytes, got {to}", x[0].dtype.size());
                return Err(Error::value(text));
            }
            Ok(x[0].retyped(to))
        }),
        diff: Diff::Zero,
        batch: SAME,
        kernel: Kernel::Bitcast,
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(|_, x, out| {
                let bits = |&value: &f64| Scalar::Float(value).bits(x[0].0.dtype);
                x[0].1.iter().map(|value| Scalar::from_bits(bits(value), out.dtype).real()).collect()
            }),
            samples: &[Sample {
                shapes: &[&[2, 3]],
                dtypes: &[Dtype::F32],
                params: || Params::Dtype(Dtype::U32),
                domain: (-2., 2.),
            }],
            ulps: 0.,
        },
    }
}
