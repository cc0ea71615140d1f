// Elementary functions of complex numbers, in float32 throughout: the formulas of the CPU's kernels, which have float64. Errors
// are some units of 2^-24 of the modulus, and of the exponent `y log x` for powers; beyond the square root of the largest
// number, inverse functions lose it.

// A product that is zero where `x` is, whatever is infinite beside it.
fn pb_part(x: f32, y: f32) -> f32 {
    if (x == 0.0) { return select(x, pb_neg(x), pb_signbit(y)); }
    return x * y;
}

// -i z.
fn pb_complex_back(z: vec2<f32>) -> vec2<f32> { return vec2<f32>(z.y, pb_neg(z.x)); }

// i z.
fn pb_complex_turned(z: vec2<f32>) -> vec2<f32> { return vec2<f32>(pb_neg(z.y), z.x); }

fn pb_complex_exp(z: vec2<f32>) -> vec2<f32> {
    let size = pb_exp(z.x);
    if (z.y == 0.0) { return vec2<f32>(size, z.y); }
    return vec2<f32>(pb_part(pb_cos(z.y), size), pb_part(pb_sin(z.y), size));
}

fn pb_complex_exp2(z: vec2<f32>) -> vec2<f32> {
    let size = pb_exp2(z.x);
    let angle = z.y * 0.693147180559945;
    if (z.y == 0.0) { return vec2<f32>(size, z.y); }
    return vec2<f32>(pb_part(pb_cos(angle), size), pb_part(pb_sin(angle), size));
}

fn pb_complex_expm1(z: vec2<f32>) -> vec2<f32> {
    let half = pb_sin(0.5 * z.y);
    return vec2<f32>(pb_part(pb_cos(z.y), pb_expm1(z.x)) - 2.0 * half * half, pb_part(pb_sin(z.y), pb_exp(z.x)));
}

// The logarithm of the modulus. Near 1 by what the square is more than that.
fn pb_complex_log_abs(z: vec2<f32>) -> f32 {
    let size = pb_complex_abs(z).x;
    if (size > 0.7 && size < 1.4) {
        let a = pb_max(pb_abs(z.x), pb_abs(z.y));
        let b = pb_min(pb_abs(z.x), pb_abs(z.y));
        return 0.5 * pb_log1p((a - 1.0) * (a + 1.0) + b * b);
    }
    // The modulus of finite parts may be none that there is.
    if (pb_isinf(size) && !pb_complex_isinf(z)) { return pb_log(pb_complex_abs(0.25 * z).x) + 1.386294361119891; }
    return pb_log(size);
}

fn pb_complex_log(z: vec2<f32>) -> vec2<f32> { return vec2<f32>(pb_complex_log_abs(z), pb_atan2(z.y, z.x)); }

fn pb_complex_log2(z: vec2<f32>) -> vec2<f32> { return pb_complex_log(z) * 1.442695040888963; }

fn pb_complex_log10(z: vec2<f32>) -> vec2<f32> { return pb_complex_log(z) * 0.434294481903252; }

fn pb_complex_log1p(z: vec2<f32>) -> vec2<f32> {
    let angle = pb_atan2(z.y, 1.0 + z.x);
    if (pb_abs(z.x) < 0.5 && pb_abs(z.y) < 0.5) {
        return vec2<f32>(0.5 * pb_log1p(z.x * (2.0 + z.x) + z.y * z.y), angle);
    }
    return vec2<f32>(pb_complex_log_abs(vec2<f32>(1.0 + z.x, z.y)), angle);
}

// With a real part that is not negative.
fn pb_complex_sqrt(z: vec2<f32>) -> vec2<f32> {
    if (pb_isinf(z.y)) { return vec2<f32>(pb_abs(z.y), z.y); }
    if (pb_abs(z.x) > 1e38 || pb_abs(z.y) > 1e38) { return 2.0 * pb_complex_root(0.25 * z); }
    return pb_complex_root(z);
}

fn pb_complex_root(z: vec2<f32>) -> vec2<f32> {
    let size = sqrt(0.5 * pb_abs(z.x) + 0.5 * pb_complex_abs(z).x);
    if (size == 0.0) { return vec2<f32>(size, z.y); }
    var other = 0.5 * pb_abs(z.y) / size;
    if (pb_isinf(size)) { other = 0.0; }
    let left = pb_signbit(z.x);
    return vec2<f32>(select(size, other, left), pb_copysign(select(other, size, left), z.y));
}

fn pb_complex_rsqrt(z: vec2<f32>) -> vec2<f32> { return pb_complex_recip(pb_complex_sqrt(z)); }

