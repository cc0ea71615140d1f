// One pass of Stockham's transform: a thread per butterfly of RADIX elements. After it, coefficients of transforms of
// length span * RADIX lie in order, `span` from one to the next.
MAIN
    let t = group * 256u + l;
    if (t >= units) { return; }
    let column = t % inner;
    let j = (t / inner) % each;
    let line = t / (inner * each);
    let k = j % span;
    let to = (j / span) * span * RADIXu + k;
    var v: array<vec2<f32>, RADIX>;
LOADS
    BUTTERFLY
STORES
}
