"""Tells Linux how it is to treat this process."""

from __future__ import annotations

import os
import sys

_PARENT_DEATH = 1
_GET_FLAGS, _SET_FLAGS = 3, 4
"""Of `fcntl`, whose module takes longer to import than this to do."""


def signal_with_parent(number: int, line: int) -> None:
    """Have the system send us this signal when the thread that started this process ends.

    Until here it continued us by what came over `line` (`companions.start`), and from here on it doesn't.
    """
    prctl(_PARENT_DEATH, number)
    if sys.platform == "linux":
        flags = _call("fcntl", line, _GET_FLAGS)
        if flags >= 0:
            _call("fcntl", line, _SET_FLAGS, flags & ~os.O_ASYNC)


def prctl(option: int, value: int) -> None:
    """Set one of the system's options by number; elsewhere than on Linux it does nothing."""
    if sys.platform == "linux":
        _call("prctl", option, value, 0, 0, 0)


def _call(name: str, *words: int) -> int:
    """What a function of the C library gives; below zero where it fails."""
    try:
        import _ctypes  # `ctypes` around it takes longer to import than all of the rest of a warden

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), name)  # type: ignore[arg-type]
        return int(_ctypes.call_function(address, words))
    except (ImportError, AttributeError, OSError):
        import ctypes

        return int(ctypes.CDLL(None)[name](*words))
