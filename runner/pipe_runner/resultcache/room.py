"""How much room the cache takes, and who may touch it: many at a time that read and write, or one that removes.

Both hold for all processes of a state directory. A system without locks on files goes without.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable
from errno import EAGAIN
from typing import Final

from pipe_runner import flags
from pipe_runner.forks import let_go_in_children

_PAUSE: Final = 0.005
_MOMENT: Final = 1000
"""Nanoseconds; the times of files are as fine on most systems."""


class Hold:
    """The right to touch the cache, until `close`; a context manager."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        if fd >= 0:
            let_go_in_children(self)

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Again does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    let_go = close


class Room:
    """The lock, the turn to wait for it, the number of bytes, and the time of the last use, each in a file of the
    cache's directory `home`."""

    def __init__(self, home: str) -> None:
        self._lock, self._turn = os.path.join(home, "lock"), os.path.join(home, "turn")
        self._size, self._used = os.path.join(home, "size"), os.path.join(home, "used")

    def hold(self, *, alone: bool = False, patience: float | None = None) -> Hold:
        """Take the right, beside others or alone; waits without end, or that many seconds, then BlockingIOError.

        Whoever waits to be alone lets nobody else begin meanwhile: else there would always be somebody.
        """
        until = None if patience is None else time.monotonic() + patience
        turn = _locked(self._turn, alone, until)
        try:
            return Hold(_locked(self._lock, alone, until))
        finally:
            if turn >= 0:
                os.close(turn)

    def add(self, size: int) -> int | None:
        """Count bytes that were written; gives how many there are then, None where that isn't known."""
        fd = _open_regular(self._size)
        if fd < 0:
            return None
        with open(fd, "r+b", buffering=0) as file, contextlib.suppress(OSError, ValueError):
            fcntl.flock(fd, fcntl.LOCK_EX)
            total = int(file.read(32)) + size
            _write(fd, total)
            return total
        return None

    def set(self, total: int) -> None:
        """What was found by counting all."""
        fd = _open_regular(self._size)
        if fd >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
                _write(fd, total)
            os.close(fd)

    def next_use(self, now: int, newest: Callable[[], int]) -> int:
        """When something counts as used that is used now, in ns since 1970: behind all that was used before, also where
        the clock was set back. `newest` says when that was, where nobody has kept it."""
        fd = _open_regular(self._used)
        if fd < 0:
            return now
        with open(fd, "r+b", buffering=0) as file, contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
            text = file.read(32)
            at = max(now, (int(text) if text.strip().isdigit() else newest()) + _MOMENT)
            _write(fd, at)
            return at
        return now


def _locked(path: str, alone: bool, until: float | None) -> int:
    """The file, locked; below 0 where that can't be. Raises BlockingIOError if others hold it until then."""
    fd = _open(path)
    if fd < 0:
        return -1
    how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        while until is not None:
            try:
                fcntl.flock(fd, how | fcntl.LOCK_NB)
                return fd
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise BlockingIOError(EAGAIN, "it is in use all the time", path) from None
                time.sleep(_PAUSE)
        fcntl.flock(fd, how)
    except BlockingIOError:
        os.close(fd)
        raise
    except OSError:
        os.close(fd)
        return -1
    return fd


def _open(path: str) -> int:
    try:
        return os.open(path, flags.LOCK, 0o666)
    except FileNotFoundError:
        pass
    except OSError:
        return -1
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path))  # within a state directory that is there: a look at nothing makes none
        return os.open(path, flags.LOCK, 0o666)
    except OSError:
        return -1


def _open_regular(path: str) -> int:
    fd = _open(path)
    if fd < 0:
        return -1
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
    os.close(fd)
    return -1


def _write(fd: int, total: int) -> None:
    """Always as long, so that no reader ever finds half of it."""
    os.pwrite(fd, b"%031d\n" % max(0, total), 0)
