"""`agent: python`: calls a function of an installed module, or of a file of the project."""

from __future__ import annotations

import asyncio
from functools import partial
from os import getpid
from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from pipe_agents.threads import Call, Threads, leave
from pipe_runner.capture import CURRENT, ROUTES, Capture
from pipe_runner.errors import NodeFault, output_of
from pipe_runner.ports import AgentDescription, Attempt, Context, Outcome
from pipe_runner.types import JsonObject, NodeStatus
from pipe_schemas.values import own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from pipe_agents.functions import Functions, Target
    from pipe_agents.loops import AsyncCall, Loops

    Told = Callable[[Attempt, int], None] | None

GRACE: Final = 0.5
"""Seconds that a function gets to end after it was interrupted."""
IDLE: Final = 0.1
"""Seconds between looks whether the standard streams can be given back."""
QUICK: Final = 0.001
"""Seconds that an async function may take which is called on the runner's own loop."""
NOTHING_CAME: Final = Outcome(NodeStatus.SUCCEEDED)
"""How most functions end that are called for what they do."""
PROVEN: Final = 16
"""Calls in a row that were as quick before that is done."""


class PythonAgent:
    """Calls Python functions, in threads of its own: async ones on one loop there, others each in a thread."""

    name = "python"
    version = "1"

    def __init__(self) -> None:
        self._targets: dict[tuple[str, str], Target] = {}
        self._loading: dict[tuple[str, str], Call] = {}
        self._awaiting: dict[int, tuple[Attempt, Call]] = {}
        """Attempts whose function is being loaded."""
        self._left: dict[tuple[str, str], Call] = {}
        """Calls that went on although their attempt was over, by run and node."""
        self._functions: Functions | None = None
        self._threads = Threads("pipe-python")
        self._loops: Loops | None = None
        self._performing = 0
        self._routed = False

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Calls a Python function, of an installed module or of a file of the project.",
            secret_options=("args.*", "kwargs.*"),
            runs_functions=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.python import PythonOptions

        return PythonOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {}

    async def close(self) -> bool:
        """Let idle threads go, and forget what was loaded from the project; True when a call still runs."""
        self._threads.close()
        if self._loops is not None:
            await self._loops.close()
        if self._routed:
            self._routed = False
            ROUTES.leave()
        self._targets.clear()
        if self._functions is not None:
            self._functions.close()
        return any(not call.finished for call in (*self._left.values(), *self._loading.values()))

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        if self._left:
            await self._wait_for_earlier(attempt)
        masker = context[3]
        capture = Capture(context[0], masker)
        self._performing += 1
        if not self._routed:
            self._route()
        token = CURRENT.set(capture)
        try:
            options: Any = attempt.options
            key = (attempt.root, options["call"])
            target = self._targets.get(key)
            if target is not None and target.quick >= PROVEN:
                result = await _here(target, options)
            else:
                told = context.runs_in
                result = await self._call(attempt, target or await self._load(key, attempt, told), told)
        except NodeFault:
            raise
        except BaseException as error:
            if _is_ours(error):
                raise
            from pipe_agents.tracebacks import fault_of

            raise fault_of(error, context.masker) from None
        finally:
            ROUTES.settle()
            CURRENT.reset(token)
            self._performing -= 1
            capture.close()
        if result is None:
            return NOTHING_CAME
        return Outcome(NodeStatus.SUCCEEDED, masker.mask_json(output_of(result, attempt.output_limit)))

    async def _call(self, attempt: Attempt, target: Target, told: Told) -> Any:
        """Call a function in a thread, or on a loop in one."""
        args, kwargs = _arguments(attempt.options)
        function = partial(target.function, *args, **kwargs)
        if target.is_async:
            return await self._await(attempt, target, function, told)
        result = await self._ended(attempt, self._threads.start(function), told)
        if isinstance(result, CoroutineType):
            return await self._ended(attempt, self._in_loop(lambda: result), told)
        return result

    async def _await(self, attempt: Attempt, target: Target, function: partial[Any], told: Told) -> Any:
        """Call an async function on a loop in another thread, so that it can't hold up the runner.

        One that awaits nothing is a plain function in truth. When its calls have shown that it doesn't block, it is
        called on the runner's loop from then on, which takes a tenth of the time.
        """
        call = self._in_loop(function)
        result = await self._ended(attempt, call, told)
        if not target.waits:
            target.quick = target.quick + 1 if call.seconds < QUICK else 0
        return result

    def _in_loop(self, function: Callable[[], Awaitable[Any]]) -> AsyncCall:
        if self._loops is None:
            from pipe_agents.loops import Loops

            self._loops = Loops("pipe-python")
        return self._loops.start(function)

    async def _load(self, key: tuple[str, str], attempt: Attempt, told: Told) -> Target:
        """Find a function, once, in a thread: importing may take long, and runs the module's code."""
        call = self._loading.get(key)
        if call is None:
            if self._functions is None:
                from pipe_agents.functions import Functions

                self._functions = Functions()
            call = self._loading[key] = self._threads.start(partial(self._functions.find, *key))
            self._hold_routes(call)
        if told is not None:
            told(attempt, call.thread)
            self._awaiting[id(attempt)] = attempt, call
        try:
            await asyncio.wait({call.future})
        finally:
            self._awaiting.pop(id(attempt), None)
        self._loading.pop(key, None)
        if call.error is not None:
            raise call.error
        target: Target = call.result
        self._targets[key] = target
        return target

    async def _ended(self, attempt: Attempt, call: Call, told: Told) -> Any:
        """What a call returns; raises what it raises. Ends it, as far as that can be done, when it is cancelled."""
        if told is not None:
            for other, load in self._awaiting.values():
                if load.thread == call.thread:  # it was free for this one, and the loop hasn't come to that yet
                    told(other, 0)
            told(attempt, call.thread)
        try:
            await call.future
        except asyncio.CancelledError as cancelled:
            more = call.result if isinstance(call.result, CoroutineType) else None
            if more is not None or not call.in_time(cancelled):
                await self._cut_off(attempt, call, cancelled)
                if more is not None:
                    more.close()
                raise
        if call.error is not None:
            raise call.error
        return call.result

    async def _cut_off(self, attempt: Attempt, call: Call, cancelled: asyncio.CancelledError) -> None:
        """End a call, or keep in mind that it goes on."""
        call.interrupt()
        try:
            await _forced(call)
        finally:
            if not call.finished:
                call.give_up()
                self._left[attempt.run, attempt.node] = call
                self._hold_routes(call)
                cancelled.add_note(
                    f"{attempt.options['call']} still runs: a function that waits outside of Python, or takes no "
                    "notice of its end, can't be stopped; another attempt begins when it has ended"
                )

    async def _wait_for_earlier(self, attempt: Attempt) -> None:
        """Two attempts of a node never overlap (D4): wait for the call that an earlier one left behind."""
        key = (attempt.run, attempt.node)
        call = self._left.get(key)
        if call is None:
            return
        try:
            await call.ended()
        except asyncio.CancelledError as cancelled:
            cancelled.add_note(f"the earlier call of {attempt.options['call']} is still running")
            raise
        self._left.pop(key, None)

    def _route(self) -> None:
        """Take what Python code prints until no attempt has run for a moment: less work than for each attempt anew."""
        ROUTES.enter()
        self._routed = True
        asyncio.get_running_loop().call_later(IDLE, self._unroute)

    def _unroute(self) -> None:
        if not self._routed:
            return
        if self._performing:
            asyncio.get_running_loop().call_later(IDLE, self._unroute)
        else:
            self._routed = False
            ROUTES.leave()

    def _hold_routes(self, call: Call) -> None:
        """Keep what a thread prints away from the runner's stdout until it has ended."""
        ROUTES.enter()
        call.at_end(ROUTES.leave)


async def _here(target: Target, options: Any) -> Any:
    """Call an async function on the runner's own loop."""
    began, us = monotonic(), getpid()
    fault: BaseException | None = None
    args, kwargs = _arguments(options)
    try:
        return await target.function(*args, **kwargs)
    except BaseException as error:
        fault = error
        raise
    finally:
        if getpid() != us:
            leave(fault)
        if monotonic() - began > QUICK:
            target.quick = 0


def _arguments(options: Any) -> tuple[Any, Any]:
    """Copies: what a function does to its arguments must not change another node's output."""
    args, kwargs = options.get("args"), options.get("kwargs")
    return (own(args) if args else ()), (own(kwargs) if kwargs else {})


def _is_ours(error: BaseException) -> bool:
    """Whether an exception ends this task or coroutine from outside; user code may raise the same by itself."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, GeneratorExit) and asyncio._get_running_loop() is None


async def _forced(call: Call) -> None:
    from anyio import CancelScope

    with CancelScope(shield=True):
        if not await call.ended(GRACE / 2):
            call.force()
            await call.ended(GRACE / 2)
