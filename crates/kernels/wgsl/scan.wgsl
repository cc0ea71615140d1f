// One thread runs over one chunk of one row. Rows are [.., n, inner], chunks are counted in running order.
MAIN
    let i = group * 256u + l;
    if (i >= units) { return; }
    let col = i % inner;
    let chunk = (i / inner) % chunks;
    let line = (i / (inner * chunks)) * n * inner + col;
    let last = min((chunk + 1u) * length, n);
    var acc = START;
    for (var j = chunk * length; j < last; j++) {
        let at = line + (AT) * inner;
        STEP
    }
    END
}
