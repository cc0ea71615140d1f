"""Devices by kind, streams and where they may be used; what is said of devices, compilation and memory."""

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pullback as pb
import pytest
from samples import DTYPES, numpy


@pytest.fixture(autouse=True)
def defaults():
    """Every test leaves the default streams as they were."""
    yield
    pb.clear_streams()
    pb.set_default_stream(in_thread(lambda: pb.default_stream(pb.cpu)))


def in_thread(f):
    """What `f` returns or raises in a thread of its own."""
    result = []

    def run():
        try:
            result.append(f())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


def test_kinds_of_devices():
    assert [kind.name for kind in pb.DeviceType] == ["cpu", "gpu"]
    assert (pb.DeviceType.cpu.value, pb.DeviceType["gpu"]) == (0, pb.DeviceType.gpu)
    for name in ("cpu", "gpu"):
        kind, device = getattr(pb.DeviceType, name), getattr(pb, name)
        assert kind == device and device == kind and hash(kind) == hash(device)
        assert device.type is kind
        assert pb.Device(kind) == device == pb.Device(kind, 0)
        assert pickle.loads(pickle.dumps(kind)) is kind
        assert repr(kind) == f"<DeviceType.{name}: {kind.value}>"
    assert pb.DeviceType.cpu != pb.DeviceType.gpu
    assert pb.DeviceType.cpu != pb.gpu
    assert pb.DeviceType.cpu != 0
    assert pb.is_available(pb.DeviceType.cpu)
    with pb.stream(pb.DeviceType.cpu):
        assert pb.default_device() == pb.DeviceType.cpu
    assert pb.add(1, 2, stream=pb.DeviceType.cpu).item() == 3


def test_counts_and_properties(device):
    assert pb.device_count(pb.DeviceType.cpu) == 1
    assert pb.device_count(device) == 1
    info = pb.device_info(device)
    assert info == pb.device_info(device.type) == pb.device_info()
    assert {"device_name", "architecture"} <= info.keys()
    assert all(isinstance(value, str | int) and value for value in info.values())
    with pytest.raises(TypeError, match=r"\[device_count\] expected pb.cpu or pb.gpu, got None"):
        pb.device_count(None)
    with pytest.raises(
        TypeError, match=r"\[device_info\] expected pb.cpu, pb.gpu, a Stream or None, got .tpu"
    ):
        pb.device_info("tpu")


def test_memory_of_the_machine():
    total = pb.device_info(pb.cpu).get("total_memory")
    if total is None:
        pytest.skip("the system does not say")
    assert total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_streams_are_devices_and_numbers():
    first = pb.default_stream(pb.cpu)
    assert repr(first) == "Stream(Device(cpu, 0), 0)"
    assert (first.index, first.device) == (0, pb.cpu)
    a, b = pb.new_stream(pb.cpu), pb.new_stream(pb.DeviceType.cpu)
    assert len({first, a, b, pb.new_thread_unsafe_stream("cpu")}) == 4
    assert a == a and a != b and a != first and a != "a"
    assert b.index > a.index > 0
    assert repr(a) == f"Stream(Device(cpu, 0), {a.index})"
    for stream in (a, b, pb.new_thread_unsafe_stream(pb.cpu), pb.new_thread_local_stream(pb.cpu)):
        assert pb.sum(pb.ones(3), stream=stream).item() == 3
        assert pb.synchronize(stream) is None
        with pb.stream(stream):
            assert pb.default_device() == pb.cpu
            assert pb.exp(pb.array(0.0)).item() == 1
    for make in (pb.new_stream, pb.new_thread_unsafe_stream, pb.new_thread_local_stream):
        with pytest.raises(TypeError, match=rf"\[{make.__name__}\] expected pb.cpu or pb.gpu, got None"):
            make(None)


def test_default_streams():
    first, stream = pb.default_stream(pb.cpu), pb.new_stream(pb.cpu)
    with pb.stream(stream):
        assert pb.default_stream(pb.cpu) == stream
        inner = pb.new_stream(pb.cpu)
        with pb.StreamContext(inner):
            assert pb.default_stream(pb.cpu) == inner
        assert pb.default_stream(pb.cpu) == stream
        # A device alone leaves the stream.
        with pb.stream(pb.cpu):
            assert pb.default_stream(pb.cpu) == stream
    assert pb.default_stream(pb.cpu) == first
    before = pb.default_device()
    pb.set_default_stream(stream)
    assert pb.default_stream(pb.cpu) == stream
    assert pb.default_device() == before
    # Other threads have their own.
    assert in_thread(lambda: pb.default_stream(pb.cpu)) == first
    pb.set_default_stream(first)
    assert pb.default_stream(pb.cpu) == first
    for wrong in (pb.cpu, pb.new_thread_local_stream(pb.cpu), None):
        with pytest.raises(TypeError, match=r"\[set_default_stream\] expected a Stream, got"):
            pb.set_default_stream(wrong)


def test_streams_of_other_threads():
    mine, anyones, each = (
        pb.new_stream(pb.cpu),
        pb.new_thread_unsafe_stream(pb.cpu),
        pb.new_thread_local_stream(pb.cpu),
    )
    for use in (
        lambda: pb.ones(3, stream=mine),
        lambda: pb.stream(mine),
        lambda: pb.set_default_stream(mine),
        lambda: pb.synchronize(mine),
    ):
        error = in_thread(use)
        assert isinstance(error, RuntimeError), error
        assert "expected a stream that this thread made, got one of another thread" in str(error)
    for stream in (anyones, each, pb.default_stream(pb.cpu)):
        assert in_thread(lambda stream=stream: pb.ones(3, stream=stream).sum().item()) == 3
    # A context that was made here is not for there.
    context = pb.stream(mine)
    assert isinstance(in_thread(context.__enter__), RuntimeError)


