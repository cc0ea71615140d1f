"""What a check of rules found, as lines that a person can read."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pullback as pb
from pullback.testing._flat import Arrays, Near

Pairs = Iterator[tuple[str, Any, Any]]


class Report:
    """Lines about what was compared, and whether one of them is bad."""

    def __init__(self, head: str, near: Near):
        self.lines = [head]
        self.near = near
        self.right = 0
        self.wrong = 0

    def compare(self, what: str, pairs: Pairs) -> bool:
        """Compare what was got with what was expected, by names; an error on the way is a finding as well.
        Return whether they agree.
        """
        worst = 0.0
        try:
            for name, got, want in pairs:
                worst = max(worst, self.near.compare(got, want, name))
        except (AssertionError, pb.RuleError) as error:
            self.wrong += 1
            self.lines.append(f"  WRONG {what}: " + str(error).replace("\n", "\n        "))
            return False
        self.right += 1
        self.lines.append(f"  ok    {what} ({worst:.1e} apart)")
        return True

    def skip(self, what: str, why: str) -> None:
        """Say that something was not compared, and why."""
        self.lines.append(f"  --    {what}: {why}")

    def __str__(self) -> str:
        count = self.right + self.wrong
        last = f"{self.wrong} of {count} comparisons disagree" if self.wrong else f"{count} comparisons agree"
        return "\n".join([*self.lines, last])


def paired(names: Sequence[str], got: Callable[[], Arrays], want: Callable[[], Arrays]) -> Pairs:
    """Pair what two functions return, once somebody asks."""
    yield from zip(names, got(), want(), strict=True)


def why_not(derivative: Callable[[], Any]) -> str | None:
    """Why a derivative is not one of a rule, if it is not."""
    try:
        derivative()
    except pb.RuleFallbackWarning:
        return "no such rule, the body is differentiated"
    except pb.RuleError as error:
        if "missing='error'" in str(error):
            return "no such rule, and missing='error'"
        if "cannot be transposed" in str(error):
            return "no such rule, and the other one cannot be transposed: it is not linear"
    return None
