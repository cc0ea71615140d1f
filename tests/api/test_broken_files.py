"""Files that are cut off, malformed or made to do harm: a `ValueError` or an `OSError`, and nothing else."""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st


def written(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


def load(content, form):
    return pb.load(io.BytesIO(content), format=form)


def npy(header, content=b"", version=b"\x01\x00"):
    width = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + len(header).to_bytes(width, "little") + header.encode("latin1") + content


def tensors(header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


ARRAYS = {"x": pb.arange(6).reshape(2, 3), "y": pb.array([1.5], pb.bfloat16), "z": pb.array(True)}
GOOD = {
    "npy": written(pb.save, ARRAYS["x"]),
    "npz": written(pb.savez, **ARRAYS),
    "compressed": written(pb.savez_compressed, **ARRAYS),
    "safetensors": written(pb.save_safetensors, ARRAYS, {"a": "b"}),
}
FORMS = {"npy": "npy", "npz": "npz", "compressed": "npz", "safetensors": "safetensors"}


@pytest.mark.parametrize("kind", GOOD)
def test_every_beginning_of_a_file(kind, tmp_path):
    for end in range(len(GOOD[kind])):
        with pytest.raises(ValueError, match=r"\[load\] expected"):
            load(GOOD[kind][:end], FORMS[kind])
        if end % 7 == 0:
            (tmp_path / "x").write_bytes(GOOD[kind][:end])
            with pytest.raises(ValueError, match=r"\[load\] expected"):
                pb.load(tmp_path / "x", format=FORMS[kind])


HEADERS = {
    "no dictionary": "['descr']",
    "no end": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)",
    "no shape": "{'descr': '<f4', 'fortran_order': False}",
    "a key more": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': True}",
    "a key twice": "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
    "more behind": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + 1",
    "more within": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 5}",
    "no comma": "{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}",
    "a call": "{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').abort()}",
    "an order that is none": "{'descr': '<f4', 'fortran_order': (2,), 'shape': (2,)}",
    "negative": "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
    "a number": "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
    "commas": "{'descr': '<f4', 'fortran_order': False, 'shape': (2,,)}",
    "digits": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1" * 5000 + ",)}",
    "overflow": "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
    "hidden overflow": "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}",
    "axes": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 65 + ")}",
    "a dtype we lack": "{'descr': '<c16', 'fortran_order': False, 'shape': (2,)}",
    "text": "{'descr': '<U2', 'fortran_order': False, 'shape': (2,)}",
    "fields": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
    "more than is there": "{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_npy(name):
    with pytest.raises(ValueError, match=r"\[load\] expected .*, got"):
        load(npy(HEADERS[name], bytes(16)), "npy")


def test_start_of_npy():
    good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"
    assert load(npy(good, bytes(8)), "npy").shape == (2,)
    for version in (b"\x00\x00", b"\x04\x00", b"\x01\x01"):
        with pytest.raises(ValueError, match=r"\[load\] expected an .npy file of version 1, 2 or 3"):
            load(npy(good, bytes(8), version), "npy")
    with pytest.raises(ValueError, match=r"header of at most 10000 bytes, got 4294967295"):
        load(b"\x93NUMPY\x02\x00" + b"\xff" * 4, "npy")


def test_pickles_are_refused():
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("a pickle was loaded",)

    objects = written(np.save, np.array([Bomb()], object), allow_pickle=True)
    archive = written(np.savez, x=np.array([Bomb()], object), allow_pickle=True)
    for content, form in ((objects, "npy"), (archive, "npz")):
        with pytest.raises(ValueError, match=r"expected a dtype of .*: Python objects are never loaded"):
            load(content, form)
    for form in ("npy", "npz", "safetensors"):
        with pytest.raises(ValueError, match=r"\[load\] expected"):
            load(pickle.dumps(Bomb()), form)


