"""What a model of chat completions thought, for services that want it back with what its tools gave.

Each says it in a field of its own; some sign it, and refuse a conversation in which it is missing or changed.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

from pipe_runner.types import Json

_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
"""Of a message: DeepSeek and many others; Groq, Cerebras, vLLM; OpenRouter; LiteLLM."""
_MARKS: Final = ("extra_content", "provider_specific_fields")
"""Of a call: Gemini; LiteLLM before it."""
_GROWS: Final = ("text", "summary", "thinking", "signature")
"""Of a block: what comes in pieces."""


def whole_thought(message: Mapping[str, Any]) -> Json:
    """That of an answer which came at once; None where there is none."""
    fields = {name: message[name] for name in _FIELDS if _is_thought(message.get(name))}
    return _said(fields, [_marks(call) for call in message.get("tool_calls") or ()])


def put_back(said: Json, message: dict[str, Any]) -> None:
    """Put it into the message that goes out, and into its calls."""
    if not isinstance(said, dict):
        return
    fields, marks = said.get("fields"), said.get("marks")
    if isinstance(fields, dict):
        message.update(fields)
    if isinstance(marks, list):
        for call, mark in zip(message.get("tool_calls", ()), marks, strict=False):
            call.update(mark)


class Thoughts:
    """Gathers that of an answer which is streamed."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._blocks: dict[str, list[dict[str, Any]]] = {}
        self._calls: dict[Hashable, dict[str, Any]] = {}

    def take(self, delta: Mapping[str, Any]) -> int:
        """Keep what a part has of it; gives its characters."""
        size = 0
        for name in _FIELDS:
            value = delta.get(name)
            if isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
                size += len(value)
            elif isinstance(value, list) and value:
                blocks = self._blocks.setdefault(name, [])
                size += sum(_join(blocks, block) for block in value if isinstance(block, dict))
        return size

    def mark(self, key: Hashable, call: Mapping[str, Any]) -> int:
        """Keep what a part of a call has of it; gives its characters."""
        marks = _marks(call)
        if not marks:
            return 0
        self._calls.setdefault(key, {}).update(marks)
        return len(json.dumps(marks))

    def said(self, calls: Iterable[Hashable]) -> Json:
        fields: dict[str, Any] = {name: "".join(parts) for name, parts in self._texts.items()}
        for name, blocks in self._blocks.items():
            fields[name] = [{key: _joined(value) for key, value in block.items()} for block in blocks]
        return _said(fields, [self._calls.get(key, {}) for key in calls])


def _said(fields: dict[str, Any], marks: list[Any]) -> Json:
    return {"fields": fields, "marks": marks} if fields or any(marks) else None


def _is_thought(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and bool(value))


def _marks(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: call[name] for name in _MARKS if isinstance(call.get(name), dict)}


class _Pieces(list[str]):
    """A text that still comes."""


def _joined(value: Any) -> Any:
    return "".join(value) if isinstance(value, _Pieces) else value


def _join(blocks: list[dict[str, Any]], block: dict[str, Any]) -> int:
    """Put a piece of a block to its beginning, which is the last one; gives its characters. What comes behind a
    signature is another block."""
    pieces = {name: block[name] for name in _GROWS if isinstance(block.get(name), str)}
    last = blocks[-1] if blocks else None
    ended = last is not None and any(last.get("signature") or ()) and any(pieces.get(name) for name in _GROWS[:3])
    if last is None or not pieces or ended or any(last.get(name) != block.get(name) for name in ("type", "index")):
        blocks.append(last := {})
    for name, value in block.items():
        if name in pieces:
            if not isinstance(last.get(name), _Pieces):
                last[name] = _Pieces()
            if value:  # some give an empty signature with every piece
                last[name].append(value)
        elif value is not None or name not in last:
            last[name] = value
    return sum(map(len, pieces.values())) if pieces else len(json.dumps(block))
