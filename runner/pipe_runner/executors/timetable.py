"""Which functions are under way, and until when, in memory that the warden sees: it ends a runner that can't hold the
limits (`overdue.py`).

An entry costs a few stores and no system call. A thread shows that Python goes on, once there is a limit to be held.
"""

from __future__ import annotations

import _thread
import os
import sys
from math import inf
from time import monotonic
from types import CodeType
from typing import Final

from pipe_runner.errors import StorageError
from pipe_runner.executors.overdue import BEAT, HEAD, ROOM, SIZE, SLOT
from pipe_runner.forks import let_go_in_children
from pipe_runner.ports import Attempt

MOST: Final = 256
"""Functions that are watched at a time; what is beyond is not."""
_LATE: Final = 2 * BEAT
"""Seconds that a limit is overdue when the loop's thread is looked at."""
_FILL: Final = SLOT.pack_into
_WORDS: Final = SIZE // 8


class Timetable:
    """Lives on one event loop, in the thread that makes it."""

    def __init__(self) -> None:
        import mmap

        self.fd = _shared(SIZE * (MOST + 1))
        self._map = mmap.mmap(self.fd, SIZE * (MOST + 1))
        self._view(memoryview(self._map))
        self._free: list[int] = []
        self._made = 0
        self.watched: CodeType | None = None
        """The code that awaits an attempt, which is its variable `attempt`."""
        self.slots: dict[str, int] = {}
        """The place of each attempt that stands here, by its node."""
        self._until: dict[int, float] = {}
        """When the time of an attempt is up that has a limit, by its slot."""
        self._loop_thread = _thread.get_ident()
        self._ended: _thread.LockType | None = None
        let_go_in_children(self)

    def enter(self, attempt: Attempt) -> int:
        """An attempt begins; its slot, or 0 where there is no room for it."""
        if self._free:
            slot = self._free.pop()
        elif self._made < MOST:
            slot = self._made = self._made + 1
        else:
            return 0
        node = attempt.node
        limit = attempt.timeout
        if limit is None:
            limit = until = inf
        else:
            until = self._until[slot] = monotonic() + limit
            if self._ended is None:
                self._start()
        self.slots[node] = slot
        name = node.encode("utf-8", "replace")
        _FILL(self._memory, slot * SIZE, until, limit, 0, attempt.number, len(name), name[:ROOM])
        return slot

    def runs_in(self, attempt: Attempt, thread: int) -> None:
        """Its function is called in this thread (its native id)."""
        slot = self.slots.get(attempt.node) or self.enter(attempt)
        if slot:
            self._words[slot * _WORDS + 2] = thread

    def leave(self, attempt: Attempt) -> None:
        """It has ended, if it stands here."""
        slot = self.slots.pop(attempt.node, 0)
        if slot:
            self._doubles[slot * _WORDS] = 0.0
            if self._until:
                self._until.pop(slot, None)
            self._free.append(slot)

    def bound(self, seconds: float | None) -> None:
        """The run's time is up after so many seconds from now; None: it has all the time that it wants."""
        self._doubles[1] = 0.0 if seconds is None else monotonic() + seconds
        if seconds is not None and self._ended is None:
            self._start()

    def hurry(self, grace: float) -> None:
        """The run stops: what is under way has so many seconds to end, and its time-out is what it was."""
        self.bound(None)
        until = monotonic() + grace
        for number in range(1, self._made + 1):
            at = number * _WORDS
            if self._doubles[at] > until:
                self._doubles[at] = self._until[number] = until
                if self._ended is None:
                    self._start()

    def close(self) -> None:
        """Watch no longer; again does nothing."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.release()
        self._doubles[0] = self._doubles[1] = 0.0
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def let_go(self) -> None:
        """In a forked child: what it does is not the run's."""
        self._view(memoryview(bytearray(SIZE * (MOST + 1))))

    def _view(self, memory: memoryview) -> None:
        self._memory = memory
        self._doubles: memoryview[float] = memory.cast("d")
        self._words: memoryview[int] = memory.cast("q")

    def _start(self) -> None:
        self._ended = _thread.allocate_lock()
        self._ended.acquire()
        self._doubles[0] = monotonic()
        _thread.start_new_thread(self._beat, (self._ended, self._doubles, self._words))

    def _beat(self, ended: _thread.LockType, doubles: memoryview[float], words: memoryview[int]) -> None:
        while not ended.acquire(timeout=BEAT):
            now = monotonic()
            words[2] = self._blocker() if any(until < now - _LATE for until in list(self._until.values())) else 0
            doubles[0] = now
        doubles[0] = 0.0

    def _blocker(self) -> int:
        """The slot of the attempt whose function is at work in the loop's own thread at this moment; 0: of none."""
        frame = sys._current_frames().get(self._loop_thread)
        while frame is not None:
            if frame.f_code is self.watched:
                return self.slots.get(getattr(frame.f_locals.get("attempt"), "node", ""), 0)
            if str(frame.f_globals.get("__name__")).startswith("pipe_runner."):
                return 0  # it is the runner that works, or waits for a disk
            frame = frame.f_back
        return 0


def _shared(size: int) -> int:
    """A file without a name, which another process may map as well."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("pipe-timetable", os.MFD_CLOEXEC)
    else:
        import tempfile

        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    try:
        os.ftruncate(fd, size)
    except OSError as error:
        os.close(fd)
        raise StorageError(f"no room for the table of functions that are under way: {error.strerror}") from error
    return fd


assert HEAD.size <= SIZE and SIZE % 8 == 0
