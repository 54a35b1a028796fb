"""The launcher: starts commands through the run's warden, so that none can outlive the run."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from pipe_runner.errors import PipeError
from pipe_runner.executors.descriptors import file_of, with_room
from pipe_runner.executors.flight import Flight
from pipe_runner.executors.leftovers import BELOW, end_attempt, end_marked, marks, sweep_marks
from pipe_runner.executors.output import Output
from pipe_runner.executors.protocol import BROKEN, END, EXITED, FAILED, LEFT, SPAWN
from pipe_runner.executors.reasons import why_not_started
from pipe_runner.executors.standing import Standing
from pipe_runner.ports import Attempt, Command, Emit, Masker, ProcessEnd

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from pipe_runner.executors.connection import Connection
    from pipe_runner.executors.strangers import Strangers

LINGER: Final = 1.0
"""Seconds that output is waited for which something holds open after the command has exited."""
LEFT_GRACE: Final = 0.5
"""Seconds between TERM and KILL for what a command left behind."""
LATE_GRACE: Final = 1.0
"""Seconds between TERM and KILL for a command whose time is up."""
GIVE_UP: Final = 3.0
"""Seconds after a KILL until a process that doesn't end (a disk hangs, it is root's) is waited for no longer."""
CLOSE_WAIT: Final = 6.0
"""Seconds that a warden has to end what is left and itself: it kills within one."""
SETTLE: Final = 0.01
"""Seconds until a command's output is read before its exit: most have exited by then, and are read once."""
TICK: Final = 1.0
"""Seconds between looks whether somebody has stopped the warden, while it has something to do."""
GATHER: Final = 0.05
"""Seconds that output may wait to share an event with what follows."""


