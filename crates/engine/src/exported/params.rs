//! Arguments of operations that are not arrays, as bytes: a number for the kind, and what the kind has.

use pullback_base::{Error, Result};
use pullback_core::Params;
use pullback_kernels::{Codes, Fourier, Packed, Scale, Slide, Spectrum, Vectors};

use super::bytes::{Reader, Writer};
use super::program::wrong;

/// Writes params.
///
/// # Errors
/// `Value` for a call of the host.
pub(super) fn write(to: &mut Writer, params: &Params) -> Result<()> {
    match params {
        Params::None => to.byte(0),
        Params::Axis(axis) => {
            to.byte(1);
            to.long(*axis as u64);
        }
        Params::Axes(axes) => {
            to.byte(2);
            to.sizes(axes);
        }
        Params::Shape(shape) => {
            to.byte(3);
            to.sizes(shape);
        }
        Params::Dtype(dtype) => {
            to.byte(4);
            to.dtype(*dtype);
        }
        Params::Slice { start, step, shape } => {
            to.byte(5);
            reach(to, start, step, shape);
        }
        Params::Place { start, step, shape } => {
            to.byte(6);
            reach(to, start, step, shape);
        }
        Params::Scan { axis, reverse, inclusive } => {
            to.byte(7);
            to.long(*axis as u64);
            to.byte(u8::from(*reverse));
            to.byte(u8::from(*inclusive));
        }
        Params::Count(count, dtype) => {
            to.byte(8);
            to.long(*count as u64);
            to.dtype(*dtype);
        }
        Params::Name(name) => {
            to.byte(9);
            to.text(name);
        }
        Params::Slides(slides) => {
            to.byte(10);
            to.count(slides.len());
            for slide in slides {
                let sizes = [slide.count, slide.stride, slide.low as usize, slide.dilation, slide.spread];
                sizes.iter().for_each(|&size| to.long(size as u64));
            }
        }
        Params::Strided { shape, strides, offset } => {
            to.byte(11);
            to.long(*offset as u64);
            reach(to, &[], strides, shape);
        }
        Params::Fourier(axis, of) => {
            to.byte(12);
            to.long(*axis as u64);
            to.long(of.n as u64);
            to.byte(u8::from(of.inverse));
            to.byte(place(&SCALES, of.scale));
            to.byte(place(&SPECTRA, of.spectrum));
        }
        Params::Upper(upper) => {
            to.byte(13);
            to.byte(u8::from(*upper));
        }
        Params::Transposed(transposed) => {
            to.byte(14);
            to.byte(u8::from(*transposed));
        }
        Params::Vectors(vectors) => {
            to.byte(15);
            to.byte(place(&VECTORS, *vectors));
        }
        Params::Packed(packed) => {
            to.byte(16);
            to.byte(match packed.codes {
                Codes::Bits(bits) => bits,
                Codes::E2m1 => E2M1,
                Codes::E4m3 => E4M3,
            });
            to.long(packed.group as u64);
            to.byte(u8::from(packed.transposed));
        }
        Params::Host(call) => {
            let text = format!("[export_function] expected operations of the engine, got {}", call.op.name);
            return Err(Error::value(text));
        }
    }
    Ok(())
}

/// Codes that are no whole numbers, in the place of a number of bits.
const E2M1: u8 = 0xf4;
const E4M3: u8 = 0xf8;
const SCALES: [Scale; 3] = [Scale::One, Scale::Root, Scale::Length];
const VECTORS: [Vectors; 3] = [Vectors::None, Vectors::Thin, Vectors::Full];
const SPECTRA: [Spectrum; 3] = [Spectrum::Full, Spectrum::Once, Spectrum::Twice];

fn place<T: PartialEq>(among: &[T], one: T) -> u8 {
    among.iter().position(|other| *other == one).expect("all of them are listed") as u8
}

fn one_of<T: Copy>(among: &[T], from: &mut Reader<'_>) -> Result<T> {
    let place = from.byte("a choice")?;
    among
        .get(usize::from(place))
        .copied()
        .ok_or_else(|| wrong(format!("a choice that there is, got {place}")))
}

fn reach(to: &mut Writer, start: &[usize], step: &[isize], shape: &[usize]) {
    to.sizes(start);
    to.count(step.len());
    step.iter().for_each(|&step| to.long(step as u64));
    to.sizes(shape);
}

/// Reads params. Whether they suit an operation is not asked here.
///
/// # Errors
/// `Value` for bytes that are none.
pub(super) fn read(from: &mut Reader<'_>) -> Result<Params> {
    Ok(match from.byte("params")? {
        0 => Params::None,
        1 => Params::Axis(from.size("an axis")?),
        2 => Params::Axes(from.sizes("axes")?),
        3 => Params::Shape(from.shape()?),
        4 => Params::Dtype(from.dtype()?),
        5 => {
            let (start, step) = (from.sizes("starts")?, steps(from)?);
            Params::Slice { start, step, shape: from.shape()? }
        }
        6 => {
            let (start, step) = (from.sizes("starts")?, steps(from)?);
            Params::Place { start, step, shape: from.shape()? }
        }
        7 => Params::Scan {
            axis: from.size("an axis")?,
            reverse: from.byte("a direction")? != 0,
            inclusive: from.byte("an end")? != 0,
        },
        8 => {
            let count = from.size("a count")?;
            Params::Count(count, from.dtype()?)
        }
        9 => Params::Name(from.text("a name")?.into()),
        10 => {
            let count = from.count("windows", 40)?;
            Params::Slides((0..count).map(|_| slide(from)).collect::<Result<_>>()?)
        }
        11 => {
            let offset = from.size("an offset")?;
            from.sizes("starts")?;
            Params::Strided { strides: steps(from)?, shape: from.shape()?, offset }
        }
        12 => {
            let (axis, n) = (from.size("an axis")?, from.size("a length")?);
            let inverse = from.byte("a direction")? != 0;
            let (scale, spectrum) = (one_of(&SCALES, from)?, one_of(&SPECTRA, from)?);
            Params::Fourier(axis, Fourier { n, inverse, scale, spectrum })
        }
        13 => Params::Upper(from.byte("a triangle")? != 0),
        14 => Params::Transposed(from.byte("a side")? != 0),
        15 => Params::Vectors(one_of(&VECTORS, from)?),
        16 => {
            let codes = match from.byte("a number of bits")? {
                E2M1 => Codes::E2m1,
                E4M3 => Codes::E4m3,
                bits => Codes::Bits(bits),
            };
            let group = from.size("a group")?;
            Params::Packed(Packed { codes, group, transposed: from.byte("a side")? != 0 })
        }
        other => return Err(wrong(format!("params of kinds 0 to 16, got {other}"))),
    })
}

fn slide(from: &mut Reader<'_>) -> Result<Slide> {
    let mut number = || from.size("a number of windows");
    let (count, stride, low) = (number()?, number()?, number()? as isize);
    Ok(Slide { count, stride, low, dilation: number()?, spread: number()? })
}

fn steps(from: &mut Reader<'_>) -> Result<Vec<isize>> {
    let back = |step: usize| step as isize;
    Ok(from.sizes("steps")?.into_iter().map(back).collect())
}
