"""Calls in daemon threads: the event loop goes on, and a call that never ends keeps no process from ending."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, NoReturn

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)
KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What ends a process for certain; on Windows none is ever found to be ended."""


def now() -> float:
    """Now, on the clock by which Linux tells when a process was started."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


UNDER_WAY: Final[set[Call]] = set()
"""The calls of this process that have begun and not ended."""


class Interrupted(BaseException):
    """Raised inside a function whose attempt is over, at its next Python instruction."""


def begin(thread: threading.Thread) -> None:
    """Start a thread; raises NodeFault where the system has no room for another one."""
    try:
        thread.start()
    except RuntimeError:
        sentence = "the system lets no other thread start: raise `ulimit -u`, or pids.max"
        raise NodeFault(ErrorKind.UNAVAILABLE, sentence) from None


def leave(error: BaseException | None) -> NoReturn:
    """End a child that a function forked, as Python ends a program: it would go on as a second runner."""
    code = 0 if error is None else 1
    try:
        if isinstance(error, SystemExit):
            if isinstance(error.code, int | None):
                code = error.code or 0
            else:
                print(error.code, file=sys.stderr)
        elif error is not None:
            from traceback import print_exception

            print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # it was closed, or replaced
                stream.flush()
    finally:
        os._exit(code & 0xFF)


class Call:
    """One call in a thread. `future` is done, on the loop that started it, when `result` or `error` is there."""

    __slots__ = (
        "_at_end",
        "_began",
        "_ident",
        "_native",
        "context",
        "error",
        "finished",
        "function",
        "future",
        "interrupted",
        "loop",
        "result",
        "sent",
        "thread",
        "when",
    )

    def __init__(self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None
        self.finished = False
        self.when = 0.0
        """It ended then, by `monotonic`."""
        self.interrupted = False
        self._ident = 0
        self._native = 0
        self._began = 0.0
        self._at_end: list[Callable[[], None]] = []
        self.sent = False
        self.thread = 0
        """The native id of the thread that performs it."""

    def perform(self) -> None:
        """Run the function; in the thread."""
        self._ident, self._native = threading.get_ident(), threading.get_native_id()
        self._began, us = now(), os.getpid()
        UNDER_WAY.add(self)
        try:
            if self.interrupted:
                raise Interrupted
            self.result = self.context.run(self.function)
        except BaseException as error:
            self.error = error
        if os.getpid() != us:
            leave(self.error)
        self.when = time.monotonic()
        self.finished = True
        UNDER_WAY.discard(self)

    def in_time(self, cancelled: asyncio.CancelledError) -> bool:
        """Whether it had ended before its time was up, which goes with the cancellation of who waits for it."""
        until = cancelled.args[0] if cancelled.args else None
        return self.finished and isinstance(until, float) and 0 < self.when <= until

    def interrupt(self) -> None:
        """Raise `Interrupted` in the function, and TERM to processes that it started; on the loop.

        It has no effect on a call that waits outside of Python, other than for such a process.

        `interrupted` is set before `finished` is read here, and read after it is set in the thread: either no
        exception is sent, or the thread knows and takes no other call.
        """
        if self.interrupted:
            return
        self.interrupted = True
        if not self.finished and self._ident:
            import ctypes

            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._ident), ctypes.py_object(Interrupted))
        self.sent = True
        self._end_children(signal.SIGTERM)

    def force(self) -> None:
        """Do more to end it, when `interrupt` was not enough."""
        self._end_children(KILL)

    def give_up(self) -> None:
        """Wait for it no longer, also not at the run's end."""

    def _end_children(self, number: int) -> None:
        if not self.finished and self._native:
            from pipe_agents import children

            alone = all(call is self or call.finished for call in list(UNDER_WAY))
            children.end(self._native, self._began, number, alone=alone)

    def settle(self) -> None:
        """Wake whoever waits; on the loop."""
        if not self.future.done():
            self.future.set_result(None)
        self.end()

    def end(self) -> None:
        """Do what was asked for by `at_end`; in the thread where the loop is closed already."""
        ends, self._at_end = self._at_end, []
        for end in ends:
            end()

    def at_end(self, then: Callable[[], None]) -> None:
        """Do something after the function has ended."""
        self._at_end.append(then)

    async def ended(self, seconds: float | None = None) -> bool:
        """Wait until the function has ended, at most `seconds`; true if it has. `future` then belongs to this wait."""
        if self.finished:
            return True
        if self.future.done():
            self.future = self.loop.create_future()
        await asyncio.wait({self.future}, timeout=seconds)
        return self.finished


class Threads:
    """Daemon threads, as many as there are calls at a time, reused between calls. For use on one event loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._made = 0
        self._idle: list[_Worker] = []
        self._closed = False

    def start(self, function: Callable[[], Any]) -> Call:
        """Begin a call in the caller's context (contextvars)."""
        call = Call(function, asyncio.get_running_loop())
        if self._idle:
            worker = self._idle.pop()
        else:
            self._made += 1
            worker = _Worker(f"{self._name}-{self._made}", self._give_back)
            begin(worker)
        call.thread = worker.native_id or 0
        worker.inbox.put(call)
        return call

    def close(self) -> None:
        """Let idle threads end; what still runs is left to itself."""
        self._closed = True
        while self._idle:
            self._idle.pop().inbox.put(None)

    def _give_back(self, worker: _Worker, call: Call) -> None:
        if not call.interrupted:
            if self._closed:
                worker.inbox.put(None)
            else:
                self._idle.append(worker)
        call.settle()


class _Worker(threading.Thread):
    def __init__(self, name: str, give_back: Callable[[_Worker, Call], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.inbox: SimpleQueue[Call | None] = SimpleQueue()
        self._give_back = give_back

    def run(self) -> None:
        while (call := self.inbox.get()) is not None:
            try:
                call.perform()
            except Interrupted as error:  # it came between the function's end and ours
                call.error = call.error or error
                call.finished = True
                UNDER_WAY.discard(call)
            if not self._report(call) or call.interrupted:
                return

    def _report(self, call: Call) -> bool:
        """Tell the loop; false when it is closed. An exception on its way is taken in here, once, and dropped."""
        told = False
        while True:
            try:
                while call.interrupted and not call.sent:
                    time.sleep(0.001)
                if not told:
                    told = True
                    call.loop.call_soon_threadsafe(self._give_back, self, call)
                return True
            except Interrupted:
                told = False
            except RuntimeError:
                call.end()
                return False
