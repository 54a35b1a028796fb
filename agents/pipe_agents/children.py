"""Ends the processes that a call started in its thread. Linux only: it tells children by the thread that forked."""

from __future__ import annotations

import os
from contextlib import suppress

_ROUGHLY = 0.05
"""Seconds by which the start of a process may seem to be too early: the system counts in hundredths."""


def end(thread: int, since: float, number: int) -> None:
    """Send a signal to what the thread (its native id) has started since then (`CLOCK_BOOTTIME`), and all below it."""
    for pid in _children("self", thread):
        if _started(pid) >= since - _ROUGHLY:
            for each in (pid, *_below(pid)):
                with suppress(OSError):
                    os.kill(each, number)


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
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                children = _children(parent, thread)
                found += children
                pending += children
    return found


def _started(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1.0
    return ticks / os.sysconf("SC_CLK_TCK")
