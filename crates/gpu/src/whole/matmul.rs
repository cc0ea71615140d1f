//! Matrix products: through workgroup memory on hardware, from registers alone on software adapters, where a barrier
//! costs more than it saves.

use pullback_base::{Dtype, Result};
use pullback_compile::WholeStep;

use super::{done, held, key, summing, threads, whole_text, words};
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
const ENOUGH: usize = 256;
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
    let cut = Cut::of(batch, [rows, cols, depth], direct);
    let mut named = vec![index(rows)?, index(cols)?, index(depth)?, index(cut.chunk)?, index(cut.tiles)?];
    named.extend([index(cut.across)?, index(cut.down)?, index(batch)?]);
    for (layout, strides) in [(a, &of_a), (b, of_b)] {
        named.push(index(layout.offset)?);
        named.extend(strides.iter().map(|&stride| stride as i32 as u32));
    }
    let of = args[0].dtype;
    in_parts(session, cut.parts, step.shape.size(), out, dtype, |session, into, to| {
        let arrays = [args[0].piece.clone(), args[1].piece.clone(), into.clone()];
        let form = Key::Whole("matmul", to, u32::from(direct) * 256 + of as u32);
        session.launch(form, &arrays, &words(&named), cut.tiles as u64, || Ok(text(of, to, direct)))
    })
}

/// A product as tiles, one workgroup each.
pub(super) struct Cut {
    pub down: usize,
    pub across: usize,
    /// Products that each tile sums, and into how many parts the depth is cut.
    pub chunk: usize,
    pub parts: usize,
    pub tiles: usize,
}

impl Cut {
    /// Of so many layers of rows, columns and depth; a small product of great depth is cut along it, or most of the device
    /// would rest, unless it is to be `whole`.
    pub fn of(layers: usize, [rows, cols, depth]: [usize; 3], whole: bool) -> Cut {
        let (down, across) = (rows.div_ceil(SIDE), cols.div_ceil(SIDE));
        let tiles = layers * down * across;
        let parts = if whole { 1 } else { (ENOUGH / tiles).min(depth / DEPTH).max(1) };
        Cut { down, across, chunk: depth.div_ceil(parts).max(1), parts, tiles: tiles * parts }
    }
}

/// Runs a kernel whose `n` results come in parts, and adds these up; sums of parts are not rounded to a narrow type.
pub(super) fn in_parts(
    session: &mut Session,
    parts: usize,
    n: usize,
    out: &Piece,
    dtype: Dtype,
    run: impl FnOnce(&mut Session, &Piece, Dtype) -> Result<()>,
) -> Result<()> {
    if parts == 1 {
        return run(session, out, dtype);
    }
    let to = totals(dtype);
    let sums = session.block(n * parts, to)?;
    run(session, sums.piece(), to)?;
    let named = [index(n)?, index(parts)?];
    let arrays = [sums.piece().clone(), out.clone()];
    session
        .launch(key("parts", dtype, 0), &arrays, &words(&named), threads(n as u64), || Ok(parts_text(dtype)))
}

/// The type in which elements of type `dtype` are summed.
fn totals(dtype: Dtype) -> Dtype {
    pullback_compile::program::computing(dtype)
}

/// The text, for factors of one type and a product of another.
pub(crate) fn text(of: Dtype, dtype: Dtype, direct: bool) -> String {
    let (ty, to) = (held(of), held(dtype).name());
    let (functions, file) = summing(ty, &finish(of, dtype), if direct { DIRECT } else { TILED });
    whole_text(&[("a", ty.name()), ("b", ty.name()), ("c", to)], &WORDS, &functions, &file)
}

pub(crate) fn parts_text(dtype: Dtype) -> String {
    let from = totals(dtype);
    let arrays = [("x", held(from).name()), ("out", held(dtype).name())];
    whole_text(&arrays, &["n", "parts"], &finish(from, dtype), PARTS)
}

/// The function that makes a result of one type of a sum of another.
pub(super) fn finish(of: Dtype, dtype: Dtype) -> String {
    let (ty, to) = (held(of).name(), held(dtype).name());
    // Unsigned narrow integers are held in u32 and summed in i32, which have the same bits.
    let value = if to == ty { done(dtype, "x") } else { done(dtype, &format!("bitcast<{to}>(x)")) };
    format!("fn done(x: {ty}) -> {to} {{ return {value}; }}\n")
}
