// Integer arithmetic for one type: T is its name, U its unsigned twin, N its bits. Everything wraps. Right also where
// wgpu's own guards are off: no division by zero and none of the smallest number by -1 reaches the hardware.

// Towards minus infinity; 0 for a zero divisor.
fn pb_floordiv_T(a: T, b: T) -> T {
    if (b == T(0)) { return T(0); }
    SIGNED if (b == T(-1)) { return T(0) - a; }
    let q = a / b;
    SIGNED if ((q * b != a) && ((a < T(0)) != (b < T(0)))) { return q - T(1); }
    return q;
}

// With the sign of the divisor; 0 for a zero divisor.
fn pb_rem_T(a: T, b: T) -> T {
    if (b == T(0)) { return T(0); }
    SIGNED if (b == T(-1)) { return T(0); }
    let r = a - b * (a / b);
    SIGNED if (r != T(0) && ((r < T(0)) != (b < T(0)))) { return r + b; }
    return r;
}

// A shift by all bits or more leaves nothing, or the sign.
fn pb_shl_T(x: T, n: T) -> T {
    if (bitcast<U>(n) >= U(N)) { return T(0); }
    return x << u32(n);
}

fn pb_shr_T(x: T, n: T) -> T {
    if (bitcast<U>(n) >= U(N)) {
        SIGNED if (x < T(0)) { return T(-1); }
        return T(0);
    }
    return x >> u32(n);
}

fn pb_sign_T(x: T) -> T {
    if (x > T(0)) { return T(1); }
    SIGNED if (x < T(0)) { return T(-1); }
    return T(0);
}

// A negative exponent gives what is left of the fraction: 0, or the sign of 1 or -1.
fn pb_pow_T(x: T, n: T) -> T {
    SIGNED if (n < T(0)) {
    SIGNED     if (x == T(1)) { return T(1); }
    SIGNED     if (x == T(-1)) { return select(T(-1), T(1), (n & T(1)) == T(0)); }
    SIGNED     return T(0);
    SIGNED }
    var base = x;
    var left = bitcast<U>(n);
    var result = T(1);
    while (left != U(0)) {
        if ((left & U(1)) != U(0)) { result *= base; }
        base *= base;
        left = left >> 1u;
    }
    return result;
}
