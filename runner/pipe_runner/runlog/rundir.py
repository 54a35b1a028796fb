"""The directory of one run: its id, its paths, how it is made."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from pipe_runner.errors import UsageError
from pipe_runner.runlog.faults import storage_fault

RUN_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}\Z")
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz023456789"
RUNS: Final = "runs"
LOG: Final = "log.jsonl"
LATEST: Final = "latest"
"""What stands for the newest run, and so can't be the name of one."""


def made_state(state_dir: str) -> str:
    """The state directory, absolute, made where it is missing; raises StorageError."""
    state = os.path.abspath(state_dir)
    try:
        os.makedirs(state, exist_ok=True)
        _ignore_itself(os.path.join(state, ".gitignore"))
    except OSError as error:
        raise storage_fault("make the directory", error.filename or state, error) from error
    return state


def new_run_id(now_ns: int, random: Callable[[int], bytes] = os.urandom) -> str:
    """A short id that sorts by time (UTC): `20261124-003215-k3f9x`. `random` gives that many random bytes."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_ns // 10**9))
    return f"{stamp}-{''.join(_ALPHABET[byte % 32] for byte in random(5))}"


def check_run_id(run_id: str) -> str:
    """The id itself if a run may be called so; raises UsageError."""
    if not RUN_ID.match(run_id) or run_id == LATEST:
        raise UsageError(
            f"{run_id!r} can't be a run's id",
            hint="up to 80 letters, digits, `.`, `_` and `-`, the first one a letter, a digit or `_`; not `latest`",
        )
    return run_id


class RunDir(NamedTuple):
    """Paths of one run below `<state dir>/runs/<id>/`; absolute. Nothing is opened or kept open."""

    id: str
    path: str
    fresh: tuple[str, ...] = ()
    """Directories with entries that `create` made and that are not durable yet; LogWriter sees to them."""
    taken_over: bool = False
    """`create` found it there, without a log."""
    where: str = ""
    """What a command that is given from here needs to find it, beside its id: nothing, or ` --state-dir DIR`."""

    def command(self, verb: str, *words: str) -> str:
        """A command on the run, as whoever reads it here can give it: `pipe resume ID`."""
        return " ".join(("pipe", verb, self.id, *words)) + self.where

    @classmethod
    def create(cls, state_dir: str | os.PathLike[str], run_id: str, where: str = "") -> RunDir:
        """Make the directory of a new run, and the state directory around it where it is missing.

        One that is there without a log is taken over: its runner was ended before anything began. Whoever has the
        run's lock then must look once more whether there is a log (`refuse_begun`).
        Raises UsageError for an id that is no id or is taken, StorageError for anything that the system refuses.
        """
        check_run_id(run_id)
        state = os.path.abspath(state_dir)
        runs = os.path.join(state, RUNS)
        path = os.path.join(runs, run_id)
        had_runs, taken_over = os.path.isdir(runs), False
        made = cls(run_id, path, where=where)
        try:
            os.makedirs(runs, exist_ok=True)
            _ignore_itself(os.path.join(state, ".gitignore"))
            os.mkdir(path)
        except FileExistsError as error:
            if not os.path.lexists(path):
                raise storage_fault("make the directory", path, error) from error
            taken_over = True
            made.refuse_begun()
        except OSError as error:
            raise storage_fault("make the directory", error.filename or path, error) from error
        return made._replace(fresh=made.above[: 2 if had_runs else 4], taken_over=taken_over)

    @classmethod
    def unkept(cls, folder: str | os.PathLike[str], run_id: str) -> RunDir:
        """A directory for what a run needs that keeps nothing; raises StorageError."""
        path = os.path.join(os.path.abspath(folder), check_run_id(run_id))
        try:
            os.makedirs(path)
        except OSError as error:
            raise storage_fault("make the directory", error.filename or path, error) from error
        return cls(run_id, path)

    def refuse_begun(self) -> None:
        """Raises UsageError where the run has begun, or what stands at its place is no directory."""
        if os.path.lexists(self.log_path) or os.path.islink(self.path) or not os.path.isdir(self.path):
            raise UsageError(f"there is a run {self.id} already", hint=f"`{self.command('show')}` shows it")

    @classmethod
    def open(cls, state_dir: str | os.PathLike[str], run_id: str, where: str = "") -> RunDir:
        """The directory of a run that exists; raises UsageError, StorageError."""
        check_run_id(run_id)
        found = cls(run_id, os.path.join(os.path.abspath(state_dir), RUNS, run_id), where=where)
        try:
            os.lstat(found.log_path)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.isdir(found.path):
                raise UsageError(
                    f"run {run_id} never began: it was ended before its first event",
                    hint=f"start it anew: `pipe run FILE --run-id {run_id}{where}`",
                ) from None
            raise UsageError(f"there is no run {run_id}", hint=f"`pipe runs{where}` lists those that exist") from None
        except OSError as error:
            raise storage_fault("read", found.log_path, error) from error
        return found

    @property
    def above(self) -> tuple[str, ...]:
        """The run's directory and those around it up to the one that holds the state directory."""
        runs = os.path.dirname(self.path)
        state = os.path.dirname(runs)
        return self.path, runs, state, os.path.dirname(state)

    @property
    def log_path(self) -> str:
        return os.path.join(self.path, LOG)

    @property
    def torn_path(self) -> str:
        return os.path.join(self.path, "log.torn")

    @property
    def blobs(self) -> str:
        return os.path.join(self.path, "blobs")

    @property
    def lock_path(self) -> str:
        """Locked by the process that works on the run; only those that want to do so touch it."""
        return os.path.join(self.path, "run.lock")

    @property
    def live_path(self) -> str:
        """Locked beside `lock_path`, for readers that want to know whether the run is being worked on."""
        return os.path.join(self.path, "live.lock")

    @property
    def warden_lock_path(self) -> str:
        """Locked by the run's warden as long as it watches over processes."""
        return os.path.join(self.path, "warden.lock")

    @property
    def cancel_path(self) -> str:
        """Made by `pipe cancel`; the runner stops when it is there."""
        return os.path.join(self.path, "cancel")


def _ignore_itself(path: str) -> None:
    """Keep the state directory out of git; never follows a link, never touches a file that says something.

    One that is empty was made when the disk was full.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        found = None
    if found is not None and (found.st_size or not stat.S_ISREG(found.st_mode)):
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        os.write(fd, b"*\n")
    finally:
        os.close(fd)
