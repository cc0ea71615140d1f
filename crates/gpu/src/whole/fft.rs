//! Fourier transforms of lengths that have no prime factor above 5, by Stockham's algorithm: its results are in order.
//!
//! On hardware a short line is transformed in workgroup memory; a long one, and any line on a software adapter, where a
//! barrier costs more than it saves, pass by pass through global memory. Roots of unity are a table that the host
//! computes in f64: no function of a shader is as exact. So a result is within a few units in the last place of
//! `float32`, relative to the norm of its line, times the logarithm of the length.

use std::f64::consts::TAU;
use std::fmt::Write;

use pullback_base::{Dtype, Result};
use pullback_compile::WholeStep;
use pullback_kernels::{Fourier, Spectrum};

use super::{key, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::memory::Piece;
use crate::space::index;

const PASS: &str = include_str!("../../../kernels/wgsl/fourier_pass.wgsl");
/// Complex numbers of each of the two arrays in workgroup memory: 16 KiB are what every adapter has.
const SHORT: usize = 1024;

/// Why a transform of this length has no kernel.
pub(super) fn lacks(n: usize) -> Option<String> {
    radices(n)
        .is_none()
        .then(|| "a Fourier transform over a prime factor above 5, which has no GPU kernel".into())
}

/// The lengths of the butterflies of each pass, whose product is `n`.
fn radices(mut n: usize) -> Option<Vec<usize>> {
    let mut found = vec![];
    for radix in [4, 2, 3, 5] {
        while n > 0 && n.is_multiple_of(radix) {
            n /= radix;
            found.push(radix);
        }
    }
    if found.is_empty() {
        found.push(1);
    }
    (n == 1).then_some(found)
}

/// Where a pass reads or writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Between passes: complex numbers, all of them.
    Within,
    /// The operand or the result, complex.
    Complex,
    /// The operand or the result, real.
    Real,
}

impl Side {
    fn of(dtype: Dtype) -> Side {
        if dtype == Dtype::C64 { Side::Complex } else { Side::Real }
    }

    fn ty(self) -> &'static str {
        if self == Side::Real { "f32" } else { "vec2<f32>" }
    }
}

/// `[o, m, i] -> [o, k, i]`.
pub(super) fn run(
    session: &mut Session,
    step: &WholeStep,
    x: &Arg,
    out: &Piece,
    (of, to): (&Fourier, Dtype),
) -> Result<()> {
    let roots = session.roots(of.n)?;
    let (outer, inner) = (step.shape[0], step.shape[2]);
    let lines = outer * inner;
    let sides = (Side::of(x.dtype), Side::of(to));
    let flip = if of.inverse { -1f32 } else { 1. };
    let common = [
        index(of.n)?,
        index(inner)?,
        index(x.layout.offset)?,
        index(step.shapes[0][1])?,
        index(step.shape[1])?,
        u32::from(of.spectrum == Spectrum::Twice),
        (of.factor() as f32).to_bits(),
        flip.to_bits(),
    ];
    index(lines * of.n)?;
    let arrays = [x.piece.clone(), out.clone(), roots];
    if session.device.is_software() || of.n > SHORT {
        return passes(session, arrays, (of.n, lines), sides, &common);
    }
    let line = Line { n: of.n, columns: inner > 1, sides };
    let named = [&[index(lines)?], &common[..]].concat();
    let groups = lines.div_ceil(line.per()) as u64;
    let key = key("fourier_line", Dtype::C64, line.variant());
    session.launch(key, &arrays, &words(&named), groups, || Ok(line_text(line)))
}

/// A line of any length, through global memory: a kernel per butterfly length.
fn passes(
    session: &mut Session,
    [mut from, out, roots]: [Piece; 3],
    (n, lines): (usize, usize),
    sides: (Side, Side),
    common: &[u32],
) -> Result<()> {
    let radices = radices(n).expect("what has no kernel was refused");
    // Blocks that results of passes alternate between; the last one goes where it belongs.
    let mut kept = [None, None];
    let mut span = 1;
    for (pass, &radix) in radices.iter().enumerate() {
        let (first, last) = (pass == 0, pass + 1 == radices.len());
        let each = n / radix;
        let form = Pass {
            radix,
            sides: (if first { sides.0 } else { Side::Within }, if last { sides.1 } else { Side::Within }),
            first,
        };
        let into = if last {
            out.clone()
        } else {
            let block = session.block(lines * n, Dtype::C64)?;
            let piece = block.piece().clone();
            kept[pass % 2] = Some(block);
            piece
        };
        let units = lines * each;
        let own = [index(units)?, index(each)?, index(span)?, index(n / (span * radix))?];
        let named = [&own, common].concat();
        let arrays = [from, into.clone(), roots.clone()];
        let key = key("fourier", Dtype::C64, form.variant());
        session.launch(key, &arrays, &words(&named), threads(units as u64), || Ok(pass_text(form)))?;
        (from, span) = (into, span * radix);
    }
    Ok(())
}

