//! Products with packed matrices.
//!
//! They are linear in the left factor, and in scales and biases together; codes only steer. The cotangent of the left factor
//! is a product with the same matrix, meant the other way round.

use pullback_base::{Aval, Dtype, Error, Kind, Result, Shape};
use pullback_kernels::{Codes, Packed, Whole};

use crate::array::{Array, mismatch};
use crate::fun::{self, minifloat, packed as words};
use crate::op::{Api, Batch, Diff, Dtypes, Infer, Kernel, OpDef, Reference, Sample, Test, WholeCall};
use crate::ops;
use crate::params::Params;

ops! {
    /// Product with a matrix of whole numbers in packed codes, each `scale * code + bias`:
    /// `x [.., m, k], codes [.., n, words], scales [.., n, groups], biases [.., n, groups] -> [.., m, n]` where the matrix is
    /// meant as its transpose, else codes are `[.., k, words]`.
    PACKED_MATMUL = "packed_matmul" ("x", "codes", "scales", "biases") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| infer("packed_matmul", params, x)),
        diff: Diff::Custom { jvp, vjp },
        batch: Batch::Custom(batch),
        kernel: Kernel::Whole(call),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(by_definition),
            samples: &[
                Sample {
                    shapes: &[&[2, 64], &[3, 8], &[3, 2], &[3, 2]],
                    dtypes: TYPES,
                    params: || packed(Codes::Bits(4), 32, true),
                    domain: (-2., 2.),
                },
                Sample {
                    shapes: &[&[2, 9, 3], &[2, 3, 6], &[2, 3, 1], &[2, 3, 1]],
                    dtypes: TYPES,
                    params: || packed(Codes::Bits(3), 64, false),
                    domain: (-2., 2.),
                },
            ],
            ulps: 64.,
        },
    }
    /// Product with a matrix of small floats in packed codes, each `scale * number(code)`, of axes as in `packed_matmul`.
    SCALED_MATMUL = "scaled_matmul" ("x", "codes", "scales") {
        dtypes: Dtypes::Number,
        infer: Infer::One(|params, x| infer("scaled_matmul", params, x)),
        diff: Diff::Custom { jvp, vjp },
        batch: Batch::Custom(batch),
        kernel: Kernel::Whole(call),
        api: Api::Composed,
        test: Test {
            reference: Reference::Whole(by_definition),
            samples: &[
                Sample {
                    shapes: &[&[2, 48], &[3, 6], &[3, 3]],
                    dtypes: TYPES,
                    params: || packed(Codes::E2m1, 16, true),
                    domain: (-2., 2.),
                },
                Sample {
                    shapes: &[&[2, 3], &[3, 8], &[3, 1]],
                    dtypes: TYPES,
                    params: || packed(Codes::E4m3, 32, false),
                    domain: (-2., 2.),
                },
            ],
            ulps: 64.,
        },
    }
}

const TYPES: &[Dtype] = &[Dtype::F32, Dtype::U32, Dtype::F32, Dtype::F32];

const fn packed(codes: Codes, group: usize, transposed: bool) -> Params {
    Params::Packed(Packed { codes, group, transposed })
}

fn infer(op: &str, params: &Params, x: &[&Aval]) -> Result<Aval> {
    let of = params.packed();
    if !of.exists() || of.biased() != (x.len() == 4) {
        return Err(Error::value(format!("[{op}] expected a packed matrix that there is, got {of:?}")));
    }
    let (a, words, scales) = (x[0], x[1], x[2]);
    // Scales of small floats have more range than half floats.
    let wide = scales.dtype == a.dtype || (scales.dtype == Dtype::F32 && a.dtype.size() == 2);
    if a.dtype.kind() != Kind::Float || words.dtype != Dtype::U32 || !wide {
        let avals: Vec<String> = x.iter().map(ToString::to_string).collect();
        let text =
            format!("[{op}] expected codes of uint32 among floats of one type, got {}", avals.join(", "));
        return Err(Error::type_(text));
    }
    let r = a.shape.ndim();
    let parts =
        |aval: &Aval| (aval.shape.ndim() == r && r >= 2).then(|| [aval.shape[r - 2], aval.shape[r - 1]]);
    let fits = || {
        let ([_, k], [rows, count], [lines, groups]) = (parts(a)?, parts(words)?, parts(scales)?);
        let columns = groups.checked_mul(of.group)?;
        let (depth, n) = if of.transposed { (columns, rows) } else { (rows, columns) };
        let bits = columns.checked_mul(of.codes.bits())?;
        let lead = |aval: &Aval| aval.shape[..r - 2] == a.shape[..r - 2];
        let whole = count.checked_mul(32)? == bits && lines == rows && depth == k;
        let biases = x.get(3).is_none_or(|biases| *biases == scales);
        (whole && lead(words) && lead(scales) && biases).then_some(n)
    };
    let Some(n) = fits() else {
        return Err(mismatch(op, "x [.., m, k] and rows of codes, with a scale for each group", x));
    };
    Ok(a.reshaped(a.shape.without(r - 1).with(r - 1, n).checked(op)?))
}

