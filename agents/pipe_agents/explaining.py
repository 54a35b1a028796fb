"""Has a model explain what was found. The findings are the facts: what the model says is held against them."""

from __future__ import annotations

from typing import Any, Final

from pipe_agents.explanation import NEEDS, Explained, none
from pipe_agents.findings import ended, with_unseen, worst_first
from pipe_runner.ports import Attempt, Context, Outcome
from pipe_runner.types import ErrorKind

MOST_TIME: Final = 120.0
"""Seconds that an explanation may take; less where the attempt has less."""
_LEFT: Final = 1.0
"""Seconds of the attempt that are kept for its end."""
_NO_PROVIDER: Final = "write `provider:` beside `agent:`, or `defaults: {provider: …}` in pipe.yml"


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
        return Explained(none("the attempt has no time left", NEEDS[ErrorKind.TIMEOUT]))
    from pipe_agents.explaining_talk import asked

    return await asked(output, providers, time, attempt, context)
