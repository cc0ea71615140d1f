//! Matrices as codes of a few bits, with a scale for each group of neighbours in a row.
//!
//! The codes are packed as `packed` says, into `uint32`. In `affine` a number is `scale * code + bias`, with codes of 2
//! to 8 bits. In the other modes it is `scale * number(code)`, with the numbers and scales of `minifloat`: `mxfp4` (E2M1
//! with E8M0 scales) and `mxfp8` (E4M3 with E8M0 scales) are the formats of the OCP Microscaling Formats specification
//! v1.0, section 5.2, and `nvfp4` is E2M1 with E4M3 scales. The layouts are those of MLX.

use pullback_base::promote::promote;
use pullback_base::{Dtype, Error, Kind, Result};
use pullback_kernels::Codes;

use super::minifloat::{self, E2M1, E4M3, wide};
use super::packed::{self, blocks};
use super::{
    abs, add, cast, clip, divide, equal, from_fp8, greater, max, maximum, min, multiply, negative, not_equal,
    reshape, rint, subtract, to_fp8, where_,
};
use crate::array::{Array, mismatch};

/// What the codes of a quantised matrix mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mode {
    Affine,
    Mxfp4,
    Mxfp8,
    Nvfp4,
}

impl Mode {
    const ALL: [Mode; 4] = [Mode::Affine, Mode::Mxfp4, Mode::Mxfp8, Mode::Nvfp4];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Affine => "affine",
            Mode::Mxfp4 => "mxfp4",
            Mode::Mxfp8 => "mxfp8",
            Mode::Nvfp4 => "nvfp4",
        }
    }

    /// Sizes of groups and numbers of bits that there are; the third is what a group has where nothing is said.
    fn choices(self) -> (&'static [usize], &'static [usize], usize, usize) {
        match self {
            Mode::Affine => (&[32, 64, 128], &[1, 2, 3, 4, 5, 6, 8], 64, 4),
            Mode::Mxfp4 => (&[32], &[4], 32, 4),
            Mode::Mxfp8 => (&[32], &[8], 32, 8),
            Mode::Nvfp4 => (&[16], &[4], 16, 4),
        }
    }
}

/// A mode, how many neighbours share a scale, and how many bits a code has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What codes mean.
    pub mode: Mode,
    /// Elements of a group.
    pub group: usize,
    /// Bits of a code.
    pub bits: usize,
    op: &'static str,
}

/// The largest numbers of E2M1 and E4M3.
const E2M1_LARGEST: f64 = 6.;
const E4M3_LARGEST: f64 = 448.;
/// The least step of affine codes: a group of equal numbers would have none.
const STEP_MIN: f64 = 1e-7;

impl Scheme {
    /// The scheme that arguments of `op` name; what is not given is the mode's own.
    ///
    /// # Errors
    /// `Value` for what there is not.
    pub fn new(op: &'static str, mode: &str, group: Option<i64>, bits: Option<i64>) -> Result<Scheme> {
        let Some(mode) = Mode::ALL.into_iter().find(|known| known.name() == mode) else {
            let text = format!("[{op}] expected mode 'affine', 'mxfp4', 'mxfp8' or 'nvfp4', got '{mode}'");
            return Err(Error::value(text));
        };
        let (groups, widths, usual_group, usual_bits) = mode.choices();
        let one_of = |what: &str, given: Option<i64>, choices: &[usize], usual: usize| {
            let Some(given) = given else { return Ok(usual) };
            choices.iter().copied().find(|&choice| choice as i64 == given).ok_or_else(|| {
                let list: Vec<String> = choices.iter().map(usize::to_string).collect();
                let (list, name) = (list.join(", "), mode.name());
                Error::value(format!("[{op}] expected {what} of {list} in mode '{name}', got {given}"))
            })
        };
        let group = one_of("a group_size", group, groups, usual_group)?;
        Ok(Scheme { mode, group, bits: one_of("bits", bits, widths, usual_bits)?, op })
    }

