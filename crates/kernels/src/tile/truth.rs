//! Rows for truth values, bytes of 0 or 1: `Add` and `Max` are or, `Mul` and `Min` are and.

crate::tile::table! {
    /// Kernels on truth values, bytes of 0 or 1.
    fn bool;
    one(u8) {
        Not: u8 = |x| x ^ 1;
        Abs: u8 = |x| x;
        Sign: u8 = |x| x;
        Square: u8 = |x| x;
    }
    two(u8) {
        And [0]: u8 = |x, y| x & y;
        Or [0]: u8 = |x, y| x | y;
        Xor [0]: u8 = |x, y| x ^ y;
        Eq [0]: u8 = |x, y| x ^ y ^ 1;
        Ne [0]: u8 = |x, y| x ^ y;
        Add [0]: u8 = |x, y| x | y;
        Max [0]: u8 = |x, y| x | y;
        Mul [0]: u8 = |x, y| x & y;
        Min [0]: u8 = |x, y| x & y;
        Lt [0]: u8 = |x, y| (x ^ 1) & y;
        Le [0]: u8 = |x, y| (x ^ 1) | y;
        Gt [0]: u8 = |x, y| x & (y ^ 1);
        Ge [0]: u8 = |x, y| x | (y ^ 1);
    }
    three(u8) {
        Select [0]: u8 = |x, y, z| if x != 0 { y } else { z };
    }
    four(u8) {}
}
