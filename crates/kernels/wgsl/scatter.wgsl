// One thread per element of the result. `order` sorts `positions`, stably: the updates of a row are neighbours in it,
// in the order in which they were given.
MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    let row = i / inner;
    let col = i % inner;
    // The first update of this row, by bisection.
    var low = 0u;
    var high = k;
    while (low < high) {
        let mid = (low + high) / 2u;
        if (positions[order[mid]] < row) { low = mid + 1u; } else { high = mid; }
    }
    var value = x[begin + i];
    while (low < k) {
        let update = order[low];
        if (positions[update] != row) { break; }
        value = joined(value, updates[at + update * inner + col]);
        low += 1u;
    }
    out[i] = done(value);
}
