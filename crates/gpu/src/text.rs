//! The words of WGSL: types, words in memory, literals, and the functions of ours that a kernel calls.

use std::sync::OnceLock;

use pullback_base::{Dtype, Scalar};
use rustc_hash::{FxHashMap, FxHashSet};

/// A type of values in kernels. Narrow integers are held in 32 bits, half floats in `f32`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ty {
    Bool,
    U32,
    I32,
    F32,
    U64,
    I64,
    /// Real part, imaginary part.
    C64,
}

impl Ty {
    /// The type that holds elements of type `dtype`; none for those that no GPU language has.
    pub fn of(dtype: Dtype) -> Option<Ty> {
        Some(match dtype {
            Dtype::Bool => Ty::Bool,
            Dtype::U8 | Dtype::U16 | Dtype::U32 => Ty::U32,
            Dtype::I8 | Dtype::I16 | Dtype::I32 => Ty::I32,
            Dtype::F16 | Dtype::Bf16 | Dtype::F32 => Ty::F32,
            Dtype::U64 => Ty::U64,
            Dtype::I64 => Ty::I64,
            Dtype::C64 => Ty::C64,
            Dtype::F64 => return None,
        })
    }

    /// Its name in WGSL.
    pub fn name(self) -> &'static str {
        match self {
            Ty::Bool => "bool",
            Ty::U32 => "u32",
            Ty::I32 => "i32",
            Ty::F32 => "f32",
            Ty::U64 => "u64",
            Ty::I64 => "i64",
            Ty::C64 => "vec2<f32>",
        }
    }

    /// The unsigned type of what memory holds.
    pub fn word(self) -> &'static str {
        match self {
            Ty::C64 => "vec2<u32>",
            _ if self.is_wide() => "u64",
            _ => "u32",
        }
    }

    /// Whether it is of 64-bit integers, which not every device has.
    pub fn is_wide(self) -> bool {
        matches!(self, Ty::U64 | Ty::I64)
    }

    /// The value that a word of memory is.
    pub fn read(self, word: &str) -> String {
        match self {
            Ty::Bool => format!("({word} != 0u)"),
            Ty::U32 | Ty::U64 => word.to_string(),
            Ty::I32 | Ty::F32 | Ty::I64 | Ty::C64 => format!("bitcast<{}>({word})", self.name()),
        }
    }

    /// The word that a value is.
    pub fn write(self, value: &str) -> String {
        match self {
            Ty::Bool => format!("select(0u, 1u, {value})"),
            Ty::U32 | Ty::U64 => value.to_string(),
            Ty::I32 | Ty::F32 | Ty::I64 | Ty::C64 => format!("bitcast<{}>({value})", self.word()),
        }
    }

    /// A small whole number of this type.
    pub fn number(self, value: u32) -> String {
        match self {
            Ty::Bool => (value != 0).to_string(),
            Ty::F32 => format!("{value}.0"),
            Ty::C64 => format!("vec2<f32>({value}.0, 0.0)"),
            _ => format!("{}({value})", self.name()),
        }
    }
}

/// The value of type `dtype` with these bits. WGSL has no literals for infinity and NaN, and may flush others.
pub(crate) fn literal(bits: u64, dtype: Dtype) -> String {
    match Ty::of(dtype).unwrap_or(Ty::F32) {
        Ty::Bool => (bits & 0xff != 0).to_string(),
        Ty::U32 => format!("{}u", bits & mask(dtype)),
        // Through its bits: a minus sign in front of the smallest number would be too late.
        Ty::I32 => format!("bitcast<i32>({}u)", Scalar::from_bits(bits, dtype).int() as u32),
        Ty::U64 => format!("{bits}lu"),
        Ty::I64 => format!("bitcast<i64>({bits}lu)"),
        Ty::F32 => float(Scalar::from_bits(bits, dtype).real() as f32),
        Ty::C64 => {
            // A part that a compiler knows to be zero makes it drop products that may be NaN: not a plain literal.
            let [re, im] = [bits, bits >> 32].map(|part| float(f32::from_bits(part as u32)));
            format!("vec2<f32>({re}, {im})")
        }
    }
}

