// A convolution as a product of windows and kernels, through workgroup memory, 16 products at a time: 64 windows and 64
// channels per workgroup, 4 x 4 per thread. What lies outside is staged as zeros, so that every thread reaches every
// barrier.
var<workgroup> ta: array<T, 1024>; // 16 x 64: a row for each product, so that a thread reads 4 neighbours
var<workgroup> tb: array<T, 1024>; // 16 x 64

MAIN
    if (group >= tiles) { return; }
    let layer = group / (across * down);
    let at_group = layer % groups;
    let part = layer / groups;
    let first = part * chunk;
    let last = min(first + chunk, depth);
    let tile = group % (across * down);
    let top = (tile / across) * 64u;
    let left = (tile % across) * 64u;
    // A thread stages 4 windows and 4 channels, each 16 behind the one before, of the same product.
    let side = l / 16u;
    let product = l % 16u;
    let wi = w0 + at_group * wg;
    var rest = 0u;
    WINDOWS
    let ty = l / 16u;
    let tx = l % 16u;
    var c0 = FOUR();
    var c1 = FOUR();
    var c2 = FOUR();
    var c3 = FOUR();
    for (var begin = first; begin < last; begin += 16u) {
        let inside = begin + product < last;
        rest = begin + product;
        let c = rest % inputs;
        rest /= inputs;
        PLACE
        STAGE
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            let ia = k * 64u + ty * 4u;
            let ib = k * 64u + tx * 4u;
            let y = FOUR(tb[ib], tb[ib + 1u], tb[ib + 2u], tb[ib + 3u]);
            c0 += by(ta[ia], y);
            c1 += by(ta[ia + 1u], y);
            c2 += by(ta[ia + 2u], y);
            c3 += by(ta[ia + 3u], y);
        }
        workgroupBarrier();
    }
    let row = top + ty * 4u;
    let col = left + tx * 4u;
    let to = (part * rows + row) * groups + at_group;
    store(row < rows, to * channels, col, channels, c0);
    store(row + 1u < rows, (to + groups) * channels, col, channels, c1);
    store(row + 2u < rows, (to + 2u * groups) * channels, col, channels, c2);
    store(row + 3u < rows, (to + 3u * groups) * channels, col, channels, c3);
}

fn store(there: bool, to: u32, col: u32, cols: u32, v: FOUR) {
    if (!there) { return; }
    let at = to + col;
    if (col < cols) { out[at] = done(v[0]); }
    if (col + 1u < cols) { out[at + 1u] = done(v[1]); }
    if (col + 2u < cols) { out[at + 2u] = done(v[2]); }
    if (col + 3u < cols) { out[at + 3u] = done(v[3]); }
}
