"""Tells the live view what a model says while it says it: masked, a few times a second, up to a bound."""

from __future__ import annotations

import asyncio
import codecs
from typing import Final

from pipe_runner.ports import Emit, Masker, StreamMasker
from pipe_runner.types import EventKind

EVERY: Final = 0.1
"""Seconds between two events of a node."""
TOLD: Final = 64 * 1024
"""Bytes of an attempt's output that become events."""


class _Due:
    """Those that have something to tell soon. All wait for the same time, so that one timer of the loop is enough."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.when: dict[Live, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, live: Live) -> None:
        self.when[live] = at = self.loop.time() + EVERY
        if self._timer is None:
            self._timer = self.loop.call_at(at, self._tell)

    def _tell(self) -> None:
        now, self._timer = self.loop.time(), None
        try:
            while self.when and next(iter(self.when.values())) <= now:
                next(iter(self.when)).tell()  # which takes it out
        finally:
            if self.when and self._timer is None:
                self._timer = self.loop.call_at(next(iter(self.when.values())), self._tell)


_due: _Due | None = None
"""Of the loop in which something was told last."""


def _due_in(loop: asyncio.AbstractEventLoop) -> _Due:
    global _due
    due = _due
    if due is None or due.loop is not loop:
        due = _due = _Due(loop)
    return due


class Live:
    """What one attempt's model says, each tenth of a second in which something arrived."""

    def __init__(self, emit: Emit, masker: Masker) -> None:
        self._emit, self._masker = emit, masker
        self._stream: StreamMasker | None = None
        """Of an answer that is not told all at once."""
        self._decoder: codecs.IncrementalDecoder | None = None
        """Of such a one, too."""
        self._waiting: list[str] = []
        self._room = TOLD
        self._cut = False
        """What came last was too long: it may end within a secret, so that nothing is told of what may be one."""
        self._due: _Due | None = None
        self._fault: Exception | None = None
        self._heard = False
        self._ends_line = True

    def piece(self, text: str) -> None:
        """Take a piece of text as it arrives."""
        if not text:
            return
        self._heard, self._ends_line = True, text.endswith("\n")
        if self._room <= 0 or self._cut:
            return
        self._cut = len(text) > self._room
        self._waiting.append(text[: self._room])
        if self._due is None:
            self._due = _due_in(asyncio.get_running_loop())
            self._due.add(self)

    def whole(self, text: str) -> None:
        """Take the end of an answer; its text is told now, if it did not come in pieces."""
        if not self._heard:
            self.piece(text)
        if not self._ends_line:
            self.piece("\n")
        self._heard = False

    def close(self) -> None:
        """Tell what is left. Raises what could not be written."""
        self.tell(last=True)
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Tell nothing more: the attempt has ended, by itself or not."""
        if self._due is not None:
            self._due.when.pop(self, None)
            self._due = None

    def tell(self, *, last: bool = False) -> None:
        """Tell what has come."""
        self.stop()
        data = "".join(self._waiting).encode("utf-8", "replace")
        self._waiting = []
        if last and self._stream is None and not self._cut:
            data = self._masker.mask_text(data.decode()).encode()
        else:
            self._stream = self._stream or self._masker.stream()
            data = self._stream.feed(data) + (self._stream.flush() if last and not self._cut else b"")
        data, self._room = data[: max(self._room, 0)], self._room - len(data)
        text = self._decoded(data, last)
        if text and self._fault is None:
            try:
                self._emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": text})
            except Exception as error:  # a log that can't be written ends the attempt, not a callback of the loop
                self._fault = error

    def _decoded(self, data: bytes, last: bool) -> str:
        if self._decoder is None:
            if last:
                return data.decode("utf-8", "replace")
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return self._decoder.decode(data, final=last)
