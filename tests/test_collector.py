"""Python's garbage collector may strike while a wrapper is being made."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc
import pullback as pb

kept = []
for threshold in range(1, 40):
    gc.set_threshold(threshold)
    for _ in range(200):
        kept.append(pb.{maker}(lambda x: x))
"""
MAKERS = ["custom_function", "custom_vjp", "checkpoint", "compile", "grad", "vmap"]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_collection_while_a_wrapper_is_made(maker):
    """In a process of its own, for what goes wrong here ends it."""
    command = [sys.executable, "-c", PROGRAM.format(maker=maker)]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
