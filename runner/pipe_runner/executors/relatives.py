"""Knows what the runner's own functions started, so that it ends with a runner that can't end it; part of the warden.

Such a process is the runner's descendant, not the warden's: once the runner is dead nobody tells whose it was, unless
its environment does. So the warden looks while the runner lives, and remembers: now and then, and some milliseconds
after Python tells that it starts one. What starts and loses the runner between two looks is found by its environment
only. Linux only: elsewhere nothing is found.
"""

from __future__ import annotations

import os
import time

from pipe_runner.executors.family import AGAIN, children_of, is_companion, stat_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:  # as in the rest of the warden
    import _signal as signal

LOOK = 0.2
"""Seconds between two looks."""
SOON = (0.003, 0.015, 0.06)
"""Seconds after a start, which is told before it happens, when one looks for it."""
SELDOM = 0.015
"""Seconds between two such looks, however many are started."""
GIVE_UP = 3.0
"""Seconds after which what doesn't end is waited for no longer."""


class Relatives:
    """Descendants of the process `runner` that started at `since` (`ticks`) or later, but for companions and theirs."""

    def __init__(self, runner: int, since: int) -> None:
        self._runner = runner
        self._since = since
        self._known: dict[int, int] = {}
        """When each started, by its pid."""
        self._young: set[int] = set()
        """Those that were first seen by the last look: one may have been a companion before its program began."""
        self._next = 0.0
        self._last = 0.0
        self._soon: list[float] = []
        """When to look besides, the last of them first."""

    def hurry(self) -> None:
        """A process is about to be started."""
        now = time.monotonic()
        self._soon = [now + seconds for seconds in reversed(SOON)]
        self._next = min(self._next, max(self._soon.pop(), self._last + SELDOM))

    def wait(self) -> float:
        """Seconds until `look` has something to do."""
        return max(0.0, self._next - time.monotonic())

    def look(self, *, now: bool = False) -> bool:
        """See what is there, if it is time; whether it was."""
        due = now or self.wait() == 0.0
        if due:
            self._last = moment = time.monotonic()
            self._next = min(moment + LOOK, max(self._soon.pop(), moment + SELDOM)) if self._soon else moment + LOOK
            for pid, began in list(self._known.items()):
                if started(pid) != began or (pid in self._young and _is_ours(pid)):
                    del self._known[pid]
            before = set(self._known)
            self._add(self._runner)
            self._young = self._known.keys() - before
        return due

    def end(self) -> None:
        """Kill all of them, and what they have started since, until none is left."""
        give_up = time.monotonic() + GIVE_UP
        while True:
            self.look(now=True)
            for pid in list(self._known):
                self._add(pid)
            found = [pid for pid, began in self._known.items() if started(pid) == began and not _is_ours(pid)]
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            if not found or time.monotonic() > give_up:
                return
            time.sleep(AGAIN)

    def _add(self, parent: int) -> None:
        """Remember what is below a process."""
        pending = [parent]
        while pending:
            for pid in children_of(pending.pop()):
                began = started(pid)
                if pid in self._known or (began >= self._since and not _is_ours(pid)):
                    self._known[pid] = began
                    pending.append(pid)


def started(pid: int) -> int:
    """When a process started, in the system's ticks; -1 when it has ended."""
    words = stat_words(f"/proc/{pid}/stat")
    return -1 if not words or words[0] in (b"Z", b"X") else int(words[19])


def ticks() -> int:
    """Now, as the system counts when processes start."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return int(time.clock_gettime(clock) * os.sysconf("SC_CLK_TCK"))


def _is_ours(pid: int) -> bool:
    """Whether a process ends by itself, with what it has started."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return is_companion(file.read(4096))
    except OSError:
        return False
