"""Arrays in files: there and back, against NumPy's bytes, and against MLX where it is installed."""

import importlib.util
import io
import json
import zipfile

import numpy as np
import pullback as pb
import pytest

NAMES = [
    "bool_",
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64"),
]
SHAPES = [(), (0,), (3,), (2, 3), (2, 0, 4), (1, 2, 1, 3)]
SAVES = {
    "npy": lambda file, arr: pb.save(file, arr),
    "npz": lambda file, arr: pb.savez(file, x=arr),
    "safetensors": lambda file, arr: pb.save_safetensors(file, {"x": arr}),
}
with_mlx = pytest.mark.skipif(importlib.util.find_spec("mlx") is None, reason="mlx is not installed")


def example(name, shape):
    size = int(np.prod(shape))
    return (pb.arange(size).reshape(shape) * 3 - 4).astype(getattr(pb, name))


def same(mine, theirs):
    assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
    assert mine.tolist() == theirs.tolist()


def written(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


@pytest.mark.parametrize("form", SAVES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(form, shape, name, tmp_path):
    arr = example(name, shape)
    path = tmp_path / f"file.{form}"
    SAVES[form](path, arr)
    for found in (pb.load(path), pb.load(str(path)), pb.load(io.BytesIO(path.read_bytes()), format=form)):
        same(found if form == "npy" else found["x"], arr)
    with open(path, "rb") as file:
        found = pb.load(file)
        assert not file.closed
    same(found if form == "npy" else found["x"], arr)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "bfloat16"])
def test_npy_is_numpys(shape, name):
    arr = example(name, shape)
    theirs = np.asarray(arr)
    assert written(pb.save, arr) == written(np.save, theirs)
    same(pb.load(io.BytesIO(written(np.save, theirs)), format="npy"), arr)
    for other in (np.array(theirs, order="F"), theirs.astype(theirs.dtype.newbyteorder(">"))):
        same(pb.load(io.BytesIO(written(np.save, other)), format="npy"), arr)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_npy(version):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.arange(5, dtype="f4"), version)
    same(pb.load(io.BytesIO(file.getvalue()), format="npy"), pb.arange(5).astype(pb.float32))


def test_headers_of_npy_that_others_write():
    for header in (
        "{'descr': '<V2', 'fortran_order': True, 'shape': (2, )}    \n",
        '{"shape": (2L,), "descr": "|V2", "fortran_order": False}',
        "{ 'fortran_order' :False , 'shape':( 2 , ) ,'descr': '=V2' , }\n",
    ):
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\x80?\x00@"
        same(pb.load(io.BytesIO(content), format="npy"), pb.array([1, 2], pb.bfloat16))


def test_several_arrays_in_one_stream():
    file = io.BytesIO()
    pb.save(file, pb.array([1, 2]))
    pb.save(file, pb.array(3.5))
    file.seek(0)
    assert pb.load(file, format="npy").tolist() == [1, 2]
    assert pb.load(file, format="npy").item() == 3.5


