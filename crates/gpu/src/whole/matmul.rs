//! Matrix products: through workgroup memory on hardware, from registers alone on software adapters, where a barrier
//! costs more than it saves.

use pullback_base::{Dtype, Result};
use pullback_compile::WholeStep;

use super::{done, held, key, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::memory::Piece;
use crate::space::index;

const DIRECT: &str = include_str!("../../../kernels/wgsl/matmul_direct.wgsl");
const TILED: &str = include_str!("../../../kernels/wgsl/matmul_tiled.wgsl");
/// Rows and columns of the result that a workgroup makes.
const SIDE: usize = 64;
const WORDS: [&str; 14] =
    ["rows", "cols", "depth", "tiles", "across", "down", "a0", "ab", "am", "ak", "b0", "bb", "bk", "bn"];

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
    let (down, across) = (rows.div_ceil(SIDE), cols.div_ceil(SIDE));
    let tiles = batch as u64 * (down * across) as u64;
    let mut named =
        vec![index(rows)?, index(cols)?, index(a.shape[2])?, tiles as u32, index(across)?, index(down)?];
    for (layout, strides) in [(a, &of_a), (b, of_b)] {
        named.push(index(layout.offset)?);
        named.extend(strides.iter().map(|&stride| stride as i32 as u32));
    }
    let arrays = [args[0].piece.clone(), args[1].piece.clone(), out.clone()];
    let of = args[0].dtype;
    let key = key("matmul", dtype, direct.into());
    session.launch(key, &arrays, &words(&named), tiles, || Ok(text(of, dtype, direct)))
}

/// The text, for factors of one type and a product of another.
pub(crate) fn text(of: Dtype, dtype: Dtype, direct: bool) -> String {
    let ty = held(of).name();
    let file = if direct { DIRECT } else { TILED };
    let functions = format!("fn done(x: {ty}) -> {ty} {{ return {}; }}\n", done(dtype, "x"));
    let file = file.replace("<T", &format!("<{ty}")).replace("T(0)", &format!("{ty}(0)"));
    whole_text(&[("a", ty), ("b", ty), ("c", ty)], &WORDS, &functions, &file)
}