fn call(params: &Params, x: &[&Aval], out: &Aval) -> WholeCall {
    let flat = |shape: &Shape| {
        let r = shape.ndim();
        Shape::from([shape[..r - 2].iter().product(), shape[r - 2], shape[r - 1]])
    };
    WholeCall {
        whole: Whole::Packed(params.packed()),
        shapes: x.iter().map(|aval| flat(&aval.shape)).collect(),
        shape: flat(&out.shape),
    }
}

fn row(of: Packed) -> &'static OpDef {
    if of.biased() { &PACKED_MATMUL } else { &SCALED_MATMUL }
}

/// The row applied to a left factor and the parts of a matrix.
pub(crate) fn multiply(of: Packed, x: &Array, matrix: &[Array]) -> Result<Array> {
    let operands: Vec<&Array> = std::iter::once(x).chain(matrix).collect();
    Array::apply(row(of), Params::Packed(of), &operands)
}

/// `x [size, lead.., m, k]` times matrices `[lead.., ..]` that the front axis has in common: `[lead.., size, m, n]`. To the
/// matrices they are more rows.
pub(crate) fn multiply_many(of: Packed, x: &Array, matrix: &[Array]) -> Result<Array> {
    let lead = x.ndim() - 3;
    let x = fun::move_axis(x, 0, lead)?;
    let (size, m, k) = (x.shape()[lead], x.shape()[lead + 1], x.shape()[lead + 2]);
    let sizes = |last: [usize; 2]| Shape::from([&x.shape()[..lead], &last].concat());
    let y = multiply(of, &fun::reshape(&x, sizes([size * m, k]))?, matrix)?;
    let n = y.shape()[lead + 1];
    fun::reshape(&y, sizes([size, m]).with(lead + 2, n))
}

fn batch(
    params: &Params,
    x: &[Array],
    axes: &[Option<usize>],
    size: usize,
) -> Result<Vec<(Array, Option<usize>)>> {
    let of = params.packed();
    if axes[1..].iter().all(Option::is_none) {
        return Ok(vec![(multiply_many(of, &x[0], &x[1..])?, Some(x[0].ndim() - 3))]);
    }
    let lead = |i: usize| match axes[i] {
        Some(_) => Ok(x[i].clone()),
        None => fun::broadcast_to(&x[i], &x[i].shape().with(0, size)),
    };
    let matrix = (1..x.len()).map(lead).collect::<Result<Vec<_>>>()?;
    if axes[0].is_some() || x[0].ndim() > 2 || !of.transposed {
        return Ok(vec![(multiply(of, &lead(0)?, &matrix)?, Some(0))]);
    }
    // One left factor for all: the matrix has more rows, and the result more columns.
    let joined = |part: &Array| {
        let shape = part.shape();
        fun::reshape(part, Shape::from([shape[0] * shape[1], shape[2]]))
    };
    let matrix = matrix.iter().map(joined).collect::<Result<Vec<_>>>()?;
    let y = multiply(of, &x[0], &matrix)?;
    let (m, n) = (y.shape()[0], x[1].shape()[if axes[1].is_some() { 1 } else { 0 }]);
    Ok(vec![(fun::reshape(&y, Shape::from([m, size, n]))?, Some(1))])
}

