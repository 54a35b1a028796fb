"""Awaits async functions on an event loop in a daemon thread.

One that blocks it, or takes no notice of its cancellation, holds up neither the run nor the process's end.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from os import getpid
from time import monotonic
from typing import Any, Final

from pipe_agents.threads import KILL, UNDER_WAY, Call, Interrupted, begin, leave, now
from pipe_runner.errors import NodeFault

CLOSE_WAIT: Final = 0.5
"""Seconds that background tasks of functions get to end when the run does."""


class AsyncCall(Call):
    """One call of an async function. `perform` and `cancel` are for the loop that it is awaited on."""

    __slots__ = ("heard", "home", "seconds", "task")

    def __init__(self, function: Callable[[], Awaitable[Any]], loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        super().__init__(function, loop)
        self.home = home
        self.task: asyncio.Task[None] | None = None
        self.heard = False
        """The cancellation has arrived at its loop."""
        self.seconds = 0.0
        """How long it took."""
        self.thread = home.native_id or 0

    def perform(self) -> None:
        """Begin; the task ends with the call."""
        self.home.calls += 1
        self._native, self._began = self.home.native_id or 0, now()
        UNDER_WAY.add(self)
        self.task = self.home.loop.create_task(self._await(), context=self.context)

    async def _await(self) -> None:
        began, us = monotonic(), getpid()
        try:
            if self.interrupted:
                raise Interrupted
            self.result = await self.function()
        except BaseException as error:  # also what would end the loop; who waits for the call is told
            self.error = error
        if getpid() != us:
            leave(self.error)
        self.when = monotonic()
        self.seconds = self.when - began
        self.home.calls -= 1
        self.finished = True
        UNDER_WAY.discard(self)
        self.home.give_back(self)

    def interrupt(self) -> None:
        """Cancel it, at its next `await`; TERM to processes that it started, if it alone can have done so."""
        if not self.interrupted:
            self.interrupted = True
            self._end_children(signal.SIGTERM)
            self.home.loop.call_soon_threadsafe(self._cancel)

    def force(self) -> None:
        """Raise `Interrupted` in it if it keeps its loop from going on; others are begun on another one then."""
        self.home.blocked = self.home.blocked or not self.heard
        self._end_children(KILL)
        if self.task is not None and asyncio.current_task(self.home.loop) is self.task:
            self.home.interrupt()

    def _end_children(self, number: int) -> None:
        if self.home.calls == 1:
            super()._end_children(number)

    def give_up(self) -> None:
        self.home.given_up = True

    def _cancel(self) -> None:
        self.heard = True
        if self.task is not None:
            self.task.cancel()


class Loops:
    """The loop that all async functions of a run share; another one once a function has blocked it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._homes: list[_Home] = []

    def start(self, function: Callable[[], Awaitable[Any]]) -> AsyncCall:
        """Begin a call in the caller's context (contextvars)."""
        if not self._homes or self._homes[-1].blocked:
            home = _Home(f"{self._name}-loop-{len(self._homes) + 1}")
            try:
                begin(home)
            except NodeFault:
                home.loop.close()
                raise
            self._homes.append(home)
        home = self._homes[-1]
        call = AsyncCall(function, asyncio.get_running_loop(), home)
        home.begin(call)
        return call

    async def close(self) -> None:
        """End the loops, and what functions left on them; one that is blocked is left to itself."""
        homes, self._homes = self._homes, []
        for home in homes:
            home.closing = True
            with suppress(RuntimeError):  # a function has just stopped it, and so it has ended by itself
                home.loop.call_soon_threadsafe(home.loop.stop)
        for home in homes:
            if not home.given_up:
                await asyncio.to_thread(home.join, CLOSE_WAIT)


class _Home(threading.Thread):
    """A thread with a loop.

    To wake another thread costs more than all the rest of a short call. So calls that begin in one turn of the runner's
    loop share a wake-up, and so do all that end until that loop has taken them.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.loop = asyncio.new_event_loop()
        self.calls = 0
        """How many are under way."""
        self.blocked = False
        """A call did not hear of its cancellation in time: nothing new is begun here."""
        self.given_up = False
        """A call on it did not end: nobody waits for the thread."""
        self.closing = False
        """Nothing more comes: its loop may stop, which a function can ask of it at any time."""
        self._begun: deque[AsyncCall] = deque()
        self._ended: deque[AsyncCall] = deque()
        self._told = False
        """The runner's loop has been woken to take what has ended."""

    def begin(self, call: AsyncCall) -> None:
        """Perform a call, with all others of this turn; on the runner's loop."""
        if not self._begun:
            call.loop.call_soon(self._send)
        self._begun.append(call)

    def _send(self) -> None:
        calls, self._begun = self._begun, deque()
        with suppress(RuntimeError):  # it was closed meanwhile, and nobody waits for the calls
            self.loop.call_soon_threadsafe(self._perform, calls)

    def _perform(self, calls: deque[AsyncCall]) -> None:
        while calls:
            with suppress(Interrupted):  # it was for a function that has ended
                while calls:
                    calls.popleft().perform()

    def give_back(self, call: AsyncCall) -> None:
        """Have whoever waits for a call go on; at once, since the next one here may block this loop."""
        while True:
            try:
                self._ended.append(call)
                if not self._told:
                    self._told = True
                    call.loop.call_soon_threadsafe(self._settle)
                return
            except Interrupted:  # it comes once; what is handed back twice has ended all the same
                self._told = False
            except RuntimeError:  # the loop is closed: nobody waits any more
                while self._ended:
                    self._ended.popleft().end()
                return

    def _settle(self) -> None:
        self._told = False  # before anything is taken: what comes from here on wakes the loop anew
        while self._ended:
            self._ended.popleft().settle()

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.closing:
            with suppress(Interrupted):  # it came when the function had ended
                self.loop.run_forever()
        with suppress(Interrupted):
            self._end_tasks()
        self.loop.close()

    def interrupt(self) -> None:
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(Interrupted))

    def _end_tasks(self) -> None:
        """Cancel what is left. What takes no notice stays held here, in a daemon thread, until the process ends: to be
        let go of would call it once more, in a place where nothing can stop it."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
