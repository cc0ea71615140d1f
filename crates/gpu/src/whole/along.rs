//! Kernels along one axis: the position of the largest, and running results.

use pullback_base::{Dtype, Kind, Result};
use pullback_compile::WholeStep;
use pullback_kernels::Cumulate;

use super::{done, fold_of, held, key, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::inst::{identity, join};
use crate::memory::Piece;
use crate::space::{count, index};
use crate::text::Ty;

const ARG: &str = include_str!("../../../kernels/wgsl/arg_reduce.wgsl");
const SCAN: &str = include_str!("../../../kernels/wgsl/scan.wgsl");
/// Elements of an axis that one thread runs over when there are many.
const CHUNK: usize = 64;
/// Rows that are enough for a thread each.
const ENOUGH: usize = 4096;

/// `[o, n, i] -> u32 [o, i]`.
pub(super) fn arg_reduce(
    session: &mut Session,
    step: &WholeStep,
    x: &Arg,
    out: &Piece,
    max: bool,
) -> Result<()> {
    let shape = &step.shapes[0];
    let (n, inner, units) = (index(shape[1])?, index(shape[2])?, count(&step.shape)?);
    let grouped = shape[1] > 64 && (shape[2] == 1 || step.shape.size() < 64);
    let named = [units, n, inner, index(x.layout.offset)?];
    let groups = if grouped { units.into() } else { threads(units.into()) };
    let arrays = [x.piece.clone(), out.clone()];
    let key = key("arg", x.dtype, u32::from(max) * 2 + u32::from(grouped));
    session.launch(key, &arrays, &words(&named), groups, || Ok(arg_text(x.dtype, max, grouped)))
}

pub(crate) fn arg_text(dtype: Dtype, max: bool, grouped: bool) -> String {
    let ty = held(dtype);
    let order = if max { "a > b" } else { "a < b" };
    let better = match ty {
        Ty::F32 => format!("!pb_isnan(b) && (pb_isnan(a) || {order})"),
        _ => order.to_string(),
    };
    let ty = ty.name();
    let functions = format!("fn better(a: {ty}, b: {ty}) -> bool {{ return {better}; }}\n");
    let (single, tree) = ARG.split_once("// GROUPED\n").expect("the file has both kernels");
    let file = if grouped { tree } else { single }.replace("<T", &format!("<{ty}"));
    whole_text(&[("x", ty), ("out", "u32")], &["units", "n", "inner", "begin"], &functions, &file)
}

/// How a running result runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub how: Cumulate,
    pub reverse: bool,
    pub inclusive: bool,
}

/// `[o, n, i] -> [o, n, i]`.
pub(super) fn cumulate(
    session: &mut Session,
    step: &WholeStep,
    x: &Arg,
    out: &Piece,
    running: Running,
) -> Result<()> {
    let shape = [step.shape[0], step.shape[1], step.shape[2]];
    scan(session, shape, (&x.piece, x.layout.offset), out, x.dtype, running)
}

/// One thread per row and chunk; where there are several chunks, their totals are run over first, by the same kernel.
fn scan(
    session: &mut Session,
    [outer, n, inner]: [usize; 3],
    (x, offset): (&Piece, usize),
    out: &Piece,
    dtype: Dtype,
    running: Running,
) -> Result<()> {
    let split = n > 4 * CHUNK && outer * inner < ENOUGH;
    let length = if split { CHUNK } else { n };
    let chunks = n.div_ceil(length);
    let units = index(outer * chunks * inner)?;
    let named = [units, index(n)?, index(inner)?, index(length)?, index(chunks)?, index(offset)?];
    let mut carry = None;
    let variant = |kind: u32| {
        kind * 16 + running.how as u32 * 4 + u32::from(running.reverse) * 2 + u32::from(running.inclusive)
    };
    let wide = totals_dtype(dtype);
    if split {
        let totals = session.block(units as usize, wide)?;
        let arrays = [x.clone(), totals.piece().clone()];
        let key = key("scan", dtype, variant(0));
        session.launch(key, &arrays, &words(&named), threads(units.into()), || {
            Ok(scan_text(dtype, running, Scan::Totals))
        })?;
        let before = session.block(units as usize, wide)?;
        let over = Running { how: running.how, reverse: false, inclusive: false };
        scan(session, [outer, chunks, inner], (totals.piece(), 0), before.piece(), wide, over)?;
        carry = Some(before);
    }
    let mut arrays = vec![x.clone(), out.clone()];
    arrays.extend(carry.iter().map(|carry| carry.piece().clone()));
    let kind = if split { Scan::Carried } else { Scan::Plain };
    let key = key("scan", dtype, variant(kind as u32));
    session
        .launch(key, &arrays, &words(&named), threads(units.into()), || Ok(scan_text(dtype, running, kind)))
}

/// Totals of chunks are not rounded to a half type.
fn totals_dtype(dtype: Dtype) -> Dtype {
    if held(dtype) == Ty::F32 { Dtype::F32 } else { dtype }
}

/// What a running result of nothing is: the extremes are those of the narrow type.
fn start(how: Cumulate, dtype: Dtype) -> String {
    let (max, bits) = (how == Cumulate::Max, 8 * dtype.size().min(4) as u32);
    let low = || -(1i64 << (bits - 1));
    match (how, dtype.kind()) {
        (Cumulate::Max | Cumulate::Min, Kind::Bool) => Ty::U32.number(u32::from(!max)),
        (Cumulate::Max | Cumulate::Min, Kind::Unsigned | Kind::Signed) if dtype.size() < 4 => {
            let signed = dtype.kind() == Kind::Signed;
            let value = match (max, signed) {
                (true, true) => low(),
                (true, false) => 0,
                (false, true) => -1 - low(),
                (false, false) => (1 << bits) - 1,
            };
            format!("{}({value})", held(dtype).name())
        }
        _ => identity(fold_of(how), held(dtype)),
    }
}

/// Which of the kernels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Totals of chunks.
    Totals,
    /// Running results of whole rows.
    Plain,
    /// Running results of chunks, which begin with what came before.
    Carried,
}

pub(crate) fn scan_text(dtype: Dtype, running: Running, kind: Scan) -> String {
    let (ty, fold) = (held(dtype), fold_of(running.how));
    let name = ty.name();
    let functions = format!(
        "fn joined(x: {name}, y: {name}) -> {name} {{ return {}; }}
fn done(x: {name}) -> {name} {{ return {}; }}
",
        join(fold, ty, "x", "y"),
        done(dtype, "x"),
    );
    let start = if kind == Scan::Carried { "carry[i]".to_string() } else { start(running.how, dtype) };
    let at = if running.reverse { "n - 1u - j" } else { "j" };
    let step = "acc = joined(acc, x[begin + at]);";
    let store = "out[at] = done(acc);";
    let (body, end) = match (kind, running.inclusive) {
        (Scan::Totals, _) => (step.to_string(), "out[i] = acc;"),
        (_, true) => (format!("{step} {store}"), ""),
        (_, false) => (format!("{store} {step}"), ""),
    };
    let file = SCAN.replace("START", &start).replace("AT", at).replace("STEP", &body).replace("END", end);
    let mut arrays = vec![("x", name), ("out", name)];
    if kind == Scan::Carried {
        arrays.push(("carry", name));
    }
    whole_text(&arrays, &["units", "n", "inner", "length", "chunks", "begin"], &functions, &file)
}
