"""Which values `pb.checkpoint` keeps, and does not compute again.

Values are known by the names that `pb.checkpoint_name` gives them.

>>> policy = pb.checkpoint_policies.save_only_these_names("hidden")
>>> def block(x):
...     return pb.sin(pb.checkpoint_name(x * x, "hidden"))
>>> pb.grad(pb.checkpoint(block, policy=policy))(pb.array(0.0)).item()
0.0
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Policy:
    """What is kept: nothing, everything, only what has these names, or all else."""

    kind: Literal["nothing", "everything", "only", "except"]
    names: tuple[str, ...] = ()


nothing_saveable = Policy("nothing")
everything_saveable = Policy("everything")


def save_only_these_names(*names: str) -> Policy:
    """Keep the values that have one of these names.

    >>> pb.checkpoint_policies.save_only_these_names("q", "k").names
    ('q', 'k')
    """
    return Policy("only", _checked("save_only_these_names", names))


def save_anything_except_these_names(*names: str) -> Policy:
    """Keep every value, named or not, except those that have one of these names.

    >>> pb.checkpoint_policies.save_anything_except_these_names("scores").kind
    'except'
    """
    return Policy("except", _checked("save_anything_except_these_names", names))


def _checked(op: str, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"[{op}] expected names, got {name!r}: the strings that were given to pb.checkpoint_name"
            )
    return names
