// Powers, remainders and quotients of f32, which take more than a polynomial.

// a b exactly, as two numbers: halves by bits, so that every product is exact, contracted to fma or not.
fn pb_two_prod(a: f32, b: f32) -> vec2<f32> {
    let ah = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    let al = a - ah;
    let bh = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
    let bl = b - bh;
    let product = pb_fix(a * b);
    return vec2<f32>(product, pb_fix(pb_fix(ah * bh - product) + ah * bl) + al * bh + al * bl);
}

// a + b exactly, as two numbers; |a| >= |b| or a = 0. Compilers take (a + b) - a for b: so the sum is fixed.
fn pb_two_sum(a: f32, b: f32) -> vec2<f32> {
    let sum = pb_fix(a + b);
    return vec2<f32>(sum, b - pb_fix(sum - a));
}

// The product of two numbers of two parts each, to about 45 bits.
fn pb_pair_prod(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let product = pb_two_prod(a.x, b.x);
    return pb_two_sum(product.x, product.y + (a.x * b.y + a.y * b.x));
}

// log2 of positive finite x in two parts, to about 2^-36 relative to 1: the CPU works this in f64, which few GPUs have.
fn pb_log2_pair(x: f32) -> vec2<f32> {
    let ef = pb_split(x);
    let f = ef.y;
    // s = f / (2 + f): a quotient, and what it misses.
    let d = pb_two_sum(2.0, f);
    let q = f / d.x;
    let back = pb_two_prod(q, d.x);
    let s = pb_two_sum(q, (((f - back.x) - back.y) - q * d.y) / d.x);
    let z = pb_pair_prod(s, s);
    let tail = z.x * z.x * (0.5770780444145203 + z.x * (0.41219794750213623 + z.x * (0.3206443786621094 + z.x * (0.2606632113456726 + z.x * (0.25108394026756287)))));
    let second = pb_pair_prod(vec2<f32>(0.9617967009544373, -7.039267835295959e-09), z);
    let sum = pb_two_sum(2.885390043258667, second.x);
    let factor = pb_two_sum(sum.x, sum.y + (second.y + (3.85192642227139e-08 + tail)));
    let log = pb_pair_prod(s, factor);
    let whole = pb_two_sum(ef.x, log.x);
    return pb_two_sum(whole.x, whole.y + log.y);
}

// 2^(y log2 |x|), finite and positive x, with y log2 |x| in two parts.
fn pb_pow_positive(x: f32, y: f32) -> f32 {
    // Beyond 2^33 every base but 1 has run over already.
    let exponent = select(y, pb_copysign(8589934592.0, y), pb_abs(y) > 8589934592.0);
    let log = pb_log2_pair(x);
    let t = pb_two_prod(exponent, log.x);
    if (t.x > 129.0) { return pb_from_bits(0x7f800000u); }
    if (t.x < -152.0) { return 0.0; }
    let n = floor(t.x + 0.5);
    let r = (t.x - n) + (t.y + exponent * log.y);
    let y2 = 1.0 + r * (0.6931471825 + r * (0.2402264476 + r * (0.05550358817 + r * (0.009618838318 + r * (0.001339135342 + r * (0.00015241855))))));
    // Overflow is for us to say: the product below need not know infinity.
    if (n >= 128.0 && (n > 128.0 || y2 >= 1.0)) { return pb_from_bits(0x7f800000u); }
    return pb_scale(y2, i32(n));
}

// With the edge cases of IEEE 754.
fn pb_pow(x: f32, y: f32) -> f32 {
    if (y == 0.0 || x == 1.0 || (x == -1.0 && pb_isinf(y))) { return 1.0; }
    if (pb_isnan(x)) { return x; }
    if (pb_isnan(y)) { return y; }
    let a = pb_abs(x);
    let whole = floor(y) == y || pb_isinf(y);
    let odd = whole && pb_abs(y) < 16777216.0 && floor(y * 0.5) * 2.0 != y;
    var power = 0.0;
    let zero = bitcast<u32>(a) == 0u;
    if (pb_isinf(a) || zero || pb_isinf(y)) {
        // Grows without end, or vanishes.
        let grows = select((a > 1.0) != pb_signbit(y), zero == pb_signbit(y), zero || pb_isinf(a));
        power = select(0.0, pb_from_bits(0x7f800000u), grows);
    } else {
        if (pb_signbit(x) && !whole) { return pb_from_bits(0x7fc00000u); }
        power = pb_pow_positive(a, y);
    }
    return select(power, pb_neg(power), odd && pb_signbit(x));
}

