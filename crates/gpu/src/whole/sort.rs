//! Sorting along an axis: runs of 64 by counting, then merges of neighbouring runs, each element finding its place
//! by bisection in the other run. Stable, without barriers, and the same for every length.

use pullback_base::{Dtype, Result, Shape};
use pullback_compile::WholeStep;

use super::{held, key, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::memory::Piece;
use crate::space::{count, index};
use crate::text::Ty;

const SORT: &str = include_str!("../../../kernels/wgsl/sort.wgsl");
/// Length of the runs that counting sorts.
const RUN: usize = 64;

pub(super) fn run(
    session: &mut Session,
    step: &WholeStep,
    x: &Arg,
    out: &Piece,
    positions: bool,
) -> Result<()> {
    sort(session, &step.shape, (&x.piece, x.layout.offset, x.dtype), out, positions)
}

/// Sorts `[o, n, i]` along its middle axis, or gives the positions that would.
pub(super) fn sort(
    session: &mut Session,
    shape: &Shape,
    (x, offset, dtype): (&Piece, usize, Dtype),
    out: &Piece,
    positions: bool,
) -> Result<()> {
    let (n, inner, all) = (shape[1], shape[2], count(shape)?);
    let merges = n.div_ceil(RUN).next_power_of_two().trailing_zeros();
    let spare = match merges {
        0 => None,
        _ => Some(session.block(all as usize, if positions { Dtype::U32 } else { dtype })?),
    };
    let mut from = x.clone();
    for pass in 0..=merges {
        // Back and forth, so that the last pass writes the result.
        let to = match (&spare, (merges - pass) % 2) {
            (Some(spare), 1) => spare.piece().clone(),
            _ => out.clone(),
        };
        let width = RUN << pass.saturating_sub(1);
        let start = if pass == 0 && !positions { offset } else { 0 };
        let named = [all, index(n)?, index(inner)?, index(width)?, index(start)?, index(offset)?];
        let form = Form { positions, first: pass == 0 };
        let arrays = [x.clone(), from, to.clone()];
        let key = key("sort", dtype, u32::from(positions) * 2 + u32::from(form.first));
        session.launch(key, &arrays, &words(&named), threads(all.into()), || Ok(text(dtype, form)))?;
        from = to;
    }
    Ok(())
}

/// Which of the kernels.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Moves positions, and compares what they point at; else elements.
    pub positions: bool,
    /// Sorts runs; else merges two of them.
    pub first: bool,
}

pub(crate) fn text(dtype: Dtype, form: Form) -> String {
    let ty = held(dtype);
    let before = if ty == Ty::F32 { "pb_before(a, b)" } else { "a < b" };
    let ty = ty.name();
    let payload = if form.positions { "u32" } else { ty };
    // In the first pass positions are still those of the elements themselves.
    let (load, look) = match (form.positions, form.first) {
        (true, true) => ("j", "x[base + item * inner]"),
        (true, false) => ("src[start + j * inner]", "x[base + item * inner]"),
        (false, _) => ("src[start + j * inner]", "item"),
    };
    let functions = format!(
        "fn before(a: {ty}, b: {ty}) -> bool {{ return {before}; }}
fn load(start: u32, inner: u32, j: u32) -> {payload} {{ return {load}; }}
fn look(base: u32, inner: u32, item: {payload}) -> {ty} {{ return {look}; }}
"
    );
    let (runs, merges) = SORT.split_once("// MERGE\n").expect("the file has both kernels");
    let file = if form.first { runs } else { merges };
    let arrays = [("x", ty), ("src", payload), ("out", payload)];
    let words = ["all", "n", "inner", "width", "begin", "origin"];
    whole_text(&arrays, &words, &functions, file)
}
