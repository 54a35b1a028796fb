"""One recorded call, as a file that people read and compare.

Text of several lines stands in the file as a list of its lines (`{"$lines": […]}`), so that a changed word of a long
prompt is a changed line of a diff.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final, NamedTuple

from pipe_runner.errors import no_json, strict_json
from pipe_runner.types import Json, JsonObject
from pipe_schemas.encoding import canonical_json

VERSION: Final = 1
_LFS: Final = "version https://git-lfs.github.com/spec/"
_LINES, _MAP = "$lines", "$map"
_DEEPEST: Final = 300
"""Lists and objects inside one another: what a node may give, with what stands around it in a call."""
_SHAPES: Final[dict[str, tuple[type, str]]] = {
    "kind": (str, "a text"),
    "node": (str, "a text"),
    "attempt": (int, "a whole number"),
    "number": (int, "a whole number"),
    "asked": (dict, "an object"),
}


class Entry(NamedTuple):
    """A call and what came back: `answer`, or the fault of which `fault` tells."""

    kind: str
    """`model`, `tool`, `http`, …"""
    node: str
    attempt: int
    number: int
    """Of the calls of that attempt that asked the same: the first is 1."""
    asked: JsonObject
    answer: Json = None
    fault: JsonObject | None = None
    file: str = ""
    """Where it was read from."""

    @property
    def key(self) -> str:
        return key_of(self.kind, self.asked)

    def to_text(self) -> str:
        data: dict[str, Any] = {"v": VERSION, "kind": self.kind, "node": self.node, "attempt": self.attempt}
        data["number"], data["asked"] = self.number, _spread(self.asked)
        if self.fault is not None:
            data["fault"] = _spread(self.fault)
        else:
            data["answer"] = _spread(self.answer)
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Entry:
        """Raises ValueError with a sentence on anything that is no recording."""
        if text.startswith(_LFS):
            raise ValueError("it is a pointer of Git LFS: `git lfs pull` brings the file itself")
        try:
            data = strict_json(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno}, column {error.colno}: {_named(error)}") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(no_json(error)) from None
        version = data.get("v") if isinstance(data, dict) else None
        if type(version) is int and version > VERSION:
            raise ValueError(f"it is of version {version}, and this pipe knows version {VERSION}")
        if not isinstance(data, dict) or version != VERSION:
            raise ValueError(f"it is no recording of version {VERSION}")
        asked = _joined(data.get("asked"))
        for name, (shape, words) in _SHAPES.items():
            if name not in data:
                raise ValueError(f"it lacks `{name}`, which is {words}")
            if not isinstance(data[name], shape) or isinstance(data[name], bool):
                raise ValueError(f"its `{name}` is not {words}")
        if not isinstance(asked, dict):
            raise ValueError("its `asked` is not an object")
        if ("answer" in data) == ("fault" in data):
            both = "answer" in data
            raise ValueError("it has `answer` and `fault`: leave one out" if both else "it lacks `answer`, or `fault`")
        fault = _joined(data.get("fault"))
        if fault is not None and not isinstance(fault, dict):
            raise ValueError("its `fault` is no object")
        return cls(
            data["kind"], data["node"], data["attempt"], data["number"], asked, _joined(data.get("answer")), fault
        )


def _named(error: json.JSONDecodeError) -> str:
    """What is wrong with JSON, for those who edited it by hand."""
    if error.msg == "Invalid control character at":
        return 'a line end stands in a text: write \\n, or a list of lines as `{"$lines": [...]}`'
    return no_json(error)


def key_of(kind: str, asked: JsonObject) -> str:
    """What a call is found by: a digest of what it asks, whatever the order of keys."""
    return sha256(canonical_json([kind, asked]).encode()).hexdigest()


def _spread(value: Any) -> Any:
    if isinstance(value, str):
        return {_LINES: value.split("\n")} if "\n" in value else value
    if isinstance(value, (list, tuple)):
        return [_spread(item) for item in value]
    if isinstance(value, dict) or hasattr(value, "items"):
        found = {key: _spread(item) for key, item in value.items()}
        return {_MAP: found} if len(found) == 1 and next(iter(found)) in (_LINES, _MAP) else found
    return value


def _joined(value: Any, left: int = _DEEPEST) -> Any:
    if not left:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [_joined(item, left - 1) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key == _LINES and isinstance(inner, list) and all(isinstance(line, str) for line in inner):
            return "\n".join(inner)
        if key == _MAP and isinstance(inner, dict):
            return {name: _joined(item, left - 1) for name, item in inner.items()}
    return {name: _joined(item, left - 1) for name, item in value.items()}