// The remainder of x by y with the sign of x, exactly: long division on the bits, which WGSL's % is not.
fn pb_fmod(x: f32, y: f32) -> f32 {
    var a = bitcast<u32>(x) & 0x7fffffffu;
    let sign = bitcast<u32>(x) & 0x80000000u;
    let b = bitcast<u32>(y) & 0x7fffffffu;
    if (b == 0u || a >= 0x7f800000u || b > 0x7f800000u) { return pb_from_bits(0x7fc00000u); }
    if (a < b) { return x; }
    // Mantissas with their top bit set, also of subnormals.
    let za = select(0, i32(countLeadingZeros(a)) - 8, a < 0x800000u);
    let zb = select(0, i32(countLeadingZeros(b)) - 8, b < 0x800000u);
    var ea = select(i32(a >> 23u), 1 - za, a < 0x800000u);
    let eb = select(i32(b >> 23u), 1 - zb, b < 0x800000u);
    var ma = select((a & 0x7fffffu) | 0x800000u, a << u32(za), a < 0x800000u);
    let mb = select((b & 0x7fffffu) | 0x800000u, b << u32(zb), b < 0x800000u);
    while (ea > eb) {
        if (ma >= mb) { ma -= mb; }
        ma = ma << 1u;
        ea -= 1;
    }
    if (ma >= mb) { ma -= mb; }
    if (ma == 0u) { return bitcast<f32>(sign); }
    let zeros = countLeadingZeros(ma) - 8u;
    ma = ma << zeros;
    ea -= i32(zeros);
    if (ea > 0) { return bitcast<f32>(sign | (u32(ea) << 23u) | (ma & 0x7fffffu)); }
    return bitcast<f32>(sign | (ma >> u32(1 - ea)));
}

// With the sign of the divisor, as Python's %.
fn pb_rem(x: f32, y: f32) -> f32 {
    let r = pb_fmod(x, y);
    if (pb_isnan(r)) { return r; }
    if ((bitcast<u32>(r) & 0x7fffffffu) == 0u) { return pb_copysign(0.0, y); }
    if (pb_signbit(r) == pb_signbit(y)) { return r; }
    // An infinite divisor of the other sign: Python's answer.
    if (pb_isinf(y)) { return y; }
    return r + y;
}

// Rounded down, as Python's //: from the exact remainder, since x / y may round up to an integer.
fn pb_floordiv(x: f32, y: f32) -> f32 {
    if (pb_isnan(x) || pb_isnan(y)) { return pb_from_bits(0x7fc00000u); }
    if ((bitcast<u32>(y) & 0x7fffffffu) == 0u) {
        if ((bitcast<u32>(x) & 0x7fffffffu) == 0u) { return pb_from_bits(0x7fc00000u); }
        return pb_copysign(pb_from_bits(0x7f800000u), select(1.0, -1.0, pb_signbit(x) != pb_signbit(y)));
    }
    if (pb_isinf(x)) { return pb_from_bits(0x7fc00000u); }
    let sign = select(1.0, -1.0, pb_signbit(x) != pb_signbit(y));
    let r = pb_fmod(x, y);
    let exact = (bitcast<u32>(r) & 0x7fffffffu) == 0u;
    if (pb_isinf(y)) { return select(pb_copysign(0.0, sign), -1.0, !exact && sign < 0.0); }
    var q = round((x - r) / y);
    if (!exact && sign < 0.0) { q -= 1.0; }
    return select(q, pb_copysign(0.0, sign), q == 0.0);
}
