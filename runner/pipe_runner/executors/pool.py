"""The launcher of a run: one warden at first, a second and more when commands start side by side.

The system holds a warden up while it starts a process (the parent waits until the child has become the program); in
that time it neither starts another one nor sees one end. Several wardens do so in parallel.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import PipeError
from pipe_runner.executors.leftovers import entries, own_marks
from pipe_runner.executors.processes import Processes
from pipe_runner.ports import Attempt, Command, Emit, Masker, ProcessEnd

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from pipe_runner.executors.strangers import Strangers
    from pipe_runner.executors.timetable import Timetable

MOST: Final = 4
"""Wardens of one run at most; one serves any number of commands that are under way."""
SOON: Final = 0.05
"""Seconds until the runner takes in what loses its parent: a short run has no use for it, and doesn't pay for it."""


class Pool:
    """Implements the port Launcher over several `Processes`. `lock_path` is the first warden's; others add a number."""

    def __init__(
        self, run: str, lock_path: str, size: int | None = None, *, functions: bool = False, go_on: str = ""
    ) -> None:
        """`functions`: code runs in this process that may start others by itself; they end with the run, too. `go_on`
        is the command that goes on with the run where this process is ended."""
        self._go_on = go_on
        self._run = run
        self._lock_path = lock_path
        self._size = size or max(1, min(MOST, os.cpu_count() or 1))
        self._members = [Processes(run, lock_path, sweep=functions)]
        self.marks = own_marks(run, lock_path) if functions else {}
        """To be in this process's environment while the run goes on."""
        self._strangers: Strangers | None = None
        self._killed = False
        self.last = False
        """The process is a command's: when the run has ended, nothing of its functions is to be seen."""
        self.timetable: Timetable | None = None
        """Where functions that are under way stand, for the warden."""

    def start(self) -> None:
        """Start the first warden, beside whatever this process does next."""
        self._members[0].start()

    def adopt(self, loop: AbstractEventLoop, *, kept: bool = True) -> None:
        """This process is the run's alone: what is left to it, and what its functions start, ends with the run.

        `kept`: there is a log, from which the run can be resumed when this process is ended.
        """
        self.last = True
        if self.marks:
            self._adopt(kept=kept)
        else:
            loop.call_later(SOON, self._adopt)

    def _adopt(self, *, kept: bool = True) -> None:
        from pipe_runner.executors.family import become_subreaper
        from pipe_runner.executors.strangers import Strangers

        self._strangers = Strangers(entries(self.marks))
        become_subreaper()
        for member in self._members:
            member.strangers = self._strangers
        if self.marks and self._members[0].warden is not None:
            from pipe_runner.executors.relatives import ticks
            from pipe_runner.executors.timetable import Timetable

            self.timetable = Timetable()
            started = self._members[0].claim(ticks(), self.timetable.fd, kept=kept, go_on=self._go_on)
            self._strangers.tell_of_starts(started)

    def guard(self, grace: float) -> tuple[int, int] | None:
        """Where to tell of signals when code runs here that could keep Python from going on; see `Processes.guard`."""
        return self._members[0].guard(grace) if self.marks else None

    def bound(self, seconds: float | None) -> None:
        """Have the warden hold the run's own time limit as well, where functions could keep this process from it."""
        if self.timetable is not None:
            self.timetable.bound(seconds)

    def run(
        self, command: Command, attempt: Attempt, emit: Emit, masker: Masker, fds: tuple[int, ...] = ()
    ) -> Coroutine[Any, Any, ProcessEnd]:
        """Run a command with the warden that has the fewest; see the port, and `Processes.run` for `fds`. None waits
        for another warden to come up."""
        member = self._members[0]
        least = member.in_flight
        if least:
            for other in self._members:
                if other.in_flight < least:
                    member, least = other, other.in_flight
            if least and len(self._members) < self._size:
                self._grow()
            if not member.ready:
                member = self._members[0]
        return member.run(command, attempt, emit, masker, fds)

    def _grow(self) -> None:
        number = len(self._members)
        member = Processes(self._run, f"{self._lock_path}.{number}", number)
        try:
            member.prepare()
        except PipeError:  # the first one does, only slower
            self._size = number
            return
        member.strangers = self._strangers
        self._members.append(member)

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        self._killed = grace <= 0
        for member in self._members:
            member.stop(grace, spare)

    async def close(self) -> None:
        from asyncio import gather

        if self.timetable is not None:
            self.timetable.close()

        strangers = self._strangers if self.marks else None
        if strangers is not None:
            strangers.keep_from_starting()
            await (strangers.end(0.0) if self._killed else strangers.end())
        await gather(*(member.close() for member in self._members))
        if strangers is not None:
            await strangers.end(0.0)  # what code started that still runs

    def end_now(self) -> None:
        """Kill what this process has started by itself, which is about to leave: wardens end the rest."""
        if self._strangers is not None:
            self._strangers.end_now()

    def let_start(self) -> None:
        """This process goes on after the run: what its other threads start is nobody's concern any more."""
        if self._strangers is not None:
            self._strangers.let_start()

    def abandon(self) -> None:
        for member in self._members:
            member.abandon()