@pytest.mark.parametrize("save", [pb.savez, pb.savez_compressed])
def test_npz_is_read_by_numpy(save):
    content = written(save, pb.array([1, 2]), pb.zeros((100, 100)), bias=pb.array(2.5), **{"a/b": pb.ones(1)})
    with np.load(io.BytesIO(content), allow_pickle=False) as theirs:
        assert list(theirs) == ["arr_0", "arr_1", "bias", "a/b"]
        mine = pb.load(io.BytesIO(content), format="npz")
        assert list(mine) == list(theirs)
        for name in mine:
            assert np.array_equal(np.asarray(mine[name]), theirs[name])
            assert np.asarray(mine[name]).dtype == theirs[name].dtype
    assert (len(content) < 5000) == (save is pb.savez_compressed)
    assert content == written(
        save, pb.array([1, 2]), pb.zeros((100, 100)), bias=pb.array(2.5), **{"a/b": pb.ones(1)}
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_numpy(save):
    content = written(save, np.arange(4.0), x=np.array([[True]]))
    found = pb.load(io.BytesIO(content), format="npz")
    same(found["arr_0"], pb.arange(4).astype(pb.float64))
    same(found["x"], pb.array([[True]]))


def test_safetensors_as_the_format_has_it():
    """Against its description: aligned, without gaps, every name with dtype, shape and offsets."""
    arrays = {name: example(name, (3,)) for name in NAMES}
    content = written(pb.save_safetensors, arrays, {"format": "mlx", "ü": "\n"})
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header.pop("__metadata__") == {"format": "mlx", "ü": "\n"}
    assert length % 8 == 0 and list(header) == NAMES
    at = 0
    for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
        start, end = entry["data_offsets"]
        assert start == at and start % ((end - start) // 3) == 0
        at = end
    assert 8 + length + at == len(content)
    codes = ["BOOL", "U8", "U16", "U32", "U64", "I8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64", "C64"]
    assert [entry["dtype"] for entry in header.values()] == codes
    start, end = header["float32"]["data_offsets"]
    assert content[8 + length :][start:end] == np.asarray(arrays["float32"]).tobytes()
    found, metadata = pb.load(io.BytesIO(content), format="safetensors", return_metadata=True)
    assert list(found) == NAMES and metadata == {"format": "mlx", "ü": "\n"}
    for name in NAMES:
        same(found[name], arrays[name])


def test_safetensors_of_nothing(tmp_path):
    pb.save_safetensors(tmp_path / "none.safetensors", {})
    assert pb.load(tmp_path / "none.safetensors", return_metadata=True) == ({}, {})


def test_safetensors_behind_other_bytes(tmp_path):
    """The file in memory is found from its end: it may start anywhere."""
    (tmp_path / "file").write_bytes(b"before" + written(pb.save_safetensors, {"x": pb.array([1, 2])}))
    with open(tmp_path / "file", "rb") as file:
        file.seek(6)
        assert pb.load(file, format="safetensors")["x"].tolist() == [1, 2]


def test_a_loaded_array_outlives_its_file(tmp_path):
    pb.save_safetensors(tmp_path / "x", {"x": pb.arange(1000)})
    found = pb.load(tmp_path / "x.safetensors")["x"]
    (tmp_path / "x.safetensors").write_bytes(b"")
    (tmp_path / "x.safetensors").unlink()
    assert found.sum().item() == 499500


def test_booleans_are_ones():
    """Bytes other than 0 and 1, which NumPy writes for views, are true."""
    content = written(np.save, np.array([0, 1, 2, 255], np.uint8).view(bool))
    found = pb.load(io.BytesIO(content), format="npy")
    assert found.tolist() == [False, True, True, True]
    assert found.astype(pb.int32).tolist() == [0, 1, 1, 1]


def test_names_of_files(tmp_path):
    pb.save(tmp_path / "a", pb.array(1))
    pb.save(str(tmp_path / "b.x"), pb.array(1))
    pb.savez(tmp_path / "c.npz", pb.array(1))
    pb.savez_compressed(bytes(tmp_path / "d"), pb.array(1))
    pb.save_safetensors(tmp_path / "e.npz", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("a.npy", "b.x.npy", "c.npz", "d.npz", "e.npz.safetensors")
    ]
    (tmp_path / "a.npy").rename(tmp_path / "weights")
    with pytest.raises(ValueError, match=r"\[load\] expected a file named .npy, .npz, .safetensors or .gguf"):
        pb.load(tmp_path / "weights")
    assert pb.load(tmp_path / "weights", format="npy").item() == 1
    with pytest.raises(FileNotFoundError):
        pb.load(tmp_path / "none.npy")


def test_where_loaded_arrays_are_used(device):
    content = written(pb.savez, x=pb.array([1.5, 2]))
    found = pb.load(io.BytesIO(content), format="npz", stream=device)["x"]
    assert (found * 2).tolist() == [3, 4]


def test_what_is_no_array_or_file(tmp_path):
    arr = pb.array(1)
    for wrong in ([1, 2], np.ones(2), None, 1.5):
        for save in (pb.save, pb.savez, pb.savez_compressed, lambda f, x: pb.save_safetensors(f, {"x": x})):
            with pytest.raises(TypeError, match=r"\[save\w*\] expected arrays, got .*: use pb.array"):
                save(tmp_path / "x", wrong)
    for save in SAVES.values():
        with pytest.raises(TypeError, match=r"\[save\w*\] expected a path or a file"):
            save(3.5, arr)
    with pytest.raises(ValueError, match=r"\[savez\] expected keywords .* got arr_0"):
        pb.savez(tmp_path / "x", arr, arr_0=arr)
    for arrays in ([arr], {1: arr}, arr):
        with pytest.raises(TypeError, match=r"\[save_safetensors\] expected arrays by name"):
            pb.save_safetensors(tmp_path / "x", arrays)
    with pytest.raises(ValueError, match=r"\[save_safetensors\] expected names other than '__metadata__'"):
        pb.save_safetensors(tmp_path / "x", {"__metadata__": arr})
    for metadata in ({"a": 1}, {1: "a"}, ["a"]):
        with pytest.raises(TypeError, match=r"\[save_safetensors\] expected metadata of texts"):
            pb.save_safetensors(tmp_path / "x", {"x": arr}, metadata)
    assert list(tmp_path.iterdir()) == []


def test_an_array_that_cannot_be_computed_leaves_the_file(tmp_path):
    def broken(x):
        raise OSError("no")

    pb.save(tmp_path / "x.npy", pb.array(7))
    arr = pb.pure_callback(broken, pb.ShapeDtypeStruct((), pb.float32), pb.array(1.0))
    with pytest.raises(OSError, match="no"):
        pb.save(tmp_path / "x.npy", arr)
    assert pb.load(tmp_path / "x.npy").item() == 7


def test_what_is_traced_has_no_elements(tmp_path):
    for save in SAVES.values():
        with pytest.raises(ValueError, match=r"expected an array with elements, got a tracer of vmap"):
            pb.vmap(lambda x, save=save: save(tmp_path / "x", x))(pb.ones(2))
    assert list(tmp_path.iterdir()) == []
    content = written(pb.save, pb.array(2.0))
    loaded = pb.vmap(lambda x: x * pb.load(io.BytesIO(content), format="npy"))(pb.ones(2))
    assert loaded.tolist() == [2, 2]


@with_mlx
def test_files_of_mlx_and_for_mlx(tmp_path):
    import mlx.core as mx

    arrays = {name: example(name, (2, 3)) for name in NAMES}
    for name, arr in arrays.items():
        theirs = mx.array(np.asarray(arr)).astype(getattr(mx, name), stream=mx.cpu)
        for form in SAVES:
            if (name, form) == ("float64", "safetensors"):
                # The format has F64, MLX does not write or read it.
                continue
            SAVES[form](tmp_path / f"mine.{form}", arr)
            path = str(tmp_path / f"theirs.{form}")
            {
                "npy": lambda path, x: mx.save(path, x),
                "npz": lambda path, x: mx.savez(path, x=x),
                "safetensors": lambda path, x: mx.save_safetensors(path, {"x": x}),
            }[form](path, theirs)
            mine, back = pb.load(path), mx.load(str(tmp_path / f"mine.{form}"))
            same(mine if form == "npy" else mine["x"], arr)
            back = back if form == "npy" else back["x"]
            assert (back.tolist(), str(back.dtype)) == (arr.tolist(), str(theirs.dtype))
    assert zipfile.is_zipfile(tmp_path / "theirs.npz")
