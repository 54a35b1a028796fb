"""What a model answered, read as it was asked for: text or a value of a JSON Schema, or that nothing is to be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pipe_agents.llm_validating import Misfit, excerpt, misfits
from pipe_runner.errors import alike, no_json
from pipe_runner.types import Json, JsonObject
from pipe_schemas.standing import standing
from pipe_schemas.values import NotJson, copied

NOOP_TYPE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"noop": {"type": "string"}},
    "required": ["noop"],
    "additionalProperties": False,
}
NOOP_TEXT: Final = (
    'If there is nothing to do, answer with nothing but a JSON object that says why: {"noop": "<reason>"}'
)
NOOP_VALUE: Final = (
    "Put the answer under `answer` and set `noop` to null. If there is nothing to do, set `answer` to null, and `noop` "
    "to the reason."
)
_NO_LIMIT: Final = 2**62
"""Of bytes: how large an answer may be is seen to before."""


class Wanted(NamedTuple):
    """What an answer has to be. `schema` is that of the node, None for text."""

    schema: JsonObject | None = None
    may_noop: bool = False
    mask: Callable[[str], str] = str
    """Hides secrets in what is said of an answer, before it is cut: a recording, which holds `***`, says the same."""

    def type_of_output(self) -> JsonObject:
        """For those that read the node's output."""
        from pipe_schemas.answers import taken_apart

        if self.schema is None:
            return {"anyOf": [{"type": "string"}, NOOP_TYPE]} if self.may_noop else {"type": "string"}
        own, definitions = taken_apart(self.schema)
        whole: dict[str, Any] = {"anyOf": [own, NOOP_TYPE]} if self.may_noop else own
        return {**whole, "$defs": definitions} if definitions else whole

    def asked_for(self) -> JsonObject | None:
        """The schema that the service is told; services want an object at its top, so a noop is a field of one."""
        if self.schema is None or not self.may_noop:
            return {k: v for k, v in self.schema.items() if k != "$schema"} if self.schema is not None else None
        from pipe_schemas.answers import taken_apart

        own, definitions = taken_apart(self.schema)
        whole: dict[str, Any] = {
            "type": "object",
            "properties": {"answer": {"anyOf": [own, {"type": "null"}]}, "noop": {"type": ["string", "null"]}},
            "required": ["answer", "noop"],
            "additionalProperties": False,
        }
        return {**whole, "$defs": definitions} if definitions else whole

    def instruction(self) -> str:
        """What the model is told of it beside the schema."""
        if not self.may_noop:
            return ""
        return NOOP_TEXT if self.schema is None else NOOP_VALUE

    def read(self, text: str) -> Json:
        """The output that an answer stands for; raises Misfit."""
        if self.schema is None:
            return (_noop_of_text(text) if self.may_noop else None) or text
        value = _parsed(text, self.mask)
        if self.may_noop and isinstance(value, dict):
            if value.keys() <= {"answer", "noop"} and value.get("answer") is None and _reason(value.get("noop")):
                return {"noop": value["noop"]}
            if value.keys() == {"answer", "noop"}:
                if _reason(value["noop"]):
                    raise Misfit(["both `answer` and `noop` are given: one of them must be null"])
                value = value["answer"]
        found = misfits(self.schema, value, self.mask)
        if found:
            raise Misfit(found)
        return value


def _noop_of_text(text: str) -> Json:
    try:
        value = _parsed(text, str)
    except Misfit:
        return None
    if isinstance(value, dict) and value.keys() == {"noop"} and _reason(value["noop"]):
        return value
    return None


def _reason(value: Json) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _parsed(text: str, mask: Callable[[str], str]) -> Json:
    """The JSON value of an answer, which may stand in a fence, or behind what was thought; raises Misfit."""
    first: Misfit | None = None
    for candidate in dict.fromkeys(standing(text)):
        try:
            return _loaded(candidate, mask)
        except ValueError as error:
            first = first or Misfit([f"it is no JSON: {_why(error)}"])
        except RecursionError:
            first = first or Misfit(["it is nested too deeply"])
    assert first is not None
    raise first


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        error = alike(error)
        return f"{error.msg.removesuffix(' at').lower()} at line {error.lineno}, column {error.colno}"
    return no_json(error)


def _loaded(text: str, mask: Callable[[str], str]) -> Json:
    """Raises ValueError for what is no JSON that everybody can read: NaN, depth, half characters, endless numbers; and
    Misfit for an object with a property twice: readers differ on which one counts."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no value of JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            left = dict.fromkeys(found)
            twice = next(name for name, _ in pairs if left.pop(name, name) is not None)
            raise Misfit([f"an object has the property {excerpt(mask(json.dumps(twice)), 80)} more than once"])
        return found

    if not text:
        raise ValueError("it is empty")
    try:
        return copied(json.loads(text, parse_constant=refuse, object_pairs_hook=once), _NO_LIMIT)
    except NotJson as error:
        error.path = [mask(step) if isinstance(step, str) else step for step in error.path]  # before one is cut
        raise Misfit([f"at {error.where('$')}: {error.why}"]) from None
