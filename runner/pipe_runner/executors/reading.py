"""Reads what commands in flight print, as it comes, and tells it in events."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from pipe_runner.executors.descriptors import Rooms, before_many, file_of, with_room
from pipe_runner.executors.flight import Flight
from pipe_runner.executors.reasons import no_pipe, unwatched

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

SETTLE: Final = 0.01
"""Seconds until a command's output is read before its exit: most have exited by then, and are read once."""
KEPT: Final = 16
"""Flights whose pipes the warden may have at once, so that it never runs out of descriptors."""
GATHER: Final = 0.05
"""Seconds that output may wait to share an event with what follows."""


class Reading:
    """Of one launcher's flights. `ask` has the warden hand over the pipes of one, `end` ends one whose output can't be
    taken, `advance` is told whenever one has gone on."""

    def __init__(
        self,
        flights: Mapping[int, Flight],
        ask: Callable[[int], None],
        end: Callable[[Flight, float], None],
        advance: Callable[[Flight], None],
    ) -> None:
        self._flights, self._ask, self._end, self._advance = flights, ask, end, advance
        self._young: deque[Flight] = deque()
        """Flights that nobody reads yet, oldest first."""
        self._gathering: list[Flight] = []
        self._rooms = Rooms()
        self._held = 0
        """Flights whose pipes the warden has."""

    def prepare(self, flight: Flight) -> tuple[int, ...] | None:
        """Make what its command is given, but for pipes that the warden makes; None, with the reason in the flight."""
        fds: tuple[int, ...] = ()
        if self._held:
            before_many()
        try:
            if self._held < KEPT:
                flight.room = self._rooms.take()
                flight.held = True
                self._held += 1
            else:
                fds = with_room(flight.pipes)
            if flight.command.stdin is not None:
                fds += (with_room(partial(file_of, flight.command.stdin)),)
        except OSError as error:
            for fd in fds:
                os.close(fd)
            flight.unavailable = no_pipe(error.errno or 0)
            self.release(flight)
            return None
        return fds

    def release(self, flight: Flight) -> None:
        """The warden has no pipes of it any more, or nobody asks for them."""
        if flight.held:
            flight.held = False
            self._held -= 1
        if flight.room is not None:
            self._rooms.give(flight.room)
            flight.room = None

    def take_over(self, flight: Flight, streams: int, fds: list[int]) -> None:
        """Read what the warden has handed over."""
        self.release(flight)
        flight.take_over(streams, fds)
        self.watch(flight)
        flight.read_all()
        self._has_read(flight)

    def close(self) -> None:
        self._rooms.close()

    def settle(self, flight: Flight, loop: AbstractEventLoop) -> None:
        """Read it in a moment, unless it has exited by then."""
        if not self._young:
            loop.call_later(SETTLE, self._sweep, loop)
        self._young.append(flight)

    def _sweep(self, loop: AbstractEventLoop) -> None:
        settled = time.monotonic() - SETTLE
        young = self._young
        while young and (young[0].began <= settled or young[0].number not in self._flights):
            flight = young.popleft()
            if flight.number in self._flights:
                self.watch(flight)
        if young:
            loop.call_later(young[0].began - settled, self._sweep, loop)

    def watch(self, flight: Flight) -> None:
        """Read it as something comes."""
        if flight.held:
            if not flight.asked:
                flight.asked = True
                if flight.room is not None:
                    self._rooms.leave(flight.room)
                    flight.room = None
                self._ask(flight.number)
        elif not flight.watched:
            flight.watched = True
            try:
                for fd in flight.streams:
                    flight.future.get_loop().add_reader(fd, self._readable, flight, fd)
            except OSError as error:  # else nobody would read it, and the command would wait for ever
                if flight.code is None:
                    flight.unavailable = unwatched(error.errno or 0)
                self._end(flight, 0.0)

    def _readable(self, flight: Flight, fd: int) -> None:
        flight.read(fd)
        self._has_read(flight)

    def _has_read(self, flight: Flight) -> None:
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