/// The `n` roots of unity, of which `k` is `e ** (-2 pi i k / n)`, as the device has complex numbers.
pub(crate) fn roots(n: usize) -> Vec<u8> {
    let root = |k: usize| {
        let (sin, cos) = (-TAU * k as f64 / n as f64).sin_cos();
        [(cos as f32).to_le_bytes(), (sin as f32).to_le_bytes()].concat()
    };
    (0..n).flat_map(root).collect()
}

/// A pass through global memory.
#[derive(Clone, Copy)]
pub(crate) struct Pass {
    pub radix: usize,
    pub sides: (Side, Side),
    /// Whether it is the first one, which has nothing to turn.
    pub first: bool,
}

impl Pass {
    fn variant(self) -> u32 {
        ((self.radix as u32 * 3 + self.sides.0 as u32) * 3 + self.sides.1 as u32) * 2 + u32::from(self.first)
    }
}

const COMMON: [&str; 8] = ["n", "inner", "begin", "read", "written", "twice", "scale", "flip"];

pub(crate) fn pass_text(form: Pass) -> String {
    let radix = form.radix;
    let (mut loads, mut stores) = (String::new(), String::new());
    for q in 0..radix {
        let x =
            format!("load(line, j + {q}u * each, column, n, inner, begin, read, twice, bitcast<f32>(flip))");
        let turned = format!("pb_complex_mul({x}, roots[k * {q}u * step])");
        let _ = writeln!(loads, "    v[{q}] = {};", if form.first || q == 0 { x } else { turned });
        let _ = writeln!(
            stores,
            "    store(line, to + {q}u * span, column, v[{q}], n, inner, written, twice, bitcast<f32>(scale), \
             bitcast<f32>(flip));"
        );
    }
    let file = PASS
        .replace("LOADS\n", &loads)
        .replace("BUTTERFLY", &butterfly(radix))
        .replace("STORES\n", &stores)
        .replace("RADIX", &radix.to_string());
    let arrays = [("x", form.sides.0.ty()), ("out", form.sides.1.ty()), ("roots", "vec2<f32>")];
    let names = [&["units", "each", "span", "step"], &COMMON[..]].concat();
    whole_text(&arrays, &names, &ends(form.sides), &file)
}

fn butterfly(radix: usize) -> String {
    if radix == 1 { String::new() } else { format!("pb_butterfly_{radix}(&v);") }
}

/// How elements are read and written. An inverse transform is one of conjugates, conjugated.
fn ends((from, to): (Side, Side)) -> String {
    let load = match from {
        Side::Within => "    return x[(line * n + j) * inner + column];",
        Side::Real => "    return vec2<f32>(x[begin + (line * n + j) * inner + column], 0.0);",
        // Half of the coefficients are enough: of the sum only the real part will be wanted.
        Side::Complex => {
            "    if (j >= read) { return vec2<f32>(0.0, 0.0); }
    let z = x[begin + (line * read + j) * inner + column];
    let pair = select(1.0, 2.0, twice > 0u && j > 0u && 2u * j < n);
    return vec2<f32>(z.x * pair, z.y * (pair * flip));"
        }
    };
    let pair = "select(1.0, 2.0, twice > 0u && k > 0u && 2u * k < n)";
    let store = match (from, to) {
        (_, Side::Within) => "    out[(line * n + k) * inner + column] = z;".to_string(),
        (_, Side::Real) => "    out[(line * n + k) * inner + column] = z.x * scale;".to_string(),
        (_, Side::Complex) => format!(
            "    if (k >= written) {{ return; }}
    let factor = scale * {pair};
    out[(line * written + k) * inner + column] = vec2<f32>(z.x * factor, z.y * (factor * flip));"
        ),
    };
    format!(
        "fn load(line: u32, j: u32, column: u32, n: u32, inner: u32, begin: u32, read: u32, twice: u32, flip: f32) \
         -> vec2<f32> {{
{load}
}}
fn store(line: u32, k: u32, column: u32, z: vec2<f32>, n: u32, inner: u32, written: u32, twice: u32, scale: f32, \
         flip: f32) {{
{store}
}}
"
    )
}

