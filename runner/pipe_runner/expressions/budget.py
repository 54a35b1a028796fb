"""Bounds of one evaluation (R4): steps taken, memory asked for, size of what comes out."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any, Final

from pipe_runner.errors import ExpressionFault

STEPS: Final = 200_000
"""Steps of one evaluation; one is a node of the tree, a turn of a loop, or so much work as that."""
MEMORY: Final = 48 * 2**20
"""Bytes that one evaluation may ask for altogether."""
GROWTH: Final = 2**20
"""Characters (or items) that one operation may make out of little; of much, twice as much."""
TEXT_LIMIT: Final = 2**20
"""Characters of a text rendered with blocks, filters or operators."""
VALUE_LIMIT: Final = 16 * 2**20
"""Characters of a value, and of a text made of plain references."""


class Budget:
    """What an evaluation has left. Every operation whose cost grows with a value says so before it begins."""

    __slots__ = ("memory", "steps")

    def __init__(self, steps: int = STEPS, memory: int = MEMORY) -> None:
        self.steps = steps
        self.memory = memory

    def step(self, count: int = 1) -> None:
        """Pay for `count` steps of work."""
        self.steps -= count
        if self.steps < 0:
            raise ExpressionFault(f"the expression takes more than {STEPS:,} steps")

    def take(self, size: int) -> None:
        """Pay for `size` bytes of new memory."""
        self.memory -= size
        if self.memory < 0:
            raise ExpressionFault(f"the expression builds more than {MEMORY >> 20} MiB of values")
        self.step(size >> 10)

    def grow(self, size: int, source: int = 0) -> None:
        """Allow an operation that makes `size` characters or items out of `source` ones."""
        if size > max(GROWTH, 2 * source) or size > VALUE_LIMIT:
            raise ExpressionFault(
                f"the expression makes {size:,} characters or items out of {source:,}; that is too much"
            )
        self.take(size)

    def text(self, text: str) -> str:
        """Pay for a new text that was certain to be no larger than what it was made of."""
        self.take(sys.getsizeof(text))
        return text

    def measure(self, value: Any) -> int:
        """Characters and members of a value, shared parts counted each time; pays for the walk.

        The values of an expression can share parts (`[a, a]` of `[a, a]` of …): a walk that isn't bounded never ends.
        """
        if isinstance(value, str):
            return len(value)
        if not isinstance(value, (list, dict)):
            if isinstance(value, float):
                finite(value)
            return 8
        total = 0
        pending: list[Any] = [value]
        while pending:
            current = pending.pop()
            kind = type(current)
            if kind is str:
                total += len(current) + 2
            elif kind is list:
                total += 2 * len(current) + 2 + _leaves(current, pending)
                self._walked(len(current), total)
            elif kind is dict:
                total += 2 * len(current) + 2 + sum(map(len, current)) + _leaves(current.values(), pending)
                self._walked(2 * len(current), total)
            else:
                total += 8
                if kind is float:
                    finite(current)
        self._walked(0, total)
        return total

    def _walked(self, members: int, total: int) -> None:
        self.step(1 + (members >> 3))
        if total > VALUE_LIMIT:
            raise ExpressionFault(f"the expression works on a value of more than {VALUE_LIMIT >> 20} MiB")


_SCALARS: Final = frozenset({int, bool, type(None)})


def _leaves(members: Collection[Any], pending: list[Any]) -> int:
    """The size of members of one kind, which is found fast; others are put off."""
    kinds = set(map(type, members))
    if kinds <= _SCALARS:
        return 8 * len(members)
    if kinds == {str}:
        return sum(map(len, members))
    pending.extend(members)
    return 0


def finite(number: float) -> None:
    """Raise for infinity and not-a-number, which JSON can't say."""
    if number - number != 0:
        raise ExpressionFault(f"{number} is no JSON number")
