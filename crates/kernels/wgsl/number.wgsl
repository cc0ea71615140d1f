// What numbers are, by their bits: WGSL lets a compiler assume that NaN and infinity do not occur, so nothing here
// compares with them. One function per paragraph; the printer takes those that a kernel calls.

// A number from its bits, through memory: word 3 of the parameters is zero, which no compiler knows.
fn pb_from_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits ^ p.w[0].w);
}

// The same number, of which a compiler knows nothing: it must not regroup sums across this. Where regrouping is allowed
// (Metal's fast mathematics, Mesa), it would undo what splitting constants and summing errors are for.
fn pb_fix(x: f32) -> f32 {
    return pb_from_bits(bitcast<u32>(x));
}

fn pb_isnan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn pb_isinf(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

fn pb_isfinite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

// Whether the sign bit is set: also of -0 and NaN.
fn pb_signbit(x: f32) -> bool {
    return bitcast<u32>(x) > 0x7fffffffu;
}

fn pb_copysign(x: f32, sign: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

fn pb_neg(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u);
}

fn pb_abs(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu);
}

// Order of the bits of numbers other than NaN: -0 is below 0, which only sees who asks for it.
fn pb_order(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    return select(bits, bits ^ 0x7fffffff, bits < 0);
}

// -1, 0 or 1; NaN and both zeros stay.
fn pb_sign(x: f32) -> f32 {
    if (pb_isnan(x) || (bitcast<u32>(x) & 0x7fffffffu) == 0u) { return x; }
    return pb_copysign(1.0, x);
}

// Larger and smaller of two, NaN if either is. By bits: a compiler may flush subnormals in comparisons.
fn pb_max(a: f32, b: f32) -> f32 {
    if (pb_isnan(a)) { return a; }
    if (pb_isnan(b)) { return b; }
    return select(b, a, pb_order(a) > pb_order(b));
}

fn pb_min(a: f32, b: f32) -> f32 {
    if (pb_isnan(a)) { return a; }
    if (pb_isnan(b)) { return b; }
    return select(b, a, pb_order(a) < pb_order(b));
}

// x - x, which compilers fold to 0.
fn pb_sub_self(x: f32) -> f32 {
    if (pb_isfinite(x)) { return 0.0; }
    return pb_from_bits(0x7fc00000u);
}

// Whether a comes before b in sorted order: NaN last.
fn pb_before(a: f32, b: f32) -> bool {
    if (pb_isnan(a)) { return false; }
    if (pb_isnan(b)) { return true; }
    return a < b;
}

// Float to integer: cut, saturated, 0 for NaN. WGSL's own conversion is not defined out of range.
fn pb_to_i32(x: f32) -> i32 {
    if (pb_isnan(x)) { return 0; }
    if (x >= 2147483648.0) { return 2147483647; }
    if (x < -2147483648.0) { return i32(-2147483648); }
    return i32(x);
}

// Through 64 bits: negative numbers wrap, what exceeds 64 bits has the low word of the nearest end.
fn pb_to_u32(x: f32) -> u32 {
    if (pb_isnan(x)) { return 0u; }
    let a = pb_abs(x);
    if (a >= 9223372036854775808.0) { return select(0u, 0xffffffffu, x > 0.0); }
    // The part below 2^32 of a large number, exactly: both are multiples of its last place.
    let low = a - floor(a * 2.3283064365386963e-10) * 4294967296.0;
    let n = u32(low);
    return select(n, 0u - n, x < 0.0);
}

// Nearest half float (IEEE binary16), as bits; ties to even. Infinity from 65520 on.
fn pb_f16_bits(x: f32) -> u32 {
    let sign = (bitcast<u32>(x) >> 16u) & 0x8000u;
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    if (bits > 0x7f800000u) { return sign | 0x7e00u; }
    if (bits >= 0x477ff000u) { return sign | 0x7c00u; }
    if (bits >= 0x38800000u) { return sign | ((bits - 0x38000000u + 0xfffu + ((bits >> 13u) & 1u)) >> 13u); }
    if (bits < 0x33000000u) { return sign; }
    // A subnormal result: the mantissa shifted to units of 2^-24, rounded.
    let shift = 126u - (bits >> 23u);
    let mantissa = (bits & 0x7fffffu) | 0x800000u;
    let kept = mantissa >> shift;
    let rest = mantissa & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    return sign | (kept + select(0u, 1u, rest > half || (rest == half && (kept & 1u) == 1u)));
}

fn pb_f16_value(bits: u32) -> f32 {
    let sign = (bits & 0x8000u) << 16u;
    let body = bits & 0x7fffu;
    if (body >= 0x7c00u) { return pb_from_bits(sign | 0x7f800000u | ((body & 0x3ffu) << 13u)); }
    if (body >= 0x400u) { return bitcast<f32>(sign | ((body << 13u) + 0x38000000u)); }
    return bitcast<f32>(sign | bitcast<u32>(f32(body) * 5.9604644775390625e-8));
}

fn pb_bf16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    if (pb_isnan(x)) { return (bits >> 16u) | 0x40u; }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

fn pb_bf16_value(bits: u32) -> f32 {
    return pb_from_bits(bits << 16u);
}

// The nearest number that the narrow type has.
fn pb_round_f16(x: f32) -> f32 {
    return pb_f16_value(pb_f16_bits(x));
}

fn pb_round_bf16(x: f32) -> f32 {
    return pb_bf16_value(pb_bf16_bits(x));
}
