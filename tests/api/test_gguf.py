"""The `.gguf` format: there and back, by the format's own words, and files that are broken."""

import io
import struct
import tracemalloc

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import numpy

# Numbers of types, as the format has them.
TENSORS = {
    "float32": 0,
    "float16": 1,
    "int8": 24,
    "int16": 25,
    "int32": 26,
    "int64": 27,
    "float64": 28,
    "bfloat16": 30,
}
VALUES = {
    "uint8": (0, "B"),
    "int8": (1, "b"),
    "uint16": (2, "H"),
    "int16": (3, "h"),
    "uint32": (4, "I"),
    "int32": (5, "i"),
    "float32": (6, "f"),
    "bool_": (7, "?"),
    "uint64": (10, "Q"),
    "int64": (11, "q"),
    "float64": (12, "d"),
}


def written(arrays, metadata=None):
    file = io.BytesIO()
    pb.save_gguf(file, arrays, metadata)
    return file.getvalue()


def load(content, **kwargs):
    return pb.load(io.BytesIO(content), format="gguf", **kwargs)


def text(words):
    words = words if isinstance(words, bytes) else words.encode()
    return struct.pack("<Q", len(words)) + words


def info(name, sizes, kind, offset):
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


def file(tensors=(), content=b"", pairs=(), *, version=3, count=None, alignment=32, magic=b"GGUF"):
    """A file by the words of the format."""
    count = len(tensors) if count is None else count
    head = magic + struct.pack("<IQQ", version, count, len(pairs)) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + content


@pytest.mark.parametrize("dtype", TENSORS)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3, 4), (1, 2, 1, 3)])
def test_there_and_back(dtype, shape, tmp_path):
    x = (pb.arange(24)[: int(np.prod(shape))].reshape(shape) * 3 - 7).astype(getattr(pb, dtype))
    arrays = {"x": x, "ä.weight": pb.ones((5,)), "y": x.T}
    pb.save_gguf(tmp_path / "x", arrays)
    for found in (
        load(written(arrays)),
        pb.load(tmp_path / "x.gguf"),
        pb.load(str(tmp_path / "x.gguf"), "gguf"),
    ):
        assert list(found) == list(arrays)
        for name, want in arrays.items():
            assert (found[name].shape, found[name].dtype) == (want.shape, want.dtype)
            np.testing.assert_array_equal(numpy(found[name]), numpy(want))


def test_the_file_is_what_the_format_says():
    x = pb.arange(6).reshape(2, 3)
    got = written({"x": x, "y": pb.array([1.5])}, {"a": "b"})
    pair = text("a") + struct.pack("<I", 8) + text("b")
    content = np.arange(6, dtype="<i4").tobytes() + bytes(8) + struct.pack("<f", 1.5) + bytes(28)
    assert got == file([info("x", (3, 2), 26, 0), info("y", (1,), 0, 32)], content, [pair])
    assert written({}) == file()


@pytest.mark.parametrize("dtype", VALUES)
def test_metadata_of_all_types(dtype):
    kind, letter = VALUES[dtype]
    numbers = [True, False] if dtype == "bool_" else [1, 100]
    one, several = (pb.array(x, getattr(pb, dtype)) for x in (numbers[0], numbers))
    metadata = {"one": one, "several": several, "none": several[:0]}
    content = written({}, metadata)
    pairs = [
        text("one") + struct.pack(f"<I{letter}", kind, numbers[0]),
        text("several") + struct.pack(f"<IIQ2{letter}", 9, kind, 2, *numbers),
        text("none") + struct.pack("<IIQ", 9, kind, 0),
    ]
    assert content == file(pairs=pairs)
    arrays, found = load(content, return_metadata=True)
    assert arrays == {}
    assert [x.tolist() for x in found.values()] == [numbers[0], numbers, []]
    assert {x.dtype for x in found.values()} == {one.dtype}


