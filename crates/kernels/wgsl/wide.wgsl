// Conversions to 64-bit integers, for devices that have them.

fn pb_to_i64(x: f32) -> i64 {
    if (pb_isnan(x)) { return 0li; }
    if (x >= 9223372036854775808.0) { return 9223372036854775807li; }
    if (x < -9223372036854775808.0) { return bitcast<i64>(9223372036854775808lu); }
    return i64(x);
}

// Negative numbers wrap.
fn pb_to_u64(x: f32) -> u64 {
    if (pb_isnan(x)) { return 0lu; }
    if (x >= 18446744073709551616.0) { return 18446744073709551615lu; }
    if (x >= 9223372036854775808.0) { return bitcast<u64>(i64(x - 9223372036854775808.0)) | 9223372036854775808lu; }
    return bitcast<u64>(pb_to_i64(x));
}
