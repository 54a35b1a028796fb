"""Passwords in addresses of a task: taken out before anything of it stays in a file, or goes to a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipe_runner.routing.choices import Routing

HIDDEN: Final = "***"
LEFT_OUT: Final = "passwords in addresses are left out: no check gets them"
_PAIR: Final = re.compile(r"(?<=://)([^\s/?#:@]*):(?:[^\s/?#]+|(?!\d{1,5}[/?#])\S+)@")
_TOKEN: Final = re.compile(r"(?<=://)[^\s/?#:@]{20,}@")
"""A name that nobody has: a token."""


def without_passwords(task: str) -> str:
    """The task with `***` for each: `https://ada:***@host/`."""
    return _TOKEN.sub(f"{HIDDEN}@", _PAIR.sub(rf"\1:{HIDDEN}@", task))


def routed_without(task: str, routed: Callable[[str], Routing]) -> Routing:
    """The routing of a task without its passwords: it is shown, kept, and told to models."""
    asked = without_passwords(task)
    routing = routed(asked)
    return routing if asked == task else routing._replace(notes=(*routing.notes, LEFT_OUT))
