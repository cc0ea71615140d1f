//! One instruction of a program as a WGSL expression.
//!
//! Comparisons of floats are never written `!=`: naga prints it for Vulkan so that NaN differs from nothing.

use pullback_base::Dtype;
use pullback_compile::{Inst, Program, Val};
use pullback_kernels::{Fold, Map};

use crate::text::{Ty, literal};

/// Why a program cannot run here.
pub(crate) type Lack = String;

/// The type of a value.
pub(crate) fn ty(program: &Program, value: Val) -> Result<Ty, Lack> {
    let dtype = program.dtype(value);
    Ty::of(dtype).ok_or_else(|| format!("{dtype} does not exist in GPU programs"))
}

/// The expression that computes a constant, function or conversion from values called `name(operand)`.
pub(crate) fn expression(
    program: &Program,
    value: Val,
    name: impl Fn(Val) -> String,
) -> Result<String, Lack> {
    let to = program.dtype(value);
    ty(program, value)?;
    match program.insts[value as usize] {
        Inst::Const { bits } => Ok(literal(bits, to)),
        Inst::Map { map, args } => {
            let of = ty(program, args[map.key()])?;
            let same = args[0] == args[1];
            call(map, of, same, args.map(name))
                .ok_or_else(|| format!("{map:?} of {} has no GPU kernel", program.dtype(args[map.key()])))
        }
        Inst::Cast { arg } => Ok(cast(program.dtype(arg), to, &name(arg))),
        Inst::Bitcast { arg } => Ok(from_bits(to, &to_bits(program.dtype(arg), &name(arg)))),
        Inst::Load { .. } | Inst::Reduce { .. } | Inst::Store { .. } => {
            unreachable!("the printers of kernels write loads, reductions and stores")
        }
    }
}

/// The operand whose type selects the function.
trait Key {
    fn key(&self) -> usize;
}
impl Key for Map {
    fn key(&self) -> usize {
        self.key_operand()
    }
}

/// A function of elements of type `ty`. `same`: the first two operands are one value.
fn call(map: Map, ty: Ty, same: bool, args: [String; 3]) -> Option<String> {
    let [x, y, z] = &args;
    if map == Map::Select {
        return Some(format!("select({z}, {y}, {x})"));
    }
    match ty {
        Ty::F32 => float(map, same, x, y),
        Ty::Bool => truth(map, x, y),
        Ty::C64 => complex(map, same, x, y),
        _ => integer(map, ty, x, y),
    }
}

fn float(map: Map, same: bool, x: &str, y: &str) -> Option<String> {
    let arity = map.arity();
    let ours =
        |name: &str| if arity == 1 { format!("pb_{name}({x})") } else { format!("pb_{name}({x}, {y})") };
    Some(match map {
        Map::Neg | Map::Abs | Map::Sign | Map::IsNan | Map::IsInf | Map::IsFinite => ours(&lower(map)),
        Map::Exp | Map::Exp2 | Map::Expm1 | Map::Log | Map::Log2 | Map::Log10 | Map::Log1p => {
            ours(&lower(map))
        }
        Map::Sin | Map::Cos | Map::Tan | Map::Asin | Map::Acos | Map::Atan => ours(&lower(map)),
        Map::Sinh | Map::Cosh | Map::Tanh | Map::Asinh | Map::Acosh | Map::Atanh => ours(&lower(map)),
        Map::Sigmoid | Map::Erf | Map::Erfinv => ours(&lower(map)),
        Map::Max | Map::Min | Map::Pow | Map::Atan2 | Map::Logaddexp => ours(&lower(map)),
        Map::Rem | Map::FloorDiv => ours(&lower(map)),
        Map::Square => format!("{x} * {x}"),
        Map::Floor | Map::Ceil | Map::Trunc | Map::Round | Map::Sqrt => format!("{}({x})", lower(map)),
        Map::Recip => format!("1.0 / {x}"),
        Map::Rsqrt => format!("1.0 / sqrt({x})"),
        Map::Sub if same => format!("pb_sub_self({x})"),
        Map::Add => format!("{x} + {y}"),
        Map::Sub => format!("{x} - {y}"),
        Map::Mul => format!("{x} * {y}"),
        Map::Div => format!("{x} / {y}"),
        Map::Lt | Map::Le | Map::Gt | Map::Ge | Map::Eq => format!("({x} {} {y})", comparison(map)),
        Map::Ne => format!("!({x} == {y})"),
        _ => return None,
    })
}