fn float(value: f32) -> String {
    if value.is_normal() { format!("f32({value:?})") } else { format!("pb_from_bits({}u)", value.to_bits()) }
}

fn mask(dtype: Dtype) -> u64 {
    (1 << (8 * dtype.size().min(4))) - 1
}

/// Functions by name: text, and the names it calls.
type Functions = FxHashMap<String, (String, Vec<String>)>;

const FILES: [&str; 7] = [
    include_str!("../../kernels/wgsl/number.wgsl"),
    include_str!("../../kernels/wgsl/math.wgsl"),
    include_str!("../../kernels/wgsl/power.wgsl"),
    include_str!("../../kernels/wgsl/wide.wgsl"),
    include_str!("../../kernels/wgsl/complex.wgsl"),
    include_str!("../../kernels/wgsl/complex_math.wgsl"),
    include_str!("../../kernels/wgsl/fourier.wgsl"),
];
const INTEGER: &str = include_str!("../../kernels/wgsl/integer.wgsl");

fn functions() -> &'static Functions {
    static ALL: OnceLock<Functions> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut texts: Vec<String> = FILES.iter().map(|file| file.to_string()).collect();
        texts.extend([Ty::U32, Ty::I32, Ty::U64, Ty::I64].map(integer));
        texts.iter().flat_map(|text| text.split("\n\n")).filter_map(function).collect()
    })
}

/// The integer functions for one type.
fn integer(ty: Ty) -> String {
    let (name, signed) = (ty.name(), matches!(ty, Ty::I32 | Ty::I64));
    let line = |line: &str| match line.trim_start().strip_prefix("SIGNED") {
        Some(_) if !signed => String::new(),
        Some(rest) => rest.to_string(),
        None => line.to_string(),
    };
    let text: Vec<String> = INTEGER.lines().map(line).filter(|l| !l.is_empty()).collect();
    // Paragraphs must stay apart: empty lines were lost above.
    let text = text.join("\n").replace("\n}\n", "\n}\n\n");
    let (unsigned, bits) = if ty.is_wide() { ("u64", "64") } else { ("u32", "32") };
    text.replace("_T(", &format!("_{name}("))
        .replace("T(-1)", &format!("{name}(-1)"))
        .replace("T(", &format!("{name}("))
        .replace(": T", &format!(": {name}"))
        .replace("-> T", &format!("-> {name}"))
        .replace("U(N)", &format!("{unsigned}({bits})"))
        .replace("U(", &format!("{unsigned}("))
        .replace("<U>", &format!("<{unsigned}>"))
}

fn function(paragraph: &str) -> Option<(String, (String, Vec<String>))> {
    let code: Vec<&str> = paragraph.lines().filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    let name = code.strip_prefix("fn ")?.split_once('(')?.0.to_string();
    let calls = called(&code).into_iter().filter(|call| *call != name).collect();
    Some((name, (code, calls)))
}

/// Names of our functions that a text calls.
fn called(text: &str) -> Vec<String> {
    let name = |(at, _): (usize, &str)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        rest[end..].starts_with('(').then(|| rest[..end].to_string())
    };
    text.match_indices("pb_").filter_map(name).collect()
}

/// The text of all functions that `text` calls, and that those call. naga needs time for every line.
pub(crate) fn prelude(text: &str) -> String {
    let all = functions();
    let (mut seen, mut open, mut out) = (FxHashSet::default(), called(text), String::new());
    while let Some(name) = open.pop() {
        if let Some((code, calls)) = all.get(&name)
            && seen.insert(name)
        {
            out += code;
            out += "\n";
            open.extend(calls.iter().cloned());
        }
    }
    out
}
