"""Passwords in addresses of a task: taken out before anything of it stays in a file, or goes to a model."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
LEFT_OUT: Final = "passwords in addresses are left out: no check gets them"
_PAIR: Final = re.compile(r"(?<=://)([^\s/?#:@]*):(?:[^\s/?#]+|(?!\d{1,5}[/?#])\S+)@")
_TOKEN: Final = re.compile(r"(?<=://)[^\s/?#:@]{20,}@")
"""A name that nobody has: a token."""


def without_passwords(task: str) -> str:
    """The task with `***` for each: `https://ada:***@host/`."""
    return _TOKEN.sub(f"{HIDDEN}@", _PAIR.sub(rf"\1:{HIDDEN}@", task))
