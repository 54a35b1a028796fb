"""What an agent of a plugin gives or raises, however wrong, is the end of its node and of nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from pipe_runner.errors import NodeFault
from pipe_runner.executors import port_check
from pipe_runner.executors.local import LocalExecutor
from pipe_runner.executors.port_check import PortCheck
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.ports import AgentDescription, Attempt, Context, NodeError, Outcome
from pipe_runner.testing import FakeClock, failed, run_pipeline, succeeded
from pipe_runner.types import ErrorKind, EventKind, JsonObject, NodeStatus

Emitted = list[tuple[Any, Any]]


@pytest.fixture(autouse=True)
def descriptors_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that is left behind would keep those of the tests."""
    monkeypatch.setattr(LocalExecutor, "_take_strays", lambda self: None)


class Scripted:
    name = "scripted"
    version = "1"

    def __init__(self, script: Callable[[Attempt, Context], Awaitable[Any]]) -> None:
        self.perform: Any = script

    def describe(self) -> AgentDescription:
        return AgentDescription("for tests")

    def options_model(self) -> type[BaseModel]:
        return BaseModel

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {}


class Agents:
    def __init__(self, agent: Scripted) -> None:
        self.agent = agent

    def get(self, name: str) -> Any:
        return self.agent


class Idle:
    async def run(self, *_: Any) -> Any:
        raise AssertionError("no process is wanted here")

    def stop(self, grace: float) -> None: ...

    async def close(self) -> None: ...


def ended(
    script: Any,
    *,
    timeout: float | None = None,
    stop: float | None = None,
    attempts: int = 1,
    secret: str = "",
    emitted: Emitted | None = None,
) -> Outcome:
    masker = SecretMasker({"S": secret}) if secret else NoMasking()
    executor = LocalExecutor(
        Agents(Scripted(script)),
        Idle(),
        secrets={},
        masker=masker,
        clock=FakeClock(),
        policy={},
        scratch="/nowhere",
    )
    attempt = Attempt("r", "n", 1, "scripted", {}, {}, "/", "k", timeout=timeout, output_limit=1000)
    kept: Emitted = [] if emitted is None else emitted

    async def main() -> Outcome:
        if stop is not None:
            asyncio.get_running_loop().call_later(stop, executor.stop, 0.05)
        with anyio.fail_after(10):
            for _ in range(attempts - 1):
                await executor.perform(attempt, lambda kind, data: None)
            return await executor.perform(attempt, lambda kind, data: kept.append((kind, data)))

    return anyio.run(main)


def giving(value: Any) -> Any:
    async def perform(attempt: Attempt, context: Context) -> Any:
        return value

    return perform


def raising(error: BaseException) -> Any:
    async def perform(attempt: Attempt, context: Context) -> Any:
        raise error

    return perform


async def swallows(attempt: Attempt, context: Context) -> Any:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


def test_x3_an_agent_that_takes_no_notice_of_its_time_is_left_behind() -> None:
    outcome = ended(swallows, timeout=0.05)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.kind) == (NodeStatus.FAILED, ErrorKind.TIMEOUT)
    assert outcome.error.message == "timed out after 0.05 s; agent scripted goes on all the same"


def test_d4_no_other_attempt_begins_beside_one_that_was_left_behind() -> None:
    began: list[str] = []

    async def once(attempt: Attempt, context: Context) -> Any:
        began.append(attempt.node)
        return await swallows(attempt, context)

    outcome = ended(once, timeout=0.05, attempts=2)
    assert began == ["n"]
    assert outcome.error is not None
    assert outcome.error.message == (
        "timed out after 0.05 s; the attempt before it goes on still, and two never do at once"
    )


def test_x1_an_agent_that_takes_no_notice_of_a_stop_is_left_behind() -> None:
    outcome = ended(swallows, stop=0.05)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.kind) == (NodeStatus.CANCELLED, ErrorKind.CANCELLED)
    assert outcome.error.message == "the run was stopped; agent scripted goes on all the same"


@pytest.mark.parametrize("value", [None, {"a": 1}, "text", NodeStatus.SUCCEEDED])
def test_what_is_no_outcome_fails_the_node_with_a_sentence(value: Any) -> None:
    outcome = ended(giving(value))
    assert outcome.error is not None
    assert (outcome.status, outcome.error.kind) == (NodeStatus.FAILED, ErrorKind.EXCEPTION)
    assert outcome.error.message.startswith(f"agent scripted gives {type(value).__name__} and no Outcome")


def deep() -> Any:
    found: Any = []
    for _ in range(5000):
        found = [found]
    return found


def circle() -> Any:
    found: Any = []
    found.append(found)
    return found


NO_JSON: dict[str, Callable[[], Any]] = {
    "not a number": lambda: float("nan"),
    "tuple": lambda: (1, 2),
    "object": object,
    "deep": deep,
    "circle": circle,
    "long number": lambda: 10**5000,
    "half a pair": lambda: "\ud800",
    "key": lambda: {1: 2},
    "bytes": lambda: {"a": b"x"},
}


@pytest.mark.parametrize("name", NO_JSON)
def test_an_output_that_is_no_json_is_an_invalid_one(name: str) -> None:
    outcome = ended(giving(succeeded(NO_JSON[name]())))
    assert outcome.error is not None and outcome.error.kind is ErrorKind.INVALID_OUTPUT
    assert outcome.error.message.startswith("output")


def test_an_output_above_the_limit_is_too_large() -> None:
    error = ended(giving(succeeded("x" * 2000))).error
    assert error is not None and error.kind is ErrorKind.OUTPUT_TOO_LARGE


