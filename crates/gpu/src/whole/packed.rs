//! Products with packed matrices: by few rows, each thread unpacks what it sums; for many, the matrix is unpacked first.

use pullback_base::{Dtype, Layout, Result, Shape};
use pullback_compile::WholeStep;
use pullback_kernels::{Codes, Packed, Whole};

use super::{key, matmul, threads, whole_text, words};
use crate::gpu::{Arg, Session};
use crate::kernel::{Key, THREADS};
use crate::memory::Piece;
use crate::space::index;

const QUAD: &str = include_str!("../../../kernels/wgsl/packed.wgsl");
const ROWS: &str = include_str!("../../../kernels/wgsl/packed_rows.wgsl");
const COLUMNS: &str = include_str!("../../../kernels/wgsl/packed_columns.wgsl");
const UNPACK: &str = include_str!("../../../kernels/wgsl/packed_unpack.wgsl");
/// Rows of `x` up to which nothing is unpacked to memory.
const FEW: usize = 8;
/// Rows of `x` that a thread sums.
const SUMS: usize = 4;
/// Threads to a sum, on hardware: enough of them where there is one row. Software adapters pay for barriers.
const SPLIT: usize = 32;
/// Words that say where the parts of a matrix are.
const MATRIX: [&str; 13] = ["share", "c0", "cb", "cr", "cw", "s0", "sb", "sr", "sg", "b0", "bb", "br", "bg"];
const FACTOR: [&str; 10] = ["tiles", "across", "down", "rows", "cols", "depth", "x0", "xb", "xm", "xk"];
/// The sum of what `SPLIT` threads have; `STEP` is from one of them to the next.
const FOLD: &str = "part[l] = sum;
    workgroupBarrier();
    for (var half = SPLIT / 2u; half > 0u; half /= 2u) {
        if (lane < half) { part[l] += part[l + half * STEP]; }
        workgroupBarrier();
    }
    sum = part[l];
    workgroupBarrier();";

pub(super) fn run(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    packed: Packed,
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let (rows, cols) = (step.shape[1], step.shape[2]);
    let x = &args[0].layout;
    let (batch, depth) = (x.shape[0], x.shape[2]);
    if rows > FEW || depth == 0 {
        return unpacked(session, step, args, packed, out, dtype);
    }
    let split = if session.device.is_software() { 1 } else { SPLIT };
    let places = if packed.transposed { cols } else { cols / 4 };
    let (across, down) = (places.div_ceil(THREADS / split), rows.div_ceil(SUMS));
    let tiles = across * down * batch;
    let mut named = Vec::new();
    for size in [tiles, across, down, rows, cols, depth, x.offset] {
        named.push(index(size)?);
    }
    named.extend(x.strides.iter().map(|&stride| stride as i32 as u32));
    named.extend(matrix(args, packed)?);
    let mut arrays: Vec<Piece> = args.iter().map(|arg| arg.piece.clone()).collect();
    arrays.push(out.clone());
    let form = Key::Whole("packed", dtype, variant(packed, split));
    session.launch(form, &arrays, &words(&named), tiles as u64, || Ok(few_text(dtype, packed, split)))
}

/// Of everything that texts differ by but the type.
fn variant(packed: Packed, split: usize) -> u32 {
    let codes = match packed.codes {
        Codes::Bits(bits) => u32::from(bits),
        Codes::E2m1 => 16,
        Codes::E4m3 => 17,
    };
    codes * 4 + u32::from(packed.transposed) * 2 + u32::from(split > 1)
}

/// Words for `MATRIX`; where there are no biases, zeros.
fn matrix(args: &[Arg], packed: Packed) -> Result<Vec<u32>> {
    // Bits of a row are counted too.
    index(args[2].layout.shape[2] * packed.group * packed.codes.bits())?;
    let mut named = vec![index(packed.group / 4)?];
    for at in 1..4 {
        let Some(Arg { layout, .. }) = args.get(at) else {
            named.extend([0; 4]);
            continue;
        };
        named.push(index(layout.offset)?);
        named.extend(layout.strides.iter().map(|&stride| stride as i32 as u32));
    }
    Ok(named)
}