def test_texts_in_metadata():
    metadata = {"general.name": "ä model", "tokens": ["a", "", "ö"], "none": []}
    assert load(written({}, metadata), return_metadata=True)[1] == metadata
    assert load(written({}, {"tokens": ("a", "b")}), return_metadata=True)[1] == {"tokens": ["a", "b"]}
    assert load(written({}, metadata)) == {}


def test_files_of_the_version_before_and_other_alignments():
    x = np.arange(3, dtype="<f4")
    for version in (2, 3):
        assert load(file([info("x", (3,), 0, 0)], x.tobytes(), version=version))["x"].tolist() == [0, 1, 2]
    for alignment in (1, 8, 64, 4096):
        pair = text("general.alignment") + struct.pack("<II", 4, alignment)
        places = [info("x", (3,), 0, 0), info("y", (3,), 0, 12 + -12 % alignment)]
        content = x.tobytes() + bytes(-12 % alignment) + (x + 1).tobytes()
        found = load(file(places, content, [pair], alignment=alignment))
        assert [x.tolist() for x in found.values()] == [[0, 1, 2], [1, 2, 3]]
    # Tensors may lie in any order, and with room between them.
    places = [info("x", (3,), 0, 64), info("y", (3,), 0, 0)]
    found = load(file(places, (x + 1).tobytes() + bytes(52) + x.tobytes() + b"more"))
    assert [x.tolist() for x in found.values()] == [[0, 1, 2], [1, 2, 3]]


def test_a_file_behind_other_bytes_and_after_it_is_gone(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"head" + written({"x": pb.arange(3)}))
    with open(path, "rb") as source:
        source.read(4)
        x = pb.load(source, format="gguf")["x"]
    path.unlink()
    assert x.tolist() == [0, 1, 2]