@pytest.mark.parametrize("status", [NodeStatus.SKIPPED, NodeStatus.RUNNING, NodeStatus.BLOCKED, "nonsense", None])
def test_an_attempt_ends_in_one_of_four_ways(status: Any) -> None:
    error = ended(giving(Outcome(status, 1))).error
    assert error is not None and "succeeded, failed, cancelled or waiting" in error.message


def test_a_status_may_be_its_word() -> None:
    assert ended(giving(Outcome("succeeded", 1))) == succeeded(1)  # type: ignore[arg-type]


def test_a_failure_without_an_error_says_so() -> None:
    error = ended(giving(Outcome(NodeStatus.FAILED, 1))).error
    assert error == NodeError(ErrorKind.EXCEPTION, "agent scripted gives no error, and has failed")


def test_an_error_is_cut_as_others_are_and_no_part_of_a_secret_stays() -> None:
    long, secret = "x" * 5000, "hunter2-secret"
    fault = NodeFault(ErrorKind.EXCEPTION, "m", tail=f"{secret}{long[: 4096 - 7]}")
    for script in (
        giving(Outcome(NodeStatus.FAILED, error=NodeError(ErrorKind.EXCEPTION, long, None, fault.tail))),
        raising(fault),
    ):
        error = ended(script, secret=secret).error
        assert error is not None and len(error.message) <= 4096
        assert error.tail is not None and len(error.tail) <= 4096 and "-secret" not in error.tail


@pytest.mark.parametrize("seconds", [-5.0, float("nan"), float("inf"), "soon"])
def test_a_wait_that_is_none_is_left_out(seconds: Any) -> None:
    assert ended(giving(failed()._replace(retry_after=seconds))).retry_after is None


@pytest.mark.parametrize("error", [SystemExit(4), BaseException("worse"), asyncio.CancelledError(), StopIteration()])
def test_whatever_an_agent_raises_fails_its_node_alone(error: BaseException) -> None:
    outcome = ended(raising(error))
    assert outcome.error is not None and outcome.error.kind is ErrorKind.EXCEPTION


def test_a_task_that_an_agent_cancelled_by_itself_does_not_end_the_run_as_a_success() -> None:
    async def perform(attempt: Attempt, context: Context) -> Any:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    assert ended(perform).status is NodeStatus.FAILED


def test_a_success_that_comes_after_its_time_is_a_timeout_and_its_output_is_kept() -> None:
    async def deaf(attempt: Attempt, context: Context) -> Outcome:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
        return succeeded("late")

    async def blocking(attempt: Attempt, context: Context) -> Outcome:
        time.sleep(0.1)  # noqa: ASYNC251
        return succeeded("late")

    for script in (deaf, blocking):
        outcome = ended(script, timeout=0.05)
        assert outcome.error is not None and outcome.error.kind is ErrorKind.TIMEOUT
        assert outcome.output == "late"


def emitting(kind: Any, data: Any) -> Any:
    async def perform(attempt: Attempt, context: Context) -> Outcome:
        context.emit(kind, data)
        return succeeded()

    return perform


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (EventKind.RUN_FINISHED, {"status": "succeeded"}),
        ("nonsense", {}),
        (EventKind.NODE_OUTPUT, {"stream": "weird", "text": "x"}),
        (EventKind.NODE_OUTPUT, {"stream": "stdout", "text": 5}),
    ],
)
def test_an_agent_writes_no_event_but_its_output(kind: Any, data: Any) -> None:
    emitted: Emitted = []
    outcome = ended(emitting(kind, data), emitted=emitted)
    assert outcome.error is not None and "EventKind.NODE_OUTPUT" in outcome.error.message
    assert emitted == []


def test_what_an_agent_says_is_masked_and_within_the_bound_of_an_attempt() -> None:
    emitted: Emitted = []

    async def perform(attempt: Attempt, context: Context) -> Outcome:
        context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": "it is hunter2-secret\n"})
        for _ in range(3):
            context.emit(EventKind.NODE_OUTPUT, {"stream": "stderr", "text": "é" * 20_000})
        return succeeded()

    ended(perform, secret="hunter2-secret", emitted=emitted)
    assert emitted[0][1]["text"] == "it is ***\n"
    assert 65_000 < sum(len(data["text"].encode()) for _, data in emitted) <= 65_536


def test_a_run_goes_on_beside_an_agent_that_gives_nonsense() -> None:
    text = "version: 1\nnodes:\n  a: {agent: odd}\n  b: {agent: odd, needs: [a]}\n  c: {run: echo c}\n"
    run = run_pipeline(text, agents={"odd": lambda options: {1, 2}})  # type: ignore[dict-item, return-value]
    assert run.statuses == {"a": "failed", "b": "blocked", "c": "succeeded"}
    assert "output is not JSON: a set; return a list" in str(run.node("a").error)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("with a secret"), "close() raises RuntimeError"),
        (SystemExit("with a secret"), "close() raises SystemExit"),
        (asyncio.CancelledError(), "close() raises CancelledError"),
        (None, "takes more than 0.05 s"),
    ],
)
def test_an_agent_that_can_not_be_closed_holds_up_no_other(
    error: BaseException | None, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def close() -> None:
        if error is not None:
            raise error
        await asyncio.sleep(60)

    monkeypatch.setattr(port_check, "_CLOSING", 0.05)
    agent: Any = Scripted(giving(None))
    agent.close = close
    assert anyio.run(PortCheck(agent, NoMasking()).close) is False
    printed = capsys.readouterr().err
    assert told in printed and "secret" not in printed