/// Short lines, as many as there is work for a workgroup, in its memory.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub n: usize,
    /// Whether neighbours in memory are of different lines.
    pub columns: bool,
    pub sides: (Side, Side),
}

impl Line {
    /// How many lines a workgroup has.
    fn per(self) -> usize {
        SHORT / self.n
    }

    fn variant(self) -> u32 {
        ((self.n as u32 * 2 + u32::from(self.columns)) * 3 + self.sides.0 as u32) * 3 + self.sides.1 as u32
    }
}

pub(crate) fn line_text(form: Line) -> String {
    let radices = radices(form.n).expect("what has no kernel was refused");
    let mut body = format!(
        "var<workgroup> even: array<vec2<f32>, {SHORT}>;
var<workgroup> odd: array<vec2<f32>, {SHORT}>;
MAIN
"
    );
    let mut span = 1;
    for (pass, &radix) in radices.iter().enumerate() {
        let last = pass + 1 == radices.len();
        body += &stage(form, pass, last, radix, span);
        body += if last { "" } else { "    workgroupBarrier();\n" };
        span *= radix;
    }
    body += "}\n";
    let arrays = [("x", form.sides.0.ty()), ("out", form.sides.1.ty()), ("roots", "vec2<f32>")];
    let names = [&["lines"], &COMMON[..]].concat();
    whole_text(&arrays, &names, &ends(form.sides), &body)
}

/// One pass over the lines of a workgroup, from the operand or one of its arrays to the result or the other one.
fn stage(form: Line, pass: usize, last: bool, radix: usize, span: usize) -> String {
    let (n, per, each, step) = (form.n, form.per(), form.n / radix, form.n / (span * radix));
    let first = pass == 0;
    let (before, after) = if pass.is_multiple_of(2) { ("odd", "even") } else { ("even", "odd") };
    let (s, j) = match form.columns {
        true => (format!("t % {per}u"), format!("t / {per}u")),
        false => (format!("t / {each}u"), format!("t % {each}u")),
    };
    let (mut loads, mut stores) = (String::new(), String::new());
    for q in 0..radix {
        let (from, to) = (format!("j + {}u", q * each), format!("to + {}u", q * span));
        let _ = match first {
            true => writeln!(
                loads,
                "            v[{q}] = load(here / inner, {from}, here % inner, n, inner, begin, read, twice, \
                 bitcast<f32>(flip));"
            ),
            false if q == 0 => writeln!(loads, "            v[{q}] = {before}[s * {n}u + {from}];"),
            false => writeln!(
                loads,
                "            v[{q}] = pb_complex_mul({before}[s * {n}u + {from}], roots[k * {}u]);",
                q * step
            ),
        };
        let _ = match last {
            true => writeln!(
                stores,
                "            store(here / inner, {to}, here % inner, v[{q}], n, inner, written, twice, \
                 bitcast<f32>(scale), bitcast<f32>(flip));"
            ),
            false => writeln!(stores, "            {after}[s * {n}u + {to}] = v[{q}];"),
        };
    }
    format!(
        "    for (var t = l; t < {}u; t += 256u) {{
        let s = {s};
        let j = {j};
        let k = j % {span}u;
        let to = (j / {span}u) * {}u + k;
        let here = group * {per}u + s;
        var v: array<vec2<f32>, {radix}>;
        if (here < lines) {{
{loads}            {}
{stores}        }}
    }}
",
        per * each,
        span * radix,
        butterfly(radix),
    )
}

/// Texts of some of the kernels, of every kind of side and radix.
#[cfg(test)]
pub(crate) fn texts() -> Vec<String> {
    let mut all = vec![];
    for sides in [(Side::Complex, Side::Complex), (Side::Real, Side::Complex), (Side::Complex, Side::Real)] {
        for radix in 1..=5 {
            all.push(pass_text(Pass { radix, sides, first: true }));
            all.push(pass_text(Pass { radix, sides: (sides.0, Side::Within), first: true }));
            all.push(pass_text(Pass { radix, sides: (Side::Within, sides.1), first: false }));
            all.push(pass_text(Pass { radix, sides: (Side::Within, Side::Within), first: false }));
        }
        for n in [1, 2, 60, 1024] {
            for columns in [false, true] {
                all.push(line_text(Line { n, columns, sides }));
            }
        }
    }
    all
}