    /// What the codes are.
    pub(super) fn codes(&self) -> Codes {
        match self.mode {
            Mode::Affine => Codes::Bits(self.bits as u8),
            Mode::Mxfp4 | Mode::Nvfp4 => Codes::E2m1,
            Mode::Mxfp8 => Codes::E4m3,
        }
    }

    fn error(&self, expected: &str, got: &Array) -> Error {
        mismatch(self.op, expected, &[got.aval()])
    }

    /// The scale of all of a matrix is something that one mode has.
    fn check_global(&self, scale: Option<&Array>) -> Result<()> {
        let Some(scale) = scale else { return Ok(()) };
        if self.mode != Mode::Nvfp4 {
            let name = self.mode.name();
            let text =
                format!("[{}] expected no global scale in mode '{name}': nvfp4 alone has one", self.op);
            return Err(Error::value(text));
        }
        if scale.dtype() != Dtype::F32 {
            let got = scale.aval();
            return Err(Error::type_(format!("[{}] expected a global scale of float32, got {got}", self.op)));
        }
        if scale.size() != 1 {
            return Err(self.error("one float32 as a global scale", scale));
        }
        Ok(())
    }

    /// Elements of rows whose codes are the words of `w`, once they are found to fit their scales and biases.
    pub(super) fn check(&self, w: &Array, scales: &Array, biases: Option<&Array>) -> Result<usize> {
        let affine = self.mode == Mode::Affine;
        if w.dtype() != Dtype::U32 {
            return Err(Error::type_(format!(
                "[{}] expected codes packed in uint32, got {}",
                self.op,
                w.aval()
            )));
        }
        if w.ndim() < 2 {
            return Err(self.error("a matrix of packed codes, of two axes or more", w));
        }
        let name = self.mode.name();
        match biases {
            None if affine => {
                return Err(Error::value(format!(
                    "[{}] expected biases in mode 'affine', got none",
                    self.op
                )));
            }
            Some(_) if !affine => {
                return Err(Error::value(format!("[{}] expected no biases in mode '{name}'", self.op)));
            }
            Some(biases) if biases.dtype() != scales.dtype() => {
                let got = format!("{} and {}", scales.aval(), biases.aval());
                return Err(Error::type_(format!(
                    "[{}] expected scales and biases of one type, got {got}",
                    self.op
                )));
            }
            Some(biases) if biases.aval() != scales.aval() => {
                let avals = [scales.aval(), biases.aval()];
                return Err(mismatch(self.op, "scales and biases of one shape and type", &avals));
            }
            _ => {}
        }
        if affine && scales.dtype().kind() != Kind::Float || !affine && scales.dtype() != Dtype::U8 {
            let want = if affine { "scales of a float type" } else { "codes of uint8 as scales" };
            let text = format!("[{}] expected {want} in mode '{name}', got {}", self.op, scales.aval());
            return Err(Error::type_(text));
        }
        let last = w.ndim() - 1;
        let n = w.shape()[last] * 32 / self.bits;
        let fits = scales.ndim() == w.ndim()
            && scales.shape()[..last] == w.shape()[..last]
            && w.shape()[last] * 32 == n * self.bits
            && scales.shape()[last] * self.group == n;
        if !fits {
            let expected = format!(
                "a scale for each {} codes of {} bits: was it quantised with other ones?",
                self.group, self.bits
            );
            return Err(mismatch(self.op, &expected, &[w.aval(), scales.aval()]));
        }
        Ok(n)
    }
}

/// Codes, scales, and biases where the mode has them.
pub struct Quantized {
    /// Packed into `uint32`.
    pub codes: Array,
    /// For each group of a row; codes of `uint8` in all modes but `affine`.
    pub scales: Array,
    /// For each group of a row.
    pub biases: Option<Array>,
}

