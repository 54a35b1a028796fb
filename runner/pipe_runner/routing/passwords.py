"""Passwords in addresses of a task: taken out before anything of it stays in a file, or goes to a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipe_runner.routing.choices import Routing

HIDDEN: Final = "***"
LEFT_OUT: Final = "passwords in addresses are left out: no check gets them"
_WORD: Final = re.compile(r"\S+")
_USER: Final = re.compile(r"://([^\s/?#:@]*):")
_SIMPLE: Final = re.compile(r"[^\s/?#]*")
_PORT: Final = re.compile(r"\d{1,5}[/?#]")
_TOKEN: Final = re.compile(r"(?<=://)[^\s/?#:@]{20,}@")
"""A name that nobody has: a token."""


def without_passwords(task: str) -> str:
    """The task with `***` for each: `https://ada:***@host/`."""
    return _TOKEN.sub(f"{HIDDEN}@", _WORD.sub(_hidden, task) if "@" in task else task)


def _hidden(found: re.Match[str]) -> str:
    """One word; each character of it is looked at a few times, whatever stands there."""
    word = found[0]
    last, done, parts = word.rfind("@"), 0, []
    for user in _USER.finditer(word):
        start = user.end()
        if start < done or start >= last:
            continue
        simple = _SIMPLE.match(word, start)
        end = word.rfind("@", start, simple.end() if simple else start)
        if end <= start:  # it may hold `/`, `?` and `#`, too
            end = -1 if _PORT.match(word, start) else last
        if end > start:
            parts += [word[done:start], HIDDEN]
            done = end
    return "".join((*parts, word[done:]))


def routed_without(task: str, routed: Callable[[str], Routing]) -> Routing:
    """The routing of a task without its passwords: it is shown, kept, and told to models."""
    asked = without_passwords(task)
    routing = routed(asked)
    return routing if asked == task else routing._replace(notes=(*routing.notes, LEFT_OUT))
