"""As `mlx_calls`: factorizations, Fourier transforms, and the parts of networks."""


def cpu(m):
    """The keyword that has a factorization of MLX run: it has none for another device."""
    return {"stream": m.cpu}


def positive(m, x):
    """A symmetric matrix with eigenvalues of at least 4."""
    return x @ m.swapaxes(x, -1, -2) + 4 * m.eye(x.shape[-1])


LINALG = [
    ("norm", lambda m, x: [m.linalg.norm(x, **cpu(m)), m.linalg.norm(x, None, 1, True)], [(3, 4)]),
    ("norm", lambda m, x: [m.linalg.norm(x, o, 1) for o in (0, 1, 2, 3, m.inf, -m.inf)], [(3, 4)]),
    (
        "norm",
        lambda m, x: [m.linalg.norm(x, o, (0, 1), **cpu(m)) for o in ("fro", 1, -1, 2, -2, m.inf, "nuc")],
        [(3, 4)],
    ),
    ("qr", lambda m, x: [m.abs(part) for part in m.linalg.qr(x, **cpu(m))], [(4, 3)]),
    (
        "svd",
        lambda m, x: [m.linalg.svd(x, compute_uv=False, **cpu(m)), m.linalg.svd(x, **cpu(m))[1]],
        [(2, 4, 3)],
    ),
    (
        "inv",
        lambda m, x: [f(positive(m, x), **cpu(m)) for f in (m.linalg.inv, m.linalg.pinv, m.linalg.det)],
        [(4, 4)],
    ),
    ("pinv", lambda m, x: m.linalg.pinv(x, **cpu(m)), [(4, 3)]),
    ("slogdet", lambda m, x: m.linalg.slogdet(x, **cpu(m)), [(2, 3, 3)]),
    (
        "cholesky",
        lambda m, x: [m.linalg.cholesky(positive(m, x), u, **cpu(m)) for u in (False, True)],
        [(4, 4)],
    ),
    ("cholesky_inv", lambda m, x: m.linalg.cholesky_inv(m.tril(positive(m, x)), **cpu(m)), [(4, 4)]),
    (
        "eigh",
        lambda m, x: [
            m.linalg.eigvalsh(positive(m, x), **cpu(m)),
            m.linalg.eigh(positive(m, x), "U", **cpu(m))[0],
        ],
        [(4, 4)],
    ),
    (
        "eig",
        lambda m, x: [m.sort(m.abs(m.linalg.eigvals(x, **cpu(m)))), m.linalg.eig(x, **cpu(m))[1] * 0],
        [(4, 4)],
    ),
    ("solve", lambda m, x: [m.linalg.solve(positive(m, x), y, **cpu(m)) for y in (x[0], x)], [(4, 4)]),
    (
        "solve_triangular",
        lambda m, x: m.linalg.solve_triangular(m.triu(positive(m, x)), x, upper=True, **cpu(m)),
        [(4, 4)],
    ),
    (
        "tri_inv",
        lambda m, x: [
            m.linalg.tri_inv(f(positive(m, x)), u, **cpu(m)) for f, u in ((m.tril, False), (m.triu, True))
        ],
        [(4, 4)],
    ),
    ("lu", lambda m, x: [m.linalg.lu(x, **cpu(m)), m.linalg.lu_factor(x, **cpu(m))], [(4, 3)]),
    ("cross", lambda m, a, b: [m.linalg.cross(a, b), m.linalg.cross(a[:, :2], b[:, :2])], [(2, 3), (2, 3)]),
    ("cross", lambda m, a, b: m.linalg.cross(a, b, axis=0), [(3, 2), (3, 2)]),
]

