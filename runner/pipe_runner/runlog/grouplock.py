"""Which run of a group runs now: a `flock` on a file of the state directory, gone with its holder however it ends."""

from __future__ import annotations

import fcntl
import json
import os
from hashlib import sha256
from typing import NamedTuple

from pipe_runner.forks import let_go_in_children
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.rundir import RUN_ID, RunDir

GROUPS = "groups"


class Holder(NamedTuple):
    """The run that has the group, and since when it wants it."""

    run: str
    since: str


class GroupLock:
    """The right of one run to be the one of its group that runs; held until `release`, or until the process ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def acquire(cls, rundir: RunDir, group: str, since: str) -> GroupLock | Holder | None:
        """Take the group without waiting; else who has it, None where that can't be told. Raises StorageError."""
        path = group_path(rundir, group)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(path, flags, 0o666)
        except OSError as error:
            raise storage_fault("open", error.filename or path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            text = json.dumps({"run": rundir.id, "since": since, "group": group[:200]}).encode()
            os.ftruncate(fd, os.pwrite(fd, text, 0))
        except BlockingIOError:
            holder = _read(fd)
            os.close(fd)
            return holder
        except OSError as error:
            os.close(fd)
            raise storage_fault("lock", path, error) from error
        lock = cls(fd)
        let_go_in_children(lock)
        return lock

    def release(self) -> None:
        """Let another run of the group begin; again does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    let_go = release


def group_path(rundir: RunDir, group: str) -> str:
    """The file that stands for a group among the runs of one state directory."""
    name = sha256(group.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return os.path.join(os.path.dirname(os.path.dirname(rundir.path)), GROUPS, name)


def _read(fd: int) -> Holder | None:
    try:
        data = json.loads(os.pread(fd, 4096, 0))
        run, since = data["run"], data["since"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(run, str) or not isinstance(since, str) or not RUN_ID.match(run):
        return None
    return Holder(run, since)
