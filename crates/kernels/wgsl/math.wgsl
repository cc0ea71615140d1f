// Transcendental functions of f32 with the polynomials of the CPU's kernels. Method and source of each are told beside
// those; here is what differs. WGSL's own functions may be off by thousands of units in the last place, and need not
// know NaN or infinity. These use + - * and floor, which are rounded correctly, and division and square root,
// which are almost.

// 2^k for k in -126..127.
fn pb_pow2(k: i32) -> f32 {
    return bitcast<f32>(u32(k + 127) << 23u);
}

// y 2^k for |k| <= 252; only the last of the two products rounds.
fn pb_scale(y: f32, k: i32) -> f32 {
    let half = k >> 1u;
    return y * pb_pow2(half) * pb_pow2(k - half);
}

// e^r - 1 - r for |r| <= ln 2 / 2.
fn pb_exp_tail(r: f32) -> f32 {
    return r * r * (0.4999999404 + r * (0.1666651517 + r * (0.04166808352 + r * (0.008369349875 + r * (0.001384043018)))));
}

// x - k ln 2, ln 2 in two parts, the first short enough for k times it to be exact.
fn pb_less_ln2(x: f32, k: f32) -> f32 {
    return pb_fix(x - k * 0.69314575) - k * 1.4286068e-6;
}

// e^x times 2^extra.
fn pb_exp_scaled(x: f32, extra: i32) -> f32 {
    let k = floor(x * 1.4426950408889634 + 0.5);
    let r = pb_less_ln2(x, k);
    return pb_scale(1.0 + (r + pb_exp_tail(r)), i32(k) + extra);
}

fn pb_exp(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    if (x > 88.72284) { return pb_from_bits(0x7f800000u); }
    if (x < -104.0) { return 0.0; }
    return pb_exp_scaled(x, 0);
}

// e^x / 2 for x >= 0, without overflow before the result does.
fn pb_half_exp(x: f32) -> f32 {
    if (x > 89.415985) { return pb_from_bits(0x7f800000u); }
    return pb_exp_scaled(x, -1);
}

fn pb_exp2(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    if (x >= 128.0) { return pb_from_bits(0x7f800000u); }
    if (x < -150.0) { return 0.0; }
    let k = floor(x + 0.5);
    let r = x - k;
    return pb_scale(1.0 + r * (0.6931471825 + r * (0.2402264476 + r * (0.05550358817 + r * (0.009618838318 + r * (0.001339135342 + r * (0.00015241855)))))), i32(k));
}

fn pb_expm1(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    if (x > 88.72284) { return pb_from_bits(0x7f800000u); }
    if (x < -18.0) { return -1.0; }
    let k = floor(x * 1.4426950408889634 + 0.5);
    let r = pb_less_ln2(x, k);
    let tail = pb_exp_tail(r);
    // k = 0 is exact as it stands, and keeps the sign of zero.
    if (k == 0.0) { return select(r + tail, x, pb_abs(x) < 1e-8); }
    // 2^k (r + tail) + (2^k - 1), with half of each so that k = 128 does not overflow too early.
    let half = pb_pow2(i32(k) - 1);
    return (pb_fix(half * tail + half * r) + pb_fix(half - 0.5)) * 2.0;
}

// e and f with x = (1 + f) 2^e and 1 + f in [2/3, 4/3), for positive finite x. By bits, so subnormals are right even
// where arithmetic flushes them.
fn pb_split(x: f32) -> vec2<f32> {
    var bits = bitcast<u32>(x);
    var bias = 0;
    if (bits < 0x00800000u) {
        bits = bitcast<u32>(f32(bits)); // the integer mantissa as a float: x 2^149
        bias = 149;
    }
    let e = bitcast<i32>(bits - 0x3f2aaaabu) >> 23u;
    let m = bitcast<f32>(bits - (bitcast<u32>(e) << 23u));
    return vec2<f32>(f32(e - bias), m - 1.0);
}

