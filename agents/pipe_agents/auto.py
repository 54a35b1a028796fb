"""The agent `auto`: has a task in plain words performed by the agents that fit it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, EventKind, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import Orchestrates

_LONGEST: Final = 500
_SHAPE: Final = ("agent", "severity", "summary", "findings", "measured_at", "duration_s")


class AutoAgent:
    """Chooses nothing itself: the runner knows the agents. One that was chosen gives its own output; several give one
    result together."""

    name = "auto"
    version = "1"

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Has a task in plain words performed by the agents that fit it, chosen by their capabilities.",
            capabilities=("auto",),
            runs_processes=True,
            finds_secrets=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.auto import AutoOptions

        return AutoOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        if not options.get("chosen"):
            return {}
        from pipe_schemas.findings import Result

        schema = Result.model_json_schema()
        measurements = {
            "type": "object",
            "description": "What was chosen, and by agent what each gave beside its findings.",
            "properties": {
                "chosen": {"type": "array", "items": {"type": "object"}},
                "outputs": {"type": "object"},
            },
            "required": ["chosen", "outputs"],
            "additionalProperties": False,
        }
        return {**schema, "properties": {**schema["properties"], "measurements": measurements}}

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        orchestrator = context.orchestrator
        if orchestrator is None:
            raise NodeFault(ErrorKind.REFUSED, "nothing here can choose agents; the runner's own executor can")
        given: Any = attempt.options.get("chosen")
        chosen: Sequence[Mapping[str, Any]] = given or await orchestrator.choose(attempt, context.emit)
        if (missed := _missed(attempt, context)) is not None:  # words chose, since no recording did
            raise missed
        for one in chosen:
            line = f"chosen: {one['agent']} (score {one['score']:g}): {one['why']}"
            text = context.masker.mask_text(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…")
            context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": f"{text}\n"})
        if len(chosen) == 1 and not given:
            return await orchestrator.perform(attempt, chosen[0]["agent"], chosen[0]["options"], context.emit)
        return await _together(attempt, context, orchestrator, chosen)


async def _together(
    attempt: Attempt, context: Context, orchestrator: Orchestrates, chosen: Sequence[Mapping[str, Any]]
) -> Outcome:
    """What several found, as one result; a failed one is a finding, unless all have failed, or a recording lacks what
    it was to answer."""
    from pipe_agents.findings import result, unavailable

    began, began_ns = context.clock.monotonic(), context.clock.now_ns()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(orchestrator.perform(attempt, one["agent"], one["options"], context.emit))
                for one in chosen
            ]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    ended = {one["agent"]: task.result() for one, task in zip(chosen, tasks, strict=True)}
    cancelled = next((one for one in ended.values() if one.status is NodeStatus.CANCELLED), None)
    if cancelled is not None:
        return cancelled
    usage = _used(ended.values())
    findings: list[dict[str, Any]] = []
    outputs: dict[str, Any] = {}
    failed = []
    for name, outcome in ended.items():
        if outcome.status is not NodeStatus.SUCCEEDED:
            failed.append(outcome)
            why = outcome.error.message if outcome.error is not None else f"it ended {outcome.status}"
            findings.append(unavailable("agent.failed", name, why, "see to why the agent failed, and run it again"))
        output: Any = outcome.output
        if _is_result(output):
            findings += output["findings"]
            outputs[name] = {key: value for key, value in output.items() if key not in _SHAPE}
        elif output is not None:
            outputs[name] = output
    if len(failed) == len(ended):
        return failed[0]._replace(usage=usage)
    measurements = {"chosen": [dict(one) for one in chosen], "outputs": outputs}
    seconds = context.clock.monotonic() - began
    output = context.masker.mask_json(result("auto", findings, measurements, began_ns=began_ns, seconds=seconds))
    if (missed := _missed(attempt, context)) is not None:
        error = NodeError(missed.kind, context.masker.mask_text(missed.message))
        return Outcome(NodeStatus.FAILED, output, error, usage=usage)
    return Outcome(NodeStatus.SUCCEEDED, output, usage=usage)


def _used(outcomes: Iterable[Outcome]) -> JsonObject | None:
    """What models have used that chose or explained, all together; None where none was asked."""
    known = [one.usage for one in outcomes if one.usage is not None]
    if not known:
        return None
    from pipe_agents.llm_talk import Counted

    counted = Counted()
    for one in known:
        counted.add_inner(one)
    return counted.to_json()


def _missed(attempt: Attempt, context: Context) -> NodeFault | None:
    """What no recording has answered: nobody does without, here as in a node of one agent."""
    return None if context.outside is None else context.outside.missed(attempt)


def _is_result(output: Any) -> bool:
    return isinstance(output, dict) and all(key in output for key in _SHAPE) and isinstance(output["findings"], list)