def test_streams_that_are_destroyed():
    stream, anyones = pb.new_stream(pb.cpu), pb.new_thread_unsafe_stream(pb.cpu)
    pb.set_default_stream(stream)
    in_thread(pb.clear_streams)
    assert pb.ones(2, stream=stream).sum().item() == 2
    pb.clear_streams()
    assert pb.default_stream(pb.cpu).index == 0
    with pytest.raises(
        RuntimeError, match=r"\[stream\] expected a stream that is there, got one that clear_st"
    ):
        pb.ones(2, stream=stream)
    assert pb.ones(2, stream=anyones).sum().item() == 2
    assert pb.ones(2, stream=pb.new_stream(pb.cpu)).sum().item() == 2


def test_thread_local_streams_are_themselves():
    a, b = pb.new_thread_local_stream(pb.cpu), pb.new_thread_local_stream(pb.cpu)
    assert a == a and a != b and a.device == pb.cpu and len({a, b, a}) == 2
    assert repr(a).startswith("ThreadLocalStream(Device(cpu, 0), ")


def test_what_depends():
    calls = []

    def note(x):
        calls.append("first")
        return x

    x, y = pb.array([1.0, 2.0]), pb.pure_callback(note, pb.ShapeDtypeStruct((), pb.float32), pb.array(1.0))
    z = pb.depends(x, y)
    assert not calls
    assert z.tolist() == [1.0, 2.0]
    assert calls == ["first"]
    several = pb.depends([x, x + 1], [x * 2, x * 3])
    assert [z.tolist() for z in several] == [[1.0, 2.0], [2.0, 3.0]]
    assert pb.depends((x,), x)[0].tolist() == [1.0, 2.0]
    assert pb.depends([], x) == []
    assert pb.depends(x, []).tolist() == [1.0, 2.0]
    assert pb.grad(lambda x: (pb.depends(x, pb.exp(x)) ** 2).sum())(x).tolist() == [2.0, 4.0]
    mapped = pb.vmap(lambda x, y: pb.depends(x, y), in_axes=(0, None))(x, pb.ones(5))
    assert mapped.tolist() == [1.0, 2.0]
    for wrong in (1.0, [1.0], {"x": x}, "x"):
        with pytest.raises(TypeError, match=r"\[depends\] expected an array or arrays in a sequence, got"):
            pb.depends(wrong, x)
        with pytest.raises(TypeError, match=r"\[depends\] expected an array or arrays in a sequence, got"):
            pb.depends(x, wrong)


def test_compilation_can_be_disabled():
    calls = []

    def fun(x):
        calls.append(1)
        return x + 1

    compiled = pb.compile(fun)
    try:
        for disabled, more in ((False, 1), (True, 2), (True, 2), (False, 0)):
            if disabled:
                pb.disable_compile()
            else:
                pb.enable_compile()
            calls.clear()
            assert [compiled(pb.array(1.0)).item() for _ in range(2)] == [2.0, 2.0]
            assert len(calls) == more
    finally:
        pb.enable_compile()


@pytest.mark.parametrize("set", ["1", ""])
def test_the_environment_disables_compilation(set):
    program = (
        "import pullback as pb; n = []; f = pb.compile(lambda x: n.append(1) or x); x = pb.array(1.0);"
        "f(x); f(x); before = len(n); pb.enable_compile(); f(x); f(x); print(before, len(n))"
    )
    env = os.environ | {"PULLBACK_DISABLE_COMPILE": set}
    out = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert out.stdout.split() == (["2", "3"] if set else ["1", "1"])


def test_bytes_of_buffers():
    x, y = pb.arange(1000), pb.ones((10, 10))
    with pytest.raises(
        ValueError, match=r"\[get_array_buffer_size\] expected arrays that have been computed"
    ):
        pb.get_array_buffer_size(x * 2)
    pb.eval(x, y)
    assert pb.get_array_buffer_size(x) == 4000
    assert pb.get_array_buffer_size(x, {"y": [y, x], "name": "y", "none": None}) == 4400
    assert pb.get_array_buffer_size() == 0
    assert pb.get_array_buffer_size(3, "x") == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_and_state_of_arrays(dtype):
    x = pb.arange(6).reshape(2, 3).T.astype(getattr(pb, dtype))
    want = np.asarray(x.view(pb.uint16)) if dtype == "bfloat16" else numpy(x)
    assert bytes(x) == x.__bytes__() == np.ascontiguousarray(want).tobytes()
    y = pb.zeros(())
    y.__setstate__(x.__getstate__())
    assert (y.shape, y.dtype, bytes(y)) == (x.shape, x.dtype, bytes(x))
    z = pickle.loads(pickle.dumps(x))
    assert (z.shape, z.dtype, bytes(z)) == (x.shape, x.dtype, bytes(x))


def test_states_that_are_none():
    content, shape, dtype = pb.ones(3).__getstate__()
    with pytest.raises(ValueError, match=r"\[array\] expected 16 bytes for float32\[4\], got 12"):
        pb.zeros(()).__setstate__((content, [4], dtype))
    with pytest.raises(ValueError, match="expected tuple of length 3"):
        pb.zeros(()).__setstate__((content, shape))
    with pytest.raises(MemoryError, match=r"\[array\] expected a shape whose elements can be counted"):
        pb.zeros(()).__setstate__((content, [2**40, 2**40], dtype))
