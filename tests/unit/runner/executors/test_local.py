"""The local executor: time, stops, secrets, options; every end becomes an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, ConfigDict

from pipe_runner.errors import NodeFault, StorageError
from pipe_runner.executors.local import LocalExecutor
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.ports import AgentDescription, Attempt, Context, Earlier, NodeError, Outcome, secret_marker
from pipe_runner.testing import FakeClock, succeeded
from pipe_runner.types import ErrorKind, JsonObject, NodeStatus


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    port: int = 1
    text: str = ""


class Scripted:
    """An agent that does what a function says."""

    name = "scripted"
    version = "1"

    def __init__(self, script: Callable[[Attempt, Context], Awaitable[Outcome]]) -> None:
        self.perform = script
        self.closed = 0

    def describe(self) -> AgentDescription:
        return AgentDescription("for tests")

    def options_model(self) -> type[BaseModel]:
        return Options

    def output_schema(self, options: JsonObject) -> JsonObject:
        return {}

    async def close(self) -> None:
        self.closed += 1


class Idle:
    """A launcher that nobody asks for a process."""

    def __init__(self) -> None:
        self.stops: list[float] = []

    async def run(self, *_: Any) -> Any:
        raise AssertionError("no process is wanted here")

    def stop(self, grace: float) -> None:
        self.stops.append(grace)

    async def close(self) -> None:
        pass


class Agents:
    def __init__(self, agent: Scripted) -> None:
        self.agent = agent

    def get(self, name: str) -> Any:
        return self.agent


def executor(script: Any, secrets: Mapping[str, str] | None = None, beside: Any = None) -> LocalExecutor:
    masker = SecretMasker(secrets) if secrets else NoMasking()
    return LocalExecutor(
        Agents(Scripted(script)),
        Idle(),
        secrets=secrets or {},
        masker=masker,
        clock=FakeClock(),
        policy={},
        scratch="/nowhere",
        beside=beside,
    )


def attempt(**more: Any) -> Attempt:
    fields: dict[str, Any] = {"options": {}, "env": {}, "root": "/", "idempotency_key": "k", **more}
    return Attempt(run="r", node="n", number=1, agent="scripted", **fields)


def perform(executor: LocalExecutor, attempt: Attempt, during: Callable[[], Any] | None = None) -> Outcome:
    async def main() -> Outcome:
        if during is not None:
            asyncio.get_running_loop().call_later(0.02, during)
        with anyio.fail_after(10):
            return await executor.perform(attempt, lambda kind, data: None)

    return anyio.run(main)


async def forever(attempt: Attempt, context: Context) -> Outcome:
    await anyio.sleep_forever()
    raise AssertionError


def test_the_context_has_all_its_fields() -> None:
    async def length(attempt: Attempt, context: Context) -> Outcome:
        return succeeded(len(context))

    assert perform(executor(length), attempt()).output == len(Context._fields)


def test_an_attempt_that_a_call_made_has_nothing_earlier() -> None:
    class Beside:
        def earlier(self, node: str) -> Earlier:
            return Earlier("r0", "then", node)

    async def recall(attempt: Attempt, context: Context) -> Outcome:
        return succeeded(None if context.earlier is None else context.earlier().output)

    local = executor(recall, beside=Beside())
    assert perform(local, attempt()).output == "n"
    assert anyio.run(lambda: local.perform(attempt(), lambda kind, data: None, own=False)).output is None


def test_x3_an_attempt_ends_when_its_time_is_up() -> None:
    outcome = perform(executor(forever), attempt(timeout=0.02))
    assert outcome.status is NodeStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.TIMEOUT


def test_x3_starting_processes_beside_other_work_leaves_no_attempt_without_a_limit() -> None:
    class Measures(Scripted):
        def describe(self) -> AgentDescription:
            return AgentDescription("asks a program, and then a socket", runs_processes=True)

    local = executor(forever)
    local._agents = Agents(Measures(forever))
    outcome = perform(local, attempt(timeout=0.02))
    assert outcome.error is not None and outcome.error.kind is ErrorKind.TIMEOUT


def test_an_attempt_that_ends_within_the_grace_keeps_its_result() -> None:
    async def short(attempt: Attempt, context: Context) -> Outcome:
        await anyio.sleep(0.1)
        return succeeded("whole")

    local = executor(short)
    assert perform(local, attempt(), during=lambda: local.stop(5.0)) == succeeded("whole")


def test_an_attempt_is_cancelled_after_the_grace_and_at_once_when_killed() -> None:
    local = executor(forever)
    assert perform(local, attempt(), during=lambda: local.stop(0.05)).status is NodeStatus.CANCELLED
    assert perform(local, attempt(), during=lambda: local.stop(0.0)).status is NodeStatus.CANCELLED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NodeFault(ErrorKind.REFUSED, "no"), ErrorKind.REFUSED),
        (ValueError("odd"), ErrorKind.EXCEPTION),
        (RecursionError("deep"), ErrorKind.EXCEPTION),
    ],
)
def test_what_an_agent_raises_becomes_an_outcome(error: Exception, kind: ErrorKind) -> None:
    async def raises(attempt: Attempt, context: Context) -> Outcome:
        raise error

    outcome = perform(executor(raises), attempt())
    assert outcome.error is not None
    assert outcome.error.kind is kind


def test_d7_a_log_that_cannot_be_written_is_no_fault_of_the_node() -> None:
    async def raises(attempt: Attempt, context: Context) -> Outcome:
        raise StorageError("disk full")

    with pytest.raises(StorageError):
        perform(executor(raises), attempt())


def test_secrets_are_put_in_at_the_last_moment_and_hidden_again_in_all_that_comes_back() -> None:
    seen: list[Any] = []

    async def leaks(attempt: Attempt, context: Context) -> Outcome:
        seen.append((attempt.options["text"], attempt.env["T"], dict(context.secrets)))
        error = NodeError(ErrorKind.HTTP, "token s3cr3t-value refused", tail="s3cr3t-value")
        return Outcome(NodeStatus.FAILED, {"s3cr3t-value": ["s3cr3t-value"]}, error)

    marker = secret_marker("TOKEN")
    given = attempt(options={"text": f"Bearer {marker}"}, env={"T": marker}, secrets=("TOKEN",))
    outcome = perform(executor(leaks, {"TOKEN": "s3cr3t-value", "OTHER": "not granted"}), given)
    assert seen == [("Bearer s3cr3t-value", "s3cr3t-value", {"TOKEN": "s3cr3t-value"})]
    assert "s3cr3t-value" not in repr(outcome)


def test_s4_a_secret_that_was_not_granted_is_refused() -> None:
    async def never(attempt: Attempt, context: Context) -> Outcome:
        raise AssertionError

    given = attempt(options={"text": secret_marker("OTHER")}, secrets=("TOKEN",))
    outcome = perform(executor(never, {"TOKEN": "s3cr3t-value", "OTHER": "not granted"}), given)
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.REFUSED


def test_rendered_options_are_held_against_the_agents_model_without_showing_values() -> None:
    async def never(attempt: Attempt, context: Context) -> Outcome:
        raise AssertionError

    outcome = perform(executor(never), attempt(options={"port": "odd-value"}, validate=True))
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.TEMPLATE
    assert "with.port" in outcome.error.message
    assert "odd-value" not in outcome.error.message
