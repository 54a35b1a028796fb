"""Waiting for sockets with an end: a time until which, and a stop from outside that ends all of it at once."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")
READ: Final = select.POLLIN if hasattr(select, "POLLIN") else 1
WRITE: Final = select.POLLOUT if hasattr(select, "POLLOUT") else 4
_BAD: Final = 8 | 16 | 32
"""POLLERR, POLLHUP, POLLNVAL."""


class Stopped(Exception):
    """Nobody waits for the result any more."""


class Late(Stopped):
    """The time in which something may be measured is up; what was measured is wanted."""


class Stop:
    """Ends every wait of one attempt, in all its threads."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._users = 1
        self._set = False
        self._late = False

    def set(self) -> None:
        """Have every wait that there is, and each that comes, raise `Stopped`."""
        self._set = True
        self._wake()

    def set_late(self) -> None:
        """Have every wait that there is, and each that comes, raise `Late`."""
        self._late = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._theirs.send(b"x")

    @property
    def is_set(self) -> bool:
        return self._set

    def check(self) -> None:
        if self._set:
            raise Stopped
        if self._late:
            raise Late

    def fileno(self) -> int:
        return self._ours.fileno()

    def hold(self) -> None:
        """One more uses it; `leave` says that one is done, and the last one's closes it."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self._ours.close()
            self._theirs.close()

    def pause(self, seconds: float) -> None:
        """Sleep, unless stopped."""
        self.check()
        if seconds > 0:
            _ready([(self, READ)], seconds)
        self.check()

    def wait(self, what: Any, events: int, until: float) -> int:
        """The events (as `select.poll` has them) that came; raises TimeoutError when it is later than `until`."""
        while True:
            self.check()
            left = until - monotonic()
            if left <= 0:
                raise TimeoutError
            for number, came in _ready([(what, events), (self, READ)], left):
                if number == self.fileno():
                    raise Late if self._late and not self._set else Stopped
                return came


def _ready(what: Iterable[tuple[Any, int]], seconds: float) -> list[tuple[int, int]]:
    if hasattr(select, "poll"):
        poll = select.poll()
        for one, events in what:
            poll.register(one, events)
        # Rounded up: a wait that ends too early would be followed by a busy one.
        return poll.poll(int(seconds * 1000) + 1)
    reads = [one for one, events in what if events & READ]
    writes = [one for one, events in what if events & WRITE]
    readable, writable, failed = select.select(reads, writes, writes, seconds)
    came: dict[int, int] = {}
    for ready, event in ((readable, READ), (writable, WRITE), (failed, 8)):
        for one in ready:
            came[one.fileno()] = came.get(one.fileno(), 0) | event
    return list(came.items())


def failed(events: int) -> bool:
    """Whether the socket has an error, or its other side is gone."""
    return bool(events & _BAD)


def each(
    function: Callable[[T], R], items: Iterable[T], workers: int, stop: Stop, late: Callable[[T], R] | None = None
) -> list[R]:
    """The function's results, in order; some at a time, each in a thread. The first exception is raised. `late` gives
    the result of one that was not done in time, and of each that was not begun."""
    todo = list(enumerate(items))

    def one(item: T) -> R:
        try:
            if late is not None:
                stop.check()
            return function(item)
        except Late:
            if late is None:
                raise
            return late(item)

    if len(todo) <= 1 or workers == 1:
        return [one(item) for _, item in todo]
    results: dict[int, R] = {}
    errors: list[BaseException] = []
    todo.reverse()

    def work() -> None:
        try:
            while not errors and not stop.is_set:
                try:
                    number, item = todo.pop()
                except IndexError:
                    return
                results[number] = one(item)
        except BaseException as error:
            errors.append(error)
        finally:
            stop.leave()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(todo)))]
    for thread in threads:
        stop.hold()
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    if late is None or stop.is_set:
        stop.check()
    return [results[number] for number in sorted(results)]


def in_time(function: Callable[[], R], until: float, stop: Stop) -> R:
    """The result of something that can't be ended, as a look-up by the system; raises TimeoutError, and lets it be."""
    done: list[R] = []
    errors: list[BaseException] = []
    ours, theirs = socket.socketpair()

    def work() -> None:
        try:
            done.append(function())
        except BaseException as error:
            errors.append(error)
        finally:
            theirs.close()

    threading.Thread(target=work, daemon=True).start()
    with ours:
        stop.wait(ours, READ, until)
    if errors:
        raise errors[0]
    return done[0]
