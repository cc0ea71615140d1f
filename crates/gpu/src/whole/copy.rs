//! Kernels that move elements or make them of nothing.

use pullback_base::{Dtype, Layout, Result};
use pullback_compile::WholeStep;

use super::{done, held, key, moved, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::inst::cast;
use crate::memory::Piece;
use crate::point::unravel;
use crate::space::{collapsed, count, index};
use crate::text::Ty;

/// Rows of `len` elements, from one array into a wider one.
const ROWS: &str = "MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    out[to + (i / len) * pitch + i % len] = x[begin + i];
}
";
const FILL: &str = "MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    out[i] = x[begin];
}
";
const RANDOM: &str = include_str!("../../../kernels/wgsl/random.wgsl");

/// `parts [o, n_j, i] -> [o, sum n_j, i]`: part by part.
pub(super) fn concatenate(session: &mut Session, step: &WholeStep, args: &[Arg], out: &Piece) -> Result<()> {
    let (whole, inner) = (step.shape[1], step.shape[2]);
    let mut at = 0;
    for (arg, shape) in args.iter().zip(&step.shapes) {
        let n = count(shape)?;
        let named = [
            n,
            index(shape[1] * inner)?,
            index(whole * inner)?,
            index(at * inner)?,
            index(arg.layout.offset)?,
        ];
        if n > 0 {
            let dtype = moved(arg.dtype);
            let arrays = [arg.piece.clone(), out.clone()];
            session.launch(key("rows", dtype, 0), &arrays, &words(&named), threads(n.into()), || {
                Ok(rows_text(dtype))
            })?;
        }
        at += shape[1];
    }
    Ok(())
}

pub(crate) fn rows_text(dtype: Dtype) -> String {
    let ty = held(dtype).word();
    whole_text(&[("x", ty), ("out", ty)], &["n", "len", "pitch", "to", "begin"], "", ROWS)
}

/// `x [..], fill [] -> [size]`: the fill everywhere, then the elements.
pub(super) fn place(
    session: &mut Session,
    args: &[Arg],
    out: &Piece,
    size: usize,
    into: &Layout,
) -> Result<()> {
    let (x, fill) = (&args[0], &args[1]);
    let dtype = moved(x.dtype);
    let n = count(&into.shape)?;
    if n as usize != size {
        let named = [index(size)?, index(fill.layout.offset)?];
        let arrays = [fill.piece.clone(), out.clone()];
        session.launch(key("fill", dtype, 0), &arrays, &words(&named), threads(size as u64), || {
            Ok(fill_text(dtype))
        })?;
    }
    let (sizes, strides) = collapsed(into)?;
    let rank = sizes.len();
    let mut named = vec![n, index(x.layout.offset)?, index(into.offset)?];
    named.extend(sizes);
    named.extend(strides);
    let arrays = [x.piece.clone(), out.clone()];
    let key = key("place", dtype, rank as u32);
    session.launch(key, &arrays, &words(&named), threads(n.into()), || Ok(place_text(dtype, rank)))
}

pub(crate) fn fill_text(dtype: Dtype) -> String {
    let ty = held(dtype).word();
    whole_text(&[("x", ty), ("out", ty)], &["n", "begin"], "", FILL)
}

pub(crate) fn place_text(dtype: Dtype, rank: usize) -> String {
    let ty = held(dtype).word();
    let first = super::FIRST + 3;
    let mut body = "MAIN\n    let i = group * 256u + l;\n    if (i >= n) { return; }\n".to_string();
    body += &unravel("i", "c", rank, first);
    let mut at = "to".to_string();
    (0..rank).for_each(|axis| at += &format!(" + c{axis} * {}", crate::kernel::param(first + rank + axis)));
    body += &format!("    out[{at}] = x[begin + i];\n}}\n");
    whole_text(&[("x", ty), ("out", ty)], &["n", "begin", "to"], "", &body)
}

/// `-> [n]`.
pub(super) fn iota(session: &mut Session, step: &WholeStep, out: &Piece, dtype: Dtype) -> Result<()> {
    let n = count(&step.shape)?;
    session.launch(key("iota", dtype, 0), std::slice::from_ref(out), &words(&[n]), threads(n.into()), || {
        Ok(iota_text(dtype))
    })
}

pub(crate) fn iota_text(dtype: Dtype) -> String {
    let ty = held(dtype).name();
    let value = match dtype {
        Dtype::C64 => cast(Dtype::U32, dtype, "i"),
        _ => done(dtype, &format!("{ty}(i)")),
    };
    let body = format!(
        "MAIN\n    let i = group * 256u + l;\n    if (i >= n) {{ return; }}\n    out[i] = {value};\n}}\n"
    );
    whole_text(&[("out", ty)], &["n"], "", &body)
}

/// `keys u32 [b, 2] -> u32 [b, words]`: a thread per pair of words.
pub(super) fn random_bits(
    session: &mut Session,
    step: &WholeStep,
    keys: &Arg,
    out: &Piece,
    per_key: usize,
) -> Result<()> {
    let batch = step.shape[0];
    let pairs = per_key.div_ceil(2);
    let n = index(batch * pairs)?;
    let named = [n, index(pairs)?, index(per_key)?, index(keys.layout.offset)?];
    let arrays = [keys.piece.clone(), out.clone()];
    session.launch(key("random", Dtype::U32, 0), &arrays, &words(&named), threads(n.into()), || {
        Ok(random_text())
    })
}

pub(crate) fn random_text() -> String {
    whole_text(&[("keys", "u32"), ("out", "u32")], &["n", "pairs", "size", "begin"], "", RANDOM)
}

/// `n` elements of `out`, all of which are this word, or two of them.
pub(crate) fn start(
    session: &mut Session,
    out: &Piece,
    n: usize,
    dtype: Dtype,
    value: [u32; 2],
) -> Result<()> {
    let n = index(n)?;
    let named = words(&[n, value[0], value[1]]);
    let dtype = moved(dtype);
    session.launch(key("start", dtype, 0), std::slice::from_ref(out), &named, threads(n.into()), || {
        Ok(start_text(dtype))
    })
}

pub(crate) fn start_text(dtype: Dtype) -> String {
    let word = moved(dtype);
    let value = match held(word) {
        Ty::C64 => "vec2<u32>(low, high)",
        ty if ty.is_wide() => "(u64(high) << 32u) | u64(low)",
        _ => "low",
    };
    let body = format!(
        "MAIN\n    let i = group * 256u + l;\n    if (i >= n) {{ return; }}\n    out[i] = {value};\n}}\n"
    );
    whole_text(&[("out", held(word).word())], &["n", "low", "high"], "", &body)
}

/// Elements that whoever wrote `out` may have left between those of its type: brought to the nearest.
pub(crate) fn settle(session: &mut Session, out: &Piece, n: usize, dtype: Dtype) -> Result<()> {
    let n = index(n)?;
    session.launch(
        key("settle", dtype, 0),
        std::slice::from_ref(out),
        &words(&[n]),
        threads(n.into()),
        || Ok(settle_text(dtype)),
    )
}

pub(crate) fn settle_text(dtype: Dtype) -> String {
    let value = done(dtype, "out[i]");
    let body = format!(
        "MAIN\n    let i = group * 256u + l;\n    if (i >= n) {{ return; }}\n    out[i] = {value};\n}}\n"
    );
    whole_text(&[("out", held(dtype).name())], &["n"], "", &body)
}
