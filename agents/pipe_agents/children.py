"""Ends the processes that a call started in its thread. Linux only: it tells children by the thread that forked."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_ROUGHLY = 0.05
"""Seconds by which the start of a process may seem to be too early: the system counts in hundredths."""


def end(thread: int, since: float, number: int, *, alone: bool) -> None:
    """Send a signal to what the thread (its native id) has started since then (`CLOCK_BOOTTIME`), and all below it.

    What `multiprocessing` keeps for all threads gets none, whichever has started it. What its server of forks has
    forked since then gets one where the call is alone: else nobody can tell whose it is.
    """
    server = _kept("multiprocessing.forkserver", "_forkserver", "_forkserver_pid")
    kept = (server, _kept("multiprocessing.resource_tracker", "_resource_tracker", "_pid"))
    found = [pid for pid in _children("self", thread) if pid not in kept]
    if alone and server is not None:
        found += [pid for each in _threads(server) for pid in _children(server, each)]
    for pid in found:
        if _started(pid) >= since - _ROUGHLY:
            for each in (pid, *_below(pid)):
                with suppress(OSError):
                    os.kill(each, number)


def _kept(module: str, one: str, name: str) -> int | None:
    """The process that the standard library has started for itself, if any."""
    found = getattr(getattr(sys.modules.get(module), one, None), name, None)
    return found if isinstance(found, int) else None


def _children(pid: int | str, thread: int | str) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            return list(map(int, file.read().split()))
    except OSError:
        return []


def _below(pid: int) -> list[int]:
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        for thread in _threads(parent):
            children = _children(parent, thread)
            found += children
            pending += children
    return found


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _started(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1.0
    return ticks / os.sysconf("SC_CLK_TCK")
