"""Devices, hypothesis profiles, and what software Vulkan needs to start."""

import atexit
import os
import shutil
import tempfile

if "XDG_RUNTIME_DIR" not in os.environ:
    runtime = os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="pullback-tests-")
    atexit.register(shutil.rmtree, runtime, ignore_errors=True)

import pullback as pb
import pytest
from hypothesis import HealthCheck, settings

COMMON = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
settings.register_profile("fast", max_examples=40, derandomize=True, **COMMON)
settings.register_profile("slow", max_examples=500, **COMMON)
# `PULLBACK_TESTS=slow pytest` tries twenty times as many examples, and other ones each time.
settings.load_profile(os.environ.get("PULLBACK_TESTS", "fast"))


def pytest_configure(config):
    """When an example fails, hypothesis imports a library that warns of itself: not to hide the failure."""
    config.addinivalue_line("filterwarnings", "ignore:mypy_extensions:DeprecationWarning")


@pytest.fixture(params=["cpu", "gpu"])
def device(request):
    """Each device in turn: within the test, operations are built for it."""
    chosen = getattr(pb, request.param)
    if not pb.is_available(chosen):
        pytest.skip(f"no {request.param} here")
    with pb.stream(chosen):
        yield chosen


@pytest.fixture(autouse=True)
def state():
    """Every test starts from the same random state, and leaves the default device as it was."""
    pb.random.seed(0)
    before = pb.default_device()
    yield
    pb.set_default_device(before)
