"""What several test files use."""

import numpy as np


def close(got, expected, rtol=1e-5, atol=1e-6):
    """Arrays are nearly equal."""
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=rtol, atol=atol)
