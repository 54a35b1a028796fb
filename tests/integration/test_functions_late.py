"""A function that returned before its time was up has succeeded, although the runner's loop sees both too late."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from looking import held_up

from pipe_agents.python import PythonAgent
from pipe_runner.executors.local import LocalExecutor
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Outcome
from pipe_runner.testing import FakeClock
from pipe_runner.types import ErrorKind, NodeStatus

CODE = """
import asyncio, time
def f(seconds):
    time.sleep(seconds)
    return "done"
async def g(seconds):
    await asyncio.sleep(seconds)
    return "done"
def fails(seconds):
    time.sleep(seconds)
    raise ValueError("no")
def late(seconds):
    time.sleep(seconds)
    return g(30)
"""


class Alone:
    """An executor's agents and launcher, for one agent that starts nothing."""

    def __init__(self, agent: PythonAgent) -> None:
        self.agent = agent

    def get(self, name: str) -> Any:
        return self.agent

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        pass

    async def run(self, *_: Any) -> Any:
        raise AssertionError("no process is wanted here")

    async def close(self) -> None:
        pass


def outcome(folder: Path, function: str, seconds: float, timeout: float) -> Outcome:
    (folder / "f.py").write_text(CODE)

    async def scene() -> Outcome:
        alone = Alone(PythonAgent())
        executor = LocalExecutor(
            alone, alone, secrets={}, masker=NoMasking(), clock=FakeClock(), policy={}, scratch=str(folder)
        )

        def attempt(name: str, wanted: float, limit: float | None) -> Attempt:
            options: Any = {"call": f"./f.py:{name}", "args": [wanted]}
            return Attempt("r", name, 1, "python", options, {}, str(folder), "k", timeout=limit)

        try:
            await executor.perform(attempt("f", 0, None), lambda *_: None)  # so that it is loaded
            doing = asyncio.ensure_future(executor.perform(attempt(function, seconds, timeout), lambda *_: None))
            await asyncio.sleep(0.05)
            held_up(1.0)
            found = await doing
            assert doing.cancelling() == 0
            return found
        finally:
            await executor.close()

    return asyncio.run(scene())


@pytest.mark.parametrize("function", ["f", "g"])
def test_what_returned_in_time_has_succeeded(tmp_path: Path, function: str) -> None:
    found = outcome(tmp_path, function, 0.2, 0.6)
    assert (found.status, found.output) == (NodeStatus.SUCCEEDED, "done")


def test_what_raised_in_time_failed_by_that(tmp_path: Path) -> None:
    error = outcome(tmp_path, "fails", 0.2, 0.6).error
    assert error is not None and error.kind is ErrorKind.EXCEPTION and "ValueError: no" in error.message


@pytest.mark.parametrize("function", ["f", "g", "late"])
def test_x3_what_returned_too_late_or_has_more_to_await_is_timed_out(tmp_path: Path, function: str) -> None:
    error = outcome(tmp_path, function, 0.2 if function == "late" else 0.8, 0.6).error
    assert error is not None and error.kind is ErrorKind.TIMEOUT
