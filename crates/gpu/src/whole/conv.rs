//! Convolutions, from registers alone.

use pullback_base::{Dtype, Layout, Result};
use pullback_compile::WholeStep;
use pullback_kernels::Slide;

use super::{done, held, key, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::memory::Piece;
use crate::space::index;

const DIRECT: &str = include_str!("../../../kernels/wgsl/conv.wgsl");
/// Channels that one thread makes.
const QUAD: usize = 4;
const WORDS: [&str; 13] =
    ["units", "quads", "groups", "channels", "depth", "x0", "xn", "xg", "xc", "w0", "wg", "wo", "wc"];
/// Names of the words of each spatial axis, followed by its number.
const ALONG: [&str; 9] =
    ["size", "kernel", "count", "stride", "low", "dilation", "spread", "x_stride", "w_stride"];

pub(super) fn run(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    slides: &[Slide],
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let r = slides.len();
    let (x, w) = (&args[0].layout, &args[1].layout);
    let (groups, channels) = (w.shape[0], w.shape[1]);
    let quads = channels.div_ceil(QUAD);
    let units = step.shape.size() / channels * quads;
    let stride = |layout: &Layout, axis: usize| layout.strides[axis] as i32 as u32;
    let mut named =
        vec![index(units)?, index(quads)?, index(groups)?, index(channels)?, index(x.shape[r + 2])?];
    named.extend([index(x.offset)?, stride(x, 0), stride(x, r + 1), stride(x, r + 2)]);
    named.extend([index(w.offset)?, stride(w, 0), stride(w, 1), stride(w, r + 2)]);
    for (at, slide) in slides.iter().enumerate() {
        named.extend([index(x.shape[at + 1])?, index(w.shape[at + 2])?, index(slide.count)?]);
        named.extend([index(slide.stride)?, slide.low as i32 as u32, index(slide.dilation)?]);
        named.extend([index(slide.spread)?, stride(x, at + 1), stride(w, at + 2)]);
    }
    let arrays = [args[0].piece.clone(), args[1].piece.clone(), out.clone()];
    session.launch(key("conv", dtype, r as u32), &arrays, &words(&named), threads(units as u64), || {
        Ok(text(dtype, r))
    })
}

/// The text for so many spatial axes.
pub(crate) fn text(dtype: Dtype, spatial: usize) -> String {
    let ty = held(dtype).name();
    let functions = format!("fn done(x: {ty}) -> {ty} {{ return {}; }}\n", done(dtype, "x"));
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
    let file = DIRECT.replace("<T", &format!("<{ty}")).replace("PLACES", &places);
    let file = file.replace("OPEN", &open).replace("CLOSE", &"}".repeat(spatial));
    let along: Vec<String> =
        (0..spatial).flat_map(|at| ALONG.iter().map(move |name| format!("{name}{at}"))).collect();
    let names: Vec<&str> = WORDS.iter().copied().chain(along.iter().map(String::as_str)).collect();
    whole_text(&[("a", ty), ("b", ty), ("out", ty)], &names, &functions, &file)
}
