"""Where results of the array API are: on the device of their operands, whichever device is current."""

from pathlib import Path

import numpy as np
import pullback as pb
import pytest

xp = pb.array_api
LINES = Path(__file__).with_name("array_api_names.txt").read_text().split("\n")[1:-1]
DEVICES = [device for device in (pb.cpu, pb.gpu) if pb.is_available(device)]
# Names of what answers no arrays.
NO_ARRAYS = {"can_cast", "finfo", "iinfo", "isdtype", "result_type"}
# What is no matrix of floats, by the name of the function or of the parameter.
INTEGERS = {
    *("bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift"),
    "bitwise_xor",
}
VECTORS = {"meshgrid", "searchsorted", "repeat", "take", "cumulative_sum", "cumulative_prod"}
CREATED = {"arange", "empty", "eye", "full", "linspace", "ones", "zeros", "fft.fftfreq", "fft.rfftfreq"}
GIVEN = {
    "arange": [3],
    "empty": [2],
    "eye": [2],
    "full": [2, 1.0],
    "linspace": [0, 1, 3],
    "ones": [2],
    "zeros": [2],
    "fft.fftfreq": [4],
    "fft.rfftfreq": [4],
}
AFTER = {
    "astype": [xp.int32],
    "full_like": [1],
    "broadcast_to": [(2, 3, 3)],
    "moveaxis": [0, 1],
    "permute_dims": [(1, 0)],
    "repeat": [2],
    "reshape": [(9,)],
    "roll": [1],
    "tile": [(2, 1)],
    "linalg.matrix_power": [2],
}


def found(name):
    function = xp
    for part in name.split("."):
        function = getattr(function, part)
    return function


def operands(line, device):
    """The arguments of a call, whose arrays are on a device."""
    name, parameters = line.rstrip(")").split("(")
    if name in CREATED:
        return GIVEN[name]
    base = np.eye(3) + 1
    base = base.astype("int32") if name in INTEGERS else base.astype("float32")
    x = xp.asarray(base[0] if name in VECTORS else base, device=device)
    if name == "squeeze":
        return [xp.asarray(base[None], device=device), 0]
    if name == "from_dlpack":
        return [x]
    if name == "where":
        return [x > 1, x, x]
    if name in ("take", "take_along_axis"):
        return [x, xp.zeros(x.shape, dtype=xp.int32, device=device)]
    if name in ("concat", "stack"):
        return [[x, x]]
    leading = [word.strip() for word in parameters.split("/")[0].split(",") if word.strip()]
    arrays = [x for word in leading if word in ("x", "x1", "x2", "*arrays", "obj")] or [x, x]
    return arrays + AFTER.get(name, [])


def arrays(result):
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in arrays(part)]
    return [result]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("(")[0])
@pytest.mark.parametrize("there", DEVICES, ids=str)
@pytest.mark.parametrize("here", DEVICES, ids=str)
def test_results_are_where_operands_are(line, here, there):
    name = line.split("(")[0]
    if name in NO_ARRAYS or name == "__array_namespace_info__":
        return
    with pb.stream(here):
        given = {"device": there} if name in CREATED else {}
        for result in arrays(found(name)(*operands(line, there), **given)):
            assert result.device == there
            # And there it stays.
            assert (result == result).device == result[...].device == there
        if name in CREATED:
            assert found(name)(*operands(line, there)).device == here


BINARY = [line for line in LINES if "(x1, x2" in line]


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
@pytest.mark.parametrize("line", BINARY, ids=lambda line: line.split("(")[0])
def test_devices_are_not_mixed(line):
    name = line.split("(")[0]
    text = rf"^\[{name.split('.')[-1]}\] expected arrays on one device, got cpu and gpu"
    with pytest.raises(ValueError, match=text):
        found(name)(operands(line, pb.cpu)[0], operands(line, pb.gpu)[1])


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
def test_devices_are_not_mixed_in_sequences_names_and_operators():
    a, b = xp.ones(3), xp.ones(3, device=pb.gpu)
    at = xp.zeros(1, dtype=xp.int32)
    calls = {
        "concat": lambda: xp.concat([a, b]),
        "stack": lambda: xp.stack((a, b)),
        "meshgrid": lambda: xp.meshgrid(a, b),
        "clip": lambda: xp.clip(a, max=b),
        "diff": lambda: xp.diff(a, prepend=b),
        "take": lambda: xp.take(b, at),
        "array": lambda: a + b,
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=rf"^\[{name}\] expected arrays on one device, got .pu and .pu"):
            call()
    for call in (lambda: b[at], lambda: a @ b, lambda: a < b, lambda: b.__setitem__(0, a[0])):
        with pytest.raises(ValueError, match=r"^\[array\] expected arrays on one device"):
            call()
    with pytest.raises(ValueError, match=r"^\[array\] expected arrays on one device"):
        a += b
    assert (a + b.to_device(pb.cpu)).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
