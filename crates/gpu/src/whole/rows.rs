//! Rows by position: taken, and written.
//!
//! Writing has no atomics: positions are sorted, and every element of the result looks for its updates among them, so
//! that they are joined in their order, on every run.

use pullback_base::{Dtype, Result, Shape};
use pullback_compile::WholeStep;
use pullback_kernels::Scatter;

use super::{done, held, key, moved, scatter_fold, sort, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::inst::join;
use crate::memory::Piece;
use crate::space::{count, index};
use crate::text::Ty;

const TAKE: &str = "MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    let k = index[at + i / inner];
    let row = clamp(select(k, k + i32(size), k < 0), 0, i32(size) - 1);
    out[i] = table[begin + u32(row) * inner + i % inner];
}
";
const POSITIONS: &str = "MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    let k = index[at + i];
    let row = select(k, k + i32(size), k < 0);
    // What is out of range sorts behind all rows.
    out[i] = select(u32(row), size, row < 0 || row >= i32(size));
}
";
const SCATTER: &str = include_str!("../../../kernels/wgsl/scatter.wgsl");

/// `table [n, i], index i32 [k] -> [k, i]`.
pub(super) fn take(session: &mut Session, step: &WholeStep, args: &[Arg], out: &Piece) -> Result<()> {
    let (table, at) = (&args[0], &args[1]);
    let (size, inner) = (step.shapes[0][0], step.shapes[0][1]);
    let n = count(&step.shape)?;
    let named = [n, index(inner)?, index(size)?, index(at.layout.offset)?, index(table.layout.offset)?];
    let dtype = moved(table.dtype);
    if size == 0 {
        return Ok(()); // there is no row that it could be; the operation refuses this
    }
    let arrays = [table.piece.clone(), at.piece.clone(), out.clone()];
    session.launch(key("take", dtype, 0), &arrays, &words(&named), threads(n.into()), || Ok(take_text(dtype)))
}

pub(crate) fn take_text(dtype: Dtype) -> String {
    let ty = held(dtype).word();
    let arrays = [("table", ty), ("index", "i32"), ("out", ty)];
    whole_text(&arrays, &["n", "inner", "size", "at", "begin"], "", TAKE)
}

/// `x [n, i], index i32 [k], updates [k, i] -> [n, i]`.
pub(super) fn scatter(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    out: &Piece,
    how: Scatter,
) -> Result<()> {
    let [x, at, updates] = [&args[0], &args[1], &args[2]];
    let (size, inner, k) = (step.shape[0], step.shape[1], step.shapes[1].size());
    let positions = session.block(k, Dtype::U32)?;
    let order = session.block(k, Dtype::U32)?;
    let named = [index(k)?, index(size)?, index(at.layout.offset)?];
    let arrays = [at.piece.clone(), positions.piece().clone()];
    session.launch(key("positions", Dtype::I32, 0), &arrays, &words(&named), threads(k as u64), || {
        Ok(positions_text())
    })?;
    if k > 0 {
        let sorted = Shape::from([1, k, 1]);
        sort::sort(session, &sorted, (positions.piece(), 0, Dtype::U32), order.piece(), true)?;
    }
    let n = count(&step.shape)?;
    let named = [n, index(inner)?, index(k)?, index(x.layout.offset)?, index(updates.layout.offset)?];
    let arrays = [
        x.piece.clone(),
        updates.piece.clone(),
        positions.piece().clone(),
        order.piece().clone(),
        out.clone(),
    ];
    let dtype = x.dtype;
    let key = key("scatter", dtype, how as u32);
    session.launch(key, &arrays, &words(&named), threads(n.into()), || Ok(scatter_text(dtype, how)))
}

pub(crate) fn positions_text() -> String {
    whole_text(&[("index", "i32"), ("out", "u32")], &["n", "size", "at"], "", POSITIONS)
}

pub(crate) fn scatter_text(dtype: Dtype, how: Scatter) -> String {
    let ty: Ty = held(dtype);
    let joined = scatter_fold(how).map_or("y".to_string(), |fold| join(fold, ty, "x", "y"));
    let ty = ty.name();
    let functions = format!(
        "fn joined(x: {ty}, y: {ty}) -> {ty} {{ return {joined}; }}
fn done(x: {ty}) -> {ty} {{ return {}; }}
",
        done(dtype, "x")
    );
    let arrays = [("x", ty), ("updates", ty), ("positions", "u32"), ("order", "u32"), ("out", ty)];
    whole_text(&arrays, &["n", "inner", "k", "begin", "at"], &functions, SCATTER)
}