// log(1 + f) - f for |f| <= 1/3.
fn pb_log_tail(f: f32) -> f32 {
    let z = f * f;
    return z * f * (0.3333333433 + f * (-0.2499981076 + f * (0.1999976486 + f * (-0.1668008417 + f * (0.1429895759 + f * (-0.1218782663 + f * (0.1082184836 + f * (-0.1288777143 + f * (0.1171628535))))))))) - 0.5 * z;
}

// Whether a logarithm of x is special: NaN, infinite, zero, negative.
fn pb_log_special(x: f32) -> bool {
    return bitcast<u32>(x) - 1u >= 0x7f7fffffu;
}

fn pb_log_edge(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    if (pb_isnan(x) || bits == 0x7f800000u) { return x; }
    if ((bits & 0x7fffffffu) == 0u) { return pb_from_bits(0xff800000u); }
    return pb_from_bits(0x7fc00000u);
}

fn pb_log(x: f32) -> f32 {
    if (pb_log_special(x)) { return pb_log_edge(x); }
    let s = pb_split(x);
    return s.x * 0.69314575 + pb_fix(s.y + (s.x * 1.4286068e-6 + pb_log_tail(s.y)));
}

// Another base: 1 / ln b in two parts, ln 2 / ln b in two parts. f is cut where a product would lose bits that count.
fn pb_log_base(x: f32, c: vec4<f32>) -> f32 {
    if (pb_log_special(x)) { return pb_log_edge(x); }
    let s = pb_split(x);
    let high = bitcast<f32>(bitcast<u32>(s.y) & 0xfffff000u);
    let low = (s.y - high) + pb_log_tail(s.y);
    let rest = pb_fix(high * c.y + (low * (c.x + c.y) + s.x * c.w));
    return s.x * c.z + pb_fix(high * c.x + rest);
}

fn pb_log2(x: f32) -> f32 {
    return pb_log_base(x, vec4<f32>(1.4423828, 3.122284e-4, 1.0, 0.0));
}

fn pb_log10(x: f32) -> f32 {
    return pb_log_base(x, vec4<f32>(0.4342041, 9.038034e-5, 0.3010254, 4.605039e-6));
}

fn pb_log1p(x: f32) -> f32 {
    if (pb_isnan(x) || pb_abs(x) < 1e-8) { return x; }
    if (x > 1e8) { return pb_log(x); } // the 1 no longer counts
    let u = 1.0 + x;
    if (pb_log_special(u)) { return pb_log_edge(u); }
    // The exponent of 1 + x, and f from x itself: x 2^-e is exact, so what 1 + x rounds away is not lost.
    let e = bitcast<i32>(bitcast<u32>(u) - 0x3f2aaaabu) >> 23u;
    let down = pb_pow2(-e);
    let f = x * down + pb_fix(down - 1.0);
    let n = f32(e);
    return n * 0.69314575 + pb_fix(f + (n * 1.4286068e-6 + pb_log_tail(f)));
}

// High word of a product.
fn pb_mul_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let mid = ah * bl + ((al * bl) >> 16u);
    let cross = al * bh + (mid & 0xffffu);
    return ah * bh + (mid >> 16u) + (cross >> 16u);
}

