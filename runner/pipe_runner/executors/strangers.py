"""Finds and ends processes below the runner that no warden watches over. Linux only: elsewhere nothing is found.

These are what its own functions start, and what a warden that was killed leaves: the runner is a subreaper, too, so
that such a process becomes its child, also one that emptied its environment.
"""

from __future__ import annotations

import os
import signal
import sys
from asyncio import sleep
from collections.abc import Collection
from contextlib import suppress
from threading import get_ident
from time import monotonic
from time import sleep as block
from typing import Final

from pipe_runner import companions
from pipe_runner.executors.family import below, children_of, stat_words
from pipe_runner.executors.leftovers import environment_of
from pipe_runner.executors.listed import PS
from pipe_runner.forks import let_go_in_children

GRACE: Final = 1.0
"""Seconds between TERM and KILL at the end of a run."""
GIVE_UP: Final = 2.0
"""Seconds after a KILL until nobody waits any longer."""
LAST_MOMENT: Final = 0.1
"""Seconds that killing may take where the process is to leave at once."""
_AGAIN: Final = 0.01
_RARELY: Final = 1.0
_STARTS: Final = frozenset(("os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"))
"""What Python tells of before a process is started."""
_HELD: Final[dict[object, tuple[int, int]]] = {}
"""Runs that have ended, whose other threads start nothing more: their process, and the thread that may."""
_TOLD: Final[dict[object, int]] = {}
"""Where it is told that a process is about to be started."""
_hooked = False


class Strangers:
    """Of a process that is one run's alone: what it starts, and what is left to it, ends with the run.

    `own` is the environment that this process's functions pass on.
    """

    def __init__(self, own: Collection[bytes]) -> None:
        self._own = set(own)
        self._before = set(children_of(os.getpid()))
        """Children that were here before the run: whoever called exec may have left some."""

    async def end_orphans(self) -> None:
        """Kill what a dead warden left; not what functions started, which goes on."""
        give_up = monotonic() + GIVE_UP
        while (found := [pid for pid in self._find() if self._is_orphan(pid)]) and monotonic() < give_up:
            _signal_all(found, signal.SIGKILL)
            await sleep(_AGAIN)
            _reap(found)

    async def end(self, grace: float = GRACE) -> None:
        """TERM, grace and KILL for all that is there."""
        began = monotonic()
        asked: set[int] = set()
        while found := self._find():
            passed = monotonic() - began
            if passed > grace + GIVE_UP:
                return
            if passed >= grace:
                _signal_all(found, signal.SIGKILL)
            else:
                _signal_all([pid for pid in found if pid not in asked], signal.SIGTERM)
                asked.update(found)
            await sleep(_AGAIN)

    def end_now(self) -> None:
        """Kill all that is there, for the moment that a process has which is about to leave."""
        self.keep_from_starting()
        give_up = monotonic() + LAST_MOMENT
        while (found := self._find()) and monotonic() < give_up:
            _signal_all(found, signal.SIGKILL)
            _reap(found)
            block(_AGAIN)

    def keep_from_starting(self) -> None:
        """Have code in other threads start nothing more: a pool of processes replaces each that is ended."""
        _hook()
        _HELD[self] = (os.getpid(), get_ident())

    def let_start(self) -> None:
        """Let it start again: the process goes on, and is no run's any more."""
        _HELD.pop(self, None)
        self._hush()

    def tell_of_starts(self, fd: int | None) -> None:
        """Write to this descriptor whenever Python code is about to start a process."""
        if fd is not None:
            _TOLD[self] = fd
            _hook()
            let_go_in_children(self)

    def let_go(self) -> None:
        """In a forked child: what it starts is below it, and found there."""
        self._hush()

    def _hush(self) -> None:
        fd = _TOLD.pop(self, None)
        if fd is not None:
            os.close(fd)

    def _find(self) -> list[int]:
        """Our children that live, but for companions and those that were here before."""
        children = children_of(os.getpid())
        if not children:
            return children
        known = self._before.union(companions.alive)
        return [pid for pid in children if pid not in known and _lives(pid)]

    def _is_orphan(self, pid: int) -> bool:
        """A function's process is in our group unless it left it, and has our marks unless it dropped them."""
        try:
            return os.getpgid(pid) != os.getpgrp() and not (self._own and self._own <= environment_of(pid))
        except OSError:
            return False


def _hook() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        sys.addaudithook(_starts)  # which nobody can take back: one is enough for all runs of a process


def _starts(event: str, args: tuple[object, ...]) -> None:
    if event not in _STARTS or args[:1] == (PS,):  # which looks for what is left
        return
    for fd in list(_TOLD.values()):
        with suppress(OSError):  # it is full: the warden looks soon in any case
            os.write(fd, b"\0")
    while any(us == os.getpid() and own != get_ident() for us, own in list(_HELD.values())):
        block(_RARELY)


def _signal_all(pids: Collection[int], number: int) -> None:
    for pid in pids:
        for each in (pid, *below(pid)):
            with suppress(OSError):
                os.kill(each, number)


def _reap(pids: Collection[int]) -> None:
    for pid in pids:
        with suppress(OSError):
            os.waitpid(pid, os.WNOHANG)


def _lives(pid: int) -> bool:
    words = stat_words(f"/proc/{pid}/stat")
    return bool(words) and words[0] not in (b"Z", b"X")
