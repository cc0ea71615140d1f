// Four neighbours in a row of a packed matrix: words of the row place `at` on, `cw` apart. BITS and MASK are of one code.
fn quad(at: u32, cw: u32, t: u32) -> vec4<u32> {
    let bit = t * (4u * BITS);
    let place = at + (bit / 32u) * cw;
    let shift = bit % 32u;
    var word = codes[place] >> shift;
    CROSS
    return (vec4<u32>(word) >> vec4<u32>(0u, BITS, 2u * BITS, 3u * BITS)) & vec4<u32>(MASK);
}