/// The nearest numbers that a scheme has. The elements of a group are neighbours in a row, that is, in the last axis.
///
/// In `affine` the end of the group's interval that is farther from 0 is met exactly, and so is 0, if it lies within the
/// interval. In `mxfp4` and `mxfp8` a scale is the smallest power of two with which no element is too large. Scales and
/// biases of `affine` have the derivatives of the compositions that make them; codes are integers, and have none.
///
/// # Errors
/// `Type` for what is no float, `Value` for fewer than two axes or rows that are not whole groups.
pub fn quantize(w: &Array, scheme: Scheme, global: Option<&Array>) -> Result<Quantized> {
    if w.dtype().kind() != Kind::Float {
        return Err(Error::type_(format!("[{}] expected a float type, got {}", scheme.op, w.aval())));
    }
    if w.ndim() < 2 {
        return Err(scheme.error("a matrix, of two axes or more", w));
    }
    scheme.check_global(global)?;
    let groups = grouped(w, scheme)?;
    if scheme.mode == Mode::Affine {
        let (codes, scales, biases) = affine(&groups, scheme.bits)?;
        let back = |x: &Array| cast(&packed::joined(x)?, w.dtype());
        let codes = packed::pack(&packed::joined(&codes)?, scheme.bits)?;
        return Ok(Quantized { codes, scales: back(&scales)?, biases: Some(back(&biases)?) });
    }
    let (codes, scales) = scaled(&groups, scheme, global)?;
    let codes = packed::pack(&packed::joined(&codes)?, scheme.bits)?;
    Ok(Quantized { codes, scales: cast(&packed::joined(&scales)?, Dtype::U8)?, biases: None })
}

/// Rows as groups, in the type in which they are looked at.
fn grouped(w: &Array, scheme: Scheme) -> Result<Array> {
    let n = w.shape()[w.ndim() - 1];
    // Rows of codes are whole words, and so are groups, but for one of 16 codes of 4 bits, which is two.
    if !n.is_multiple_of(scheme.group) || !(n * scheme.bits).is_multiple_of(32) {
        let expected = format!("a last axis of whole groups of {}", scheme.group);
        return Err(scheme.error(&expected, w));
    }
    blocks(&cast(w, wide(w.dtype()))?, scheme.group)
}

/// Codes, scales and biases of groups.
fn affine(groups: &Array, bits: usize) -> Result<(Array, Array, Array)> {
    let last = codes_of(bits);
    let (most, least) = (max(groups, Some(&[-1]), true)?, min(groups, Some(&[-1]), true)?);
    let from_least = greater(&abs(&least)?, &abs(&most)?)?;
    let step = divide(&subtract(&most, &least)?, &groups.weak(last))?;
    let step = maximum(&step, &groups.weak(STEP_MIN))?;
    let step = where_(&from_least, &step, &negative(&step)?)?;
    let edge = where_(&from_least, &least, &most)?;
    // The edge is a whole number of steps, so that 0 is one as well.
    let count = rint(&divide(&edge, &step)?)?;
    let any = not_equal(&count, &groups.weak(0.))?;
    let scale = where_(&any, &divide(&edge, &where_(&any, &count, &groups.weak(1.))?)?, &step)?;
    let bias = where_(&any, &edge, &groups.weak(0.))?;
    let codes = rint(&divide(&subtract(groups, &bias)?, &scale)?)?;
    let codes = clip(&codes, Some(&groups.weak(0.)), Some(&groups.weak(last)))?;
    Ok((cast(&codes, Dtype::U32)?, scale, bias))
}

/// The largest code.
fn codes_of(bits: usize) -> f64 {
    ((1 << bits) - 1) as f64
}

