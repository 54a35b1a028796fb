"""Reads a log from its first byte to the last one that can be trusted; never changes it, needs no lock.

A crash can leave a torn tail: half a line, zeros, stale bytes of the disk. What can't be read and is followed by no
readable line is such a tail. Unreadable bytes *before* a readable line can't come from a crash of the writer: they are
damage, and nothing behind them is believed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, Protocol, TypeVar

from pipe_runner import flags
from pipe_runner.errors import LogDamaged, StorageError
from pipe_runner.ports import Event
from pipe_runner.run import Run
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.lines import CRC_LENGTH, MAX_LINE, BadLine, checksum_ok, decode_line
from pipe_runner.types import EventKind

_FORM: Final = re.compile(rb'\{"v":[0-9]+,"seq":[0-9]+,.*,"crc":"[0-9a-f]{8}"\}\r?\Z', re.DOTALL)
_ASKED: Final = {"path", "root", "inputs", "nodes"}
_BEGINNING: Final = "the log doesn't begin with a run.started"
_OF_NODES: Final = frozenset(kind for kind in EventKind if kind.startswith("node."))
_END: Final = 1 << 17
"""Bytes in which the last line of a log is looked for."""
_LINES_IN_ONE: Final = 64
"""How many places of an unreadable line are tried as the start of a readable one."""


class LogContents(NamedTuple):
    """A log that was read whole. `torn` is the byte offset of its torn tail, None if it has none."""

    events: list[Event]
    good_bytes: int
    torn: int | None
    next_seq: int


class LogReader:
    """Iterates over the events of a log, once; the attributes are true of what has been read so far.

    Raises LogDamaged where the log is damaged before its tail, StorageError where it can't be read.
    """

    def __init__(self, path: str, run: str | None = None) -> None:
        self.path = path
        self.run = run
        """The run that every line must belong to; if it isn't given, the first line says it."""
        self.good_bytes = 0
        """Bytes up to the end of the last record that validated, its newline included if it is there."""
        self.at = 0
        """Byte offset at which the last record that validated begins."""
        self.next_seq = 1
        self.torn: int | None = None
        """Byte offset of the torn tail, once it has been met."""
        self.unterminated = False
        """The last record is whole, but its newline is missing."""

    def __iter__(self) -> Iterator[Event]:
        try:
            with open_log(self.path) as file:
                while line := file.readline(MAX_LINE + 1):
                    event = self._next(line, file)
                    if event is None:
                        return
                    yield event
        except OSError as error:
            raise storage_fault("read", self.path, error) from error

    def _next(self, line: bytes, file: BinaryIO) -> Event | None:
        whole = line.endswith(b"\n")
        text = line[:-1] if whole else line
        try:
            event = decode_line(text, self.run, self.next_seq)
        except BadLine as bad:
            if bad.checksum_ok:
                raise LogDamaged(self.path, self.good_bytes, self.next_seq, bad.why) from None
            found = intact_prefix(text)
            if found:  # a record, then garbage where its newline should be
                event = self._decode(text[:found])
                self._accept(event, found)
                self.unterminated = True
                text = text[found:]
            if readable_behind(text, file):
                raise LogDamaged(self.path, self.good_bytes, self.next_seq, bad.why) from None
            self.torn = self.good_bytes
            return event if found else None
        self._accept(event, len(line))
        self.unterminated = not whole
        return event

    def _decode(self, text: bytes) -> Event:
        try:
            return decode_line(text, self.run, self.next_seq)
        except BadLine as bad:
            raise LogDamaged(self.path, self.good_bytes, self.next_seq, bad.why) from None

    def _accept(self, event: Event, length: int) -> None:
        self.at = self.good_bytes
        self.good_bytes += length
        self.next_seq += 1
        if self.run is None:
            self.run = event.run


def read_log(path: str, run: str | None = None) -> LogContents:
    """All events of a log; raises LogDamaged for damage before the tail, StorageError where it can't be read."""
    reader = LogReader(path, run)
    events = list(reader)
    return LogContents(events, reader.good_bytes, reader.torn, reader.next_seq)


def fold_log(path: str, run: str | None = None) -> Run:
    """The run that a log tells of; raises as `read_log` does."""
    return fold_into(Run(), LogReader(path, run))