fn jvp(params: &Params, x: &[Array], _: &[Array], ts: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
    let of = params.packed();
    let of_x = ts[0].as_ref().map(|t| multiply(of, t, &x[1..])).transpose()?;
    if ts[2..].iter().all(Option::is_none) {
        return Ok(vec![of_x]);
    }
    let mut matrix = vec![x[1].clone()];
    for (t, x) in ts[2..].iter().zip(&x[2..]) {
        matrix.push(t.clone().map_or_else(|| fun::zeros(x.shape(), x.dtype()), Ok)?);
    }
    let of_matrix = multiply(of, &x[0], &matrix)?;
    Ok(vec![Some(match of_x {
        Some(of_x) => fun::add(&of_x, &of_matrix)?,
        None => of_matrix,
    })])
}

/// The cotangents of scales and biases are those of the matrix that they make, summed over groups.
fn vjp(params: &Params, x: &[Array], _: &[Array], gs: &[Option<Array>]) -> Result<Vec<Option<Array>>> {
    let (of, Some(g)) = (params.packed(), &gs[0]) else { return Ok(vec![None; x.len()]) };
    let turned = Packed { transposed: !of.transposed, ..of };
    let (left, right) = if of.transposed { (g, &x[0]) } else { (&x[0], g) };
    let whole =
        words::blocks(&fun::cast(&fun::matmul(&fun::swap_last(left)?, right)?, x[2].dtype())?, of.group)?;
    let numbers = words::blocks(&fun::cast(&numbers(of.codes, &x[1])?, x[2].dtype())?, of.group)?;
    let groups = |x: &Array| fun::sum(x, &[x.ndim() - 1]);
    let mut cotangents =
        vec![Some(multiply(turned, g, &x[1..])?), None, Some(groups(&fun::multiply(&whole, &numbers)?)?)];
    if of.biased() {
        cotangents.push(Some(groups(&whole)?));
    }
    Ok(cotangents)
}

/// The numbers of codes.
fn numbers(codes: Codes, packed: &Array) -> Result<Array> {
    let unpacked = words::unpack(packed, codes.bits())?;
    match codes {
        Codes::Bits(_) => Ok(unpacked),
        Codes::E2m1 => minifloat::decode(&unpacked, &minifloat::E2M1),
        Codes::E4m3 => minifloat::decode(&unpacked, &minifloat::E4M3),
    }
}

/// The sums by their definition, in f64.
fn by_definition(params: &Params, x: &[(&Aval, &[f64])], out: &Aval) -> Vec<f64> {
    let of = params.packed();
    let r = out.shape.ndim();
    let (m, n, k) = (out.shape[r - 2], out.shape[r - 1], x[0].0.shape[r - 1]);
    let (rows, count, groups) = (x[1].0.shape[r - 2], x[1].0.shape[r - 1], x[2].0.shape[r - 1]);
    let bits = of.codes.bits();
    let element = |b: usize, row: usize, column: usize| {
        let line = b * rows + row;
        let bit =
            |at: usize| (x[1].1[line * count + at / 32] as u32 >> (at % 32) & 1) << (at - column * bits);
        let code: u32 = (column * bits..(column + 1) * bits).map(bit).sum();
        let small = |exponent: u32, mantissa: u32| {
            let (field, digits) = (code >> mantissa & ((1 << exponent) - 1), code & ((1 << mantissa) - 1));
            let one = 2f64.powi(1 - (1 << (exponent - 1)) + 1 + (field.max(1) as i32 - 1));
            let steps = f64::from(digits) / f64::from(1u32 << mantissa) + f64::from(u8::from(field > 0));
            if code >> (exponent + mantissa) == 1 { -one * steps } else { one * steps }
        };
        let number = match of.codes {
            Codes::Bits(_) => f64::from(code),
            Codes::E2m1 => small(2, 1),
            Codes::E4m3 if code & 127 == 127 => f64::NAN,
            Codes::E4m3 => small(4, 3),
        };
        let at = line * groups + column / of.group;
        x[2].1[at] * number + x.get(3).map_or(0., |biases| biases.1[at])
    };
    let cell = |at: usize| {
        let (b, i, j) = (at / (m * n), at / n % m, at % n);
        let w = |l: usize| if of.transposed { element(b, j, l) } else { element(b, l, j) };
        (0..k).map(|l| x[0].1[(b * m + i) * k + l] * w(l)).sum()
    };
    (0..out.size()).map(cell).collect()
}
