"""Finds the attempt to which code belongs, and calls the run's event loop from where the code runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Any, TypeVar

from pipe_runner.errors import UsageError

if TYPE_CHECKING:
    from pipe_runner.executors.local import LateBus
    from pipe_runner.ports import Context

Result = TypeVar("Result")
_SLICE = 0.05
"""Seconds after which a thread that waits comes back to Python, where it can be ended."""


def context() -> Context:
    """What the attempt was given; raises UsageError in code that no node calls."""
    from pipe_runner.executors.local import CONTEXT

    found = CONTEXT.get(None)
    if found is None:
        raise UsageError(
            "no node calls this code: `pipe_runner.here` works in functions of `agent: python`, in their own thread",
            hint="a thread that a function starts gets the function's context by contextvars.copy_context().run(…)",
        )
    return found


def bus() -> LateBus:
    """The bus of the attempt; raises UsageError."""
    found: Any = context().bus
    if found is None or found.loop is None:
        raise UsageError("something stands in for the run here, and it has no bus")
    late: LateBus = found
    return late


def called(late: LateBus, make: Callable[[], Coroutine[Any, Any, Result]]) -> Future[Result]:
    """Have something done in the run's event loop, from another thread."""
    assert late.loop is not None
    return asyncio.run_coroutine_threadsafe(make(), late.loop)


def waited(late: LateBus, make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Have something done in the run's event loop, and wait for it, in a thread that has no loop of its own."""
    if asyncio._get_running_loop() is not None:
        raise UsageError("an async function must not wait like that: await the functions of pipe_runner.here.aio")
    future = called(late, make)
    try:
        while True:
            try:
                return future.result(_SLICE)
            except NotYet:
                if future.done():  # meanwhile; or it is what was raised there
                    return future.result()
    except BaseException:
        future.cancel()
        raise