class Processes:
    """A launcher with one warden. Lives on one asyncio loop; `start` can be called before there is one."""

    def __init__(self, run: str, lock_path: str, number: int = 0, *, sweep: bool = False) -> None:
        """`number` tells the wardens of one run apart: one that dies takes no other's commands with it.

        `sweep`: the warden also ends what this process starts by itself (its functions do), see `sweep_marks`.
        """
        self._lock_path = lock_path
        self._sweep_marks = [f"{k}={v}" for k, v in sweep_marks(run, lock_path, number, functions=sweep).items()]
        self._marks = {**marks(run, lock_path), "PIPE_WARDEN": str(number)}
        self._standing = Standing()
        self._connection: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flights: dict[int, Flight] = {}
        self._count = 0
        self._young: deque[Flight] = deque()
        """Flights that nobody reads yet, oldest first."""
        self._gathering: list[Flight] = []
        self.ready = False
        """The warden has come up: what is sent to it now starts at once."""
        self._cleaning: asyncio.Event | None = None
        """While what a dead warden left behind is ended."""
        self._cleaner: asyncio.Task[None] | None = None
        self.strangers: Strangers | None = None
        self._ticks = False
        self.broken: str | None = None
        """The traceback of a warden that failed by a fault of its own."""

    def start(self) -> None:
        """Start the warden, beside whatever this process does next. Raises Unsupported, StorageError, RunBusy."""
        if self._connection is None:
            from pipe_runner.executors.connection import Connection

            self._connection = Connection(self._lock_path, self._sweep_marks)
            self.ready = False
            self._standing.repeat(self._connection)

    @property
    def warden(self) -> int | None:
        """The pid of the warden that serves now."""
        return None if self._connection is None else self._connection.pid

    def guard(self, grace: float) -> int | None:
        """See `Standing.guard`; None without a warden."""
        return None if self._connection is None else self._standing.guard(self._connection, grace)

    def claim(self, since: int, table: int, *, kept: bool) -> int | None:
        """See `Standing.claim` and `.watch`. From within the loop, which sees when the warden dies."""
        if self._loop is None:
            self._attach()
        if self._connection is None:
            return None
        self._standing.watch(self._connection, os.path.dirname(self._lock_path) if kept else "", table)
        return self._standing.claim(self._connection, since)

    def prepare(self) -> None:
        """Start the warden from within the loop, which sees when it is `ready`."""
        loop = self._loop or self._attach()
        if self._connection is None:
            self._connect(loop)

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd:
        """Run a command to the end of itself, its output, and all that it leaves behind.

        Raises what `emit` raises. Cancelling it kills the attempt's processes, and waits for their end.
        """
        if self._cleaning is not None:
            await self._cleaning.wait()
        loop = self._loop or self._attach()
        connection = self._connection or self._connect(loop)
        output = Output(emit, masker, attempt.output_limit)
        self._count += 1
        flight = Flight(self._count, command, attempt, output, loop.create_future())
        fds: tuple[int, ...] = ()
        try:
            fds = with_room(flight.pipes)
            if command.stdin is not None:
                fds += (with_room(partial(file_of, command.stdin)),)
        except OSError as error:
            for fd in fds:
                os.close(fd)
            flight.unavailable = f"no pipe for the command's output could be opened: {error.strerror}"
            return flight.end()
        self._flights[flight.number] = flight
        if attempt.timeout is not None:
            flight.timers.append(loop.call_later(attempt.timeout, self._time_is_up, flight))
        connection.send(_message(flight, self._marks, len(fds)), fds)
        if not self._young:
            loop.call_later(SETTLE, self._sweep)
        if not self._ticks:
            self._ticks = True
            loop.call_later(TICK, self._tick)
        self._young.append(flight)
        try:
            end = await flight.future
        finally:
            if flight.number in self._flights:
                await self._cancelled(flight)
        if not BELOW and end.exit_code != 0 and end.not_found is None:  # another attempt may follow (D4)
            from asyncio import to_thread

            await to_thread(end_attempt, self._marks, attempt.node, attempt.number)
        return end

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        """TERM to all that is in flight, KILL after `grace` seconds; at once for what was stopped before. See the port
        for `spare`."""
        for flight in list(self._flights.values()):
            if spare and flight.attempt.node.startswith(spare):
                continue
            self._end(flight, 0.0 if flight.stopped else grace)
            flight.stopped = flight.stopped or flight.code is None

    async def close(self) -> None:
        """End what there is, and the warden; returns when it is gone.

        A warden that doesn't go (it was stopped, or waits for what can't be ended) is killed after `CLOSE_WAIT`.
        """
        if self._cleaning is not None:
            await self._cleaning.wait()
        connection = self._hang_up()
        if connection is None:
            return
        from asyncio import sleep

        wait = 0.0005
        give_up = time.monotonic() + CLOSE_WAIT
        while not connection.ended():
            if time.monotonic() > give_up:
                connection.kill()
                from asyncio import to_thread

                await to_thread(end_marked, self._marks)
                return
            await sleep(wait)
            wait = min(wait * 2, 0.02)

    def abandon(self) -> None:
        """The same without a loop, for a few seconds at most; after `close`, and again, it does nothing."""
        connection = self._hang_up()
        if connection is not None:
            connection.wait(GIVE_UP)

    # ------------------------------------------------------------ the warden

    def _attach(self) -> asyncio.AbstractEventLoop:
        from asyncio import get_running_loop

        self._loop = loop = get_running_loop()
        if self._connection is not None:
            self._connection.attach(loop, self._reported)
        return loop

    def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        self.start()
        assert self._connection is not None
        self._connection.attach(loop, self._reported)
        return self._connection

    def _hang_up(self) -> Connection | None:
        connection, self._connection = self._connection, None
        self._standing.close()
        if connection is not None:
            connection.wake()
            for number in self._flights:
                connection.send((END, number, 0.0))
            connection.close()
        for flight in list(self._flights.values()):
            flight.lost = True
            self._finish(flight)
        return connection

    def _reported(self) -> None:
        assert self._connection is not None
        reports = self._connection.receive()
        if reports is None:
            self._warden_died(self._connection)
            return
        self.ready = True
        for what, number, first, second in reports:
            flight = self._flights.get(number)
            if what == BROKEN:
                self.broken = second
            elif flight is None:
                continue
            elif what in (EXITED, LEFT):
                flight.exited(first, second, left=what == LEFT)
                self._exited(flight)
            elif what == FAILED:
                self._failed(flight, first, second)
            else:
                flight.left = False
                flight.read_all()
                self._advance(flight)

    def _tick(self) -> None:
        """A warden that was stopped (SIGSTOP) would hold up all that is in flight: have it go on."""
        self._ticks = bool(self._flights) and self._loop is not None
        if self._loop is not None and self._flights:
            self._loop.call_later(TICK, self._tick)
            if self._connection is not None:
                self._connection.wake()

    def _warden_died(self, connection: Connection) -> None:
        """All that is in flight is lost; ends it, as far as it can be found, before anything else is started."""
        from asyncio import Event

        connection.close()
        self._connection = None
        self._cleaning = Event()
        assert self._loop is not None
        self._cleaner = self._loop.create_task(self._clean(connection))

    async def _clean(self, connection: Connection) -> None:
        from asyncio import to_thread

        with suppress(OSError, PipeError):  # what can't be ended now, `resume` ends
            await to_thread(end_marked, self._marks)
        await to_thread(connection.wait, LINGER)  # it hung up before it exited, and only then its children are ours
        if self.strangers is not None:
            await self.strangers.end_orphans()
        for flight in list(self._flights.values()):
            flight.lost = flight.code is None
            flight.read_all()
            self._finish(flight)
        assert self._cleaning is not None
        if self._standing and self.ready:
            with suppress(PipeError):  # the next command tries again
                self.prepare()
        self._cleaning.set()
        self._cleaning = None

    # ------------------------------------------------------------ reading

    def _sweep(self) -> None:
        """Have those read that didn't exit at once."""
        assert self._loop is not None
        settled = time.monotonic() - SETTLE
        young = self._young
        while young and (young[0].began <= settled or young[0].number not in self._flights):
            flight = young.popleft()
            if flight.number in self._flights:
                self._watch(flight)
        if young:
            self._loop.call_later(young[0].began - settled, self._sweep)

    def _watch(self, flight: Flight) -> None:
        if not flight.watched:
            flight.watched = True
            for fd in flight.streams:
                flight.future.get_loop().add_reader(fd, self._readable, flight, fd)

    def _readable(self, flight: Flight, fd: int) -> None:
        flight.read(fd)
        if flight.fault is not None:
            self._end(flight, 0.0)
        elif not flight.gathering and flight.output.waits():
            self._gather(flight)
        self._advance(flight)

    def _gather(self, flight: Flight) -> None:
        flight.gathering = True
        if not self._gathering:
            flight.future.get_loop().call_later(GATHER, self._tell)
        self._gathering.append(flight)

    def _tell(self) -> None:
        gathering, self._gathering = self._gathering, []
        for flight in gathering:
            flight.gathering = False
            more = flight.tell()
            if flight.number in self._flights:
                if flight.fault is not None:
                    self._end(flight, 0.0)
                elif more:
                    self._gather(flight)

    # ------------------------------------------------------------ ending

    def _exited(self, flight: Flight) -> None:
        flight.read_all()
        if flight.streams:
            flight.let_go = flight.let_go or flight.timed_out
            if not flight.let_go:
                self._watch(flight)
                self._later(flight, min(LINGER, flight.time_left()), self._let_go)
        self._advance(flight)

    def _failed(self, flight: Flight, number: int, stage: int) -> None:
        sentence, passing = why_not_started(flight.command, number, stage)
        if passing:
            flight.unavailable = flight.output.masker.mask_text(sentence)
        else:
            flight.not_found = flight.output.masker.mask_text(sentence)
        self._finish(flight)

    def _time_is_up(self, flight: Flight) -> None:
        if flight.code is None:
            flight.timed_out = True
            self._end(flight, LATE_GRACE)
        else:
            self._let_go(flight)

    def _let_go(self, flight: Flight) -> None:
        flight.let_go = True
        self._advance(flight)

    def _advance(self, flight: Flight) -> None:
        """Do what is next for a flight whose command has exited: wait for its output, end what is left, finish."""
        if flight.code is None or (flight.streams and not flight.let_go):
            return
        if not flight.left:
            self._finish(flight)
        elif not flight.ending:
            self._end(flight, LEFT_GRACE)

    def _end(self, flight: Flight, grace: float) -> None:
        if self._connection is not None:
            flight.ending = True
            self._connection.wake()
            self._connection.send((END, flight.number, grace))
            self._later(flight, grace + GIVE_UP, self._finish)

    def _later(self, flight: Flight, delay: float, call: Callable[[Flight], None]) -> None:
        flight.timers.append(flight.future.get_loop().call_later(delay, call, flight))

    def _finish(self, flight: Flight) -> None:
        if self._flights.pop(flight.number, None) is None:
            return
        end = flight.end()
        if flight.future.done():
            return
        if flight.fault is not None:
            flight.future.set_exception(flight.fault)
        else:
            flight.future.set_result(end)

    async def _cancelled(self, flight: Flight) -> None:
        from anyio import CancelScope

        flight.future = flight.future.get_loop().create_future()
        flight.let_go = True
        self._end(flight, 0.0)
        with CancelScope(shield=True):
            await flight.future


def _message(flight: Flight, marks: dict[str, str], count: int) -> tuple[object, ...]:
    command, attempt = flight.command, flight.attempt
    env = {**command.env, **marks, "PIPE_NODE": attempt.node, "PIPE_ATTEMPT": str(attempt.number)}
    return (SPAWN, flight.number, command.argv, env, command.cwd, count)