ENTRIES = {
    "beyond the file": ({"x": entry(shape=[4], offsets=[0, 16])}, "truncated"),
    "bytes behind": ({"x": entry(shape=[1], offsets=[0, 4])}, "expected 4 bytes of elements, got"),
    "a gap": ({"x": entry(shape=[1], offsets=[4, 8])}, "bytes between"),
    "overlap": ({"x": entry(), "y": entry(offsets=[0, 8])}, "overlap"),
    "part of another": ({"x": entry(), "y": entry(shape=[1], offsets=[4, 8])}, "overlap"),
    "shape and offsets": ({"x": entry(shape=[3])}, "expected 12 bytes of F32"),
    "dtype and offsets": ({"x": entry(dtype="F64")}, "expected 16 bytes of F64"),
    "backwards": ({"x": entry(offsets=[8, 0])}, "expected 8 bytes"),
    "negative offsets": ({"x": entry(offsets=[-8, 0])}, "two offsets"),
    "three offsets": ({"x": entry(offsets=[0, 4, 8])}, "two offsets"),
    "fractions": ({"x": entry(offsets=[0.0, 8.0])}, "two offsets"),
    "truths": ({"x": entry(dtype="U8", shape=[True], offsets=[False, True])}, "a shape of"),
    "a negative size": ({"x": entry(shape=[-2])}, "a shape of"),
    "two negative sizes": ({"x": entry(shape=[-1, -2])}, "a shape of"),
    "overflow": ({"x": entry(shape=[2**32, 2**32], offsets=[0, 0])}, "a shape of"),
    "hidden overflow": ({"x": entry(shape=[2**62, 0, 2**62], offsets=[0, 0])}, "a shape of"),
    "axes": ({"x": entry(shape=[1] * 65)}, "65 axes"),
    "a shape that is a number": ({"x": entry(shape=2)}, "list of sizes"),
    "a dtype we lack": ({"x": entry(dtype="F8_E4M3")}, "a dtype of"),
    "a dtype that is none": ({"x": entry(dtype=["F32"])}, "a dtype of"),
    "a key less": ({"x": {"dtype": "F32", "shape": [2]}}, "data_offsets"),
    "a key more": ({"x": entry() | {"more": 1}}, "data_offsets"),
    "no entry": ({"x": 3}, "data_offsets"),
    "no entries": ([entry()], "a safetensors header of entries"),
    "metadata": ({"__metadata__": {"a": 1}, "x": entry()}, "metadata of texts"),
    "metadata of another kind": ({"__metadata__": [1], "x": entry()}, "metadata of texts"),
    "no JSON": (b"{'x': 1}", "of JSON"),
    "no text": (b"\xff\xfe", "of JSON"),
    "depth": (b'{"x":' + b"[" * 100_000, "of JSON"),
    "digits": (b'{"x":' + b"1" * 10_000 + b"}", "of JSON"),
    "a name twice": (
        b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        b'"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        "two values of 'x'",
    ),
    "a key twice": (b'{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', "two values"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_headers_of_safetensors(name, tmp_path):
    header, match = ENTRIES[name]
    content = tensors(header, bytes(8))
    with pytest.raises(ValueError, match=r"\[load\] expected .*, got") as caught:
        load(content, "safetensors")
    assert match in str(caught.value)
    # From a disk it is read another way.
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=match):
        pb.load(tmp_path / "x.safetensors")


def test_the_checks_let_good_headers_through():
    content = tensors({"x": entry(), "e": entry(shape=[0, 3], offsets=[8, 8])}, bytes(8))
    assert [x.shape for x in load(content, "safetensors").values()] == [(2,), (0, 3)]
    assert load(tensors({"__metadata__": None}), "safetensors") == {}


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 10**8 + 1, 10**8, 100])
def test_lengths_of_headers(length):
    with pytest.raises(ValueError, match=r"header of at most|truncated file"):
        load(length.to_bytes(8, "little") + b"{}", "safetensors")


@pytest.mark.parametrize("form", ["npy", "safetensors"])
def test_a_claim_costs_no_memory(form, tmp_path):
    """A terabyte that is only claimed: neither from a disk nor from a stream is memory taken for it."""
    size = 2**40
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},)}}"
    content = {
        "npy": npy(header, bytes(100)),
        "safetensors": tensors({"x": entry("U8", [size], [0, size])}, bytes(100)),
    }[form]
    (tmp_path / "x").write_bytes(content)
    tracemalloc.start()
    for file in (tmp_path / "x", io.BytesIO(content)):
        with pytest.raises(ValueError, match=rf"expected {size} bytes of elements.*got 100: truncated file"):
            pb.load(file, format=form)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**26


