//! Kernels over whole arrays. Their texts are in the kernels room; here is what they are run on.

mod along;
mod conv;
pub(crate) mod copy;
pub(crate) mod fft;
mod matmul;
mod packed;
mod rows;
mod sort;

use pullback_base::{Dtype, Result};
use pullback_compile::WholeStep;
use pullback_kernels::{Cumulate, Fold, Scatter, Whole};

use crate::gpu::{Arg, Session, bug};
use crate::inst::{round, wrap};
use crate::kernel::{Key, THREADS, header, param};
use crate::memory::Piece;
use crate::text::{Ty, prelude};

/// Runs a kernel. `out` has room for the result, of type `dtype`.
pub(crate) fn run(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    if step.shape.size() == 0 {
        return Ok(());
    }
    match &step.whole {
        Whole::Matmul => matmul::run(session, step, args, out, dtype),
        Whole::Conv(slides) => conv::run(session, step, args, slides, out, dtype),
        Whole::Packed(packed) => packed::run(session, step, args, *packed, out, dtype),
        Whole::ArgReduce { max } => along::arg_reduce(session, step, &args[0], out, *max),
        Whole::Cumulate { how, reverse, inclusive } => along::cumulate(
            session,
            step,
            &args[0],
            out,
            along::Running { how: *how, reverse: *reverse, inclusive: *inclusive },
        ),
        Whole::Sort => sort::run(session, step, &args[0], out, false),
        Whole::ArgSort => sort::run(session, step, &args[0], out, true),
        Whole::Take => rows::take(session, step, args, out),
        Whole::Scatter(how) => rows::scatter(session, step, args, out, *how),
        Whole::Concatenate => copy::concatenate(session, step, args, out),
        Whole::Place { size, into } => copy::place(session, args, out, *size, into),
        Whole::RandomBits { words } => copy::random_bits(session, step, &args[0], out, *words),
        Whole::Iota => copy::iota(session, step, out, dtype),
        Whole::Fourier(of) => fft::run(session, step, &args[0], out, (of, dtype)),
        Whole::Linalg(_) => Err(bug("linear algebra")),
    }
}

/// Why a kernel cannot run on operands of these types, which the device has.
pub(crate) fn lacks(whole: &Whole, dtypes: &[Dtype]) -> Option<String> {
    match whole {
        Whole::Fourier(of) => return fft::lacks(of.n),
        Whole::Linalg(_) => return Some("of matrices has no GPU kernel".into()),
        Whole::ArgReduce { .. } | Whole::Sort | Whole::ArgSort if dtypes.contains(&Dtype::C64) => {
            return Some("complex64 has no order in GPU kernels".into());
        }
        _ => {}
    }
    let sums = whole.takes_strides();
    let bad = dtypes.iter().find(|&&dtype| sums && dtype == Dtype::Bool)?;
    Some(format!("products of {bad} have no GPU kernel"))
}

/// The type in which a kernel holds elements: truth values are words of 0 and 1.
fn held(dtype: Dtype) -> Ty {
    match Ty::of(dtype) {
        None | Some(Ty::Bool) => Ty::U32,
        Some(ty) => ty,
    }
}

/// The type of kernels that only move elements, and see words of memory.
fn moved(dtype: Dtype) -> Dtype {
    match held(dtype) {
        Ty::C64 => Dtype::C64,
        ty if ty.is_wide() => Dtype::U64,
        _ => Dtype::U32,
    }
}

/// Functions and text of a kernel that sums products of elements of type `ty`. The file says `<T` and `T(0)` for the
/// type, `FOUR` for that of four elements, and `by(x, y)` for one element times four.
fn summing(ty: Ty, functions: &str, file: &str) -> (String, String) {
    let name = ty.name();
    let (four, product) = match ty {
        // Four columns of real and imaginary parts; a product with x is one of matrices.
        Ty::C64 => ("mat4x2<f32>".into(), "mat2x2<f32>(x.x, x.y, -x.y, x.x) * y"),
        _ => (format!("vec4<{name}>"), "x * y"),
    };
    let by = format!("fn by(x: {name}, y: {four}) -> {four} {{ return {product}; }}\n");
    let file = file.replace("FOUR", &four).replace("<T", &format!("<{name}")).replace("T(0)", &ty.number(0));
    (functions.to_string() + &by, file)
}

/// A result as memory of type `dtype` holds it.
fn done(dtype: Dtype, x: &str) -> String {
    match dtype {
        Dtype::Bool => format!("min({x}, 1u)"),
        _ => round(dtype, &wrap(dtype, x)),
    }
}

