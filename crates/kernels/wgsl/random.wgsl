// threefry2x32 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011), 20 rounds, with words
// laid out as MLX lays them out: counter (j, half + j) gives words j and half + j; an odd last word stands alone in
// the middle, from the counter (half, 0).
fn turn(v: vec2<u32>, by: u32) -> vec2<u32> {
    let x = v.x + v.y;
    return vec2<u32>(x, ((v.y << by) | (v.y >> (32u - by))) ^ x);
}

fn even(v: vec2<u32>) -> vec2<u32> {
    return turn(turn(turn(turn(v, 13u), 15u), 26u), 6u);
}

fn odd(v: vec2<u32>) -> vec2<u32> {
    return turn(turn(turn(turn(v, 17u), 29u), 16u), 24u);
}

fn threefry(k0: u32, k1: u32, counter: vec2<u32>) -> vec2<u32> {
    let k2 = k0 ^ k1 ^ 0x1bd11bdau;
    var v = even(counter + vec2<u32>(k0, k1)) + vec2<u32>(k1, k2 + 1u);
    v = odd(v) + vec2<u32>(k2, k0 + 2u);
    v = even(v) + vec2<u32>(k0, k1 + 3u);
    v = odd(v) + vec2<u32>(k1, k2 + 4u);
    return even(v) + vec2<u32>(k2, k0 + 5u);
}

MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    let b = i / pairs;
    let j = i % pairs;
    let half = size / 2u;
    let second = j + half + (size & 1u);
    let alone = j == half;
    let at = begin + b * 2u;
    let v = threefry(keys[at], keys[at + 1u], vec2<u32>(j, select(second, 0u, alone)));
    out[b * size + j] = v.x;
    if (!alone) { out[b * size + second] = v.y; }
}
