// c = a b from registers alone: 64 x 64 results per workgroup, 4 x 4 per thread. Rows and columns beyond the edge are
// read as the last one and not written.
MAIN
    if (group >= tiles) { return; }
    let layer = group / (across * down);
    let batch = layer % batches;
    let first = (layer / batches) * chunk;
    let last = min(first + chunk, depth);
    let tile = group % (across * down);
    let row = (tile / across) * 64u + (l / 16u) * 4u;
    let col = (tile % across) * 64u + (l % 16u) * 4u;
    if (row >= rows || col >= cols) { return; }
    let at = a0 + batch * ab;
    let bt = b0 + batch * bb;
    let last_row = rows - 1u;
    let last_col = cols - 1u;
    let ar = at + vec4<u32>(row, min(row + 1u, last_row), min(row + 2u, last_row), min(row + 3u, last_row)) * am;
    let bc = bt + vec4<u32>(col, min(col + 1u, last_col), min(col + 2u, last_col), min(col + 3u, last_col)) * bn;
    var c0 = FOUR();
    var c1 = FOUR();
    var c2 = FOUR();
    var c3 = FOUR();
    for (var k = first; k < last; k++) {
        let bi = bc + k * bk;
        let ai = ar + k * ak;
        let y = FOUR(b[bi.x], b[bi.y], b[bi.z], b[bi.w]);
        c0 += by(a[ai.x], y);
        c1 += by(a[ai.y], y);
        c2 += by(a[ai.z], y);
        c3 += by(a[ai.w], y);
    }
    let to = layer * rows * cols;
    store(to, rows, cols, row, col, c0);
    store(to, rows, cols, row + 1u, col, c1);
    store(to, rows, cols, row + 2u, col, c2);
    store(to, rows, cols, row + 3u, col, c3);
}

fn store(to: u32, rows: u32, cols: u32, row: u32, col: u32, v: FOUR) {
    if (row >= rows) { return; }
    let at = to + row * cols + col;
    c[at] = done(v[0]);
    if (col + 1u < cols) { c[at + 1u] = done(v[1]); }
    if (col + 2u < cols) { c[at + 2u] = done(v[2]); }
    if (col + 3u < cols) { c[at + 3u] = done(v[3]); }
}
