"""`stream=`: wherever MLX has it, it says where an operation runs, whichever device is current."""

import pullback as pb
import pytest
from bad_input import called, functions, parameters

DEVICES = [device for device in (pb.cpu, pb.gpu) if pb.is_available(device)]
FUNCTIONS = functions()
STREAMED = [name for name, fun in FUNCTIONS.items() if "stream" in {p.name for p in parameters(fun)}]
X = pb.array([[1.0, 2.0], [3.0, 4.0]])
# What answers with the array that it was given, if that is what was asked for already: nothing runs. They are
# called so that there is something to do.
WITH_WORK = {
    **dict.fromkeys(["astype", "array.astype"], lambda f, s: f(X, pb.int8, stream=s)),
    "broadcast_to": lambda f, s: f(X, (3, 2, 2), stream=s),
    **dict.fromkeys(["conj", "conjugate", "real", "array.conj"], lambda f, s: f(X * 1j, stream=s)),
    "full": lambda f, s: f((3,), X[0, 0], pb.int8, stream=s),
    "full_like": lambda f, s: f(X, X[0, 0], pb.int8, stream=s),
    **dict.fromkeys(
        ["moveaxis", "swapaxes", "array.moveaxis", "array.swapaxes"], lambda f, s: f(X, 0, 1, stream=s)
    ),
    "linalg.matrix_power": lambda f, s: f(X, 3, stream=s),
    "reshape": lambda f, s: f(X, (4,), stream=s),
    **dict.fromkeys(["split", "array.split"], lambda f, s: f(X, 2, stream=s)),
}
# There is never anything to do.
AS_GIVEN = {"contiguous", "positive"}


def arrays(result):
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in arrays(part)]
    return [result] if isinstance(result, pb.array) else []


def ways(device):
    """All that names a device."""
    name = "cpu" if device == pb.cpu else "gpu"
    return [device, getattr(pb.DeviceType, name), pb.default_stream(device), pb.new_stream(device), name]


def test_there_are_many():
    assert len(STREAMED) > 300


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("there", DEVICES, ids=str)
@pytest.mark.parametrize("here", DEVICES, ids=str)
def test_a_stream_says_where(name, here, there):
    with pb.stream(here):
        for way in ways(there) if here != there else [there, None]:
            call = WITH_WORK.get(name, lambda fun, stream: called(name, fun, stream=stream))
            for result in arrays(call(FUNCTIONS[name], way)):
                assert result.device == there or name in AS_GIVEN, way
