// out = x w for few rows of x: SPLIT threads to four neighbouring columns, and four rows of x to each. Rows and columns
// beyond the edge are read as the last ones and not written; columns are a multiple of four.
MAIN
    if (group >= tiles) { return; }
    let block = group / across;
    let batch = block / down;
    let row = (block % down) * 4u;
    let each = 256u / SPLIT;
    let place = (group % across) * each + l % each;
    let lane = l / each;
    let t = min(place, cols / 4u - 1u);
    let r = x0 + batch * xb + min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u)) * xm;
    let words = c0 + batch * cb;
    let si = s0 + batch * sb + t / share * sg;
    let bi = b0 + batch * bb + t / share * bg;
    var sums = array<vec4<f32>, 4>();
    for (var k = lane; k < depth; k += SPLIT) {
        let w = value(quad(words + k * cr, cw, t), si + k * sr, bi + k * br);
        let xi = r + k * xk;
        sums[0] += x[xi.x] * w;
        sums[1] += x[xi.y] * w;
        sums[2] += x[xi.z] * w;
        sums[3] += x[xi.w] * w;
    }
    let to = (batch * rows + row) * cols + place * 4u;
    for (var m = 0u; m < 4u; m++) {
        var sum = sums[m];
        FOLD
        if (lane == 0u && place < cols / 4u && row + m < rows) {
            let at = to + m * cols;
            out[at] = done(sum.x);
            out[at + 1u] = done(sum.y);
            out[at + 2u] = done(sum.z);
            out[at + 3u] = done(sum.w);
        }
    }
}