FFT = [
    *(
        (
            f"fft.{n}",
            lambda m, x, n=n: [
                getattr(m.fft, n)(x),
                getattr(m.fft, n)(x, 6),
                getattr(m.fft, n)(x, 3, 0),
                *(getattr(m.fft, n)(x, norm=k) for k in ("ortho", "forward")),
            ],
            [(4, 5)],
        )
        for n in ("fft", "ifft", "rfft", "irfft")
    ),
    *(
        (
            f"fft.{n}",
            lambda m, x, n=n: [
                getattr(m.fft, n)(x),
                getattr(m.fft, n)(x, (3, 4), (-2, -1)),
                getattr(m.fft, n)(x, axes=(0, 1)),
                getattr(m.fft, n)(x, norm="ortho"),
            ],
            [(3, 4, 5)],
        )
        for n in ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "rfftn", "irfft2", "irfftn")
    ),
    (
        "fft.fftshift",
        lambda m, x: [m.fft.fftshift(x), m.fft.ifftshift(x, 0), m.fft.fftshift(x, (0, 1))],
        [(3, 4)],
    ),
    (
        "fft.stft",
        lambda m, x: [m.fft.stft(x, 16), m.fft.stft(x, 16, 4, 8), m.fft.stft(x, 16, center=False)],
        [(64,)],
    ),
    (
        "fft.stft",
        lambda m, x: [
            m.fft.stft(x, 16, onesided=False),
            m.fft.stft(x, 16, pad_mode="constant", norm="ortho"),
        ],
        [(2, 64)],
    ),
    (
        "fft.istft",
        lambda m, x: [m.fft.istft(m.fft.stft(x, 16)), m.fft.istft(m.fft.stft(x, 16), length=50)],
        [(64,)],
    ),
]


def attention(m, q, k, v, **options):
    return m.fast.scaled_dot_product_attention(q, k, v, scale=0.3, **options)


def rope(m, x, dims=8, **options):
    return m.fast.rope(x, dims, **{"traditional": False, "base": 1e4, "scale": 1.0, "offset": 0, **options})


FAST = [
    (
        "fast.layer_norm",
        lambda m, x, w, b: [m.fast.layer_norm(x, *p, 1e-5) for p in ((w, b), (w, None), (None, None))],
        [(2, 3, 8), (8,), (8,)],
    ),
    (
        "fast.rms_norm",
        lambda m, x, w: [m.fast.rms_norm(x, w, 1e-5), m.fast.rms_norm(x, None, 1e-5)],
        [(2, 3, 8), (8,)],
    ),
    (
        "fast.rope",
        lambda m, x: [
            rope(m, x, traditional=t, scale=s, offset=o)
            for t in (True, False)
            for s in (1.0, 0.5)
            for o in (0, 3)
        ],
        [(2, 4, 3, 8)],
    ),
    (
        "fast.rope",
        lambda m, x: [
            rope(m, x, 4, base=100.0),
            rope(m, x, offset=m.array([1, 2])),
            rope(m, x, base=None, freqs=m.array([1.0, 2, 3, 4])),
        ],
        [(2, 4, 3, 8)],
    ),
    (
        "fast.attention",
        lambda m, q, k, v: [attention(m, q, k, v), attention(m, q, k, v, mask="causal")],
        [(2, 4, 5, 8), (2, 2, 6, 8), (2, 2, 6, 8)],
    ),
    (
        "fast.attention",
        lambda m, q, k, v: [
            attention(m, q, k, v, mask=m.tri(5, 6, dtype=m.bool_)),
            attention(m, q, k, v, mask=m.ones((5, 6), q.dtype)),
            attention(m, q, k, v, sinks=m.ones((4,), q.dtype)),
        ],
        [(2, 4, 5, 8), (2, 2, 6, 8), (2, 2, 6, 8)],
    ),
    ("fast.cross_entropy", lambda m, x: m.fast.cross_entropy(x, m.array([0, 3, 1])), [(3, 5)]),
    (
        "fast.gated_delta_update",
        lambda m, q, k, v, g, b: m.fast.gated_delta_update(q, k, v, m.sigmoid(g), m.sigmoid(b)),
        [(1, 4, 2, 32)] * 3 + [(1, 4, 2)] * 2,
    ),
]