// Quadrant and rest of a large number, by Payne and Hanek in integers: 96 bits of 2/pi from where they begin to count,
// times the mantissa, modulo 4.
fn pb_angle_far(x: f32) -> vec2<f32> {
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    let mantissa = (bits & 0x7fffffu) | 0x800000u;
    let start = (bits >> 23u) - 88u; // 62 + exponent of the mantissa's last bit, at least 53
    var digits = array<u32, 10>(0u, 0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u,
        0xfe5163abu, 0xdebbc561u);
    let word = start / 32u;
    let shift = start % 32u;
    var w0 = digits[word];
    var w1 = digits[word + 1u];
    var w2 = digits[word + 2u];
    if (shift != 0u) {
        w0 = (w0 << shift) | (w1 >> (32u - shift));
        w1 = (w1 << shift) | (w2 >> (32u - shift));
        w2 = (w2 << shift) | (digits[word + 3u] >> (32u - shift));
    }
    // The upper 64 bits of the 96 of the product: quarter turns in units of 2^-62.
    let low = mantissa * w1 + pb_mul_high(mantissa, w2);
    let carry = select(0u, 1u, low < mantissa * w1);
    let top = mantissa * w0 + pb_mul_high(mantissa, w1) + carry;
    let quadrant = (top + 0x20000000u) >> 30u;
    // What is left, between -1/2 and 1/2 of a quarter turn, as sign and 64 bits.
    var high = (top << 2u) | (low >> 30u);
    var rest = low << 2u;
    let negative = high >= 0x80000000u;
    if (negative) {
        rest = 0u - rest;
        high = ~high + select(0u, 1u, rest == 0u);
    }
    // Leading zeros out, so that conversion keeps 24 bits that count.
    let zeros = countLeadingZeros(high);
    if (zeros == 32u) {
        high = rest;
        rest = 0u;
    } else if (zeros > 0u) {
        high = (high << zeros) | (rest >> (32u - zeros));
    }
    let a = f32(high & 0xffffff00u);
    let b = f32(high & 0xffu);
    let r = (a * 1.5707963267948966 + (b * 1.5707963 + a * -4.371139e-8)) * pb_pow2(-32 - i32(zeros));
    if (negative != pb_signbit(x)) { return vec2<f32>(select(f32(quadrant), -f32(quadrant), pb_signbit(x)), -r); }
    return vec2<f32>(select(f32(quadrant), -f32(quadrant), pb_signbit(x)), r);
}

// Quadrant, modulo 4, and rest within pi / 4 of finite x.
fn pb_angle(x: f32) -> vec2<f32> {
    if (pb_abs(x) > 16384.0) { return pb_angle_far(x); }
    let n = floor(x * 0.6366197723675814 + 0.5);
    // pi / 2 in four parts, so that each product is exact.
    let r = pb_fix(pb_fix(x - n * 1.5703125) - n * 4.8351288e-4) - n * 3.138557e-7;
    let rest = pb_fix(r) - n * 6.0771006e-11;
    return vec2<f32>(n, rest);
}

// sin(r + quadrant pi / 2).
fn pb_wave(quadrant: i32, r: f32) -> f32 {
    let z = r * r;
    var y = r + r * z * (-0.1666665524 + z * (0.00833218731 + z * (-0.0001951789745)));
    if ((quadrant & 1) != 0) { y = (1.0 - 0.5 * z) + z * z * (0.04166664556 + z * (-0.001388730947 + z * (2.443232734e-05))); }
    return select(y, pb_neg(y), (quadrant & 2) != 0);
}

fn pb_sin(x: f32) -> f32 {
    if (!pb_isfinite(x)) { return pb_from_bits(0x7fc00000u); }
    if (pb_abs(x) < 1e-5) { return x; }
    let a = pb_angle(x);
    return pb_wave(i32(a.x), a.y);
}

fn pb_cos(x: f32) -> f32 {
    if (!pb_isfinite(x)) { return pb_from_bits(0x7fc00000u); }
    let a = pb_angle(x);
    return pb_wave(i32(a.x) + 1, a.y);
}

fn pb_tan(x: f32) -> f32 {
    if (!pb_isfinite(x)) { return pb_from_bits(0x7fc00000u); }
    if (pb_abs(x) < 1e-5) { return x; }
    let a = pb_angle(x);
    let z = a.y * a.y;
    let t = a.y + a.y * z * (0.3333334923 + z * (0.1333267242 + z * (0.05405944586 + z * (0.02128276974 + z * (0.01083770394 + z * (8.385931869e-05 + z * (0.004380368628)))))));
    if ((i32(a.x) & 1) == 0) { return t; }
    return -1.0 / t;
}

// atan t for t in 0..1.
fn pb_atan_unit(t: f32) -> f32 {
    let z = t * t;
    return t + t * z * (-0.3333329856 + z * (0.1999852955 + z * (-0.1426401436 + z * (0.1095086113 + z * (-0.08399208635 + z * (0.0578789115 + z * (-0.03109361604 + z * (0.01086634304 + z * (-0.00178216747)))))))));
}

