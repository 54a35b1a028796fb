"""An answer as a service gave it, in our words, before time and price are put to it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pipe_runner.models import Finish, ModelFault, ModelResponse, Reason, ToolCall, Usage
from pipe_runner.types import Json
from pipe_schemas.values import MAX_DEPTH, NotJson, copied


class Read(NamedTuple):
    """An answer as one service gave it, in our words."""

    text: str
    finish: Finish
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    model: str = ""
    request_id: str | None = None
    thought: Json = None
    """What the service wants back with the answers of the tools."""
    cost: float | None = None
    """US dollars, where the service says them."""


def declined(where: str, answer: ModelResponse) -> ModelResponse:
    """The answer, if the model gave one; those who take text only must not take a refusal for it."""
    if answer.finish is Finish.REFUSED:
        said = " ".join(answer.text.split())[:300]
        message = f"{where}: the model declined{': ' + said if said else ''}"
        raise ModelFault(Reason.REFUSED, message, usage=answer.usage, request_id=answer.request_id)
    return answer


def count(value: Any, missing: int | None = None) -> int | None:
    """A number of tokens, `missing` where there is none; None: the service says what is no number of tokens."""
    if value is None:
        return missing
    if type(value) is int:
        return value if value >= 0 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def counted(
    read: int | None,
    wrote: int | None,
    cached: int | None = 0,
    cache_written: int | None = 0,
    reasoning: int | None = 0,
    audio: int = 0,
) -> Usage | None:
    """The usage, if the service counted. A part that is unknown is not zero: then all is unknown. No answer takes
    nothing, so two zeros say that it didn't count."""
    if read is None or wrote is None or cached is None or cache_written is None or reasoning is None:
        return None
    return Usage(read, wrote, cached, cache_written, reasoning, audio) if read or wrote else None


def called(id: str, name: str, arguments: Any) -> ToolCall:
    """A call with its arguments, as text or as data; what is no JSON object is its fault. Raises TypeError where id or
    name is no text."""
    if not (isinstance(id, str) and isinstance(name, str)):
        raise TypeError
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return ToolCall(id, name, {})
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            left = dict.fromkeys(found)
            twice.append(next(name for name, _ in pairs if left.pop(name, name) is not None))
        return found

    try:
        data = json.loads(arguments, object_pairs_hook=once) if isinstance(arguments, str) else arguments
        if isinstance(arguments, str) and isinstance(data, str) and data.lstrip().startswith("{"):
            data = json.loads(data, object_pairs_hook=once)  # put into JSON twice, as vLLM does with some models
        text = json.dumps(data, allow_nan=False)  # no number that JSON hasn't
    except (ValueError, TypeError, RecursionError) as error:
        return ToolCall(id, name, {}, _too_long(error) or "the arguments are no JSON")
    if data is None:  # some say so that there are none
        return ToolCall(id, name, {})
    if twice:  # readers differ on which one counts
        return ToolCall(id, name, {}, f"the arguments have {json.dumps(twice[0][:80])} more than once in one object")
    if not isinstance(data, dict):
        return ToolCall(id, name, {}, "the arguments are no JSON object")
    try:
        given: Any = copied(_clean(data) if _SURROGATE in text else data, 2**62)
    except (NotJson, RecursionError) as error:
        fault = _too_long(error) or f"the arguments are nested deeper than {MAX_DEPTH} levels"
        return ToolCall(id, name, {}, fault)
    return ToolCall(id, name, given)


def _too_long(error: Exception) -> str | None:
    """What Python's limit, or ours, on digits of an integer is to a model."""
    return "the arguments hold an integer of more than 4,300 digits" if "integer" in str(error) else None


_SURROGATE = "\\ud"


def clean(text: str) -> str:
    """The text with whole characters only: halves that belong together are joined, a lone one is U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


class Halves:
    """Puts characters together that a service has cut between two pieces."""

    def __init__(self) -> None:
        self._half = ""

    def piece(self, text: str) -> str:
        """What of the text so far can be shown."""
        if self._half:
            text, self._half = self._half + text, ""
        if text.isascii():
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return clean(text)
