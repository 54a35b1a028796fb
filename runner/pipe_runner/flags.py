"""How files are opened below Python's `open`, in the words that this system has: Windows lacks most of them."""

from __future__ import annotations

import os
from typing import Final


def _together(*names: str) -> int:
    return sum(getattr(os, f"O_{name}", 0) for name in names)


# Windows takes an end of line for two bytes unless told BINARY, and lets children have what isn't NOINHERIT.
_ALWAYS: Final = ("CLOEXEC", "NOFOLLOW", "BINARY", "NOINHERIT")
READ: Final = os.O_RDONLY | _together(*_ALWAYS, "NONBLOCK")
"""To read a file, no link, without waiting for whoever may be at the other end of it."""
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _together(*_ALWAYS)
"""To write a file that isn't there yet."""
LOCK: Final = os.O_RDWR | os.O_CREAT | _together(*_ALWAYS, "NONBLOCK")
"""To hold a lock on a file, which is made where it isn't there."""
FOLDER: Final = os.O_RDONLY | _together(*_ALWAYS, "DIRECTORY")
"""To open what lies in a directory, which is no link."""
REWRITE: Final = os.O_WRONLY | os.O_CREAT | _together(*_ALWAYS, "NONBLOCK")
"""To write over the beginning of a file, which is made where it isn't there."""


def beside(path: str) -> str:
    """A name for what is written first and then takes the place of `path`. Nobody else takes it: process numbers come
    again, in a container after every start, and who was killed has left the file there."""
    return f"{path}.{os.urandom(6).hex()}.part"
