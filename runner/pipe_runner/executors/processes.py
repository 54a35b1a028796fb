"""The launcher: starts commands through the run's warden, so that none can outlive the run."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.aside import aside
from pipe_runner.errors import PipeError
from pipe_runner.executors.flight import SERVER, STREAMS, Flight
from pipe_runner.executors.leftovers import BELOW, end_attempt, end_marked, marks, sweep_marks
from pipe_runner.executors.output import Output
from pipe_runner.executors.protocol import END, EXITED, FAILED, LEFT, OPEN, PIPES, PRINTED, SPAWN, TAKE
from pipe_runner.executors.reading import Reading
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
TICK: Final = 1.0
"""Seconds between looks whether somebody has stopped the warden, while it has something to do."""


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
        self._reading = Reading(self._flights, self._ask, self._end, self._advance)
        self._ended: list[tuple[asyncio.Future[ProcessEnd], ProcessEnd]] | None = None
        """While reports are taken: whom to wake after them."""
        self.ready = False
        """The warden has come up: what is sent to it now starts at once."""
        self._cleaning: asyncio.Event | None = None
        """While what a dead warden left behind is ended."""
        self._cleaner: asyncio.Task[None] | None = None
        self.strangers: Strangers | None = None
        self._ticks = False

    def start(self) -> None:
        """Start the warden, beside whatever this process does next. Raises Unsupported, StorageError, RunBusy."""
        if self._connection is None:
            from pipe_runner.executors.connection import Connection

            self._connection = Connection(self._lock_path, self._marks, self._sweep_marks)
            self.ready = False
            self._standing.repeat(self._connection)

    @property
    def in_flight(self) -> int:
        """Commands that have not ended."""
        return len(self._flights)

    @property
    def warden(self) -> int | None:
        """The pid of the warden that serves now."""
        return None if self._connection is None else self._connection.pid

    def guard(self, grace: float) -> tuple[int, int] | None:
        """See `Standing.guard`; None without a warden."""
        return None if self._connection is None else self._standing.guard(self._connection, grace)

    def claim(self, since: int, table: int, *, kept: bool, go_on: str = "") -> int | None:
        """See `Standing.claim` and `.watch`. From within the loop, which sees when the warden dies."""
        if self._loop is None:
            self._attach()
        if self._connection is None:
            return None
        self._standing.watch(self._connection, os.path.dirname(self._lock_path) if kept else "", go_on, table)
        return self._standing.claim(self._connection, since)

    def prepare(self) -> None:
        """Start the warden from within the loop, which sees when it is `ready`."""
        loop = self._loop or self._attach()
        if self._connection is None:
            self._connect(loop)

    async def run(
        self, command: Command, attempt: Attempt, emit: Emit, masker: Masker, fds: tuple[int, ...] = ()
    ) -> ProcessEnd:
        """Run a command to the end of itself, its output, and all that it leaves behind.

        Raises what `emit` raises. Cancelling it kills the attempt's processes, and waits for their end. `fds`: its
        stdout, stderr and stdin, of somebody who talks with it; they are closed here.
        """
        while True:
            if self._cleaning is not None:
                await self._cleaning.wait()
            loop = self._loop or self._attach()
            connection = self._connection or self._connect(loop)
            if not connection.ended():
                break
            self._warden_died(connection)
        self._count = number = self._count + 1
        flight = Flight(number, command, attempt, Output(emit, masker, attempt.output_limit), loop.create_future())
        handed = fds or self._reading.prepare(flight)
        if handed is None:
            return flight.end()
        self._flights[number] = flight
        if attempt.timeout is not None:
            flight.timers.append(loop.call_later(attempt.timeout, self._time_is_up, flight))
        argv, env, cwd, _ = command
        env = env if type(env) is dict else dict(env)
        connection.send((SPAWN, number, argv, env, cwd, attempt.node, str(attempt.number), len(handed)), handed)
        if not self._ticks:
            self._ticks = True
            loop.call_later(TICK, self._tick)
        self._reading.settle(flight, loop)
        try:
            end = await flight.future
        finally:
            if flight.number in self._flights:
                await self._cancelled(flight)
        if flight.untaken and not fds:
            return await self.run(command, attempt, emit, masker)
        if not BELOW and end.exit_code != 0 and end.not_found is None:  # another attempt may follow (D4)
            await aside(lambda: end_attempt(self._marks, attempt.node, attempt.number))
        return end

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        """TERM to all that is in flight, KILL after `grace` seconds; at once for what was stopped before. See the port
        for `spare`. Servers serve those that have the grace to end, and go with them."""
        for flight in list(self._flights.values()):
            if (spare and flight.attempt.node.startswith(spare)) or (grace > 0 and flight.attempt.agent == SERVER):
                continue
            self._end(flight, 0.0 if flight.stopped else grace)
            flight.stopped = flight.stopped or flight.code is None

    async def close(self) -> None:
        """End what there is, and the warden, which is killed if that takes it more than `CLOSE_WAIT`."""
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
                await aside(lambda: end_marked(self._marks))
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

        loop = get_running_loop()
        if self._connection is not None:
            self._connection.attach(loop, self._reported)
        self._loop = loop
        return loop

    def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        self.start()
        connection, self._connection = self._connection, None
        assert connection is not None
        try:
            connection.attach(loop, self._reported)
        except PipeError:
            connection.close()
            connection.wait(LINGER)
            raise
        self._connection = connection
        return connection

    def _hang_up(self) -> Connection | None:
        connection, self._connection = self._connection, None
        self._standing.close()
        self._reading.close()
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
        ended: list[tuple[asyncio.Future[ProcessEnd], ProcessEnd]] = []
        self._ended = ended
        try:
            for what, number, first, second in reports:
                flight = self._flights.get(number)
                if what == PIPES:
                    self._handed_over(flight, first)
                elif flight is not None:
                    self._take(what, flight, first, second)
                elif what == OPEN:  # nobody reads it any more: what is handed over is closed
                    self._ask(number)
        finally:
            self._ended = None
        if ended:
            self._wake(self._connection, ended)

    def _wake(self, connection: Connection, ended: list[tuple[asyncio.Future[ProcessEnd], ProcessEnd]]) -> None:
        """Have those go on who waited. What they start is sent after that: the system runs the warden at once then,
        often in this process's place."""
        from pipe_runner.executors.waking import wake

        connection.hold()
        try:
            for future, end in ended:
                if not future.done():
                    wake(future, end)
        finally:
            connection.flush()

    def _take(self, what: int, flight: Flight, first: int, second: Any) -> None:
        if what in (EXITED, LEFT):
            flight.exited(first, second, left=what == LEFT)
            self._exited(flight)
        elif what == PRINTED:
            flight.printed(STREAMS[first], second)
        elif what == OPEN:
            flight.open = True
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
        self._cleaner = self._loop.create_task(self._clean(connection, self._cleaning))

    async def _clean(self, connection: Connection, cleaning: asyncio.Event) -> None:
        try:
            with suppress(OSError, PipeError):  # what can't be ended now, `resume` ends
                await aside(lambda: end_marked(self._marks))
            await aside(lambda: connection.wait(LINGER))  # it hung up first; its children are ours when it has exited
            if self.strangers is not None:
                await self.strangers.end_orphans()
        finally:  # whatever that met, nobody waits for ever
            for flight in list(self._flights.values()):
                flight.lost = flight.code is None
                flight.untaken = flight.number in connection.untaken and not flight.stopped
                flight.read_all()
                self._finish(flight)
            if self._standing and self.ready:
                with suppress(PipeError):  # the next command tries again
                    self.prepare()
            self._cleaning = None
            cleaning.set()

    # ------------------------------------------------------------ ending

    def _ask(self, number: int) -> None:
        if self._connection is not None:
            self._connection.expected += 1
            self._connection.send((TAKE, number))

    def _handed_over(self, flight: Flight | None, streams: int) -> None:
        assert self._connection is not None
        fds = self._connection.handed_over(streams)
        if flight is not None and flight.held:
            self._reading.take_over(flight, streams, fds)
        else:
            for fd in fds:
                os.close(fd)

    def _exited(self, flight: Flight) -> None:
        if not flight.held:
            flight.read_all()
        elif not flight.open:
            self._reading.release(flight)
            flight.ended_streams()
            if not flight.left:  # as most commands end
                self._finish(flight)
                return
        if not flight.complete():
            flight.let_go = flight.let_go or flight.timed_out
            if not flight.let_go:
                self._reading.watch(flight)
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
        if flight.code is None or not (flight.let_go or flight.complete()):
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
        self._reading.release(flight)
        end = flight.end()
        if flight.future.done():
            return
        if flight.fault is not None:
            flight.future.set_exception(flight.fault)
        elif self._ended is not None:
            self._ended.append((flight.future, end))
        else:
            flight.future.set_result(end)

    async def _cancelled(self, flight: Flight) -> None:
        from anyio import CancelScope

        flight.future = flight.future.get_loop().create_future()
        flight.let_go = True
        self._end(flight, 0.0)
        with CancelScope(shield=True):
            await flight.future
