// out = x w.T for few rows of x: SPLIT threads to a column of the result, which is a row of codes, and four rows of x to
// each. Rows and columns beyond the edge are read as the last one and not written.
MAIN
    if (group >= tiles) { return; }
    let block = group / across;
    let batch = block / down;
    let row = (block % down) * 4u;
    let place = (group % across) * (256u / SPLIT) + l / SPLIT;
    let lane = l % SPLIT;
    let column = min(place, cols - 1u);
    let r = x0 + batch * xb + min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u)) * xm;
    let words = c0 + batch * cb + column * cr;
    let si = s0 + batch * sb + column * sr;
    let bi = b0 + batch * bb + column * br;
    var sum = vec4<f32>();
    for (var t = lane; t < depth / 4u; t += SPLIT) {
        let w = value(quad(words, cw, t), si + t / share * sg, bi + t / share * bg);
        let k = r + t * 4u * xk;
        let k1 = k + xk;
        let k2 = k1 + xk;
        let k3 = k2 + xk;
        sum += w.x * vec4<f32>(x[k.x], x[k.y], x[k.z], x[k.w]);
        sum += w.y * vec4<f32>(x[k1.x], x[k1.y], x[k1.z], x[k1.w]);
        sum += w.z * vec4<f32>(x[k2.x], x[k2.y], x[k2.z], x[k2.w]);
        sum += w.w * vec4<f32>(x[k3.x], x[k3.y], x[k3.z], x[k3.w]);
    }
    FOLD
    if (lane != 0u || place >= cols) { return; }
    let to = (batch * rows + row) * cols + place;
    out[to] = done(sum.x);
    if (row + 1u < rows) { out[to + cols] = done(sum.y); }
    if (row + 2u < rows) { out[to + 2u * cols] = done(sum.z); }
    if (row + 3u < rows) { out[to + 3u * cols] = done(sum.w); }
}
