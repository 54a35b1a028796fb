"""Tells Linux how it is to treat this process."""

from __future__ import annotations

import sys

_PARENT_DEATH = 1


def signal_with_parent(number: int) -> None:
    """Have the system send us this signal when the thread that started this process ends."""
    prctl(_PARENT_DEATH, number)


def prctl(option: int, value: int) -> None:
    """Set one of the system's options by number; elsewhere than on Linux it does nothing."""
    if sys.platform != "linux":
        return
    try:
        import _ctypes  # `ctypes` around it takes longer to import than all of the rest of a warden

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        _ctypes.call_function(address, (option, value, 0, 0, 0))
    except (ImportError, AttributeError, OSError):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
