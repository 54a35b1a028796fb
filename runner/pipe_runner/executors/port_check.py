"""What agents of plugins do, held against the port: whatever one gives or says, its node ends as a node does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.capture import captured
from pipe_runner.errors import NodeFault, in_seconds, output_of
from pipe_runner.executors.output import LONGEST_MESSAGE, TAIL
from pipe_runner.halts import is_stop
from pipe_runner.ports import NodeError, Outcome
from pipe_runner.text import ci_safe, printable
from pipe_runner.types import ErrorKind, EventKind, NodeStatus

if TYPE_CHECKING:
    from pipe_runner.executors.strays import Strays
    from pipe_runner.ports import Agent, Attempt, Emit, Masker

_SHOWN: Final = 64 * 1024
"""Bytes of what an attempt says that are in the log."""
_CLOSING: Final = 5.0
"""Seconds in which an agent is to have closed what it holds."""
_ENDS: Final = (NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.CANCELLED, NodeStatus.WAITING)
_OF_CALLS: Final = (EventKind.MODEL_RESERVED, EventKind.MODEL_CALLED, EventKind.TOOL_CALLED)
"""What goes through the agent's `emit` where it asks models, and is the runner's own."""


class PortCheck:
    """Stands between the executor and one agent of a plugin."""

    def __init__(self, agent: Agent, masker: Masker) -> None:
        self._agent, self._masker = agent, masker
        self.strays: Strays | None = None
        """Takes what its processes print; None where it runs functions, which have theirs."""

    def emit(self, emit: Emit) -> Emit:
        """An `emit` that takes what an agent says as it prints, masked and within its bound, and no other event."""
        room, mask_text = _SHOWN, self._masker.mask_text

        def checked(kind: EventKind, data: Mapping[str, Any]) -> None:
            nonlocal room
            if kind in _OF_CALLS:
                emit(kind, data)
                return
            stream, text = data.get("stream"), data.get("text")
            if kind != EventKind.NODE_OUTPUT or stream not in ("stdout", "stderr") or not isinstance(text, str):
                raise TypeError('an agent emits EventKind.NODE_OUTPUT with {"stream": "stdout" or "stderr", "text": …}')
            shown = mask_text(text).encode("utf-8", "replace")[: max(room, 0)]
            room -= len(shown)
            if shown:
                emit(EventKind.NODE_OUTPUT, {"stream": stream, "text": shown.decode("utf-8", "ignore")})

        return checked

    async def heard(self, coming: Coroutine[Any, Any, Outcome], emit: Emit) -> Outcome:
        """Perform, in a task of the attempt's own; what is printed meanwhile is what the agent says."""
        with captured(emit, self._masker, self.strays):
            return await coming

    def outcome(self, outcome: Any, attempt: Attempt, took: float) -> Outcome:
        """How the attempt ended, after `took` seconds, with nothing in it that can't stand in a log. Raises NodeFault
        where it is no outcome."""
        if type(outcome) is not Outcome:
            hint = "; perform() is to return an Outcome" if outcome is None else ""
            raise _wrong(attempt, f"gives {type(outcome).__name__} and no Outcome{hint}")
        if outcome.status not in _ENDS:
            ends = "succeeded, failed, cancelled or waiting"
            raise _wrong(attempt, f"gives the status {str(outcome.status)[:64]!r}, and an attempt ends as {ends}")
        status, error = NodeStatus(outcome.status), outcome.error
        if status is NodeStatus.SUCCEEDED:
            error = None
        elif error is not None:
            error = _error(error, attempt, self._masker)
        elif status is NodeStatus.FAILED:
            error = NodeError(ErrorKind.EXCEPTION, f"agent {attempt.agent} gives no error, and has failed")
        if status is NodeStatus.WAITING and type(outcome.output) is not str:
            raise _wrong(attempt, "waits for a person, and doesn't say in a text what it asks")
        later: Any = outcome.retry_after
        ended = Outcome(
            status,
            output_of(outcome.output, attempt.output_limit, "output"),
            error,
            outcome.exit_code if type(outcome.exit_code) is int else None,
            _map(outcome.usage, "usage"),
            _map(outcome.truncated, "truncated"),
            float(later) if type(later) in (int, float) and isfinite(later) and later >= 0 else None,
        )
        return _in_time(ended, took, attempt.timeout)

    async def close(self) -> bool:
        """Close the agent; whether code of the user's still runs. One that raises, or takes too long, is told."""
        agent: Any = self._agent
        what = ""
        try:
            async with asyncio.timeout(_CLOSING):
                with captured(self._tell, self._masker):
                    return await agent.close() is True
        except TimeoutError:
            what = f"takes more than {in_seconds(_CLOSING)}"
        except BaseException as error:  # whose words may hold a secret
            if isinstance(error, KeyboardInterrupt) or is_stop(error):
                raise
            what = f"raises {type(error).__name__}"
        _say(f"warning: agent {agent.name}: close() {what}")
        return False

    def _tell(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        for line in data["text"].splitlines():
            _say(f"agent {self._agent.name}: {line}")


def _say(line: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{ci_safe(printable(line))}\n")


def _in_time(outcome: Outcome, took: float, timeout: float | None) -> Outcome:
    """A success that came after its time is none, whether its end was asked for in vain or nobody could ask."""
    if timeout is None or took <= timeout or outcome.status is not NodeStatus.SUCCEEDED:
        return outcome
    message = f"timed out after {in_seconds(timeout)}; it ended by itself after {in_seconds(round(took, 1))}"
    return outcome._replace(status=NodeStatus.FAILED, error=NodeError(ErrorKind.TIMEOUT, message))


def _error(error: Any, attempt: Attempt, masker: Masker) -> NodeError:
    """Masked before it is cut, so that no part of a secret stays."""
    try:
        kind, message, exit_code, tail = error
        code = exit_code if type(exit_code) is int else None
        said = masker.mask_text(str(message))[:LONGEST_MESSAGE]
        return NodeError(ErrorKind(kind), said, code, None if tail is None else masker.mask_text(str(tail))[-TAIL:])
    except (TypeError, ValueError):
        raise _wrong(attempt, "gives an error that is no NodeError of a kind of ErrorKind") from None


def _map(value: Any, name: str) -> Any:
    return output_of(dict(value), _SHOWN, name) if isinstance(value, Mapping) else None


def _wrong(attempt: Attempt, what: str) -> NodeFault:
    return NodeFault(ErrorKind.EXCEPTION, f"agent {attempt.agent} {what}")
