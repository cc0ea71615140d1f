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
        kept.append({made})
"""
WRAPPERS = ["custom_function", "custom_vjp", "custom_gradient", "checkpoint", "compile", "grad", "vmap"]
MADE = {name: f"pb.{name}(lambda x: x)" for name in WRAPPERS}
MADE["Function"] = "type('F', (pb.Function,), {'forward': staticmethod(lambda ctx, x: x)}).apply"


@pytest.mark.parametrize("maker", MADE)
def test_a_collection_while_a_wrapper_is_made(maker):
    """In a process of its own, for what goes wrong here ends it."""
    command = [sys.executable, "-c", PROGRAM.format(made=MADE[maker])]
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
