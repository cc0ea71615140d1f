"""NumPy, the buffer protocol, DLPack."""

import gc
import importlib.util

import numpy as np
import pullback as pb
import pytest

DTYPES = [
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
]


@pytest.mark.parametrize("name", DTYPES)
def test_there_and_back(name):
    a = (np.arange(6).reshape(2, 3) % 5).astype(name)
    x = pb.array(a, a.dtype)
    assert np.asarray(x).dtype == a.dtype and np.array_equal(np.asarray(x), a)
    assert np.array_equal(np.from_dlpack(x), a)
    assert pb.array_equal(pb.from_dlpack(a), x).item()
    assert pb.from_dlpack(a.T[::-1]).tolist() == a.T[::-1].tolist()


def test_views_are_read_only_and_live_on():
    x = pb.arange(4) * 2
    view = np.asarray(x)
    assert not view.flags.writeable
    memory = memoryview(x)
    assert memory.readonly and memory.format == "i" and memory.shape == (4,)
    del x
    gc.collect()
    assert view.tolist() == memory.tolist() == [0, 2, 4, 6]


def test_numpy_protocol():
    x = pb.array([1.5, 2.5])
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.array(x, copy=True).flags.writeable
    assert np.sin(x).shape == (2,)
    assert np.asarray(pb.array([1.5], pb.bfloat16)).tolist() == [1.5]
    with pytest.raises(ValueError):
        x.__array__(np.dtype("float64"), copy=False)
    with pytest.raises(BufferError, match="bfloat16"):
        memoryview(pb.array([1.5], pb.bfloat16))
    assert np.asarray(pb.zeros((0, 3))).shape == (0, 3)


def test_unused_capsules_are_freed():
    x = pb.zeros(10)
    for _ in range(100):
        x.__dlpack__()
        x.__dlpack__(max_version=(1, 0))
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(2, 0))
    assert x.__dlpack_device__() == (1, 0)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.filterwarnings("ignore")
def test_torch():
    import torch

    t = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    assert pb.array(t.T).tolist() == t.T.tolist()
    assert torch.from_dlpack(pb.array([1.0, 2.0])).tolist() == [1, 2]
    assert pb.array(torch.tensor([1.5], dtype=torch.bfloat16)).dtype == pb.bfloat16
    assert (pb.array([1.0, 2.0]) + t[0, :2]).tolist() == [1, 3]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.filterwarnings("ignore")
def test_jax():
    import jax.numpy as jnp

    assert pb.array(jnp.arange(3.0)).tolist() == [0, 1, 2]
    assert pb.array(jnp.ones(2, jnp.bfloat16)).dtype == pb.bfloat16
    assert jnp.from_dlpack(pb.array([1.0, 2.0])).tolist() == [1, 2]