def opening_of(path: str, run: str) -> Event | None:
    """The first event of a log, which says what was asked for; None where a crash left no whole line.

    Raises LogDamaged where it is another event, or lacks something, and StorageError.
    """
    reader = LogReader(path, run)
    opening = next(iter(reader), None)
    if opening is not None:
        apply_to(Run(), opening, reader)
        if not opening.data.keys() >= _ASKED:
            raise LogDamaged(path, 0, 1, f"{_BEGINNING} that says what was asked for")
    return opening


def last_event(path: str, run: str) -> Event | None:
    """The last event of a log that ends with a whole line; None where it doesn't, or that is a long one."""
    try:
        with open_log(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END))
            *_, line, rest = [b"", b"", *file.read().split(b"\n")]
        return decode_line(line, run) if line and not rest else None
    except (OSError, StorageError, BadLine):
        return None


class Folds(Protocol):
    """What takes events in, one by one; raises KeyError, ValueError, TypeError or AttributeError for one it can't."""

    def apply(self, event: Event) -> None: ...


Folded = TypeVar("Folded", bound=Folds)


def fold_into(run: Folded, reader: LogReader) -> Folded:
    """Fold all that a reader gives into `run`, and give it back; an event that can't be folded counts as damage."""
    for event in reader:
        apply_to(run, event, reader)
    return run


def apply_to(run: Folds, event: Event, reader: LogReader) -> None:
    """Fold one event in that a reader gave; raises LogDamaged."""
    refuse_misshapen(event, reader.path, reader.at)
    try:
        run.apply(event)
    except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        why = f"{event.event} does not hold what it must ({type(error).__name__}: {error})"
        raise LogDamaged(reader.path, reader.at, event.seq, why) from None


def refuse_misshapen(event: Event, path: str, at: int) -> None:
    """Raises LogDamaged for a first event that starts no run, one of no node, and one with a field that isn't what it
    has to be; `at` is where its line begins."""
    if event.seq == 1 and event.event != EventKind.RUN_STARTED:
        raise LogDamaged(path, at, 1, _BEGINNING)
    if event.node is None and event.event in _OF_NODES:
        raise LogDamaged(path, at, event.seq, f"{event.event} does not hold what it must (it names no node)")
    from pipe_runner.runlog.shapes import check_shape  # a run that begins reads no log

    try:
        check_shape(event.event, event.data)
    except TypeError as error:
        raise LogDamaged(path, at, event.seq, f"{event.event} does not hold what it must ({error})") from None


def open_log(path: str) -> BinaryIO:
    """Open for reading, never through a link, never anything but a regular file; raises OSError or StorageError."""
    fd = os.open(path, flags.READ)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise StorageError(f"cannot read {path}: it is no regular file")
    return open(fd, "rb", buffering=1 << 18)


def intact_prefix(text: bytes) -> int:
    """Length of the intact record that unreadable bytes begin with; 0 if they begin with none."""
    at = text.find(b',"crc":"')
    tries = 0
    while at >= 0 and tries < _LINES_IN_ONE:
        end = at + CRC_LENGTH
        if checksum_ok(text[:end]):
            return end
        at = text.find(b',"crc":"', at + 1)
        tries += 1
    return 0


def readable_behind(text: bytes, file: BinaryIO) -> bool:
    """True when a record with a right crc ends the unreadable line `text`, or stands anywhere after it in the file.

    Or when a second line from here on is whole in form although its crc is wrong: what is torn leaves one such line at
    most, so somebody has changed them (line ends of another system, say).
    """
    whole_in_form = 0
    while True:
        if _FORM.match(text):
            whole_in_form += 1
            if whole_in_form > 1:
                return True
        if text[-CRC_LENGTH:].startswith(b',"crc":"'):
            at, tries = len(text), 0
            while (at := text.rfind(b'{"v":', 0, at)) >= 0 and tries < _LINES_IN_ONE:
                if checksum_ok(text[at:]):
                    return True
                tries += 1
        line = file.readline(MAX_LINE + 1)
        if not line:
            return False
        text = line.removesuffix(b"\n")
