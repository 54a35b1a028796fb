"""Who works on a run: `flock`s on open files, which the system lets go when their holder ends, however it ends.

Two files, so that asking doesn't disturb: `run.lock` decides who may work and is only ever locked by those who want to;
`live.lock` is held beside it, and a reader that wants to know tries it for a moment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from pipe_runner import flags
from pipe_runner.errors import RunBusy
from pipe_runner.forks import let_go_in_children
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.rundir import RunDir

_PATIENCE: Final = 1.0
"""Seconds that a holder waits for readers to let go of `live.lock`; they hold it for microseconds."""


class RunLock:
    """The right to work on a run; held until `release`, or until the process ends."""

    def __init__(self, fds: tuple[int, ...]) -> None:
        self._fds = fds

    @classmethod
    def acquire(cls, rundir: RunDir) -> RunLock:
        """Take the run without waiting; raises RunBusy (whose, since when) or StorageError."""
        import fcntl  # here, since Windows has none and this module is imported there

        fds: list[int] = []
        try:
            fds.append(_open(rundir.lock_path))
            try:
                fcntl.flock(fds[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunBusy(_busy(rundir), hint=f"wait for it, or end it: `{rundir.command('cancel')}`") from None
            holder = f"{os.getpid()} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n".encode()
            os.ftruncate(fds[0], os.pwrite(fds[0], holder, 0))  # in this order a reader never finds it empty
            fds.append(_open(rundir.live_path))
            _lock_patiently(fds[1])
        except OSError as error:
            _close(fds)
            raise storage_fault("lock", error.filename or rundir.lock_path, error) from error
        except BaseException:
            _close(fds)
            raise
        lock = cls(tuple(fds))
        let_go_in_children(lock)
        return lock

    @staticmethod
    def held(rundir: RunDir) -> int | None:
        """The process that works on the run (0: nobody can tell which), or None. Never keeps another out."""
        import fcntl

        try:
            fd = os.open(rundir.live_path, flags.READ)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(rundir)[0]
        except OSError:
            return None
        finally:
            os.close(fd)
        return None

    def release(self) -> None:
        """Let the run go; again does nothing. Only closes: in a forked child that leaves the parent's lock alone."""
        fds, self._fds = self._fds, ()
        _close(reversed(fds))

    let_go = release

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def _open(path: str) -> int:
    return os.open(path, flags.LOCK, 0o666)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _lock_patiently(fd: int) -> None:
    import fcntl

    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return None  # a reader was stopped at the wrong moment; only what `held` says depends on it
        time.sleep(0.002)


def _holder(rundir: RunDir) -> tuple[int, str]:
    """Process id (0 if it can't be told) and since when."""
    try:
        with open(rundir.lock_path, encoding="ascii") as file:
            pid, since = file.read(200).split()
        return int(pid), since
    except (OSError, ValueError):
        return 0, ""


def _busy(rundir: RunDir) -> str:
    pid, since = _holder(rundir)
    by = f"process {pid}, since {since}" if pid else "another process"
    return f"run {rundir.id} is being worked on by {by}"