fn fold_of(how: Cumulate) -> Fold {
    match how {
        Cumulate::Sum => Fold::Sum,
        Cumulate::Prod => Fold::Prod,
        Cumulate::Max => Fold::Max,
        Cumulate::Min => Fold::Min,
    }
}

/// What joins an update to what is there; nothing for `Set`.
fn scatter_fold(how: Scatter) -> Option<Fold> {
    match how {
        Scatter::Set => None,
        Scatter::Add => Some(Fold::Sum),
        Scatter::Prod => Some(Fold::Prod),
        Scatter::Max => Some(Fold::Max),
        Scatter::Min => Some(Fold::Min),
    }
}

/// First parameter word that a kernel names.
const FIRST: usize = 4;

/// A kernel file made whole. `arrays` are names and types; `words` are names of parameters, which the kernel's `main`
/// has as constants; `functions` goes before the file's text. In the file a line `MAIN` opens the entry point of
/// `THREADS` threads a workgroup, with `group` the number of the workgroup and `l` that of the thread; `T` in
/// `<T>` and so on is replaced by the caller.
fn whole_text(arrays: &[(&str, &str)], words: &[&str], functions: &str, file: &str) -> String {
    let mut opening = format!(
        "@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(num_workgroups) g: vec3<u32>,
        @builtin(local_invocation_index) l: u32) {{
    let group = w.y * g.x + w.x;
"
    );
    for (i, word) in words.iter().enumerate() {
        opening += &format!("    let {word} = {};\n", param(FIRST + i));
    }
    let body = file.replace("MAIN", &opening);
    let arrays: Vec<(String, &str)> = arrays.iter().map(|(name, ty)| (name.to_string(), *ty)).collect();
    let code = format!("{functions}{body}");
    header(&arrays) + &prelude(&code) + &code
}

/// Parameter words with the fixed ones in front.
fn words(named: &[u32]) -> Vec<u32> {
    [&[0; FIRST], named].concat()
}

/// Workgroups for a thread per element.
fn threads(n: u64) -> u64 {
    n.div_ceil(THREADS as u64)
}

/// A key.
fn key(name: &'static str, dtype: Dtype, variant: u32) -> Key {
    Key::Whole(name, dtype, variant)
}

/// Texts of all kernels on elements of type `dtype`.
#[cfg(test)]
pub(crate) fn texts(dtype: Dtype) -> Vec<String> {
    use along::{Running, Scan};
    let word = moved(dtype);
    let mut all = vec![copy::rows_text(word), copy::fill_text(word), rows::take_text(word)];
    all.extend((0..4).map(|rank| copy::place_text(word, rank)));
    all.extend([copy::iota_text(dtype), copy::random_text(), rows::positions_text()]);
    all.extend([copy::start_text(dtype), copy::settle_text(dtype)]);
    all.extend([false, true].map(|direct| matmul::text(dtype, dtype, direct)));
    all.push(matmul::text(dtype, pullback_compile::program::computing(dtype), false));
    all.push(matmul::parts_text(dtype));
    all.extend((0..3).map(|spatial| conv::direct_text(dtype, spatial)));
    all.extend((1..3).map(|spatial| conv::tiled_text(dtype, dtype, spatial)));
    all.push(conv::tiled_text(dtype, pullback_compile::program::computing(dtype), 1));
    if dtype == Dtype::F32 {
        all.extend(fft::texts());
    }
    if matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16) {
        all.extend(packed::texts(dtype));
    }
    let ordered = dtype != Dtype::C64;
    for (max, grouped) in
        [(false, false), (false, true), (true, false), (true, true)].into_iter().filter(|_| ordered)
    {
        all.push(along::arg_text(dtype, max, grouped));
        all.push(sort::text(dtype, sort::Form { positions: max, first: grouped }));
    }
    for how in [Scatter::Set, Scatter::Add, Scatter::Prod, Scatter::Max, Scatter::Min] {
        all.push(rows::scatter_text(dtype, how));
    }
    for how in [Cumulate::Sum, Cumulate::Prod, Cumulate::Max, Cumulate::Min] {
        for kind in [Scan::Totals, Scan::Plain, Scan::Carried] {
            for (reverse, inclusive) in [(false, false), (false, true), (true, false), (true, true)] {
                all.push(along::scan_text(dtype, Running { how, reverse, inclusive }, kind));
            }
        }
    }
    all
}