fn pb_atan(x: f32) -> f32 {
    if (pb_isnan(x) || pb_abs(x) < 1e-5) { return x; }
    if (pb_isinf(x)) { return pb_copysign(1.5707964, x); }
    let a = pb_abs(x);
    if (a <= 1.0) { return pb_copysign(pb_atan_unit(a), x); }
    return pb_copysign(1.5707964 - pb_fix(pb_atan_unit(1.0 / a) + 4.371139e-8), x);
}

// The angle of the point (x, y); the first operand is y.
fn pb_atan2(y: f32, x: f32) -> f32 {
    if (pb_isnan(x) || pb_isnan(y)) { return pb_from_bits(0x7fc00000u); }
    var low = pb_abs(y);
    var high = pb_abs(x);
    let steep = pb_order(low) > pb_order(high);
    if (steep) {
        low = high;
        high = pb_abs(y);
    }
    // Division may flush what it returns or takes: far from 1 both are brought into range first.
    if (high > 1e30 && !pb_isinf(high)) {
        low *= 5.421010862427522e-20;
        high *= 5.421010862427522e-20;
    } else if (high < 1e-20) {
        low *= 1.8446744073709552e19;
        high *= 1.8446744073709552e19;
    }
    // 0/0 is on the axis, infinity/infinity on the diagonal.
    var t = 0.0;
    if (pb_isinf(high)) {
        t = select(0.0, 1.0, pb_isinf(low));
    } else if (high != 0.0) {
        t = low / high;
    }
    var angle = pb_atan_unit(t);
    if (steep) { angle = 1.5707964 - pb_fix(angle + 4.371139e-8); }
    if (pb_signbit(x)) { angle = 3.1415927 - pb_fix(angle + 8.742278e-8); }
    return pb_copysign(angle, y);
}

// asin of sqrt z for |x| <= 1/2, half of it beyond.
fn pb_asin_part(a: f32) -> f32 {
    var z = a * a;
    var s = a;
    if (a > 0.5) {
        z = (1.0 - a) * 0.5;
        s = sqrt(z);
    }
    return s + s * z * (0.166667521 + z * (0.07495306432 + z * (0.04546977207 + z * (0.02418077365 + z * (0.04216641188)))));
}

fn pb_asin(x: f32) -> f32 {
    let a = pb_abs(x);
    if (pb_isnan(x) || a < 1e-5) { return x; }
    if (a > 1.0) { return pb_from_bits(0x7fc00000u); }
    let y = pb_asin_part(a);
    if (a <= 0.5) { return pb_copysign(y, x); }
    return pb_copysign(1.5707964 - pb_fix((y + y) + 4.371139e-8), x);
}

fn pb_acos(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    let a = pb_abs(x);
    if (a > 1.0) { return pb_from_bits(0x7fc00000u); }
    let y = pb_asin_part(a);
    if (a <= 0.5) { return 1.5707964 - pb_fix(pb_copysign(y, x) + 4.371139e-8); }
    if (x < 0.0) { return 3.1415927 - pb_fix((y + y) + 8.742278e-8); }
    return y + y;
}

fn pb_sinh(x: f32) -> f32 {
    if (!pb_isfinite(x)) { return x; }
    let a = pb_abs(x);
    if (a < 1.0) {
        let z = x * x;
        if (a < 1e-5) { return x; }
        return x + x * z * (0.1666666716 + z * (0.008333310485 + z * (0.0001984288683 + z * (2.782321189e-06))));
    }
    let half = pb_half_exp(a);
    if (pb_isinf(half)) { return pb_copysign(half, x); }
    return pb_copysign(half - 0.25 / half, x);
}

fn pb_cosh(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    let half = pb_half_exp(pb_abs(x));
    if (pb_isinf(half)) { return half; }
    return half + 0.25 / half;
}

