"""Asks a model to explain findings. Imported only where that is wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_agents.explaining_next import looks, measuring
from pipe_agents.explanation import Explained, of_fault
from pipe_agents.findings import Finding, worst_first
from pipe_agents.llm_answers import Wanted
from pipe_agents.llm_media import ABOUT_DATA, as_data
from pipe_agents.llm_stream import Live
from pipe_agents.llm_talk import Counted, NoTools, Talk
from pipe_agents.llm_validating import check_schema
from pipe_runner.errors import NodeFault, NoRecording
from pipe_runner.models import Message, ModelChoice, ModelRequest, ModelResponse
from pipe_runner.ports import Attempt, Context, NodeError
from pipe_runner.types import ErrorKind, Json

MOST_FINDINGS: Final = 100
"""Findings that a model gets, the worst of what was measured first."""
MOST_TEXT: Final = 48_000
"""Characters of all findings that it gets."""
_EVIDENCE: Final = 1000
"""Characters of one finding's evidence."""
_REASKS: Final = 1


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _ids(description: str) -> Json:
    return {"type": "array", "items": {"type": "string"}, "description": description}


def _object(**properties: Json) -> Json:
    names: list[Json] = list(properties)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


SCHEMA: Final[Any] = _object(
    summary=_text("What is going on, in two or three sentences, for who is on call."),
    claims={
        "type": "array",
        "items": _object(
            text=_text("One sentence: a cause, an effect, a connection."),
            findings=_ids("Ids of the findings that it rests on."),
        ),
    },
    ranking=_ids("Ids of findings, what to see to first at the front."),
    next_checks={
        "type": "array",
        "items": _object(
            task=_text("What to look at next, in words."),
            agent={"type": ["string", "null"], "description": "Which agent does that; null for none of them."},
            why=_text("What it would tell."),
        ),
    },
)
_SYSTEM: Final = (
    "You help somebody who is on call. You get findings that programs have measured. They are the facts: explain them, "
    "say what to see to first, and what to look at next. Claim only what findings show, and name their ids for each "
    "claim. Use no number that isn't in them, and no host, service or file that they don't name. What is `unavailable` "
    "was not measured: nothing is known of it, good or bad. What to look at next only looks: it is no command, and "
    "changes nothing. Be short."
)


async def asked(
    output: dict[str, Any], providers: Sequence[str], time: float, attempt: Attempt, context: Context
) -> Explained:
    """Ask, within `time` seconds; a fault is an explanation that isn't there."""
    outside = context.outside
    assert outside is not None
    options = attempt.options
    masked: Any = context.masker.mask_json(output["findings"])
    shown = worst_first(masked)[:MOST_FINDINGS]
    counted, wanted = Counted(), Wanted(SCHEMA, mask=context.masker.mask_text)
    answering = _Answering(outside)
    model = options.get("model")
    choices = [ModelChoice(name, model if isinstance(model, str) else "") for name in providers]
    bounded, quiet = attempt._replace(timeout=time), _Quiet(context.emit, context.masker)
    talk = Talk(bounded, context, answering, choices, wanted, counted, quiet)
    try:
        agents = await asyncio.to_thread(measuring)
        await asyncio.to_thread(check_schema, SCHEMA)
        request = _request(output, shown, agents, attempt, context)
        said: Any = await _in_time(time, talk.run(request, NoTools(), _REASKS, 0))
    except NodeFault as fault:
        missed = isinstance(fault, NoRecording)
        error = NodeError(fault.kind, context.masker.mask_text(fault.message)) if missed else None
        return Explained(of_fault(fault, context), counted.to_json(), error)
    except asyncio.CancelledError as cancelled:
        cancelled.usage = counted.to_json()  # type: ignore[attr-defined]  # for an attempt that is out of time
        raise
    answer: Any = context.masker.mask_json(said)
    told = await asyncio.to_thread(_given, answer, shown, agents)
    told |= {"provider": answering.provider or None, "model": answering.model or None}
    return Explained(told, counted.to_json())


def _given(said: Mapping[str, Any], findings: list[Finding], agents: list[str]) -> dict[str, Any]:
    """The explanation, of what a model said in the shape that it was asked for: claims held against the findings."""
    from pipe_agents.claims import held

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


async def _in_time(seconds: float, asking: Any) -> Any:
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


class _Answering:
    """The run's way out, which remembers who has answered."""

    provider = model = ""

    def __init__(self, outside: Any) -> None:
        self._outside = outside

    async def ask(self, *args: Any) -> ModelResponse:
        answer: ModelResponse = await self._outside.ask(*args)
        self.provider, self.model = answer.provider, answer.model
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outside, name)


class _Quiet(Live):
    """An answer in JSON is for nobody to watch."""

    def piece(self, text: str) -> None:
        pass


def _request(
    output: Mapping[str, Any], shown: Sequence[Finding], agents: Sequence[str], attempt: Attempt, context: Context
) -> ModelRequest:
    kept, room = [], MOST_TEXT
    for one in shown:
        line = json.dumps(_brief(one), ensure_ascii=False)
        if len(line) > room:
            break
        kept.append(line)
        room -= len(line)
    whole = len(output["findings"])
    parts = ["What was measured:", as_data("\n".join(kept), "findings")]
    if len(kept) < whole:
        parts.append(f"These are {len(kept)} of {whole} findings, the worst first.")
    for name in ("correlations", "contradictions", "blind_spots"):
        if output.get(name):
            text = json.dumps(context.masker.mask_json(output[name][:20]), ensure_ascii=False)
            parts.append(as_data(text[:8000], name))
    parts.append(f"Agents that can look further: {', '.join(agents) or 'none'}.")
    tokens = attempt.options.get("max_tokens")
    return ModelRequest(
        model="",
        messages=(Message("system", f"{_SYSTEM}\n\n{ABOUT_DATA}"), Message("user", "\n\n".join(parts))),
        output_schema=SCHEMA,
        max_tokens=tokens if isinstance(tokens, int) else 2000,
        timeout=attempt.timeout,
        traceparent=attempt.traceparent,
    )


def _brief(one: Finding) -> dict[str, Any]:
    """A finding without what is empty; its evidence bounded."""
    evidence = one["evidence"]
    if len(json.dumps(evidence, ensure_ascii=False)) > _EVIDENCE:
        evidence = json.dumps(evidence, ensure_ascii=False)[:_EVIDENCE] + "…"
    brief = {**one, "evidence": evidence}
    return {name: value for name, value in brief.items() if value not in (None, {}, []) and name != "agents"}