def archive(*members, kind=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as out:
        for name, content in members:
            out.writestr(zipfile.ZipInfo(name), content, kind)
    return file.getvalue()


def zipped(members, sizes):
    """An archive whose members claim to be larger than they are."""
    content = bytearray(archive(*members, kind=zipfile.ZIP_DEFLATED))
    at = 0
    for size in sizes:
        at = content.index(b"PK\x01\x02", at) + 24
        content[at : at + 4] = struct.pack("<I", size)
    return bytes(content)


def test_members_of_npz():
    good = GOOD["npy"]
    for content, match in (
        (archive(("x.txt", b"a")), "expected .npy files"),
        (archive(("x.npy", b"a")), "an .npy file's magic word"),
        (archive(("x.npy", good + b"more")), "one array in 'x.npy'"),
        (archive(("x.npy", good), kind=zipfile.ZIP_BZIP2), "stored or deflated"),
        (b"PK" + bytes(30), "a zip archive of .npy files"),
        (good, "a zip archive of .npy files"),
    ):
        with pytest.raises(ValueError, match=match):
            load(content, "npz")
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive(("x.npy", good), ("x.npy", good))
    with pytest.raises(ValueError, match=r"distinct names in an .npz archive, got two of 'x'"):
        load(content, "npz")
    content = bytearray(archive(("x.npy", good)))
    content[content.index(good) + len(good) - 1] ^= 1
    with pytest.raises(ValueError, match="CRC"):
        load(bytes(content), "npz")
    content = bytearray(archive(("x.npy", good), kind=zipfile.ZIP_DEFLATED))
    # Behind the header of the member: a kind of block that deflate does not have.
    content[30 + len("x.npy")] |= 6
    with pytest.raises(ValueError, match=r"a zip archive of .npy files, got: Error -3"):
        load(bytes(content), "npz")


def test_zip_bombs_are_refused():
    """By what they claim: nothing is unpacked."""
    content = zipped([("x.npy", GOOD["npy"] + bytes(100_000))], [2**32 - 2])
    with pytest.raises(ValueError, match="sizes that compression can reach, got 4294967294 bytes of"):
        load(content, "npz")
    # As many as compression can reach, from six megabytes of noise.
    noise = np.random.default_rng(0).bytes(6_000_000)
    for sizes in ([2**32 - 2, 8_000_000], [2**31, 2**31 + 10]):
        members = [(f"{i}.npy", noise if i == 0 else noise[:3_000_000]) for i in range(2)]
        content = zipped(members, sizes)
        with pytest.raises(ValueError, match="an archive of at most 100 times its size, got 4"):
            load(content, "npz")


def test_formats_and_modes(tmp_path):
    for form in ("ggml", "", "NPY"):
        with pytest.raises(
            ValueError, match=r"\[load\] expected a file named .npy, .npz, .safetensors or .gguf"
        ):
            pb.load(io.BytesIO(GOOD["npy"]), format=form)
    with pytest.raises(ValueError, match=r"\[load\] expected a file named .*, got None"):
        pb.load(io.BytesIO(GOOD["npy"]))
    for form in ("npy", "npz"):
        with pytest.raises(ValueError, match=r"expected format 'safetensors' or 'gguf' with return_m"):
            pb.load(io.BytesIO(GOOD[form]), form, True)
    with pytest.raises(TypeError, match=r"\[load\] expected a path or a file to read from, got int"):
        pb.load(3, format="npy")
    for form in ("npy", "safetensors"):
        with pytest.raises(ValueError, match="expected a file opened for bytes, got str"):
            pb.load(io.StringIO("text"), format=form)
    with pytest.raises(OSError):
        pb.load(tmp_path, format="npy")


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_bytes_are_changed(kind, data):
    content = bytearray(GOOD[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        content = content or bytearray(1)
    attempt(bytes(content), FORMS[kind])


@given(st.sampled_from(["npy", "npz", "safetensors"]), st.binary(max_size=200))
def test_any_bytes(form, content):
    attempt(content, form)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BOOL", "BF16", "C64", "I64", "X"]) | JSON,
        "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=3) | JSON,
        "data_offsets": st.lists(st.integers(0, 40) | st.integers(), min_size=2, max_size=2) | JSON,
    }
)


@given(st.dictionaries(st.text(max_size=3) | st.just("__metadata__"), ENTRY | JSON, max_size=3), st.binary())
def test_any_header_of_safetensors(header, content):
    attempt(tensors(header, content), "safetensors")


@given(
    st.text(max_size=30) | st.sampled_from([*HEADERS.values()]),
    st.text("{}()[]',:\"0123456789L TrueFalse<>|descrfortran_ordershape", max_size=10),
    st.integers(0, 60),
)
def test_any_header_of_npy(header, more, at):
    text = (header[:at] + more + header[at:]).encode("latin1", "replace").decode("latin1")
    attempt(npy(text, bytes(64)), "npy")
    attempt(archive(("x.npy", npy(text, bytes(64)))), "npz")


def attempt(content, form):
    try:
        found = load(content, form)
    except (ValueError, OSError) as error:
        assert str(error)
    else:
        for arr in found.values() if isinstance(found, dict) else [found]:
            assert np.asarray(arr.astype(pb.float32)).shape == arr.shape
