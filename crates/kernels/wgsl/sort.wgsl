// Runs: every element counts those of its run of 64 that come before it.
MAIN
    let i = group * 256u + l;
    if (i >= all) { return; }
    let col = i % inner;
    let j = (i / inner) % n;
    let line = (i / (inner * n)) * n * inner + col;
    let base = origin + line;
    let start = begin + line;
    let item = load(start, inner, j);
    let mine = look(base, inner, item);
    let first = j / 64u * 64u;
    let last = min(first + 64u, n);
    var place = first;
    for (var k = first; k < last; k++) {
        let other = look(base, inner, load(start, inner, k));
        // Equal ones keep their order.
        if (before(other, mine) || (k < j && !before(mine, other))) { place += 1u; }
    }
    out[line + place * inner] = item;
}
// MERGE
// Merges: an element's place is its own position in its run, and how many of the other run come before it.
MAIN
    let i = group * 256u + l;
    if (i >= all) { return; }
    let col = i % inner;
    let j = (i / inner) % n;
    let line = (i / (inner * n)) * n * inner + col;
    let base = origin + line;
    let start = begin + line;
    let item = load(start, inner, j);
    let mine = look(base, inner, item);
    let pair = j / (2u * width) * (2u * width);
    let middle = min(pair + width, n);
    let left = j < middle;
    var low = select(pair, middle, left);
    let first = low;
    var high = select(middle, min(pair + 2u * width, n), left);
    while (low < high) {
        let mid = (low + high) / 2u;
        let other = look(base, inner, load(start, inner, mid));
        // Of equal ones those of the left run come first.
        let earlier = select(!before(mine, other), before(other, mine), left);
        if (earlier) { low = mid + 1u; } else { high = mid; }
    }
    let own = select(j - middle, j - pair, left);
    out[line + (pair + own + (low - first)) * inner] = item;
}
