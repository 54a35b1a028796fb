"""Takes what a process prints: masked first, then kept up to a limit, and told in events up to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipe_runner.ports import Emit, Masker, StreamMasker
from pipe_runner.types import EventKind, Json

if TYPE_CHECKING:
    from hashlib import _Hash

TOLD: Final = 64 * 1024
"""Bytes of an attempt's output that become `node.output` events, both streams together."""
TAIL: Final = 4096
"""Bytes of stderr that are kept: its last."""
PIECE: Final = 8192
"""Bytes from which an event doesn't wait for more."""


class Output:
    """The output of one attempt. Raises what `emit` raises, from every call."""

    __slots__ = ("_emit", "_head", "_room", "_tail", "masker", "stderr", "stdout")

    def __init__(self, emit: Emit, masker: Masker, limit: int) -> None:
        self._emit = emit
        self.masker = masker
        self._room = TOLD
        self._head, self._tail = Head(limit), Tail()
        self.stdout = Stream("stdout", self._head)
        self.stderr = Stream("stderr", self._tail)

    def take(self, stream: Stream, data: bytes) -> bool:
        """Take what was read; True when an event waits for `tell`."""
        if stream.masker is None:
            stream.masker = self.masker.stream()
        masked = stream.masker.feed(data)
        if not masked:
            return False
        stream.kept.keep(masked)
        if self._room <= 0:
            return False
        stream.waiting += masked[: max(0, self._room + 4 - len(stream.waiting))]
        if len(stream.waiting) >= PIECE:
            self.tell(stream)
        return bool(stream.waiting)

    def tell(self, stream: Stream) -> None:
        """Write an event of what waits: whole lines where there are any, else whole characters."""
        waiting = stream.waiting
        if not waiting:
            return
        self._write(stream, waiting.rfind(b"\n") + 1 or len(waiting) - _cut(waiting))

    def end(self, stream: Stream) -> None:
        """Take the end of a stream: what the masker held back, and what waited."""
        if stream.masker is not None:
            rest = stream.masker.flush()
            stream.masker = None
            if rest:
                stream.kept.keep(rest)
                if self._room > 0:
                    stream.waiting += rest
            self._write(stream, len(stream.waiting))

    def result(self) -> tuple[bytes, dict[str, Json] | None, bytes]:
        """The kept stdout, size and digest of the whole where it was cut, and the end of stderr."""
        return self._head.value(), self._head.truncated(), self._tail.data

    def _write(self, stream: Stream, end: int) -> None:
        if end > self._room:
            end = self._room - _cut(stream.waiting[: self._room])
            self._room = 0
        if end > 0:
            text = stream.waiting[:end].decode("utf-8", "replace")
            self._room -= end
            self._emit(EventKind.NODE_OUTPUT, {"stream": stream.name, "text": text})
        if self._room <= 0:
            stream.waiting = b""
        else:
            stream.waiting = stream.waiting[end:]


class Stream:
    """What came over one of the two pipes so far. `waiting` is masked and not told yet."""

    __slots__ = ("kept", "masker", "name", "waiting", "wide")

    def __init__(self, name: str, kept: Head | Tail) -> None:
        self.name = name
        self.kept = kept
        self.masker: StreamMasker | None = None
        self.waiting = b""
        self.wide = False
        """Its pipe was made wide."""


class Tail:
    """Keeps the last `TAIL` bytes."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = b""

    def keep(self, data: bytes) -> None:
        self.data = (self.data + data[-TAIL:])[-TAIL:]


class Head:
    """Keeps the first `limit` bytes; counts and digests the whole only once it is longer."""

    __slots__ = ("_data", "_digest", "_limit", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._data: bytes | bytearray = b""
        self._digest: _Hash | None = None

    def keep(self, data: bytes) -> None:
        room = self._limit - self._size
        self._size += len(data)
        if self._digest is not None:
            self._digest.update(data)
            return
        if len(data) > room:
            from hashlib import sha256

            self._digest = sha256(self._data)
            self._digest.update(data)
            data = data[:room]
        if not self._data:
            self._data = data
        elif isinstance(self._data, bytearray):
            self._data += data
        else:
            self._data = bytearray(self._data) + data

    def value(self) -> bytes:
        """What was kept; to be taken once, at the end."""
        data, self._data = bytes(self._data), b""
        return data

    def truncated(self) -> dict[str, Json] | None:
        """Size and digest of the whole where it is longer than what was kept."""
        if self._digest is None:
            return None
        return {"bytes": self._size, "sha256": self._digest.hexdigest()}


def _cut(data: bytes) -> int:
    """Bytes at the end that begin a UTF-8 character and are not the whole of it."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            return back if back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else 0
    return 0
