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
LONGEST_MESSAGE: Final = 4096
"""Characters of an error's sentence that are kept."""
PIECE: Final = 8192
"""Bytes from which an event doesn't wait for more."""


class Output:
    """The output of one attempt. Raises what `emit` raises, from every call."""

    __slots__ = ("_emit", "_limit", "_room", "_streams", "masker")

    def __init__(self, emit: Emit, masker: Masker, limit: int) -> None:
        self._emit = emit
        self._limit = limit
        self._room = TOLD
        self._streams: dict[str, Stream] = {}
        self.masker = masker

    def take(self, name: str, data: bytes) -> None:
        """Take what was read of `stdout` or `stderr`."""
        stream = self._streams.get(name)
        if stream is None:
            kept = Head(self._limit) if name == "stdout" else Tail()
            stream = self._streams[name] = Stream(name, self.masker.stream(), kept)
        masked = stream.masker.feed(data)
        if not masked:
            return
        stream.kept.keep(masked)
        if self._room <= 0:
            return
        stream.waiting += masked[: max(0, self._room + 4 - len(stream.waiting))]
        if len(stream.waiting) >= PIECE:
            self._tell(stream)

    @property
    def nothing(self) -> bool:
        """Nothing was printed so far."""
        return not self._streams

    def waits(self) -> bool:
        """Whether there is something for `tell`."""
        return any(stream.waiting for stream in self._streams.values())

    def tell(self) -> bool:
        """Write events of what waits: whole lines where there are any, else whole characters.

        True when there is more: the beginning of a line, for which the next call doesn't wait any longer.
        """
        more = False
        for stream in self._streams.values():
            if stream.waiting:
                self._tell(stream)
                more = more or len(stream.waiting) > _cut(stream.waiting)
        return more

    def end(self, name: str) -> None:
        """Take the end of a stream: what the masker held back, and what waited."""
        stream = self._streams.get(name)
        if stream is None or stream.ended:
            return
        stream.ended = True
        rest = stream.masker.flush()
        if rest:
            stream.kept.keep(rest)
            if self._room > 0:
                stream.waiting += rest
        self._write(stream, len(stream.waiting))

    def result(self) -> tuple[bytes, dict[str, Json] | None, bytes]:
        """The kept stdout, size and digest of the whole where it was cut, and the end of stderr."""
        if not self._streams:
            return b"", None, b""
        out, err = self._streams.get("stdout"), self._streams.get("stderr")
        tail = err.kept.value() if err is not None else b""
        if out is None:
            return b"", None, tail
        return out.kept.value(), out.kept.truncated(), tail

    def _tell(self, stream: Stream) -> None:
        waiting = stream.waiting
        self._write(stream, waiting.rfind(b"\n") + 1 or len(waiting) - _cut(waiting))

    def _write(self, stream: Stream, end: int) -> None:
        last = end > self._room
        if last:
            end = self._room - _cut(stream.waiting[: self._room])
        if end > 0:
            text, size = stream.waiting[:end].decode("utf-8", "replace"), end
            if "\ufffd" in text:  # which takes more bytes than what it may stand for
                whole = text.encode()
                text, size = whole[: self._room].decode("utf-8", "ignore"), len(whole)
            self._room -= size
            if text:
                self._emit(EventKind.NODE_OUTPUT, {"stream": stream.name, "text": text})
        if last:
            self._room = 0
        if self._room <= 0:
            stream.waiting = b""
        else:
            stream.waiting = stream.waiting[end:]


class Stream:
    """What came over one of the two pipes so far. `waiting` is masked and not told yet."""

    __slots__ = ("ended", "kept", "masker", "name", "waiting")

    def __init__(self, name: str, masker: StreamMasker, kept: Head | Tail) -> None:
        self.name = name
        self.masker = masker
        self.kept = kept
        self.waiting = b""
        self.ended = False


class Tail:
    """Keeps the last `TAIL` bytes."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def keep(self, data: bytes) -> None:
        self._data = (self._data + data[-TAIL:])[-TAIL:]

    def value(self) -> bytes:
        return self._data

    def truncated(self) -> None:
        """Nobody asks for the rest of it."""


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