def test_operators_follow_what_is_placed():
    there = xp.asarray([[1.0, 2.0], [3.0, 4.0]], device=pb.gpu)
    here = pb.array([1.0, 2.0])
    results = [
        *(there + 1, 1 - there, there * here, here * there, there @ there, -there, abs(there), there > 2),
        *(there**2, there[0], there[:, None], there[pb.array([1])], there.T, there.mT, there // 2),
    ]
    assert {x.device for x in results} == {pb.gpu}
    whole = xp.astype(there, xp.int32)
    assert {(~whole).device, (whole << 1).device, (2**whole).device} == {pb.gpu}
    for _ in range(2):
        there += here
    there[0] = 5
    assert there.device == pb.gpu and there.tolist() == [[5.0, 5.0], [5.0, 8.0]]


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
def test_what_pb_makes_is_for_the_current_device():
    x = pb.ones(3, stream=pb.gpu)
    assert x.device == pb.gpu and (x + 1).device == pb.sum(x).device == pb.cpu
    there = xp.ones(3, device=pb.gpu)
    assert pb.add(there, 1).device == there.sum().device == pb.cpu
    # It joins what is placed; and by itself it is where it is.
    assert xp.add(there, pb.ones(3)).device == xp.exp(x).device == pb.gpu
    with pytest.raises(ValueError, match=r"^\[add\] expected arrays on one device"):
        xp.add(x, pb.ones(3))


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
def test_what_a_callback_makes_is_its_own():
    seen = []

    def host(x):
        with pb.stream(pb.gpu):
            seen.append((pb.ones(2, stream=pb.cpu) * 2).device)
        return x

    x = pb.pure_callback(host, pb.ShapeDtypeStruct((3,), pb.float32), xp.ones(3, device=pb.cpu))
    # It has to know the elements while it runs.
    assert len(xp.nonzero(x)[0]) == 3
    assert seen == [pb.gpu]


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
def test_moved_arrays_stay():
    x = pb.array([1.0, 2.0])
    for device in DEVICES:
        moved = x.to_device(device, stream=None)
        with pb.stream(pb.gpu if device == pb.cpu else pb.cpu):
            assert moved.to_device(device) is not None and (moved * 2).device == device
            assert xp.astype(moved, xp.int32).device == xp.asarray(moved, copy=True).device == device
    for wrong in (None, "tpu", 3):
        with pytest.raises(TypeError, match=r"^\[to_device\] expected pb.cpu"):
            x.to_device(wrong)
        if wrong is not None:
            with pytest.raises(TypeError, match=r"^\[zeros\] expected pb.cpu, pb.gpu, a Stream or None, got"):
                xp.zeros(2, device=wrong)


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
def test_transforms_keep_the_place():
    seen = []

    def loss(x):
        seen.append(x.device)
        y = xp.sum(xp.exp(x) * x)
        seen.append(y.device)
        return y

    x = xp.asarray([0.5, 1.0], device=pb.gpu)
    want = np.exp([0.5, 1.0]) * np.array([1.5, 2.0])
    value = pb.grad(loss)(x)
    assert value.device == pb.gpu and (x - 0.1 * value).device == pb.gpu
    np.testing.assert_allclose(np.asarray(value), want, rtol=1e-5)
    tangent = pb.jvp(loss, [x], [pb.ones(2)])[1][0]
    np.testing.assert_allclose(tangent.item(), want.sum(), rtol=1e-5)
    assert pb.vmap(loss)(xp.stack([x, x])).device == pb.gpu
    assert set(seen) == {pb.gpu}
    compiled = pb.compile(loss)
    for device in (pb.gpu, pb.cpu, pb.gpu):
        assert compiled(xp.asarray([0.5, 1.0], device=device)).device == device
    assert seen[-4:] == [pb.gpu, pb.gpu, pb.cpu, pb.cpu]
