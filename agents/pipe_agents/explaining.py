"""Has a model explain what was found. The findings are the facts: what the model says is held against them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding, ended, with_unseen, worst_first
from pipe_runner.errors import NodeFault, NoRecording
from pipe_runner.ports import Attempt, Context, NodeError, Outcome
from pipe_runner.types import ErrorKind, Json, NodeStatus

MOST_TIME: Final = 120.0
"""Seconds that an explanation may take; less where the attempt has less."""
_LEFT: Final = 1.0
"""Seconds of the attempt that are kept for its end."""
_NO_PROVIDER: Final = "write `provider:` beside `agent:`, or `defaults: {provider: …}` in pipe.yml"
_NO_RECORDING: Final = "a recording that was made with these findings, by `--record`"
_NEEDS: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.CREDENTIALS: "credentials for the provider; `pipe providers` says which",
    ErrorKind.BUDGET: "a larger `budget:` of the node or the run, or smaller `max_tokens` in `with:`, in the next run",
    ErrorKind.UNAVAILABLE: "a model service that answers; `pipe providers NAME --check` asks it",
    ErrorKind.NOT_FOUND: "a service and a model that are there; `pipe providers NAME --check` asks it",
    ErrorKind.RATE_LIMITED: "a service that takes the call: another provider, or later",
    ErrorKind.TIMEOUT: "more time: a larger `timeout:` of the node, or a quicker model",
    ErrorKind.INVALID_OUTPUT: "a model that answers by a schema, or more `max_tokens`",
}


class Explained(NamedTuple):
    """The explanation, and what it has used; `missed`: no recording answers for it."""

    explanation: dict[str, Any] | None
    usage: Mapping[str, Json] | None = None
    missed: NodeError | None = None

    def ends(self, end: Outcome) -> Outcome:
        """How the attempt ends. A call that nobody recorded fails it: with the service it might end otherwise."""
        if self.missed is None:
            return end._replace(usage=self.usage)
        return end._replace(status=NodeStatus.FAILED, error=self.missed, usage=self.usage)


async def finished(output: dict[str, Any], attempt: Attempt, context: Context) -> Outcome:
    """How an attempt ends that has measured: explained, where its options say so, and failed where `fail_on` does."""
    output = with_unseen(output, context.masker.mask_json(attempt.options.get("not_looked_at")))
    told = await explained(output, attempt, context)
    fail_on: Any = attempt.options.get("fail_on")
    return told.ends(ended({**output, "explanation": told.explanation}, fail_on))


async def explained(output: dict[str, Any], attempt: Attempt, context: Context) -> Explained:
    """The explanation of a complete output; never a fault: without a model it says why there is none. Only a recording
    that lacks the call is no reason to do without (`Explained.ends`)."""
    options = attempt.options
    if options.get("explain") is not True:
        return Explained(None)
    given = options.get("provider")
    providers = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    if not providers:
        return Explained(none("no model service is named", _NO_PROVIDER))
    if context.outside is None:
        return Explained(none("this run has no way out to models", _NO_PROVIDER))
    if not worst_first(output["findings"]):
        return Explained(none("there is no finding to explain"))
    time = MOST_TIME
    if attempt.timeout is not None:
        time = min(time, attempt.timeout - float(output.get("duration_s") or 0) - _LEFT)
    if time <= 0:
        return Explained(none("the attempt has no time left", _NEEDS[ErrorKind.TIMEOUT]))
    from pipe_agents.explaining_talk import asked

    return await asked(output, providers, time, attempt, context)


def none(why: str, needs: str | None = None) -> dict[str, Any]:
    """There is no explanation."""
    empty: dict[str, Any] = {"claims": [], "ranking": [], "next_checks": []}
    nobody = {"summary": None, "provider": None, "model": None}
    return {"status": "unavailable", **nobody, **empty, "why": why, "needs": needs}


def of_fault(fault: NodeFault, context: Context) -> dict[str, Any]:
    message = context.masker.mask_text(fault.message)
    if fault.kind is ErrorKind.BUDGET:
        message = message.partition(": raise `budget.")[0]  # and resume, it goes on; but this run has all that it needs
    needs = _NO_RECORDING if isinstance(fault, NoRecording) else _NEEDS.get(fault.kind)
    return none(message[:500], needs)


def given(said: Mapping[str, Any], findings: list[Finding], agents: list[str]) -> dict[str, Any]:
    """The explanation, of what a model said in the shape that it was asked for: claims held against the findings."""
    from pipe_agents.claims import held
    from pipe_agents.explaining_next import looks

    by_id = {one["id"]: one for one in findings}
    claims = [held(claim, by_id) for claim in said["claims"][:50]]
    whole = held({"text": said["summary"], "findings": list(by_id)}, by_id, of_all=True)
    if not whole["supported"]:
        claims.append({**whole, "text": f"(the summary) {whole['text']}"[:1000], "findings": []})
    checks = [
        {
            "task": check["task"][:500],
            "agent": check["agent"] if check["agent"] in agents else None,
            "why": check["why"][:500],
        }
        for check in said["next_checks"][:20]
        if looks(check["task"], check["agent"] in agents)
    ]
    ranking = [id for id in dict.fromkeys(said["ranking"]) if id in by_id]
    return {
        "status": "given",
        "summary": said["summary"][:2000],
        "claims": claims,
        "ranking": ranking,
        "next_checks": checks,
        "provider": None,
        "model": None,
        "why": None,
        "needs": None,
    }


async def in_time(seconds: float, asking: Any) -> Any:
    """What `asking` gives; raises NodeFault where it takes longer. In the same task, which a stop of the run knows."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    late = False

    def end() -> None:
        nonlocal late
        late = True
        task.cancel(loop.time())  # as an executor ends who is out of time

    timer = loop.call_later(seconds, end)
    try:
        return await asking
    except asyncio.CancelledError:
        if not late or task.uncancel() > 0:
            raise
        raise NodeFault(ErrorKind.TIMEOUT, f"the model didn't answer within {seconds:.0f} s") from None
    finally:
        timer.cancel()
