//! Matrix products: through workgroup memory on hardware, from registers alone on software adapters, where a barrier
//! costs more than it saves.

use pullback_base::{Dtype, Result};
use pullback_compile::WholeStep;

use super::{done, held, key, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::kernel::Key;
use crate::memory::Piece;
use crate::space::index;

const DIRECT: &str = include_str!("../../../kernels/wgsl/matmul_direct.wgsl");
const TILED: &str = include_str!("../../../kernels/wgsl/matmul_tiled.wgsl");
/// Sums over parts of the depth.
const PARTS: &str = "MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    var sum = x[i];
    for (var part = 1u; part < parts; part++) { sum += x[part * n + i]; }
    out[i] = done(sum);
}
";
/// Rows and columns of the result that a workgroup makes.
const SIDE: usize = 64;
/// Workgroups that keep hardware busy.
const ENOUGH: u64 = 256;
/// The least depth that is worth a part of its own.
const DEPTH: usize = 512;
const WORDS: [&str; 16] = [
    "rows", "cols", "depth", "chunk", "tiles", "across", "down", "batches", "a0", "ab", "am", "ak", "b0",
    "bb", "bk", "bn",
];

pub(super) fn run(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let direct = session.device.is_software();
    let [mut batch, mut rows, cols] = [step.shape[0], step.shape[1], step.shape[2]];
    let (a, b) = (&args[0].layout, &args[1].layout);
    let (mut of_a, of_b) = (a.strides.clone(), &b.strides);
    // One right factor for the whole batch: its left factors are rows of one, if they lie so.
    if batch > 1 && of_b[0] == 0 && (rows == 1 || of_a[0] == of_a[1] * rows as isize) {
        if rows == 1 {
            of_a[1] = of_a[0];
        }
        (batch, rows) = (1, batch * rows);
    }
    let depth = a.shape[2];
    let (down, across) = (rows.div_ceil(SIDE), cols.div_ceil(SIDE));
    let tiles = batch as u64 * (down * across) as u64;
    // A small product of great depth is cut along it, or most of the device would rest.
    let parts = if direct { 1 } else { (ENOUGH / tiles).min((depth / DEPTH) as u64).max(1) };
    let chunk = depth.div_ceil(parts as usize).max(1);
    let tiles = tiles * parts;
    let mut named = vec![index(rows)?, index(cols)?, index(depth)?, index(chunk)?, tiles as u32];
    named.extend([index(across)?, index(down)?, index(batch)?]);
    for (layout, strides) in [(a, &of_a), (b, of_b)] {
        named.push(index(layout.offset)?);
        named.extend(strides.iter().map(|&stride| stride as i32 as u32));
    }
    let of = args[0].dtype;
    let n = step.shape.size();
    // Sums of parts are not rounded to a narrow type.
    let (to, wide) = (if parts == 1 { dtype } else { totals(dtype) }, n * parts as usize);
    let part = if parts == 1 { None } else { Some(session.block(wide, to)?) };
    let into = part.as_ref().map_or(out, |block| block.piece()).clone();
    let arrays = [args[0].piece.clone(), args[1].piece.clone(), into.clone()];
    let form = Key::Whole("matmul", to, u32::from(direct) * 256 + of as u32);
    session.launch(form, &arrays, &words(&named), tiles, || Ok(text(of, to, direct)))?;
    if parts > 1 {
        let named = [index(n)?, parts as u32];
        let arrays = [into, out.clone()];
        session.launch(key("parts", dtype, 0), &arrays, &words(&named), threads(n as u64), || {
            Ok(parts_text(dtype))
        })?;
    }
    Ok(())
}

/// The type in which elements of type `dtype` are summed.
fn totals(dtype: Dtype) -> Dtype {
    pullback_compile::program::computing(dtype)
}

/// The text, for factors of one type and a product of another.
pub(crate) fn text(of: Dtype, dtype: Dtype, direct: bool) -> String {
    let ty = held(of).name();
    let file = if direct { DIRECT } else { TILED };
    let to = held(dtype).name();
    // Unsigned narrow integers are held in u32 and summed in i32, which have the same bits.
    let value = if to == ty { done(dtype, "x") } else { done(dtype, &format!("bitcast<{to}>(x)")) };
    let functions = format!("fn done(x: {ty}) -> {to} {{ return {value}; }}\n");
    let file = file.replace("<T", &format!("<{ty}")).replace("T(0)", &format!("{ty}(0)"));
    whole_text(&[("a", ty), ("b", ty), ("c", to)], &WORDS, &functions, &file)
}

pub(crate) fn parts_text(dtype: Dtype) -> String {
    let (ty, to) = (held(totals(dtype)).name(), held(dtype).name());
    let value = if to == ty { done(dtype, "x") } else { done(dtype, &format!("bitcast<{to}>(x)")) };
    let functions = format!("fn done(x: {ty}) -> {to} {{ return {value}; }}\n");
    whole_text(&[("x", ty), ("out", to)], &["n", "parts"], &functions, PARTS)
}
