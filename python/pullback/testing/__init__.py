"""Checks for functions and rules of one's own: derivatives against quotients, batches against loops."""

from pullback.testing._flat import assert_close, map_arrays
from pullback.testing._grads import check_grads
from pullback.testing._rules import check_rules

__all__ = ["assert_close", "check_grads", "check_rules", "map_arrays"]
