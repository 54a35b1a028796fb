"""How long something in one file may be looked at (R2)."""

from __future__ import annotations

from typing import Final

from pipe_runner.expressions import Fault

STEPS: Final = 100_000
"""Of all matrices of one file."""
WORK: Final = 160_000
"""Steps of some 10 µs that looking through the shell texts of one file may take."""

_MORE: Final = "more such values stand in this file than are held against what it lists: take some into a sub-pipeline"


def more_hint(fault: Fault) -> str:
    """The hint of a value that may be one of those that the file lists, for which there was no room to look."""
    return f"{fault.hint}; {_MORE}" if fault.hint else _MORE


class NoRoom(Exception):
    """All matrices of a file together take more steps than are allowed."""


class Room:
    """How many steps something in one file may take (R2); of matrices a microsecond and a few hundred bytes each."""

    def __init__(self, steps: int = STEPS) -> None:
        self._left = steps

    def take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise NoRoom

    @property
    def full(self) -> bool:
        """More was wanted than there is."""
        return self._left < 0

    def holds(self, steps: int) -> bool:
        """Take them, if there are as many."""
        self._left -= steps
        return self._left >= 0
