// One thread per row.
MAIN
    let i = group * 256u + l;
    if (i >= units) { return; }
    let base = begin + (i / inner) * n * inner + i % inner;
    var best = 0u;
    var value = x[base];
    for (var j = 1u; j < n; j++) {
        let other = x[base + j * inner];
        if (better(other, value)) {
            value = other;
            best = j;
        }
    }
    out[i] = best;
}
// GROUPED
// One workgroup per row, for rows of at least as many elements as threads have work for; a tree joins them, and of equal
// ones the first wins.
var<workgroup> values: array<T, 256>;
var<workgroup> places: array<u32, 256>;

MAIN
    if (group >= units) { return; }
    let base = begin + (group / inner) * n * inner + group % inner;
    var best = min(l, n - 1u);
    var value = x[base + best * inner];
    for (var j = l + 256u; j < n; j += 256u) {
        let other = x[base + j * inner];
        if (better(other, value)) {
            value = other;
            best = j;
        }
    }
    values[l] = value;
    places[l] = best;
    workgroupBarrier();
    for (var h = 128u; h > 0u; h = h >> 1u) {
        if (l < h) {
            let a = values[l + h];
            let b = values[l];
            if (better(a, b) || (!better(b, a) && places[l + h] < places[l])) {
                values[l] = a;
                places[l] = places[l + h];
            }
        }
        workgroupBarrier();
    }
    if (l == 0u) { out[group] = places[0]; }
}
