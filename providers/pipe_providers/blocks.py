"""The blocks of an answer of Converse, in their order: a model that thinks between them wants them back as they were.

Only what is signed, or can't be read, goes back: services refuse other reasoning, also their own.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from pipe_runner.types import Json


class _Thought:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.signature: list[str] = []
        self.redacted: list[bytes] = []

    def said(self) -> dict[str, Json] | None:
        if self.redacted:
            return {"redactedContent": b64encode(b"".join(self.redacted)).decode()}
        if any(self.signature):
            return {"reasoningText": {"text": "".join(self.text), "signature": "".join(self.signature)}}
        return None


class Blocks:
    """Gathers them, whole or in pieces, by their index. Raises TypeError and ValueError."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[str] | _Thought | None] = {}
        """A call is None: it is known elsewhere."""
        self._thinks = False

    def text(self, index: int, piece: str) -> None:
        block = self._blocks.setdefault(index, [])
        if isinstance(block, list):
            block.append(piece)

    def call(self, index: int) -> None:
        self._blocks[index] = None

    def thought(self, index: int, part: Mapping[str, Any]) -> int:
        """Gives its characters."""
        self._thinks = True
        block = self._blocks.setdefault(index, _Thought())
        if not isinstance(block, _Thought):
            return 0
        text, signature, redacted = (part.get(name) or "" for name in ("text", "signature", "redactedContent"))
        block.text.append(text)
        block.signature.append(signature)
        if redacted:
            block.redacted.append(b64decode(redacted))
        return len(text) + len(signature) + len(redacted)

    def said(self) -> Json:
        """All of them; None where the model wants none back."""
        if not self._thinks:
            return None
        told: list[Json] = []
        wanted = False
        for _, block in sorted(self._blocks.items()):
            if isinstance(block, _Thought):
                said = block.said()
                wanted = wanted or said is not None
                told += [] if said is None else [{"reasoningContent": said}]
            elif block is None:
                told.append("call")
            elif (text := "".join(block)).strip():
                told.append({"text": text})
        return told if wanted else None


def put_back(said: Json, calls: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks as they go out, with these calls."""
    content: list[dict[str, Any]] = []
    left = iter(calls)
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict):
            content.append(_as_bytes(one))
        elif (call := next(left, None)) is not None:
            content.append(call)
    return [*content, *left]


def _as_bytes(block: dict[str, Any]) -> dict[str, Any]:
    redacted = block.get("reasoningContent", {}).get("redactedContent")
    return block if redacted is None else {"reasoningContent": {"redactedContent": b64decode(redacted)}}
