"""Writes the log: one unbuffered write for an event, one fdatasync for all that was written before it.

After a failed write or fdatasync the writer stays failed: the kernel forgets what it could not write, so a second
fdatasync that succeeds proves nothing.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from pipe_runner import companions
from pipe_runner.errors import StorageError
from pipe_runner.forks import let_go_in_children
from pipe_runner.ports import Committed, Event
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.lines import Heads, encode_line
from pipe_runner.sync import sync_directory, sync_file
from pipe_runner.types import Durability

if TYPE_CHECKING:
    from pipe_runner.runlog.mend import Repaired
    from pipe_runner.runlog.rundir import RunDir
    from pipe_runner.runlog.syncer import Syncer

_OFTEN: Final = 8
_WITHIN: Final = 1.0
"""So many commits beside the loop in so many seconds are worth a process."""


class LogWriter:
    """The Journal on disk. `append` is for one thread; `commit` and `put_blob` may be called from others beside it."""

    def __init__(self, rundir: RunDir, fd: int, durability: Durability, next_seq: int, length: int = 0) -> None:
        self._rundir = rundir
        self._path = rundir.log_path
        self._run = rundir.id
        self._fd = fd
        self._durable = durability is Durability.FULL
        self._next_seq = next_seq
        self._length = length
        """Bytes of the file, as long as nobody else changes it."""
        self._heads: Heads = {}
        self._synced = next_seq
        """The number of the first event that is not durable yet."""
        self._fresh: tuple[str, ...] = rundir.fresh or (rundir.path,)
        self._commit_lock = threading.Lock()
        self._syncer: Syncer | None = None
        self._asked: deque[float] | None = deque(maxlen=_OFTEN)
        """When commits beside the loop were last asked for; None: no process can be started for them."""
        self._failed: StorageError | None = None
        self._blobs: set[str] = set()
        let_go_in_children(self)

    @classmethod
    def create(cls, rundir: RunDir, durability: Durability) -> LogWriter:
        """Start the log of a new run; raises StorageError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(rundir.log_path, flags, 0o666)
        except OSError as error:
            raise storage_fault("create", rundir.log_path, error) from error
        return cls(rundir, fd, durability, 1)

    @classmethod
    def append_to(cls, rundir: RunDir, durability: Durability, tail: Repaired) -> LogWriter:
        """Go on with a log that `repair` has seen; raises StorageError, also if it has changed since."""
        path = rundir.log_path
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
            found = os.fstat(fd)
        except OSError as error:
            raise storage_fault("open", path, error) from error
        if not stat.S_ISREG(found.st_mode) or found.st_size != tail.length:
            os.close(fd)
            raise StorageError(
                f"{path} has changed while it was being opened: {found.st_size} bytes, not {tail.length}"
            )
        return cls(rundir, fd, durability, tail.next_seq, tail.length)

    def append(self, event: Event) -> None:
        """Write one event; raises StorageError."""
        seq = event[0]
        if seq != self._next_seq or event[2] != self._run:
            raise self._out_of_order(event)
        line = encode_line(event, self._heads)
        if self._failed is not None:
            self._check()
        try:
            done = os.write(self._fd, line)
        except OSError as error:
            raise self._fail("write", error) from error
        if done != len(line):
            self._write_rest(memoryview(line)[done:])
        self._next_seq = seq + 1
        self._length += len(line)

    def commit(self) -> None:
        """Make what was appended before the call durable, also for the power; raises StorageError.

        Calls from several threads share one fdatasync where they can; none returns before its events are safe.
        """
        self._check()
        target = self._next_seq
        if self._safe(target):
            return
        with self._commit_lock:
            self._check()
            if self._safe(target):  # another thread's fdatasync came after our events
                return
            goal = self._next_seq
            try:
                sync_file(self._fd)
                while self._fresh:  # the entries of a new run in its directories, once
                    sync_directory(self._fresh[0])
                    self._fresh = self._fresh[1:]
            except OSError as error:
                raise self._fail("make durable", error) from error
            self._synced = max(self._synced, goal)

    def commit_beside(self, then: Committed) -> bool:
        """The same in a process beside the loop, whose thread this is; False: there is none, `commit` is to do it.

        `then` is called in the loop, never before this returns. Who asks often gets a process.
        """
        if not self._durable or self._fresh or self._failed is not None:
            return False
        if self._syncer is not None:
            return self._syncer.sync(partial(self._committed, self._next_seq, then))
        asked, now = self._asked, monotonic()
        if asked is None:
            return False
        asked.append(now)
        if len(asked) == _OFTEN and now - asked[0] < _WITHIN:
            self._start_syncer()
        return False

    def put_blob(self, data: bytes) -> str:
        """Keep a large output; its sha256. With durability `full` it is durable when this returns."""
        from pipe_runner.runlog.blobs import write_blob

        self._check()
        try:
            return write_blob(self._rundir.blobs, data, durable=self._durable, known=self._blobs)
        except StorageError as error:
            self._failed = error
            raise

    def check(self) -> None:
        """Raise StorageError where somebody has removed or changed the log: nobody can go on from what it tells then.
        Not while `append` is at work."""
        self._check()
        try:
            found = os.fstat(self._fd)
        except OSError as error:
            raise self._fail("look at", error) from error
        if found.st_nlink == 0:
            self._failed = StorageError(
                f"{self._path} was removed while the run went on, and with it what the run has done",
                hint="keep what cleans the project away from it (`git clean -e .pipe`), and start the run again with "
                "`pipe run`",
            )
            self._check()
        if found.st_size != self._length:
            self._failed = StorageError(
                f"{self._path} was changed by somebody else while the run went on: it has {found.st_size} bytes, not "
                f"the {self._length} that were written",
                hint="keep what rotates or edits logs away from it; only who runs the pipeline may write there",
            )
            self._check()

    def close(self) -> None:
        """Close the file; again does nothing. What must be durable has been committed before."""
        syncer, self._syncer = self._syncer, None
        if syncer is not None:
            syncer.close()
        self.let_go()

    def let_go(self) -> None:
        """Close the file alone; in a forked child, too."""
        self._asked = None
        fd, self._fd = self._fd, -1
        if fd >= 0:
            if self._failed is None:
                self._failed = StorageError(f"cannot write {self._path}: the log is closed")
            try:
                os.close(fd)
            except OSError as error:
                raise storage_fault("close", self._path, error) from error

    def _start_syncer(self) -> None:
        import asyncio

        from pipe_runner.runlog.syncer import Syncer

        self._asked = None
        if companions.possible():
            with suppress(OSError):  # the system has no room for one
                self._syncer = Syncer(self._path, self._fd, asyncio.get_running_loop())

    def _committed(self, goal: int, then: Committed, took: float, error: int | None) -> None:
        if error is None:
            self._syncer = None  # it is gone
            then(None, None)
        elif error:
            then(took, self._fail("make durable", OSError(error, os.strerror(error))))
        elif self._failed is not None:  # while this was under way: that it works now proves nothing
            then(took, self._failed)
        else:
            self._synced = max(self._synced, goal)
            then(took, None)

    def _write_rest(self, view: memoryview) -> None:
        try:
            while view:
                done = os.write(self._fd, view)
                if done == 0:
                    raise OSError(0, "the system wrote nothing and gave no reason")
                view = view[done:]
        except OSError as error:
            raise self._fail("write", error) from error

    def _fail(self, doing: str, error: OSError) -> StorageError:
        self._failed = storage_fault(doing, self._path, error)
        return self._failed

    def _safe(self, seq: int) -> bool:
        return not self._durable or self._synced >= seq

    def _check(self) -> None:
        if self._failed is not None:
            raise StorageError(self._failed.message, hint=self._failed.hint)

    def _out_of_order(self, event: Event) -> ValueError:
        self._check()  # after a failure nothing else is worth saying
        return ValueError(
            f"event {event.seq} of run {event.run!r} can't follow: {self._next_seq} of {self._run!r} is next"
        )
