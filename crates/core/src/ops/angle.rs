//! Functions of angles, and their hyperbolic kin.
//!
//! Bounds on ulps are those that the kernels' own tests measure, rounded up.

use pullback_kernels::Map;

use super::{SAME, binary, sure, unary};
use crate::fun;
use crate::op::{Api, Diff, Dtypes, Infer, Kernel, Reference, Test};
use crate::ops;

ops! {
    /// Elementwise sine.
    SIN = "sin" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::cos(&x[0])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Sin),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].sin()), samples: &[unary(-3.0, 3.0)], ulps: 2. },
    }
    /// Elementwise cosine.
    COS = "cos" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| -sure(fun::sin(&x[0])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Cos),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].cos()), samples: &[unary(-3.0, 3.0)], ulps: 2. },
    }
    /// Elementwise tangent.
    TAN = "tan" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| 1. + y * y)]),
        batch: SAME,
        kernel: Kernel::Map(Map::Tan),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].tan()), samples: &[unary(-1.3, 1.3)], ulps: 3.5 },
    }
    /// Elementwise inverse sine.
    ARCSIN = "arcsin" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::rsqrt(&((1. - &x[0]) * (1. + &x[0])))))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Asin),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].asin()), samples: &[unary(-0.9, 0.9)], ulps: 3. },
    }
    /// Elementwise inverse cosine.
    ARCCOS = "arccos" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| -sure(fun::rsqrt(&((1. - &x[0]) * (1. + &x[0])))))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Acos),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].acos()), samples: &[unary(-0.9, 0.9)], ulps: 3. },
    }
    /// Elementwise inverse tangent.
    ARCTAN = "arctan" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 1. / (1. + &x[0] * &x[0]))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Atan),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].atan()), samples: &[unary(-2.0, 2.0)], ulps: 3. },
    }
    /// Elementwise hyperbolic sine.
    SINH = "sinh" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::cosh(&x[0])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Sinh),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].sinh()), samples: &[unary(-2.0, 2.0)], ulps: 3. },
    }
    /// Elementwise hyperbolic cosine.
    COSH = "cosh" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::sinh(&x[0])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Cosh),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].cosh()), samples: &[unary(-2.0, 2.0)], ulps: 3. },
    }
    /// Elementwise hyperbolic tangent.
    TANH = "tanh" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|_, y| 1. - y * y)]),
        batch: SAME,
        kernel: Kernel::Map(Map::Tanh),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].tanh()), samples: &[unary(-2.0, 2.0)], ulps: 3. },
    }
    /// Elementwise inverse hyperbolic sine.
    ARCSINH = "arcsinh" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::rsqrt(&(1. + &x[0] * &x[0]))))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Asinh),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].asinh()), samples: &[unary(-2.0, 2.0)], ulps: 4. },
    }
    /// Elementwise inverse hyperbolic cosine.
    ARCCOSH = "arccosh" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        // Of complex numbers the root of the product is not the product of the roots.
        diff: Diff::Pointwise(&[Some(|x, _| sure(fun::rsqrt(&(&x[0] - 1.))) * sure(fun::rsqrt(&(&x[0] + 1.))))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Acosh),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].acosh()), samples: &[unary(1.3, 3.0)], ulps: 4. },
    }
    /// Elementwise inverse hyperbolic tangent.
    ARCTANH = "arctanh" ("a") {
        dtypes: Dtypes::Inexact,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| 1. / ((1. - &x[0]) * (1. + &x[0])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Atanh),
        api: Api::Unary,
        test: Test { reference: Reference::Each(|x| x[0].atanh()), samples: &[unary(-0.8, 0.8)], ulps: 4. },
    }
    /// Elementwise angle of the point with height `a` and width `b`, with broadcasting.
    ARCTAN2 = "arctan2" ("a", "b") {
        dtypes: Dtypes::Float,
        infer: Infer::Same,
        diff: Diff::Pointwise(&[Some(|x, _| &x[1] / (&x[0] * &x[0] + &x[1] * &x[1])), Some(|x, _| -(&x[0] / (&x[0] * &x[0] + &x[1] * &x[1])))]),
        batch: SAME,
        kernel: Kernel::Map(Map::Atan2),
        api: Api::Binary,
        test: Test { reference: Reference::Each(|x| x[0].atan2(x[1])), samples: &[binary(0.3, 2.0)], ulps: 4. },
    }
}
