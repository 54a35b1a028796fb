"""Reads messages from a log, while it grows or afterwards. What is read is where the reader stands; nothing is kept."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from pipe_runner.errors import StorageError
from pipe_runner.messages import Message
from pipe_runner.ports import Event
from pipe_runner.runlog import RunDir, read_blob
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.lines import MAX_LINE, BadLine, decode_line
from pipe_runner.runlog.reader import open_log
from pipe_runner.types import EventKind

_SEQ: Final = re.compile(rb'\{"v":1,"seq":([0-9]+),')
_EVENT: Final = f'"event":"{EventKind.MESSAGE_PUBLISHED}"'.encode()
_HEAD: Final = 300
"""Bytes of a line in which its event stands: behind number, time and run."""
_AT_ONCE: Final = 256 * 1024
"""Bytes of the log that are looked at before others get their turn."""
_MOST: Final = 200
"""Messages that are given at once."""
_TOGETHER: Final = 16 * 2**20
"""Bytes of messages that a history gives."""


class Cursor:
    """A place in a log. `read` gives the messages behind it, and moves it."""

    def __init__(self, path: str, rundir: RunDir, matches: re.Pattern[str], since: int) -> None:
        self._path, self._rundir, self._matches, self._since = path, rundir, matches, since
        self._file: BinaryIO | None = None
        self._at = 0
        self.seq = 0
        """The number of the last event that it has passed."""

    def read(self, until: int) -> list[Message]:
        """The next messages up to the event with this number: a few of them, or none, though there may be more as long
        as `seq` is below it. Raises StorageError."""
        found: list[Message] = []
        try:
            if self._file is None:
                self._file = open_log(self._path)
            file, began, held = self._file, self._at, 0
            while self.seq < until and self._at - began < _AT_ONCE and len(found) < _MOST and held < _AT_ONCE:
                line = file.readline(MAX_LINE + 1)
                number = _SEQ.match(line) if line.endswith(b"\n") else None
                seq = 0 if number is None else int(number[1])
                if not seq or seq > until:
                    file.seek(self._at)
                    if not seq and self._at == began:
                        raise StorageError(f"{self._path}: at byte {self._at} stands no event, and {until} are known")
                    break
                self._at += len(line)
                self.seq = seq
                if seq > self._since and _tells_message(line):
                    event = _decoded(line, self._path, self._at - len(line), self._rundir)
                    if self._matches.match(str(event.data.get("topic"))):
                        found.append(message_of(event, self._rundir))
                        held += _size(event, len(line))
        except OSError as error:
            raise storage_fault("read", self._path, error) from error
        return found

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def message_of(event: Event, rundir: RunDir) -> Message:
    """The message that an event tells of, read from its blob where it is large; raises StorageError."""
    data: Mapping[str, Any] = event.data
    ref = data.get("message_ref")
    body = data.get("message") if ref is None else read_blob(rundir, ref)
    return Message(event.seq, event.ts, str(data.get("topic")), event.node, body, event.attempt)


def last_messages(path: str, rundir: RunDir, matches: re.Pattern[str], until: int, limit: int) -> list[Message]:
    """The last ones up to an event, oldest first; the oldest are left out where all are more than 16 MiB. Raises
    StorageError."""
    places: deque[tuple[int, int]] = deque(maxlen=limit)
    found: deque[Message] = deque()
    try:
        with open_log(path) as file:
            at = 0
            while (line := file.readline(MAX_LINE + 1)).endswith(b"\n"):
                number = _SEQ.match(line)
                if number is None or int(number[1]) > until:
                    break
                if _tells_message(line) and matches.match(str(_decoded(line, path, at, rundir).data.get("topic"))):
                    places.append((at, len(line)))
                at += len(line)
            room = _TOGETHER
            for at, length in reversed(places):
                file.seek(at)
                event = _decoded(file.read(length), path, at, rundir)
                room -= _size(event, length)
                if room < 0 and found:
                    break
                found.appendleft(message_of(event, rundir))
    except OSError as error:
        raise storage_fault("read", path, error) from error
    return list(found)


def _tells_message(line: bytes) -> bool:
    """Whether it is the event of one; what stands before the event's name holds no quotes, so the first is that."""
    return line.startswith(_EVENT, line.find(b'"event":', 0, _HEAD))


def _decoded(line: bytes, path: str, at: int, rundir: RunDir) -> Event:
    try:
        return decode_line(line.removesuffix(b"\n"), rundir.id)
    except BadLine as bad:
        raise StorageError(f"{path}: the line at byte {at} is damaged: {bad.why}") from None


def _size(event: Event, length: int) -> int:
    ref = event.data.get("message_ref")
    return length if ref is None else int(ref["bytes"])