fn complex(map: Map, same: bool, x: &str, y: &str) -> Option<String> {
    let ours = || match map.arity() {
        1 => format!("pb_complex_{}({x})", lower(map)),
        _ => format!("pb_complex_{}({x}, {y})", lower(map)),
    };
    Some(match map {
        Map::Mul if same => format!("pb_complex_square({x})"),
        Map::Neg | Map::Abs | Map::Recip | Map::IsNan | Map::IsInf | Map::IsFinite => ours(),
        Map::Exp | Map::Exp2 | Map::Expm1 | Map::Log | Map::Log2 | Map::Log10 | Map::Log1p => ours(),
        Map::Square | Map::Sqrt | Map::Rsqrt | Map::Sigmoid => ours(),
        Map::Sin | Map::Cos | Map::Tan | Map::Asin | Map::Acos | Map::Atan => ours(),
        Map::Sinh | Map::Cosh | Map::Tanh | Map::Asinh | Map::Acosh | Map::Atanh => ours(),
        Map::Mul | Map::Div | Map::Pow | Map::Logaddexp | Map::Max | Map::Min | Map::Lt | Map::Le => ours(),
        Map::Gt => format!("pb_complex_lt({y}, {x})"),
        Map::Ge => format!("pb_complex_le({y}, {x})"),
        Map::Round => format!("round({x})"),
        Map::Swap => format!("{x}.yx"),
        Map::Join => format!("vec2<f32>({x}.x, {y}.x)"),
        Map::Sub if same => format!("vec2<f32>(pb_sub_self({x}.x), pb_sub_self({x}.y))"),
        Map::Add => format!("{x} + {y}"),
        Map::Sub => format!("{x} - {y}"),
        Map::Eq => format!("all({x} == {y})"),
        Map::Ne => format!("!all({x} == {y})"),
        _ => return None,
    })
}

fn truth(map: Map, x: &str, y: &str) -> Option<String> {
    Some(match map {
        Map::Not => format!("!{x}"),
        Map::Abs | Map::Sign | Map::Square => x.to_string(),
        Map::And | Map::Mul | Map::Min => format!("({x} & {y})"),
        Map::Or | Map::Add | Map::Max => format!("({x} | {y})"),
        Map::Xor | Map::Ne => format!("({x} != {y})"),
        Map::Eq => format!("({x} == {y})"),
        Map::Lt => format!("(!{x} & {y})"),
        Map::Le => format!("(!{x} | {y})"),
        Map::Gt => format!("({x} & !{y})"),
        Map::Ge => format!("({x} | !{y})"),
        _ => return None,
    })
}

fn integer(map: Map, ty: Ty, x: &str, y: &str) -> Option<String> {
    let name = ty.name();
    let signed = matches!(ty, Ty::I32 | Ty::I64);
    let ours = |function: &str| {
        if map.arity() == 1 {
            format!("pb_{function}_{name}({x})")
        } else {
            format!("pb_{function}_{name}({x}, {y})")
        }
    };
    Some(match map {
        Map::Neg => format!("{name}(0) - {x}"),
        Map::Abs if signed => format!("select({x}, {name}(0) - {x}, {x} < {name}(0))"),
        Map::Abs => x.to_string(),
        Map::Square => format!("{x} * {x}"),
        Map::Not => format!("~{x}"),
        Map::Add => format!("{x} + {y}"),
        Map::Sub => format!("{x} - {y}"),
        Map::Mul => format!("{x} * {y}"),
        Map::Sign | Map::Rem | Map::FloorDiv | Map::Pow | Map::Shl | Map::Shr => ours(&lower(map)),
        Map::Max => format!("select({y}, {x}, {x} > {y})"),
        Map::Min => format!("select({y}, {x}, {x} < {y})"),
        Map::And => format!("({x} & {y})"),
        Map::Or => format!("({x} | {y})"),
        Map::Xor => format!("({x} ^ {y})"),
        Map::Lt | Map::Le | Map::Gt | Map::Ge | Map::Eq | Map::Ne => format!("({x} {} {y})", comparison(map)),
        _ => return None,
    })
}

fn lower(map: Map) -> String {
    format!("{map:?}").to_lowercase()
}

fn comparison(map: Map) -> &'static str {
    match map {
        Map::Lt => "<",
        Map::Le => "<=",
        Map::Gt => ">",
        Map::Ge => ">=",
        Map::Eq => "==",
        _ => "!=",
    }
}

/// Conversion of a value of type `from`, as NumPy converts.
pub(crate) fn cast(from: Dtype, to: Dtype, x: &str) -> String {
    let (Some(a), Some(b)) = (Ty::of(from), Ty::of(to)) else { return x.to_string() };
    match to {
        Dtype::Bool if a == Ty::Bool => x.to_string(),
        Dtype::Bool if a == Ty::F32 => format!("!({x} == 0.0)"),
        Dtype::Bool if a == Ty::C64 => format!("!all({x} == vec2<f32>())"),
        Dtype::Bool => format!("({x} != {}(0))", a.name()),
        Dtype::C64 if a == Ty::C64 => x.to_string(),
        _ if a == Ty::C64 => cast(Dtype::F32, to, &format!("{x}.x")),
        // Not a plain zero: a compiler would drop products with it, which may be NaN.
        Dtype::C64 => format!("vec2<f32>({}, pb_from_bits(0u))", cast(from, Dtype::F32, x)),
        _ if a == Ty::Bool => format!("select({}, {}, {x})", b.number(0), b.number(1)),
        Dtype::F16 | Dtype::Bf16 => round(to, &between(a, Ty::F32, x)),
        // A float outside a narrow type wraps, as it does in 32 bits.
        Dtype::U8 | Dtype::U16 if a == Ty::F32 => wrap(to, &format!("bitcast<u32>(pb_to_i32({x}))")),
        Dtype::U8 | Dtype::U16 | Dtype::I8 | Dtype::I16 => wrap(to, &between(a, b, x)),
        _ => between(a, b, x),
    }
}