fn pb_tanh(x: f32) -> f32 {
    let a = pb_abs(x);
    if (pb_isnan(x) || a < 1e-5) { return x; }
    if (a > 9.02) { return pb_copysign(1.0, x); }
    let z = x * x;
    let n = x * (0.9028664 + z * (0.028421953 + z * (0.00014407243 + z * (7.712172e-08))));
    let q = 1.8057328 + z * (0.20732152 + z * (0.0025172196 + z * (4.923712e-06)));
    let product = n * q;
    return (product + product) / (q * q + n * n);
}

fn pb_asinh(x: f32) -> f32 {
    if (!pb_isfinite(x)) { return x; }
    let a = pb_abs(x);
    if (a < 1e-5) { return x; }
    if (a > 4096.0) { return pb_copysign(pb_log(a) + 0.6931472, x); }
    return pb_copysign(pb_log1p(a + a * a / (1.0 + sqrt(a * a + 1.0))), x);
}

fn pb_acosh(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    if (x < 1.0) { return pb_from_bits(0x7fc00000u); }
    if (x > 4096.0) { return pb_log(x) + 0.6931472; }
    let t = x - 1.0;
    return pb_log1p(t + sqrt(t * t + (t + t)));
}

fn pb_atanh(x: f32) -> f32 {
    let a = pb_abs(x);
    if (pb_isnan(x) || a < 1e-5) { return x; }
    if (a > 1.0) { return pb_from_bits(0x7fc00000u); }
    if (a == 1.0) { return pb_copysign(pb_from_bits(0x7f800000u), x); }
    return pb_copysign(0.5 * pb_log1p((a + a) / (1.0 - a)), x);
}

fn pb_sigmoid(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    let z = pb_exp(-pb_abs(x));
    return select(1.0, z, x < 0.0) / (1.0 + z);
}

fn pb_erf(x: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    let a = pb_abs(x);
    if (a > 3.95) { return pb_copysign(1.0, x); }
    if (a < 0.92) {
        let z = x * x;
        return x + x * (0.1283791661 + z * (-0.3761262894 + z * (0.1128362566 + z * (-0.02685572952 + z * (0.005192392506 + z * (-0.0008049514727 + z * (7.995048509e-05)))))));
    }
    let q = 1.001381636 + a * (-0.2897556126 + a * (-0.1011943817 + a * (-0.008475586772 + a * (0.0375097543 + a * (-0.009996366687 + a * (4.241122951e-05 + a * (0.0002868195006 + a * (-2.91617016e-05))))))));
    let s = q * q;
    return pb_copysign(1.0 - s * s, x);
}

fn pb_erfinv(x: f32) -> f32 {
    let a = pb_abs(x);
    if (pb_isnan(x)) { return x; }
    if (a > 1.0) { return pb_from_bits(0x7fc00000u); }
    if (a == 1.0) { return pb_copysign(pb_from_bits(0x7f800000u), x); }
    let w = -pb_log((1.0 - x) * (1.0 + x));
    if (w < 5.0) {
        let t = w - 2.5;
        return x * (1.501409411 + t * (0.2466402799 + t * (-0.004177386872 + t * (-0.001252741902 + t * (0.0002183444303 + t * (-4.963348147e-06 + t * (-3.462703489e-06 + t * (4.661706612e-07 + t * (2.3232543e-08 + t * (-8.791054995e-09))))))))));
    }
    let t = sqrt(w) - 3.0;
    return x * (2.832976818 + t * (1.001674771 + t * (0.009444177151 + t * (-0.007634707261 + t * (0.005696171429 + t * (-0.003609468928 + t * (0.001461597392 + t * (-3.300391472e-05 + t * (-0.0002910213952 + t * (9.850105562e-05))))))))));
}

fn pb_logaddexp(x: f32, y: f32) -> f32 {
    if (pb_isnan(x)) { return x; }
    if (pb_isnan(y)) { return y; }
    let high = pb_max(x, y);
    // Two equal infinities: their difference would be NaN.
    if (pb_isinf(high) || pb_isinf(pb_min(x, y))) { return high; }
    return high + pb_log1p(pb_exp(-pb_abs(x - y)));
}
