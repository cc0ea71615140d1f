// c = a b through workgroup memory, 16 columns of a at a time: 64 x 64 results per workgroup, 4 x 4 per thread. Edges
// are staged as zeros, so that every thread reaches every barrier.
var<workgroup> ta: array<T, 1024>; // 16 x 64: a transposed, so that a thread reads 4 neighbours
var<workgroup> tb: array<T, 1024>; // 16 x 64

MAIN
    if (group >= tiles) { return; }
    let layer = group / (across * down);
    let batch = layer % batches;
    let first = (layer / batches) * chunk;
    let last = min(first + chunk, depth);
    let tile = group % (across * down);
    let row0 = (tile / across) * 64u;
    let col0 = (tile % across) * 64u;
    let at = a0 + batch * ab;
    let bt = b0 + batch * bb;
    // Neighbouring threads stage neighbouring elements, whichever way a and b lie.
    let a_down = am == 1u;
    let b_down = bk == 1u;
    let ty = l / 16u;
    let tx = l % 16u;
    var c0 = FOUR();
    var c1 = FOUR();
    var c2 = FOUR();
    var c3 = FOUR();
    for (var k0 = first; k0 < last; k0 += 16u) {
        for (var s = l; s < 1024u; s += 256u) {
            let ar = select(s / 16u, s % 64u, a_down);
            let ac = select(s % 16u, s / 64u, a_down);
            // Not `select`: it would load both sides, and the index may be out of bounds.
            var x = T(0);
            if (row0 + ar < rows && k0 + ac < last) { x = a[at + (row0 + ar) * am + (k0 + ac) * ak]; }
            ta[ac * 64u + ar] = x;
            let br = select(s / 64u, s % 16u, b_down);
            let bc = select(s % 64u, s / 16u, b_down);
            var y = T(0);
            if (k0 + br < last && col0 + bc < cols) { y = b[bt + (k0 + br) * bk + (col0 + bc) * bn]; }
            tb[br * 64u + bc] = y;
        }
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
    let row = row0 + ty * 4u;
    let col = col0 + tx * 4u;
    let to = layer * rows * cols;
    store(to, rows, cols, row, col, c0);
    store(to, rows, cols, row + 1u, col, c1);
    store(to, rows, cols, row + 2u, col, c2);
    store(to, rows, cols, row + 3u, col, c3);
}

fn store(to: u32, rows: u32, cols: u32, row: u32, col: u32, v: FOUR) {
    if (row >= rows) { return; }
    let at = to + row * cols + col;
    if (col < cols) { c[at] = done(v[0]); }
    if (col + 1u < cols) { c[at + 1u] = done(v[1]); }
    if (col + 2u < cols) { c[at + 2u] = done(v[2]); }
    if (col + 3u < cols) { c[at + 3u] = done(v[3]); }
}
