// All numbers of packed matrices, four neighbours to a thread: `quads` in a row, `lines` rows in each of the batches.
MAIN
    let i = group * 256u + l;
    if (i >= n) { return; }
    let t = i % quads;
    let line = i / quads % lines;
    let batch = i / quads / lines;
    let si = s0 + batch * sb + line * sr + t / share * sg;
    let bi = b0 + batch * bb + line * br + t / share * bg;
    let four = value(quad(c0 + batch * cb + line * cr, cw, t), si, bi);
    out[i * 4u] = four.x;
    out[i * 4u + 1u] = four.y;
    out[i * 4u + 2u] = four.z;
    out[i * 4u + 3u] = four.w;
}