/// The matrix in memory, and a product with it.
fn unpacked(
    session: &mut Session,
    step: &WholeStep,
    args: &[Arg],
    packed: Packed,
    out: &Piece,
    dtype: Dtype,
) -> Result<()> {
    let groups = &args[2].layout.shape;
    let (batch, lines, columns) = (groups[0], groups[1], groups[2] * packed.group);
    let quads = columns / 4;
    let n = batch * lines * quads;
    let dense = session.block(n * 4, dtype)?;
    if n > 0 {
        let mut named = vec![index(n)?, index(quads)?, index(lines)?];
        index(n * 4)?;
        named.extend(matrix(args, packed)?);
        let mut arrays: Vec<Piece> = args[1..].iter().map(|arg| arg.piece.clone()).collect();
        arrays.push(dense.piece().clone());
        let form = key("unpack", Dtype::F32, variant(packed, 1));
        session.launch(form, &arrays, &words(&named), threads(n as u64), || Ok(unpack_text(packed)))?;
    }
    let lies = Layout::contiguous(&Shape::from([batch, lines, columns]));
    let layout = if packed.transposed { lies.transpose(&[0, 2, 1]) } else { lies };
    let shapes = vec![step.shapes[0].clone(), layout.shape.clone()];
    let product = WholeStep { whole: Whole::Matmul, shapes, shape: step.shape.clone() };
    let x = Arg { piece: args[0].piece.clone(), layout: args[0].layout.clone(), dtype };
    let w = Arg { piece: dense.piece().clone(), layout, dtype };
    matmul::run(session, &product, &[x, w], out, dtype)
}

/// Functions that unpack codes.
fn functions(packed: Packed) -> String {
    let bits = packed.codes.bits();
    let cross = format!("if (shift > {}u) {{ word |= codes[place + cw] << (32u - shift); }}", 32 - 4 * bits);
    let quad = QUAD.replace("CROSS", if 32 % bits == 0 { "" } else { &cross });
    let quad = quad.replace("BITS", &format!("{bits}u")).replace("MASK", &format!("{}u", (1 << bits) - 1));
    let number = match packed.codes {
        Codes::Bits(_) => "return vec4<f32>(code);",
        // Twice the number is whole, and fits into four bits.
        Codes::E2m1 => {
            "let twice = (vec4<u32>(0xc8643210u) >> (4u * (code & vec4<u32>(7u)))) & vec4<u32>(15u);
    let sign = (code & vec4<u32>(8u)) << vec4<u32>(28u);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(vec4<f32>(twice) * 0.5) | sign);"
        }
        // The exponent is stored with 7 more than it is, in f32 with 127.
        Codes::E4m3 => {
            "let size = code & vec4<u32>(127u);
    let small = bitcast<vec4<u32>>(vec4<f32>(size) * 0.001953125);
    var bits = select((size << vec4<u32>(20u)) + vec4<u32>(120u << 23u), small, size < vec4<u32>(8u));
    bits = select(bits, vec4<u32>(0x7fc00000u), size == vec4<u32>(127u));
    return bitcast<vec4<f32>>(bits | (code & vec4<u32>(128u)) << vec4<u32>(24u));"
        }
    };
    let bias = if packed.biased() { " + biases[bi]" } else { "" };
    format!(
        "{quad}fn number(code: vec4<u32>) -> vec4<f32> {{
    {number}
}}
fn value(code: vec4<u32>, si: u32, bi: u32) -> vec4<f32> {{ return number(code) * scales[si]{bias}; }}
"
    )
}

/// Arrays of a matrix, between others.
fn arrays(packed: Packed, first: &'static [&'static str]) -> Vec<(&'static str, &'static str)> {
    let biases: &[&str] = if packed.biased() { &["biases"] } else { &[] };
    let floats = ["scales"].iter().chain(biases).chain(&["out"]);
    let before = first.iter().map(|&name| (name, "f32")).chain([("codes", "u32")]);
    before.chain(floats.map(|&name| (name, "f32"))).collect()
}

pub(crate) fn few_text(dtype: Dtype, packed: Packed, split: usize) -> String {
    let mut functions = functions(packed) + &matmul::finish(dtype, dtype);
    if split > 1 {
        functions += "var<workgroup> part: array<vec4<f32>, 256>;\n";
    }
    let step = if packed.transposed { "1u" } else { "each" };
    let fold = if split > 1 { FOLD.replace("STEP", step) } else { String::new() };
    let file = if packed.transposed { ROWS } else { COLUMNS };
    let file = file.replace("FOLD", &fold).replace("SPLIT", &format!("{split}u"));
    whole_text(&arrays(packed, &["x"]), &[&FACTOR[..], &MATRIX].concat(), &functions, &file)
}

pub(crate) fn unpack_text(packed: Packed) -> String {
    let names = [&["n", "quads", "lines"][..], &MATRIX].concat();
    whole_text(&arrays(packed, &[]), &names, &functions(packed), UNPACK)
}

/// Texts of all kernels on elements of type `dtype`.
#[cfg(test)]
pub(crate) fn texts(dtype: Dtype) -> Vec<String> {
    let whole = [1, 2, 3, 4, 5, 6, 8].map(|bits| (Codes::Bits(bits), 64));
    let mut all = Vec::new();
    for (codes, group) in whole.into_iter().chain([(Codes::E2m1, 16), (Codes::E4m3, 32)]) {
        for transposed in [false, true] {
            let packed = Packed { codes, group, transposed };
            all.push(unpack_text(packed));
            all.extend([1, SPLIT].map(|split| few_text(dtype, packed, split)));
        }
    }
    all
}
