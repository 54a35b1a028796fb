"""Makes a log fit to be appended to: sets the torn tail aside, ends the log with a whole line, makes it all durable.

Only who holds the run's lock may do this. Ended at any instant, it can be done again; done twice, it changes nothing.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final, NamedTuple

from pipe_runner.run import Run
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.reader import LogReader, fold_into
from pipe_runner.runlog.rundir import RunDir
from pipe_runner.sync import sync_directory, sync_file

_CHUNK: Final = 1 << 20


class Repaired(NamedTuple):
    """What a log is after its repair: bytes, the seq of the next event, bytes moved to `log.torn`, the run it tells."""

    length: int
    next_seq: int
    moved: int
    run: Run


def repair(rundir: RunDir) -> Repaired:
    """Repair the log of a run; raises LogDamaged (and changes nothing) for damage before the tail, or StorageError."""
    from pipe_runner.workspaces import KEPT  # an event loop comes with it, for which most commands have no use

    path = rundir.log_path
    reader = LogReader(path, rundir.id)
    run = fold_into(Run(), reader)
    length = reader.good_bytes
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            moved = os.fstat(fd).st_size - length
            if moved:
                _set_aside(fd, length, rundir.torn_path)
                os.ftruncate(fd, length)
            if reader.unterminated:
                os.pwrite(fd, b"\n", length)
                length += 1
            _write_again(fd, length)
            os.fsync(fd)
        finally:
            os.close(fd)
        for directory in rundir.above:  # whoever made them may have been killed before it did this
            sync_directory(directory)
        for folder in (rundir.blobs, os.path.join(rundir.path, KEPT)):
            _remove_unfinished(folder)
    except OSError as error:
        raise storage_fault("repair", error.filename or path, error) from error
    return Repaired(length, reader.next_seq, moved, run)


def _write_again(fd: int, length: int) -> None:
    """Write what is there over itself: after a failed sync the system may hold pages for written that are not, and a
    later sync that succeeds says nothing of them."""
    at = 0
    while at < length:
        chunk = os.pread(fd, min(_CHUNK, length - at), at)
        if not chunk:
            return
        at += os.pwrite(fd, chunk, at)


def _set_aside(log: int, start: int, torn_path: str) -> None:
    """Append the tail to `log.torn`, unless an earlier repair got as far as that."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    torn = os.open(torn_path, flags, 0o666)
    try:
        if not _ends_with(torn, log, start):
            at = start
            while chunk := os.pread(log, _CHUNK, at):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(torn, view) :]
                at += len(chunk)
            sync_file(torn)
    finally:
        os.close(torn)


def _ends_with(torn: int, log: int, start: int) -> bool:
    at = os.fstat(torn).st_size - (os.fstat(log).st_size - start)
    if at < 0:
        return False
    while chunk := os.pread(log, _CHUNK, start):
        if os.pread(torn, len(chunk), at) != chunk:
            return False
        start += len(chunk)
        at += len(chunk)
    return True


def _remove_unfinished(folder: str) -> None:
    """Remove the files that a killed writer had begun; nobody else writes while we hold the lock."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name.endswith(".part"):
                os.unlink(os.path.join(folder, name))