/// Conversion between the types of values.
fn between(a: Ty, b: Ty, x: &str) -> String {
    match (a, b) {
        _ if a == b => x.to_string(),
        (Ty::F32, _) => format!("pb_to_{}({x})", b.name()),
        (Ty::U32, Ty::I32) | (Ty::I32, Ty::U32) | (Ty::U64, Ty::I64) | (Ty::I64, Ty::U64) => {
            format!("bitcast<{}>({x})", b.name())
        }
        // Width first, sign afterwards: conversions that do both are written differently by different back ends.
        (Ty::I32, Ty::U64) => format!("bitcast<u64>(i64({x}))"),
        (Ty::U32, Ty::I64) => format!("bitcast<i64>(u64({x}))"),
        (Ty::I64, Ty::U32) => format!("u32(bitcast<u64>({x}))"),
        (Ty::U64, Ty::I32) => format!("bitcast<i32>(u32({x}))"),
        _ => format!("{}({x})", b.name()),
    }
}

/// What is left of a value when memory of a narrower type has held it.
pub(crate) fn wrap(dtype: Dtype, x: &str) -> String {
    match dtype {
        Dtype::U8 => format!("({x} & 255u)"),
        Dtype::U16 => format!("({x} & 65535u)"),
        Dtype::I8 => format!("(({x} << 24u) >> 24u)"),
        Dtype::I16 => format!("(({x} << 16u) >> 16u)"),
        _ => x.to_string(),
    }
}

/// The nearest number of a half type.
pub(crate) fn round(dtype: Dtype, x: &str) -> String {
    match dtype {
        Dtype::F16 => format!("pb_round_f16({x})"),
        Dtype::Bf16 => format!("pb_round_bf16({x})"),
        _ => x.to_string(),
    }
}

/// The bits of an element, as an unsigned value.
fn to_bits(dtype: Dtype, x: &str) -> String {
    match dtype {
        Dtype::Bool => format!("select(0u, 1u, {x})"),
        Dtype::F16 => format!("pb_f16_bits({x})"),
        Dtype::Bf16 => format!("pb_bf16_bits({x})"),
        Dtype::I8 => format!("(bitcast<u32>({x}) & 255u)"),
        Dtype::I16 => format!("(bitcast<u32>({x}) & 65535u)"),
        Dtype::I32 | Dtype::F32 => format!("bitcast<u32>({x})"),
        Dtype::I64 => format!("bitcast<u64>({x})"),
        Dtype::C64 => format!("pb_complex_bits({x})"),
        _ => x.to_string(),
    }
}

/// The element with these bits.
fn from_bits(dtype: Dtype, x: &str) -> String {
    match dtype {
        Dtype::Bool => format!("({x} != 0u)"),
        Dtype::F16 => format!("pb_f16_value({x})"),
        Dtype::Bf16 => format!("pb_bf16_value({x})"),
        Dtype::I8 | Dtype::I16 => wrap(dtype, &format!("bitcast<i32>({x})")),
        Dtype::I32 => format!("bitcast<i32>({x})"),
        Dtype::F32 => format!("bitcast<f32>({x})"),
        Dtype::I64 => format!("bitcast<i64>({x})"),
        Dtype::C64 => format!("pb_complex_value({x})"),
        _ => x.to_string(),
    }
}

/// Two partial results of a reduction, joined.
pub(crate) fn join(fold: Fold, ty: Ty, x: &str, y: &str) -> String {
    let map = match fold {
        Fold::Sum => Map::Add,
        Fold::Prod => Map::Mul,
        Fold::Max => Map::Max,
        Fold::Min => Map::Min,
    };
    let args = [x.to_string(), y.to_string(), y.to_string()];
    call(map, ty, false, args).expect("every type adds, multiplies and has an order")
}

/// What a reduction of nothing gives.
pub(crate) fn identity(fold: Fold, ty: Ty) -> String {
    let max = fold == Fold::Max;
    match (fold, ty) {
        (Fold::Sum, _) => ty.number(0),
        (Fold::Prod, _) => ty.number(1),
        (_, Ty::Bool) => (!max).to_string(),
        (_, Ty::C64) => format!("vec2<f32>({})", identity(fold, Ty::F32)),
        (_, Ty::F32) => format!("pb_from_bits({}u)", if max { 0xff80_0000u32 } else { 0x7f80_0000 }),
        (_, Ty::U32) => literal(if max { 0 } else { u32::MAX.into() }, Dtype::U32),
        (_, Ty::I32) => literal((if max { i32::MIN } else { i32::MAX }) as u32 as u64, Dtype::I32),
        (_, Ty::U64) => literal(if max { 0 } else { u64::MAX }, Dtype::U64),
        (_, Ty::I64) => literal((if max { i64::MIN } else { i64::MAX }) as u64, Dtype::I64),
    }
}
