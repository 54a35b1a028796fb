"""An exchange that may be recorded, or answered from a recording: the outcome as plain data."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pipe_runner.errors import MEND_RECORDING, NodeFault, held_to
from pipe_runner.models import Outside
from pipe_runner.ports import Attempt, NodeError, Outcome
from pipe_runner.types import ErrorKind, Json, NodeStatus

_USER: Final = re.compile(r"\A(\s*[A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
"""User name and password of a URL, which nobody reads in a recording."""
_ENDS: Final = (NodeStatus.SUCCEEDED, NodeStatus.FAILED)


async def through(outside: Outside, attempt: Attempt, perform: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """The outcome of `perform`, or the one that was recorded for the same request."""

    async def exchange() -> Json:
        return _to_json(await perform())

    asked = dict(attempt.options)
    if isinstance(asked.get("url"), str):
        asked["url"] = _USER.sub(r"\1***@", str(asked["url"]))
    return _from_json(await outside.exchange(attempt, "http", asked, exchange))


def _to_json(outcome: Outcome) -> dict[str, Json]:
    data: dict[str, Json] = {"status": str(outcome.status), "output": outcome.output}
    if outcome.error is not None:
        data["error"] = outcome.error.to_json()
    if outcome.retry_after is not None:
        data["retry_after"] = outcome.retry_after
    return data


def _from_json(data: Json) -> Outcome:
    """Raises NodeFault where a recording was changed into something else."""
    try:
        if not isinstance(data, dict):
            raise ValueError("it is no object")
        values: dict[str, Any] = dict(data)
        status, error = values["status"], values.get("error")
        if status not in _ENDS:
            raise ValueError("`status` is neither succeeded nor failed")
        if (status == NodeStatus.FAILED) != isinstance(error, dict):
            raise ValueError("`error` is an object where it failed, and stands nowhere else")
        held_to(values, {"retry_after": float})
        if error is not None:
            held_to(error, {"exit_code": int, "tail": str})
            if error["kind"] not in list(ErrorKind) or not isinstance(error["message"], str):
                raise ValueError("`error` is not a `kind` that there is, with a `message`")
            error = NodeError(ErrorKind(error["kind"]), error["message"], error.get("exit_code"), error.get("tail"))
        return Outcome(NodeStatus(status), values.get("output"), error, retry_after=values.get("retry_after"))
    except (KeyError, ValueError) as fault:
        why = f"it lacks {fault}" if isinstance(fault, KeyError) else fault
        raise NodeFault(
            ErrorKind.NOT_FOUND, f"the recording of a request can't be used: {why}; {MEND_RECORDING}"
        ) from None
