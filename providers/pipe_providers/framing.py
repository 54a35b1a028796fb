"""Cuts what a service streams into its parts, however the bytes arrive: lines of JSON, or server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

DONE: Final = b"[DONE]"
"""The last event of a stream of OpenAI's."""


_BOM: Final = b"\xef\xbb\xbf"
_DECODER: Final[Any] = json.JSONDecoder()
_decode, _scan = _DECODER.decode, _DECODER.scan_once


class Lines:
    """Lines of a stream of bytes. Linear in what is fed, also where it comes byte by byte."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self.held = 0
        """Bytes of the line that has begun."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that have ended with these bytes, without their ends."""
        first, *others = data.split(b"\n")
        self._begun.append(first)
        self.held += len(first)
        if not others:
            return []
        lines = [b"".join(self._begun), *others]
        self._begun = [lines.pop()]
        self.held = len(self._begun[0])
        returns = b"\r" in data or lines[0].endswith(b"\r")
        return [line.removesuffix(b"\r") for line in lines] if returns else lines

    def rest(self) -> bytes:
        """A last line that had no end."""
        rest, self._begun, self.held = b"".join(self._begun), [], 0
        return rest.removesuffix(b"\r")


def loaded(data: bytes) -> Any:
    """A value of JSON; bytes that are no UTF-8 become U+FFFD, as events have it. Raises ValueError, RecursionError."""
    if data.startswith(b"{"):  # without looking for white space around it, which takes longer than a small value
        text = data.decode("utf-8", "replace")
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            end = -1
        if end == len(text):
            return value
        return _decode(text)
    return _decode(data.removeprefix(_BOM).decode("utf-8", "replace"))


def is_cut(last: bytes) -> bool:
    """Whether the connection ended within this line, which nothing ended."""
    if last.lstrip()[:1] != b"{":
        return b"" < last < DONE and DONE.startswith(last)
    try:
        loaded(last)
    except ValueError:
        return True
    except RecursionError:
        pass
    return False


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    data: bytes


class Events:
    """Server-sent events of a stream of bytes; comments, ids and retry times are nothing to us."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._returned = False
        """The last byte was a return, which has ended its line, whether a newline follows or not."""
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    @property
    def held(self) -> int:
        """Bytes of the event that has begun."""
        return self._lines.held + self._size

    def feed(self, data: bytes) -> list[Event]:
        """The events that have ended with these bytes."""
        if self._returned and data:
            self._returned, data = False, data.removeprefix(b"\n")
        if b"\r" in data:
            self._returned = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return self._take(self._lines.feed(data))

    def rest(self) -> list[Event]:
        """What the stream ended with: some services leave out the last blank line."""
        return self._take((self._lines.rest(), b""))

    def _take(self, lines: Iterable[bytes]) -> list[Event]:
        """The events that end with these lines."""
        events: list[Event] = []
        for line in lines:
            if not line:
                if data := self._data:
                    events.append(Event(self._name, data[0] if len(data) == 1 else b"\n".join(data)))
                self._name, self._data, self._size = "", [], 0
                continue
            if line.startswith(b"data: "):  # as nearly all do
                self._data.append(line[6:])
                self._size += len(line) - 6
                continue
            field, _, value = line.removeprefix(_BOM).partition(b":")
            value = value.removeprefix(b" ")
            if field == b"error":  # llama.cpp's, up to 2025
                self._name = "error"
            if field == b"data" or field == b"error":
                self._data.append(value)
                self._size += len(value)
            elif field == b"event":
                self._name = value.decode("utf-8", "replace")
        return events