/// Codes of groups, and codes of their scales.
fn scaled(groups: &Array, scheme: Scheme, global: Option<&Array>) -> Result<(Array, Array)> {
    let (format, largest) = match scheme.bits {
        4 => (&E2M1, E2M1_LARGEST),
        _ => (&E4M3, E4M3_LARGEST),
    };
    let raw = divide(&max(&abs(groups)?, Some(&[-1]), true)?, &groups.weak(largest))?;
    if scheme.mode != Mode::Nvfp4 {
        let scales = minifloat::encode_power(&cast(&raw, Dtype::F32)?)?;
        let inverse = cast(&minifloat::inverse_power(&scales)?, groups.dtype())?;
        return Ok((minifloat::encode(&multiply(groups, &inverse)?, format)?, scales));
    }
    let raw = match global {
        Some(global) => divide(&raw, &cast(&global_step(global)?, raw.dtype())?)?,
        None => raw,
    };
    let scales = to_fp8(&raw)?;
    let scale = cast(&nv_scales(&scales, global)?, groups.dtype())?;
    let none = equal(&scale, &groups.weak(0.))?;
    let ratio = divide(groups, &where_(&none, &groups.weak(1.), &scale)?)?;
    Ok((minifloat::encode(&where_(&none, &groups.weak(0.), &ratio)?, format)?, scales))
}

/// By what the scales of groups are multiplied: `global` is the largest number of all, and with it the largest of all
/// scales is the largest one that there is.
fn global_step(global: &Array) -> Result<Array> {
    divide(&reshape(global, [].into())?, &global.weak(E2M1_LARGEST * E4M3_LARGEST))
}

fn nv_scales(codes: &Array, global: Option<&Array>) -> Result<Array> {
    let scales = from_fp8(codes, Dtype::F32)?;
    match global {
        Some(global) => multiply(&scales, &global_step(global)?),
        None => Ok(scales),
    }
}

/// The numbers that codes, scales and biases stand for. Without `dtype` they have the type of the scales in `affine`, and
/// `bfloat16` in the other modes.
///
/// # Errors
/// `Type` for codes that are not `uint32` or scales of the wrong type, `Value` for shapes that do not fit.
pub fn dequantize(
    q: &Quantized,
    scheme: Scheme,
    global: Option<&Array>,
    dtype: Option<Dtype>,
) -> Result<Array> {
    let affine = scheme.mode == Mode::Affine;
    scheme.check(&q.codes, &q.scales, q.biases.as_ref())?;
    scheme.check_global(global)?;
    let dtype = dtype.unwrap_or(if affine { q.scales.dtype() } else { Dtype::Bf16 });
    if dtype.kind() != Kind::Float {
        return Err(Error::type_(format!(
            "[{}] expected a float type for the result, got {dtype}",
            scheme.op
        )));
    }
    let codes = blocks(&packed::unpack(&q.codes, scheme.bits)?, scheme.group)?;
    let scales = blocks(&scales(q, scheme, global)?, 1)?;
    let value = match &q.biases {
        Some(biases) => add(&multiply(&cast(&codes, scales.dtype())?, &scales)?, &blocks(biases, 1)?)?,
        None => {
            let format = if scheme.bits == 4 { &E2M1 } else { &E4M3 };
            multiply(&minifloat::decode(&codes, format)?, &scales)?
        }
    };
    cast(&packed::joined(&value)?, dtype)
}

/// The scales of groups as numbers: of `affine` as they are, else in `float32`.
pub(super) fn scales(q: &Quantized, scheme: Scheme, global: Option<&Array>) -> Result<Array> {
    scheme.check_global(global)?;
    match scheme.mode {
        Mode::Affine => Ok(q.scales.clone()),
        Mode::Nvfp4 => nv_scales(&q.scales, global),
        Mode::Mxfp4 | Mode::Mxfp8 => minifloat::decode_power(&cast(&q.scales, Dtype::U32)?),
    }
}

/// The type in which a matrix is multiplied with a quantised one.
pub(super) fn met(op: &str, x: &Array, q: &Quantized) -> Result<Dtype> {
    let dtype = if q.biases.is_some() { promote(x.dtype(), q.scales.dtype()) } else { x.dtype() };
    if dtype.kind() != Kind::Float {
        let (name, got) = if x.dtype() == dtype { ("x", x) } else { ("scales", &q.scales) };
        return Err(Error::type_(format!("[{op}] expected {name} of a float type, got {}", got.aval())));
    }
    Ok(dtype)
}
