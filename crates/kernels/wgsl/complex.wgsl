// Complex numbers, real part and imaginary part, by the formulas of the CPU's kernels. Bounds are of the error over the
// modulus of the result, where nothing runs over and parts are no subnormals.

// Within 2.3 * 2^-24. Parts of an infinite factor times 0 are NaN, as in NumPy.
fn pb_complex_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// x x, as exactly. The product of both parts is fixed: a compiler would make x.x + x.x of it, which may run over.
fn pb_complex_square(x: vec2<f32>) -> vec2<f32> {
    let cross = pb_fix(x.x * x.y);
    return vec2<f32>(x.x * x.x - x.y * x.y, cross + cross);
}

// By Smith's method: no overflow where the quotient has none. Within 6 * 2^-24 where division is rounded correctly,
// within 15 * 2^-24 where it may be off by 2.5 units, which is what WGSL promises. By 0 both parts are NaN.
fn pb_complex_div(x: vec2<f32>, y: vec2<f32>) -> vec2<f32> {
    // By bits: a NaN is on either side.
    if ((bitcast<u32>(y.x) & 0x7fffffffu) >= (bitcast<u32>(y.y) & 0x7fffffffu)) {
        let ratio = y.y / y.x;
        let below = y.x + y.y * ratio;
        return vec2<f32>((x.x + x.y * ratio) / below, (x.y - x.x * ratio) / below);
    }
    let ratio = y.x / y.y;
    let below = y.x * ratio + y.y;
    return vec2<f32>((x.x * ratio + x.y) / below, (x.y * ratio - x.x) / below);
}

// The numerator's zero is one that no compiler knows: it would drop products with it, which may be NaN.
fn pb_complex_recip(x: vec2<f32>) -> vec2<f32> {
    return pb_complex_div(vec2<f32>(1.0, pb_from_bits(0u)), x);
}

fn pb_complex_neg(x: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(pb_neg(x.x), pb_neg(x.y));
}

// The modulus, as a complex number: of parts divided by the larger one, so that squares neither run over nor vanish.
// Infinite if a part is, also beside NaN. Within 9 * 2^-24, as division is.
fn pb_complex_abs(x: vec2<f32>) -> vec2<f32> {
    let a = pb_abs(x.x);
    let b = pb_abs(x.y);
    if (pb_isinf(a) || pb_isinf(b)) { return vec2<f32>(pb_from_bits(0x7f800000u), 0.0); }
    let large = pb_max(a, b);
    if (pb_isnan(large) || bitcast<u32>(large) == 0u) { return vec2<f32>(large, 0.0); }
    let ratio = pb_min(a, b) / large;
    return vec2<f32>(large * sqrt(1.0 + ratio * ratio), 0.0);
}

// Ordered by real parts, and where these are equal by the others, as in NumPy.
fn pb_complex_lt(x: vec2<f32>, y: vec2<f32>) -> bool { return x.x < y.x || (x.x == y.x && x.y < y.y); }

fn pb_complex_le(x: vec2<f32>, y: vec2<f32>) -> bool { return x.x < y.x || (x.x == y.x && x.y <= y.y); }

fn pb_complex_isnan(x: vec2<f32>) -> bool { return pb_isnan(x.x) || pb_isnan(x.y); }

fn pb_complex_isinf(x: vec2<f32>) -> bool { return pb_isinf(x.x) || pb_isinf(x.y); }

fn pb_complex_isfinite(x: vec2<f32>) -> bool { return pb_isfinite(x.x) && pb_isfinite(x.y); }

fn pb_complex_max(x: vec2<f32>, y: vec2<f32>) -> vec2<f32> {
    return select(y, x, pb_complex_isnan(x) || (!pb_complex_isnan(y) && !pb_complex_lt(x, y)));
}

fn pb_complex_min(x: vec2<f32>, y: vec2<f32>) -> vec2<f32> {
    return select(y, x, pb_complex_isnan(x) || (!pb_complex_isnan(y) && !pb_complex_lt(y, x)));
}

// Both parts in one word, the imaginary one above.
fn pb_complex_bits(x: vec2<f32>) -> u64 {
    return (u64(bitcast<u32>(x.y)) << 32u) | u64(bitcast<u32>(x.x));
}

fn pb_complex_value(bits: u64) -> vec2<f32> {
    return bitcast<vec2<f32>>(vec2<u32>(u32(bits), u32(bits >> 32u)));
}
