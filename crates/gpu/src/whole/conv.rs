//! Convolutions: through workgroup memory where there is enough for a tile, else from registers alone.

use pullback_base::{Dtype, Layout, Result};
use pullback_compile::WholeStep;
use pullback_kernels::Slide;

use super::{held, key, matmul, summing, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::kernel::Key;
use crate::memory::Piece;
use crate::space::index;

const DIRECT: &str = include_str!("../../../kernels/wgsl/conv_direct.wgsl");
const TILED: &str = include_str!("../../../kernels/wgsl/conv_tiled.wgsl");
/// Channels that one thread makes.
const QUAD: usize = 4;
const WORDS: [&str; 13] =
    ["units", "quads", "groups", "channels", "depth", "x0", "xn", "xg", "xc", "w0", "wg", "wo", "wc"];
/// Names of the words of each spatial axis, followed by its number.
const ALONG: [&str; 9] =
    ["size", "kernel", "count", "stride", "low", "dilation", "spread", "x_stride", "w_stride"];

/// The same of the kernel with tiles.
const TILE_WORDS: [&str; 17] = [
    "tiles", "across", "down", "chunk", "depth", "rows", "groups", "channels", "inputs", "x0", "xn", "xg",
    "xc", "w0", "wg", "wo", "wc",
];
/// Windows, channels and products that make a tile worth its barriers.
const LEAST: usize = 16;

/// Sizes of a convolution.
struct Sizes {
    groups: usize,
    channels: usize,
    inputs: usize,
    rows: usize,
    depth: usize,
}

pub(super) fn run(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    slides: &[Slide],
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let r = slides.len();
    let (x, w) = (&args[0].layout.shape, &args[1].layout.shape);
    let sizes = Sizes {
        groups: w[0],
        channels: w[1],
        inputs: w[r + 2],
        rows: step.shape[..=r].iter().product(),
        depth: w[2..].iter().product(),
    };
    debug_assert_eq!(x[r + 2], sizes.inputs);
    let wide = [sizes.rows, sizes.channels, sizes.depth].iter().all(|&size| size >= LEAST);
    if wide && !session.device.is_software() {
        tiled(session, args, slides, &sizes, out, dtype)
    } else {
        direct(session, args, slides, &sizes, out, dtype)
    }
}

/// Offsets and strides of both operands, but for spatial axes.
fn operands(args: &[Arg], spatial: usize) -> Result<Vec<u32>> {
    let (x, w) = (&args[0].layout, &args[1].layout);
    let stride = |layout: &Layout, axis: usize| layout.strides[axis] as i32 as u32;
    Ok(vec![
        index(x.offset)?,
        stride(x, 0),
        stride(x, spatial + 1),
        stride(x, spatial + 2),
        index(w.offset)?,
        stride(w, 0),
        stride(w, 1),
        stride(w, spatial + 2),
    ])
}

/// The words of spatial axes.
fn along(args: &[Arg], slides: &[Slide]) -> Result<Vec<u32>> {
    let (x, w) = (&args[0].layout, &args[1].layout);
    let mut named = Vec::new();
    for (at, slide) in slides.iter().enumerate() {
        named.extend([index(x.shape[at + 1])?, index(w.shape[at + 2])?, index(slide.count)?]);
        named.extend([index(slide.stride)?, slide.low as i32 as u32, index(slide.dilation)?]);
        named.extend([
            index(slide.spread)?,
            x.strides[at + 1] as i32 as u32,
            w.strides[at + 2] as i32 as u32,
        ]);
    }
    Ok(named)
}

fn direct(
    session: &mut Session,
    args: &[Arg],
    slides: &[Slide],
    sizes: &Sizes,
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let r = slides.len();
    let quads = sizes.channels.div_ceil(QUAD);
    let units = sizes.rows * sizes.groups * quads;
    let mut named = vec![index(units)?, index(quads)?, index(sizes.groups)?, index(sizes.channels)?];
    named.push(index(sizes.inputs)?);
    named.extend(operands(args, r)?);
    named.extend(along(args, slides)?);
    let arrays = [args[0].piece.clone(), args[1].piece.clone(), out.clone()];
    session.launch(key("conv", dtype, r as u32), &arrays, &words(&named), threads(units as u64), || {
        Ok(direct_text(dtype, r))
    })
}

fn tiled(
    session: &mut Session,
    args: &[Arg],
    slides: &[Slide],
    sizes: &Sizes,
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let r = slides.len();
    let cut = matmul::Cut::of(sizes.groups, [sizes.rows, sizes.channels, sizes.depth], false);
    let n = sizes.rows * sizes.groups * sizes.channels;
    let mut named = vec![index(cut.tiles)?, index(cut.across)?, index(cut.down)?, index(cut.chunk)?];
    named.extend([index(sizes.depth)?, index(sizes.rows)?, index(sizes.groups)?, index(sizes.channels)?]);
    named.push(index(sizes.inputs)?);
    named.extend(operands(args, r)?);
    named.extend(along(args, slides)?);
    let of = args[0].dtype;
    matmul::in_parts(session, cut.parts, n, out, dtype, |session, into, to| {
        let arrays = [args[0].piece.clone(), args[1].piece.clone(), into.clone()];
        let form = Key::Whole("conv tiled", to, r as u32 * 256 + of as u32);
        session.launch(form, &arrays, &words(&named), cut.tiles as u64, || Ok(tiled_text(of, to, r)))
    })
}

/// The text for so many spatial axes.
pub(crate) fn direct_text(dtype: Dtype, spatial: usize) -> String {
    let ty = held(dtype).name();
    let (mut places, mut open) = (String::new(), String::new());
    for at in (0..spatial).rev() {
        places += &format!("let t{at} = (rest % count{at}) * stride{at};\n    rest /= count{at};\n    ");
    }
    for at in 0..spatial {
        open += &format!(
            "for (var k{at} = 0u; k{at} < kernel{at}; k{at}++) {{
        let p{at} = i32(t{at} + k{at} * dilation{at}) - i32(low{at});
        let u{at} = u32(p{at}) / spread{at};
        if (p{at} < 0 || u{at} >= size{at} || u{at} * spread{at} != u32(p{at})) {{ continue; }}
    "
        );
    }
    let sum = |base: &str, of: &str, name: &str| {
        let terms: String = (0..spatial).map(|at| format!(" + {of}{at} * {name}{at}")).collect();
        format!("{base}{terms}")
    };
    open += &format!(
        "let x_at = {};\n    let w_at = {};",
        sum("xi", "u", "x_stride"),
        sum("wi", "k", "w_stride")
    );
    let (functions, file) = summing(held(dtype), &matmul::finish(dtype, dtype), DIRECT);
    let file = file.replace("PLACES", &places);
    let file = file.replace("OPEN", &open).replace("CLOSE", &"}".repeat(spatial));
    whole(&WORDS, spatial, ty, ty, &functions, &file)
}

/// A text with the words of spatial axes behind those that are named.
fn whole(named: &[&str], spatial: usize, of: &str, to: &str, functions: &str, file: &str) -> String {
    let along: Vec<String> =
        (0..spatial).flat_map(|at| ALONG.iter().map(move |name| format!("{name}{at}"))).collect();
    let names: Vec<&str> = named.iter().copied().chain(along.iter().map(String::as_str)).collect();
    whole_text(&[("a", of), ("b", of), ("out", to)], &names, functions, file)
}

/// The text with tiles, for operands of one type and a result of another.
pub(crate) fn tiled_text(of: Dtype, dtype: Dtype, spatial: usize) -> String {
    let ty = held(of).name();
    let to = held(dtype).name();
    let axes = || 0..spatial;
    let (mut windows, mut place, mut stage) = (String::new(), String::new(), String::new());
    for i in 0..4 {
        windows +=
            &format!("let row{i} = top + side + {}u;\n    rest = min(row{i}, rows - 1u);\n    ", 16 * i);
        for at in axes().rev() {
            windows += &format!(
                "let p{at}_{i} = i32((rest % count{at}) * stride{at}) - i32(low{at});\n    rest /= count{at};\n    "
            );
        }
        windows += &format!("let base{i} = x0 + rest * xn + at_group * xg;\n    ");
    }
    for at in axes().rev() {
        place += &format!("let k{at} = rest % kernel{at};\n        rest /= kernel{at};\n        ");
    }
    let sum = |of: &str, name: &str, behind: &str| -> String {
        axes().map(|at| format!(" + {of}{at}{behind} * {name}{at}")).collect()
    };
    place += &format!("let bi = wi + c * wc{};", sum("k", "w_stride", ""));
    for i in 0..4 {
        let mut inside = format!("inside && row{i} < rows");
        for at in axes() {
            stage += &format!(
                "let q{at}_{i} = p{at}_{i} + i32(k{at} * dilation{at});
        let u{at}_{i} = u32(q{at}_{i}) / spread{at};
        "
            );
            inside += &format!(
                " && q{at}_{i} >= 0 && u{at}_{i} < size{at} && u{at}_{i} * spread{at} == u32(q{at}_{i})"
            );
        }
        let from = format!("base{i} + c * xc{}", sum("u", "x_stride", &format!("_{i}")));
        stage += &format!(
            "var s{i} = {zero};
        if ({inside}) {{ s{i} = a[{from}]; }}
        ta[product * 64u + side + {shift}u] = s{i};
        let col{i} = left + side + {shift}u;
        var r{i} = {zero};
        if (inside && col{i} < channels) {{ r{i} = b[bi + col{i} * wo]; }}
        tb[product * 64u + side + {shift}u] = r{i};
        ",
            shift = 16 * i,
            zero = held(of).number(0)
        );
    }
    let (functions, file) = summing(held(of), &matmul::finish(of, dtype), TILED);
    let file = file.replace("WINDOWS", &windows).replace("PLACE", &place).replace("STAGE", &stage);
    whole(&TILE_WORDS, spatial, ty, to, &functions, &file)
}
