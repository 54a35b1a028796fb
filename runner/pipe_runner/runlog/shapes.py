"""What the fields of events are where readers of a log rely on it: a line of the right form may still hold anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pipe_runner.types import EventKind

Check: TypeAlias = Callable[[Any], bool]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z").match
_MOST_SECONDS: Final = 1e12
MOST_DOLLARS: Final = 1e15
"""As `spent.MOST`, which a log without calls has no use for."""


def check_shape(kind: str, data: Mapping[str, Any]) -> None:
    """Raises TypeError for a field of an event that is not what it has to be; knows nothing of other fields."""
    table = _EVENTS.get(kind)
    if table is None:
        return
    for name, value in data.items():
        check = table.get(name)
        if check is not None and not check(value):
            raise TypeError(f"`{name}` is not what it has to be")


def _text(value: Any) -> bool:
    return type(value) is str


def _flag(value: Any) -> bool:
    return type(value) is bool


def _whole(value: Any) -> bool:
    return type(value) is int


def _size(value: Any) -> bool:
    return type(value) is int and value >= 0


def _seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _MOST_SECONDS


def _cost(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < MOST_DOLLARS


def _object(value: Any) -> bool:
    return type(value) is dict


def _digest(value: Any) -> bool:
    return type(value) is str and _DIGEST(value) is not None


def _texts(value: Any) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _objects(check: Check) -> Check:
    return lambda value: type(value) is list and all(check(item) for item in value)


def _of(check: Check) -> Check:
    """An object all of whose values are so."""
    return lambda value: type(value) is dict and all(check(item) for item in value.values())


def _with(must: Mapping[str, Check], may: Mapping[str, Check]) -> Check:
    """An object that has certain fields, and may have others."""

    def check(value: Any) -> bool:
        if type(value) is not dict or not must.keys() <= value.keys():
            return False
        return all(field(value[name]) for name, field in (*must.items(), *may.items()) if name in value)

    return check


_PARTS: Final = ("cached", "cache_written", "reasoning", "audio")
_ERROR: Final = _with({"kind": _text, "message": _text}, {"exit_code": _or_none(_whole), "tail": _or_none(_text)})
_REF: Final = _with({"sha256": _digest, "bytes": _size, "type": _text, "excerpt": _text}, {})
_ARTIFACT: Final = _with({"name": _text, "path": _text, "sha256": _digest, "bytes": _size}, {"executable": _flag})
_DECIDED: Final = _with({"by": _text}, {"reason": _or_none(_text)})
_CHOSEN: Final = _of(_objects(_object))
_VERSIONS: Final = {"versions": _object, "git_sha": _or_none(_text), "chosen": _CHOSEN}
_ENDED: Final[Mapping[str, Check]] = {
    "duration_s": _or_none(_seconds),
    "exit_code": _or_none(_whole),
    "usage": _or_none(_object),
    "truncated": _or_none(_with({"bytes": _size, "sha256": _digest}, {})),
    "output_ref": _or_none(_REF),
    "artifacts": _or_none(_objects(_ARTIFACT)),
    "decided": _or_none(_DECIDED),
    "error": _or_none(_ERROR),
    "tolerated": _flag,
    "stopping": _flag,
    "when": _or_none(_text),
    "values": _or_none(_object),
    "by": _or_none(_texts),
    "more": _or_none(_size),
    "reason": _or_none(_text),
    "item": _or_none(_text),
    "key": _or_none(_text),
    "from": _or_none(_text),
    "delay_s": _or_none(_seconds),
}
_CALL: Final[Mapping[str, Check]] = {
    **dict.fromkeys(("call", "provider", "model"), _text),
    "cost": _or_none(_cost),
}
_TOKENS: Final = _with(dict.fromkeys(("input", "output"), _size), dict.fromkeys(_PARTS, _size))
_EVENTS: Final[Mapping[str, Mapping[str, Check]]] = {
    EventKind.RUN_STARTED: {
        **dict.fromkeys(("pipeline", "path", "root", "digest", "durability"), _text),
        **dict.fromkeys(("task", "order", "record", "replay"), _or_none(_text)),
        "inputs": _object,
        "nodes": _of(_text),
        "only": _texts,
        **_VERSIONS,
    },
    EventKind.RUN_RESUMED: {
        "digest": _text,
        **dict.fromkeys(("record", "replay"), _or_none(_text)),
        "nodes": _of(_text),
        "inputs": _or_none(_object),
        **dict.fromkeys(("rerun", "anew"), _texts),
        "reasons": _of(_text),
        "items": _of(_object),
        **_VERSIONS,
    },
    EventKind.RUN_FINISHED: {
        "status": _text,
        "outputs": _or_none(_object),
        "outputs_ref": _or_none(_REF),
        "totals": _object,
        "error": _or_none(_ERROR),
        "duration_s": _or_none(_seconds),
    },
    EventKind.NODE_STARTED: {
        "items": _or_none(_size),
        **dict.fromkeys(("rest", "item", "effect", "pipeline", "given"), _or_none(_text)),
        **dict.fromkeys(("gone", "rerun", "anew", "inside", "back"), _or_none(_texts)),
    },
    EventKind.NODE_OUTPUT: {"stream": _text, "text": _text},
    **dict.fromkeys(
        (
            EventKind.NODE_RETRYING,
            EventKind.NODE_SUCCEEDED,
            EventKind.NODE_CACHED,
            EventKind.NODE_FAILED,
            EventKind.NODE_SKIPPED,
            EventKind.NODE_BLOCKED,
            EventKind.NODE_CANCELLED,
            EventKind.NODE_UNKNOWN,
        ),
        _ENDED,
    ),
    EventKind.NODE_WAITING: {"message": _or_none(_text), "tolerated": _flag},
    EventKind.MODEL_RESERVED: {**_CALL, "tokens": _size},
    EventKind.MODEL_CALLED: {
        **_CALL,
        "tokens": _or_none(_TOKENS),
        **dict.fromkeys(("finish", "answered_by", "request_id"), _or_none(_text)),
        "duration_s": _or_none(_seconds),
        "error": _or_none(_ERROR),
    },
    EventKind.TOOL_CALLED: {"tool": _text, "source": _text, "duration_s": _or_none(_seconds)},
    EventKind.MESSAGE_PUBLISHED: {"topic": _text, "message_ref": _or_none(_REF)},
}