fn pb_complex_sigmoid(z: vec2<f32>) -> vec2<f32> {
    // e^-|x| does not run over.
    let left = z.x < 0.0;
    let power = pb_complex_exp(vec2<f32>(-pb_abs(z.x), select(-z.y, z.y, left)));
    let below = pb_complex_recip(vec2<f32>(1.0 + power.x, power.y));
    if (left) { return pb_complex_mul(power, below); }
    return below;
}

fn pb_complex_sin(z: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(pb_part(pb_sin(z.x), pb_cosh(z.y)), pb_part(pb_sinh(z.y), pb_cos(z.x)));
}

fn pb_complex_cos(z: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(pb_part(pb_cos(z.x), pb_cosh(z.y)), pb_neg(pb_part(pb_sin(z.x), pb_sinh(z.y))));
}

fn pb_complex_sinh(z: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(pb_part(pb_sinh(z.x), pb_cos(z.y)), pb_part(pb_sin(z.y), pb_cosh(z.x)));
}

fn pb_complex_cosh(z: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(pb_part(pb_cos(z.y), pb_cosh(z.x)), pb_part(pb_sin(z.y), pb_sinh(z.x)));
}

fn pb_complex_tanh(z: vec2<f32>) -> vec2<f32> {
    if (pb_abs(z.x) > 20.0) {
        return vec2<f32>(pb_copysign(1.0, z.x), 4.0 * pb_sin(z.y) * pb_cos(z.y) * pb_exp(-2.0 * pb_abs(z.x)));
    }
    let slope = 1.0 + pb_tan(z.y) * pb_tan(z.y);
    let s = pb_sinh(z.x);
    let below = 1.0 + slope * s * s;
    return vec2<f32>(slope * pb_cosh(z.x) * s / below, pb_tan(z.y) / below);
}

fn pb_complex_tan(z: vec2<f32>) -> vec2<f32> { return pb_complex_back(pb_complex_tanh(pb_complex_turned(z))); }

fn pb_complex_asin(z: vec2<f32>) -> vec2<f32> {
    let a = pb_complex_sqrt(vec2<f32>(1.0 - z.x, pb_neg(z.y)));
    let b = pb_complex_sqrt(vec2<f32>(1.0 + z.x, z.y));
    return vec2<f32>(pb_atan2(z.x, a.x * b.x - a.y * b.y), pb_asinh(a.x * b.y - a.y * b.x));
}

fn pb_complex_acos(z: vec2<f32>) -> vec2<f32> {
    let a = pb_complex_sqrt(vec2<f32>(1.0 - z.x, pb_neg(z.y)));
    let b = pb_complex_sqrt(vec2<f32>(1.0 + z.x, z.y));
    return vec2<f32>(2.0 * pb_atan2(a.x, b.x), pb_asinh(a.y * b.x - a.x * b.y));
}

fn pb_complex_acosh(z: vec2<f32>) -> vec2<f32> {
    let a = pb_complex_sqrt(vec2<f32>(z.x - 1.0, z.y));
    let b = pb_complex_sqrt(vec2<f32>(z.x + 1.0, z.y));
    return vec2<f32>(pb_asinh(a.x * b.x + a.y * b.y), 2.0 * pb_atan2(a.y, b.x));
}

fn pb_complex_asinh(z: vec2<f32>) -> vec2<f32> { return pb_complex_back(pb_complex_asin(pb_complex_turned(z))); }

fn pb_complex_atanh(z: vec2<f32>) -> vec2<f32> {
    let gap = 1.0 - z.x;
    let apart = gap * gap + z.y * z.y;
    let angle = pb_atan2(2.0 * z.y, gap * (1.0 + z.x) - z.y * z.y);
    return vec2<f32>(0.25 * pb_log1p(4.0 * z.x / apart), 0.5 * angle);
}

fn pb_complex_atan(z: vec2<f32>) -> vec2<f32> { return pb_complex_back(pb_complex_atanh(pb_complex_turned(z))); }

fn pb_complex_pow(z: vec2<f32>, w: vec2<f32>) -> vec2<f32> {
    if (all(w == vec2<f32>())) { return vec2<f32>(1.0, 0.0); }
    if (all(z == vec2<f32>())) {
        let value = select(pb_from_bits(0x7fc00000u), 0.0, w.x > 0.0);
        return vec2<f32>(value, value);
    }
    return pb_complex_exp(pb_complex_mul(w, pb_complex_log(z)));
}

// Of the two the term with the larger real part is taken out.
fn pb_complex_logaddexp(z: vec2<f32>, w: vec2<f32>) -> vec2<f32> {
    let first = z.x >= w.x;
    let large = select(w, z, first);
    let small = select(z, w, first);
    // The difference of two infinities would be NaN.
    if (pb_isinf(small.x)) { return large; }
    return large + pb_complex_log1p(pb_complex_exp(small - large));
}
