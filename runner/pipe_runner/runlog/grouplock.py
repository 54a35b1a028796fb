"""Which run of a group runs now: a `flock` on a file of the state directory, gone with its holder however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from pipe_runner import flags
from pipe_runner.forks import let_go_in_children
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.rundir import RUN_ID, RunDir

GROUPS = "groups"


_TURN: Final = re.compile(rb"([0-9]{18}) ([0-9]{18})\n")


class Holder(NamedTuple):
    """The run that has the group, and its turn."""

    run: str
    turn: int


class Turns:
    """In which order runs came to want a group. No clock says it: that may be set back."""

    def __init__(self, path: str, turn: int) -> None:
        self._path = path
        self.turn = turn

    @classmethod
    def take(cls, rundir: RunDir, group: str, *, cancel: bool) -> Turns | None:
        """The next turn; `cancel`: those who have an earlier one and wait shall not go on. None while another run takes
        one. Raises StorageError."""
        path = f"{group_path(rundir, group)}.turns"
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            turn, cancelled = _turns(fd)
            turn += 1
            os.pwrite(fd, b"%018d %018d\n" % (turn, turn if cancel else cancelled), 0)
        except BlockingIOError:
            return None
        except OSError as error:
            raise storage_fault("lock", path, error) from error
        finally:
            os.close(fd)
        return cls(path, turn)

    def passed(self) -> bool:
        """Whether a run that came later cancels this one. Raises StorageError."""
        fd = _open(self._path)
        try:
            return _turns(fd)[1] > self.turn
        except OSError as error:
            raise storage_fault("read", self._path, error) from error
        finally:
            os.close(fd)


class GroupLock:
    """The right of one run to be the one of its group that runs; held until `release`, or until the process ends.

    The file names the run that has it, or had it when its process was killed; `release` takes the name out."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def acquire(
        cls, rundir: RunDir, group: str, turn: int, gone: Callable[[str], bool] = lambda run: True
    ) -> GroupLock | Holder | None:
        """Take the group without waiting; else who has it, None where that can't be told. Raises StorageError.

        `gone`: whether nothing acts any more of a run that was killed while it had the group."""
        path = group_path(rundir, group)
        fd = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            before = _read(fd)
            if before is not None and before.run != rundir.id and not gone(before.run):
                os.close(fd)
                return before
            text = json.dumps({"run": rundir.id, "turn": turn, "group": group[:200]}).encode()
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
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # the next one looks for processes where there are none
                os.ftruncate(self._fd, 0)
        self.let_go()

    def let_go(self) -> None:
        """Only closes: in a forked child that leaves the parent's lock alone."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def group_path(rundir: RunDir, group: str) -> str:
    """The file that stands for a group among the runs of one state directory."""
    name = sha256(group.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return os.path.join(os.path.dirname(os.path.dirname(rundir.path)), GROUPS, name)


def _read(fd: int) -> Holder | None:
    try:
        data = json.loads(os.pread(fd, 4096, 0))
        run, turn = data["run"], data["turn"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(run, str) or not isinstance(turn, int) or not RUN_ID.match(run):
        return None
    return Holder(run, turn)


def _open(path: str) -> int:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags.LOCK, 0o666)
    except OSError as error:
        raise storage_fault("open", error.filename or path, error) from error


def _turns(fd: int) -> tuple[int, int]:
    """The last turn that was taken, and the last one that cancels those before it."""
    found = _TURN.match(os.pread(fd, 64, 0))
    return (int(found[1]), int(found[2])) if found else (0, 0)
