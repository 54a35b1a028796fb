"""The launcher of a run: one warden at first, a second and more when commands start side by side.

The system holds a warden up while it starts a process (the parent waits until the child has become the program); in
that time it neither starts another one nor sees one end. Several wardens do so in parallel.
"""

from __future__ import annotations

import os
from typing import Final

from pipe_runner.errors import PipeError
from pipe_runner.executors.leftovers import own_marks
from pipe_runner.executors.processes import Processes
from pipe_runner.ports import Attempt, Command, Emit, Masker, ProcessEnd

MOST: Final = 4
"""Wardens of one run at most; one serves any number of commands that are under way."""


class Pool:
    """Implements the port Launcher over several `Processes`. `lock_path` is the first warden's; others add a number."""

    def __init__(self, run: str, lock_path: str, size: int | None = None, *, functions: bool = False) -> None:
        """`functions`: code runs in this process that may start others by itself; they end with the run, too."""
        self._run = run
        self._lock_path = lock_path
        self._size = size or max(1, min(MOST, os.cpu_count() or 1))
        self._members = [Processes(run, lock_path, sweep=functions)]
        self.marks = own_marks(run, lock_path) if functions else {}
        """To be in this process's environment while the run goes on."""
        self._in_flight = [0]

    def start(self) -> None:
        """Start the first warden, beside whatever this process does next."""
        self._members[0].start()

    def guard(self, grace: float) -> int | None:
        """Where to tell of signals when code runs here that could keep Python from going on; see `Processes.guard`."""
        return self._members[0].guard(grace) if self.marks else None

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd:
        """Run a command with the warden that has the fewest; see the port. None waits for another warden to come up."""
        least = min(self._in_flight)
        if least and len(self._members) < self._size:
            self._grow()
        number = self._in_flight.index(least)
        if number and not self._members[number].ready:
            number = 0
        self._in_flight[number] += 1
        try:
            return await self._members[number].run(command, attempt, emit, masker)
        finally:
            self._in_flight[number] -= 1

    def _grow(self) -> None:
        number = len(self._members)
        member = Processes(self._run, f"{self._lock_path}.{number}", number)
        try:
            member.prepare()
        except PipeError:  # the first one does, only slower
            self._size = number
            return
        self._members.append(member)
        self._in_flight.append(0)

    def stop(self, grace: float) -> None:
        for member in self._members:
            member.stop(grace)

    async def close(self) -> None:
        from asyncio import gather

        await gather(*(member.close() for member in self._members))

    def abandon(self) -> None:
        for member in self._members:
            member.abandon()
