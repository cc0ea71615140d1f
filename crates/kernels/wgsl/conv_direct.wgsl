// Sums of products of windows and kernels, from registers alone: one thread makes four neighbouring channels of one
// window, so that every element of the input is read once for four products.
MAIN
    let i = group * 256u + l;
    if (i >= units) { return; }
    let o = (i % quads) * 4u;
    var rest = i / quads;
    let at_group = rest % groups;
    rest /= groups;
    PLACES
    let last = channels - 1u;
    let rows = vec4<u32>(o, min(o + 1u, last), min(o + 2u, last), min(o + 3u, last)) * wo;
    let xi = x0 + rest * xn + at_group * xg;
    let wi = w0 + at_group * wg;
    var sum = FOUR();
    OPEN
    for (var c = 0u; c < depth; c++) {
        let at = rows + (w_at + c * wc);
        sum += by(a[x_at + c * xc], FOUR(b[at.x], b[at.y], b[at.z], b[at.w]));
    }
    CLOSE
    let to = (i / quads) * channels + o;
    out[to] = done(sum[0]);
    if (o + 1u < channels) { out[to + 1u] = done(sum[1]); }
    if (o + 2u < channels) { out[to + 2u] = done(sum[2]); }
    if (o + 3u < channels) { out[to + 3u] = done(sum[3]); }
}