def block(kind, rng):
    """A block of random codes with small scales, and its numbers by the definition of the layout."""

    def half():
        return np.float16(rng.uniform(0.01, 0.1))

    def raw(n):
        return rng.integers(0, 256, n).astype(np.uint8)

    d, m = half(), half()
    if kind in (2, 3):
        codes = raw(16)
        each = [int(c) & 15 for c in codes] + [int(c) >> 4 for c in codes]
        if kind == 2:
            return d.tobytes() + codes.tobytes(), [float(d) * (q - 8) for q in each]
        return d.tobytes() + m.tobytes() + codes.tobytes(), [float(d) * q + float(m) for q in each]
    if kind in (6, 7):
        high, codes = raw(4), raw(16)
        word = int.from_bytes(high.tobytes(), "little")
        each = [int(c) & 15 for c in codes] + [int(c) >> 4 for c in codes]
        each = [q + 16 * (word >> i & 1) for i, q in enumerate(each)]
        if kind == 6:
            return d.tobytes() + high.tobytes() + codes.tobytes(), [float(d) * (q - 16) for q in each]
        head = d.tobytes() + m.tobytes()
        return head + high.tobytes() + codes.tobytes(), [float(d) * q + float(m) for q in each]
    if kind == 8:
        codes = raw(32).view(np.int8)
        return d.tobytes() + codes.tobytes(), [float(d) * int(q) for q in codes]
    if kind == 10:
        scales, codes = raw(16), raw(64)
        y = []
        for i in range(256):
            q = int(codes[i // 128 * 32 + i % 32]) >> (i % 128 // 32 * 2) & 3
            s = int(scales[i // 16])
            y.append(float(d) * (s & 15) * q - float(m) * (s >> 4))
        return scales.tobytes() + codes.tobytes() + d.tobytes() + m.tobytes(), y
    if kind in (12, 13):
        scales, high, codes = raw(12), raw(32), raw(128)
        y = []
        for i in range(256):
            j = i // 32
            byte = int(codes[i // 64 * 32 + i % 32])
            q = byte >> 4 if j % 2 else byte & 15
            if kind == 13:
                q += 16 * (int(high[i % 32]) >> j & 1)
            a, b = int(scales[j % 4]), int(scales[j % 4 + 4])
            if j < 4:
                s, least = a & 63, b & 63
            else:
                c = int(scales[j + 4])
                s, least = (c & 15) + 16 * (a >> 6), (c >> 4) + 16 * (b >> 6)
            y.append(float(d) * s * q - float(m) * least)
        head = d.tobytes() + m.tobytes() + scales.tobytes() + (high.tobytes() if kind == 13 else b"")
        return head + codes.tobytes(), y
    low, high, scales = raw(128), raw(64), raw(16).view(np.int8)
    y = []
    for i in range(256):
        part, at = i // 128, i % 32
        quarter = i % 128 // 32
        byte = int(low[part * 64 + at + 32 * (quarter % 2)])
        q = (byte >> 4 if quarter > 1 else byte & 15) + 16 * (int(high[part * 32 + at]) >> 2 * quarter & 3)
        y.append(float(d) * int(scales[i // 16]) * (q - 32))
    return low.tobytes() + high.tobytes() + scales.tobytes() + d.tobytes(), y


def quantised(kind, shape, seed=0):
    """The bytes of a tensor, and its numbers."""
    rng = np.random.default_rng([seed, kind])
    size = 32 if kind < 10 else 256
    made = [block(kind, rng) for _ in range(int(np.prod(shape)) // size)]
    numbers = np.array([y for _, y in made]).reshape(shape)
    return b"".join(content for content, _ in made), numbers


@pytest.mark.parametrize(("kind", "bits"), [(2, 4), (3, 4), (8, 8)])
@pytest.mark.parametrize("name", ["a.weight", "a"])
def test_tensors_that_stay_quantised(kind, bits, name, device):
    content, want = quantised(kind, (2, 3, 64))
    found = load(file([info(name, (64, 3, 2), kind, 0)], content))
    assert list(found) == [name, "a.scales", "a.biases"]
    codes, scales, biases = found.values()
    assert (codes.shape, codes.dtype) == ((2, 3, 64 * bits // 32), pb.uint32)
    assert (scales.shape, scales.dtype, biases.shape) == ((2, 3, 2), pb.float16, (2, 3, 2))
    got = pb.dequantize(codes, scales.astype(pb.float32), biases.astype(pb.float32), 32, bits)
    np.testing.assert_allclose(numpy(got), want, rtol=1e-5, atol=1e-3)
    x = pb.ones((1, 64))
    got = pb.quantized_matmul(x, codes[0], scales[0], biases[0], group_size=32, bits=bits)
    np.testing.assert_allclose(numpy(got)[0], want[0].sum(-1), rtol=1e-2, atol=0.1)


@pytest.mark.parametrize("kind", [6, 7, 10, 12, 13, 14])
def test_tensors_that_become_numbers(kind, device):
    content, want = quantised(kind, (3, 512))
    found = load(file([info("x.weight", (512, 3), kind, 0)], content))["x.weight"]
    assert (found.shape, found.dtype) == ((3, 512), pb.float16)
    np.testing.assert_allclose(numpy(found), want, rtol=1e-3, atol=1e-3)


def test_quantised_tensors_of_nothing():
    assert load(file([info("x", (32, 0), 2, 0)]))["x"].shape == (0, 4)
    assert load(file([info("x", (0, 3), 14, 0)]))["x"].shape == (3, 0)


def test_what_cannot_be_saved(tmp_path):
    x = pb.ones(2)
    for arrays, metadata, error, match in (
        ([x], {}, TypeError, r"\[save_gguf\] expected arrays by name, got list"),
        ({1: x}, {}, TypeError, r"\[save_gguf\] expected arrays by name, got dict"),
        ({"x": 1.0}, {}, TypeError, r"\[save_gguf\] expected arrays, got float: use pb.array"),
        (
            {"x": x.astype(pb.uint8)},
            {},
            ValueError,
            r"\[save_gguf\] expected a dtype of float32, .* for 'x', got uint8",
        ),
        (
            {"x": pb.ones((1, 1, 1, 1, 1))},
            {},
            ValueError,
            r"\[save_gguf\] expected at most 4 axes for 'x', got 5",
        ),
        ({"x": x}, ["a"], TypeError, r"\[save_gguf\] expected metadata by name, got list"),
        (
            {"x": x},
            {"a": 1},
            TypeError,
            r"\[save_gguf\] expected an array, a text or a list of texts for 'a', got int",
        ),
        (
            {"x": x},
            {"a": ["b", 1]},
            TypeError,
            r"\[save_gguf\] expected an array, a text or a list of texts for 'a'",
        ),
        (
            {"x": x},
            {"a": pb.ones((1, 1))},
            ValueError,
            r"\[save_gguf\] expected numbers of at most one axis for 'a'",
        ),
        (
            {"x": x},
            {"a": x.astype(pb.float16)},
            ValueError,
            r"\[save_gguf\] expected numbers .*, got float16\[2\]",
        ),
        (
            {"x": x},
            {"general.alignment": pb.array(8)},
            ValueError,
            r"\[save_gguf\] expected metadata other than 'gen",
        ),
    ):
        with pytest.raises(error, match=match):
            pb.save_gguf(tmp_path / "x", arrays, metadata)
    assert not list(tmp_path.iterdir())


X = np.arange(3, dtype="<f4").tobytes()
F = info("x", (3,), 0, 0)
BROKEN = {
    "another file": (file(magic=b"GGML"), "a gguf file, got one that starts b'GGML'"),
    "an older version": (file(version=1), "a gguf file of version 2 or 3, got 1"),
    "another order of bytes": (file(version=3 << 24), "its numbers are big-endian"),
    "elements that are missing": (file([F], X[:-1]), "12 bytes of elements, got 11: truncated file"),
    "a type we lack": (file([info("x", (256,), 16, 0)], X), "a tensor type of"),
    "rows that are no blocks": (
        file([info("x", (31, 2), 2, 0)], bytes(99)),
        "rows of whole blocks of 32 for 'x'",
    ),
    "a quantised number": (
        file([info("x", (), 8, 0)], bytes(99)),
        "rows of whole blocks of 32 for 'x', got ()",
    ),
    "a place that is not aligned": (
        file([info("x", (3,), 0, 4)], bytes(99)),
        "a multiple of 32 for 'x', got 4",
    ),
    "overlap": (file([F, info("y", (3,), 0, 0)], X), "elements of 'y' from byte 12, got 0: they overlap"),
    "a name twice": (file([F, info("x", (3,), 0, 32)], bytes(99)), "distinct names, got two of 'x'"),
    "a name that a quantised one takes": (
        file([info("x.weight", (32,), 8, 0), info("x.scales", (3,), 0, 64)], bytes(99)),
        "distinct names, got two of 'x.scales'",
    ),
    "a key twice": (file(pairs=[text("a") + struct.pack("<IB", 0, 1)] * 2), "distinct keys, got two of 'a'"),
    "a key in no UTF-8": (
        file(pairs=[text(b"\xff") + struct.pack("<IB", 0, 1)]),
        "a key of the metadata in UTF-8",
    ),
    "a value of no type": (
        file(pairs=[text("a") + struct.pack("<I", 13)]),
        "the value of 'a' of types 0 to 12, got 13",
    ),
    "a list of lists": (
        file(pairs=[text("a") + struct.pack("<IIQ", 9, 9, 1)]),
        "the value of 'a' of numbers or texts, got a list of type 9",
    ),
    "an alignment of 0": (
        file([F], X, [text("general.alignment") + struct.pack("<II", 4, 0)]),
        "an alignment that is a power of two, got 0",
    ),
    "an alignment of 24": (
        file([F], X, [text("general.alignment") + struct.pack("<II", 4, 24)]),
        "an alignment that is a power of two, got 24",
    ),
    "an alignment that is a text": (
        file([F], X, [text("general.alignment") + struct.pack("<I", 8) + text("32")]),
        "an alignment that is a power of two, got 32",
    ),
    "an alignment that is a list": (
        file([F], X, [text("general.alignment") + struct.pack("<IIQI", 9, 4, 1, 32)]),
        "an alignment that is a power of two",
    ),
    "a shape beyond counting": (file([info("x", (2**40, 2**40), 0, 0)]), "a shape of"),
    "hidden behind 0": (file([info("x", (2**62, 0, 2**62), 0, 0)]), "a shape of"),
    "too many axes": (file([info("x", (1,) * 65, 0, 0)]), "at most 64 sizes for 'x', got 65"),
    "axes without number": (
        file([text("x") + struct.pack("<I", 2**32 - 1)]),
        "at most 64 sizes for 'x', got 4294967295",
    ),
    "a place beyond everything": (file([info("x", (3,), 0, 2**63)], X), "truncated file"),
    "more tensors than there are": (file([F], X, count=2**60), "truncated file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name, tmp_path):
    content, match = BROKEN[name]
    (tmp_path / "x.gguf").write_bytes(content)
    for source in (io.BytesIO(content), tmp_path / "x.gguf"):
        with pytest.raises(ValueError, match=r"\[load\] expected .*got") as caught:
            pb.load(source, format="gguf")
        assert match in str(caught.value)


QUANTISED = quantised(2, (2, 32))[0]
GOOD = {
    "plain": written(
        {"x": pb.arange(6).reshape(2, 3), "y": pb.array([1.5])}, {"a": "b", "c": ["d"], "e": pb.ones(2)}
    ),
    "quantised": file([info("x.weight", (32, 2), 2, 0)], QUANTISED),
}


@pytest.mark.parametrize("kind", GOOD)
def test_every_beginning_of_a_file(kind):
    whole = GOOD[kind].rstrip(b"\x00")
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"\[load\] expected"):
            load(whole[:end])


def test_claims_cost_no_memory(tmp_path):
    """A terabyte that is only claimed: neither from a disk nor from a stream is memory taken for it."""
    size = 2**40
    for content in (
        file([info("x", (size,), 24, 0)], bytes(100)),
        file([info("x", (size,), 8, 0)], bytes(100)),
        file(pairs=[text("a") + struct.pack("<IIQ", 9, 0, size)]),
        file(pairs=[text("a") + struct.pack("<IIQ", 9, 8, size)]),
        file(pairs=[struct.pack("<Q", size)]),
    ):
        (tmp_path / "x").write_bytes(content)
        tracemalloc.start()
        for source in (tmp_path / "x", io.BytesIO(content)):
            with pytest.raises(ValueError, match="truncated file"):
                pb.load(source, format="gguf")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 2**26


def attempt(content):
    try:
        found, metadata = load(content, return_metadata=True)
    except (ValueError, OSError) as error:
        assert str(error)
    else:
        assert isinstance(metadata, dict)
        for arr in found.values():
            assert np.asarray(arr.astype(pb.float32)).shape == arr.shape


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_bytes_are_changed(kind, data):
    content = bytearray(GOOD[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        content = content or bytearray(1)
    attempt(bytes(content))


INFO = st.builds(
    info,
    st.text(max_size=3),
    st.lists(st.integers(0, 64) | st.integers(0, 2**64 - 1), max_size=3),
    st.sampled_from([0, 1, 2, 3, 8, 12, 14, 24, 30]) | st.integers(0, 40),
    st.integers(0, 4).map(lambda n: 32 * n) | st.integers(0, 2**64 - 1),
)
PAIR = st.builds(
    lambda key, kind, content: text(key) + struct.pack("<I", kind) + content,
    st.text(max_size=3) | st.just("general.alignment"),
    st.integers(0, 13),
    st.binary(max_size=24),
)


@given(st.lists(INFO, max_size=3), st.lists(PAIR, max_size=3), st.binary(max_size=300))
def test_any_header(tensors, pairs, content):
    attempt(file(tensors, content, pairs))


@given(st.binary(max_size=200))
def test_any_bytes(content):
    attempt(content)
    attempt(b"GGUF\x03\x00\x00\x00" + content)
