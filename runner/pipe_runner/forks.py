"""What a child that code in this process forks must not keep: it may outlive us, and others wait for our end.

A lock on an open file, and a socket whose end tells the warden of ours, last as long as anybody has them open. Programs
that are started don't inherit them; a child that goes on without executing one does.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import Final, Protocol


class Held(Protocol):
    """Something that this process alone may hold."""

    def let_go(self) -> None:
        """Close what is held, without a word to anybody; in a forked child only."""


_HELD: Final[weakref.WeakSet[Held]] = weakref.WeakSet()
_registered = False


def let_go_in_children(held: Held) -> None:
    """Have every child that is forked from now on let go of this, as long as it is here."""
    global _registered
    if not _registered:
        _registered = True
        os.register_at_fork(after_in_child=_let_go)
    _HELD.add(held)


def _let_go() -> None:
    for held in list(_HELD):
        with suppress(Exception):  # the others are to be let go of all the same
            held.let_go()
    _HELD.clear()
