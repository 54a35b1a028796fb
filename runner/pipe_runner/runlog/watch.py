"""Shows a log while it grows: `pipe logs -f`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from pipe_runner.errors import StorageError
from pipe_runner.ports import Event
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.lines import MAX_LINE, BadLine, decode_line
from pipe_runner.runlog.reader import LogReader, intact_prefix, open_log, refuse_misshapen
from pipe_runner.types import EventKind

POLL: Final = 0.1
_PATIENCE: Final = 20
"""Looks at a line that stays unreadable before the log is read whole, to learn whether it is damaged."""


def follow(
    path: str,
    stop: Callable[[], bool],
    *,
    run: str | None = None,
    poll: float = POLL,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Yield the events of a log as they appear, from the first, until `stop()`; what is there then is still yielded.

    Raises LogDamaged for damage before the tail, StorageError where the log can't be read, or is no longer there before
    the run has ended. A torn tail is waited for: a resume may set it aside and go on. `run` is whose log it must be,
    where that is known.
    """
    return (event for event, _ in follow_lines(path, stop, run=run, poll=poll, sleep=sleep))


def follow_lines(
    path: str,
    stop: Callable[[], bool],
    *,
    run: str | None = None,
    poll: float = POLL,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Event, bytes]]:
    """The same, each event with its line, without the newline."""
    offset, seq, looks, over = 0, 1, 0, False
    try:
        with open_log(path) as file:
            while True:
                gone = not _names(path, file.fileno())
                stopping = stop() or gone
                readable = True
                for line in _lines(file.fileno(), offset, last=stopping):
                    try:
                        event = decode_line(line, run, seq)
                    except BadLine:
                        readable = False
                        break
                    refuse_misshapen(event, path, offset)
                    run, seq, offset, looks = event.run, seq + 1, offset + len(line) + 1, 0
                    over = event.event == EventKind.RUN_FINISHED
                    yield event, line
                if not readable:
                    looks += 1
                    if stopping or looks % _PATIENCE == 0:
                        for _ in LogReader(path, run):
                            pass
                if gone and not over:
                    raise StorageError(f"{path} was removed or moved before the run had ended")
                if stopping:
                    return
                sleep(poll)
    except OSError as error:
        raise storage_fault("read", path, error) from error


def _names(path: str, fd: int) -> bool:
    """Whether the path is still that of the open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _lines(fd: int, offset: int, *, last: bool) -> Iterator[bytes]:
    """Whole lines from `offset` on, without newlines; read anew each time, since a repair may have cut the file. With
    `last` also a record at the end that only lacks its newline."""
    size = 1 << 18
    while chunk := os.pread(fd, size, offset):
        *lines, rest = chunk.split(b"\n")
        yield from lines
        if (not lines and len(chunk) < size) or size > MAX_LINE:
            if last and (whole := intact_prefix(rest)):
                yield rest[:whole]
            return
        offset += len(chunk) - len(rest)
        size = size if lines else size * 2
