//! Rows for integers, which wrap.

/// x to the y, wrapping. A negative exponent gives what is left of the fraction: 0, or the sign of ±1.
macro_rules! power {
    ($t:ident, $x:expr, $y:expr) => {{
        let (mut base, exponent) = ($x, $y);
        #[allow(unused_comparisons)]
        if exponent < (0 as $t) {
            let minus = (0 as $t).wrapping_sub(1);
            let odd = exponent & 1 != 0;
            if base == 1 || (base == minus && !odd) {
                1
            } else if base == minus {
                minus
            } else {
                0
            }
        } else {
            let (mut left, mut result): (u64, $t) = (exponent as u64, 1);
            while left != 0 {
                if left & 1 != 0 {
                    result = result.wrapping_mul(base);
                }
                base = base.wrapping_mul(base);
                left >>= 1;
            }
            result
        }
    }};
}

macro_rules! int_table {
    ($(#[$doc:meta])* $name:ident, $t:ident) => {
        crate::tile::table! {
            $(#[$doc])*
            fn $name;
            one($t) {
                Neg: $t = |x| x.wrapping_neg();
                Abs: $t = |x| if x < (0 as $t) { x.wrapping_neg() } else { x };
                Sign: $t = |x| $t::from(x > 0).wrapping_sub($t::from(x < (0 as $t)));
                Square: $t = |x| x.wrapping_mul(x);
                Cube: $t = |x| x.wrapping_mul(x).wrapping_mul(x);
                Not: $t = |x| !x;
            }
            two($t) {
                Add [0, 2]: $t = |x, y| x.wrapping_add(y);
                Sub [0, 1, 2]: $t = |x, y| x.wrapping_sub(y);
                Mul [0, 2]: $t = |x, y| x.wrapping_mul(y);
                // Towards minus infinity, as Python; division by zero gives zero, as NumPy.
                FloorDiv [0]: $t = |x, y| if y == 0 { 0 } else {
                    let q = x.wrapping_div(y);
                    if x.wrapping_rem(y) != 0 && (x < (0 as $t)) != (y < (0 as $t)) { q.wrapping_sub(1) } else { q }
                };
                Rem [0]: $t = |x, y| if y == 0 { 0 } else {
                    let r = x.wrapping_rem(y);
                    if r != 0 && (r < (0 as $t)) != (y < (0 as $t)) { r.wrapping_add(y) } else { r }
                };
                Max [0, 2]: $t = |x, y| if x > y { x } else { y };
                Min [0, 2]: $t = |x, y| if x < y { x } else { y };
                Pow [0]: $t = |x, y| power!($t, x, y);
                And [0, 2]: $t = |x, y| x & y;
                Or [0, 2]: $t = |x, y| x | y;
                Xor [0, 2]: $t = |x, y| x ^ y;
                // A shift by the width or more empties the word: Rust's operator would panic, C's is undefined.
                Shl [0, 2]: $t = |x, y| if (y as u64) < $t::BITS as u64 { x.wrapping_shl(y as u32) } else { 0 };
                Shr [0, 2]: $t = |x, y| {
                    let most = $t::BITS - 1;
                    if (y as u64) < $t::BITS as u64 { x.wrapping_shr(y as u32) } else if $t::MIN == 0 { 0 } else { x.wrapping_shr(most) }
                };
                Lt [0, 2]: u8 = |x, y| u8::from(x < y);
                Le [0, 2]: u8 = |x, y| u8::from(x <= y);
                Gt [0, 2]: u8 = |x, y| u8::from(x > y);
                Ge [0, 2]: u8 = |x, y| u8::from(x >= y);
                Eq [0, 2]: u8 = |x, y| u8::from(x == y);
                Ne [0, 2]: u8 = |x, y| u8::from(x != y);
            }
            three($t) {
                Select [0, 2, 4]: u8 = |x, y, z| if x != 0 { y } else { z };
                MulAdd [0, 2, 4, 6]: $t = |x, y, z| x.wrapping_mul(y).wrapping_add(z);
            }
            four($t) {
                SelectLt [0] = |x, y, z, w| if x < y { z } else { w };
            }
        }
    };
}

int_table!(
    /// Kernels on `i32`.
    i32,
    i32
);
int_table!(
    /// Kernels on `u32`.
    u32,
    u32
);
int_table!(
    /// Kernels on `i64`.
    i64,
    i64
);
int_table!(
    /// Kernels on `u64`.
    u64,
    u64
);
