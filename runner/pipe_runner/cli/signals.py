"""SIGINT, SIGTERM and SIGHUP while a run is under way: the first stops it, the second kills it, a dead end ends us."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from os import _exit  # functions of a run find another one
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from pipe_runner.forks import let_go_in_children

if TYPE_CHECKING:
    import asyncio

    from pipe_runner.engine import ActiveRun
    from pipe_runner.executors.strays import Strays

STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""Those that this system has: Windows has no SIGHUP, and others no SIGBREAK."""

LAST_RESORT: Final = 1.9
"""Seconds after the second signal until the process ends, whatever it is stuck in; the warden ends what it started.
As long after the grace, where the loop has not even seen the first one."""

HURRY: Final = 0.3
"""Seconds that Python has for its own end after a signal."""
PATIENCE: Final = 2.0
"""The same without one."""

_HEARD: Final = b"\0"
"""What is told the warden when a signal's handler runs."""
_SHOW_CURSOR: Final = b"\x1b[?25h"


class Signals:
    """Installed before a run is opened and until it has ended; what comes before the loop runs is not lost."""

    last: ClassVar[Signals | None] = None
    """Those of this process's last run."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._before: dict[int, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._active: ActiveRun | None = None
        self._run: ActiveRun | None = None
        """The same, also when it has ended."""
        self._busy = False
        """A run has ended while a function still ran."""
        self._guard: tuple[int, int] | None = None
        """A pipe by which the warden hears of signals, which it does also when Python can't act on them."""
        self._seen = False
        """The loop goes on: it has taken a signal."""
        self._let_go_on = False

    def install(self) -> None:
        for number in STOPPING:
            before = signal.getsignal(number)
            if number.name == "SIGHUP" and before is signal.SIG_IGN:
                continue  # nohup: who started us wants us to outlive the terminal
            self._before[number] = before
            signal.signal(number, self._on_signal)

    def attach(self, loop: asyncio.AbstractEventLoop, active: ActiveRun) -> None:
        """From here on signals stop this run, on this loop; those that came before do so now."""
        self._loop, self._active, self._run = loop, active, active
        before, self._guard = self._guard, active.processes.guard(active.grace)
        Signals.last = self
        if self._guard is not None:
            signal.set_wakeup_fd(self._guard[1], warn_on_full_buffer=False)
            let_go_in_children(self)
        elif before is not None:
            signal.set_wakeup_fd(-1)
        if before is not None:  # of the case before this one
            _close(before)
        for number in list(self.received):
            loop.call_soon(self._stop, number)

    def detach(self) -> None:
        self._busy = self._busy or (self._run is not None and self._run.busy)
        self._loop = self._active = None

    def restore(self) -> None:
        self._loop = self._active = None
        if self._guard is not None:
            signal.set_wakeup_fd(-1)
            _close(self._guard)
            self._guard = None
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)
        self._before = {}

    let_go = restore
    """A signal to a child that a function forked is that child's alone, and ends it if it does nothing about it."""

    @property
    def exit_code(self) -> int:
        """128 and the first signal's number; that of SIGINT where the run was cancelled without a signal."""
        return 128 + (self.received[0] if self.received else signal.SIGINT)

    def any(self) -> bool:
        """Whether one has come."""
        return bool(self.received)

    def leave(self) -> NoReturn:
        """End the process here and now, whatever another thread of it is stuck in."""
        stderr = sys.__stderr__  # whose descriptor is not 2 while functions run
        if stderr is not None and stderr.isatty():
            os.write(stderr.fileno(), _SHOW_CURSOR)
        self._end(self.exit_code)

    def see_out(self, code: int) -> None:
        """The command is over: have the process end with this code, whatever functions left in it.

        Python itself waits at its end for threads and for pools of processes, as long as it takes."""
        others = any(thread is not threading.current_thread() for thread in threading.enumerate())
        if self._busy:
            self._end(code)
        if (streams := _of_functions()) is not None:
            streams.hush()
        if others or "multiprocessing" in sys.modules:
            _after(HURRY if self.received else PATIENCE, partial(self._end, code))

    def let_start(self) -> None:
        """The run is over, and this process goes on."""
        if self._run is not None:
            self._run.processes.let_start()

    def let_go_on(self) -> None:
        """The command is over, and this process goes on, since it is somebody's who called it."""
        self._let_go_on = True
        self.let_start()
        if (streams := _of_functions()) is not None:
            streams.restore()

    def _end(self, code: int) -> NoReturn:
        """End this process, and before it all that functions have started in it."""
        with contextlib.suppress(Exception):
            if self._run is not None:
                self._run.processes.end_now()
        _exit(code)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)
        if self._guard is not None:
            with contextlib.suppress(OSError):
                os.write(self._guard[1], _HEARD)
        if len(self.received) == 2:
            _after(LAST_RESORT, self._leave_unless_over)
        elif len(self.received) == 1 and self._active is not None:
            _after(self._active.grace + LAST_RESORT, self._leave_if_stuck)
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._stop, number)

    def _stop(self, number: int) -> None:
        self._seen = True
        if self._active is not None:
            self._active.stop(signal.Signals(number).name)

    def _leave_unless_over(self) -> None:
        if not self._let_go_on:
            self.leave()

    def _leave_if_stuck(self) -> None:
        if not self._seen and self._active is not None:
            self.leave()


def _close(guard: tuple[int, int]) -> None:
    for fd in guard:
        os.close(fd)


def _of_functions() -> Strays | None:
    """What keeps the streams from what is left of functions, where any were called."""
    strays = sys.modules.get("pipe_runner.executors.strays")
    return None if strays is None else strays.Strays.last


def _after(seconds: float, then: Callable[[], object]) -> None:
    timer = threading.Timer(seconds, then)
    timer.daemon = True
    timer.start()
