"""Finds and ends processes of a run by their environment, when no warden does it any more.

Every command has PIPE_RUN_ID and PIPE_RUN_DIR, which what it starts inherits. A process that empties its environment is
not found here: the warden ends it, as long as it lives. Where there is no /proc, `ps` is asked (`listed.py`).
"""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pipe_runner.errors import RunBusy, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

KILL_WAIT: Final = 3.0
"""Seconds that killed processes are given to be gone."""


BELOW: Final = sys.platform == "linux"
"""All that a command starts stays below its warden, whatever it does; elsewhere it has to be looked for."""


class Leftover(NamedTuple):
    """A process that was ended, and what it belonged to."""

    pid: int
    node: str
    attempt: str


def marks(run: str, lock_path: str) -> dict[str, str]:
    """The variables by which processes of a run are known; ids of runs alone may be equal in two projects."""
    folder = os.path.realpath(os.path.dirname(lock_path))
    return {"PIPE_RUN_ID": run, "PIPE_RUN_DIR": folder}


def own_marks(run: str, lock_path: str) -> dict[str, str]:
    """The variables that what the runner's own functions start inherits from it."""
    return {**marks(run, lock_path), "PIPE_WARDEN": "runner"}


def end_leftovers(run: str, lock_path: str, timeout: float = 10.0) -> list[Leftover]:
    """Wait until the run's earlier wardens have ended what they watched over, then end what is still there (D4).

    `lock_path` is what the first warden locks; the others' have a number behind it. Raises RunBusy when one of them is
    still held after `timeout` seconds, StorageError.
    """
    until = time.monotonic() + timeout
    folder, name = os.path.split(lock_path)
    try:
        there = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    except OSError as error:
        raise StorageError(f"cannot look into {folder}: {error.strerror}") from error
    for other in there:
        if other == name or other.startswith(f"{name}."):
            _await_lock(os.path.join(folder, other), until)
    return end_marked(marks(run, lock_path))


def end_marked(wanted: dict[str, str]) -> list[Leftover]:
    """Kill every process that has these variables, but for this one and its ancestors; again until none is left."""
    from pipe_runner.executors.family import shows_us

    give_up = time.monotonic() + KILL_WAIT
    ended: dict[int, Leftover] = {}
    while True:
        found = _scan(wanted) if shows_us() else _scan_listed(wanted)
        killed = [left for left in found if _kill(left.pid, wanted)]
        ended.update((left.pid, left) for left in killed)
        if not killed or time.monotonic() > give_up:
            return list(ended.values())
        time.sleep(0.01)


def end_attempt(of_run: dict[str, str], node: str, number: int) -> list[Leftover]:
    """The same for what one attempt left."""
    return end_marked({**of_run, "PIPE_NODE": node, "PIPE_ATTEMPT": str(number)})


def take_lock(fd: int, until: float) -> bool:
    """Lock an open file; False where somebody still has it then, by the monotonic clock. Raises OSError."""
    import fcntl

    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)


def _await_lock(path: str, until: float) -> None:
    if not os.path.lexists(path):
        return
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error
    try:
        if not take_lock(fd, until):
            raise RunBusy(
                f"processes that the run left behind are still being ended ({path} is locked)",
                hint="try again in a few seconds",
            )
    except OSError as error:
        raise StorageError(f"cannot lock {path}: {error.strerror}") from error
    finally:
        os.close(fd)


def sweep_marks(run: str, lock_path: str, number: int, *, functions: bool) -> dict[str, str]:
    """The variables of what the warden of this number looks for at its end; none: it doesn't look.

    What commands start is below it on Linux, where only what functions started has to be looked for.
    """
    if BELOW:
        return own_marks(run, lock_path) if functions else {}
    return marks(run, lock_path) if functions else {**marks(run, lock_path), "PIPE_WARDEN": str(number)}


def _scan(wanted: dict[str, str]) -> list[Leftover]:
    needed, own = entries(wanted), _ancestors()
    found = []
    for pid, environment in _proc_environments():
        if needed <= environment and pid not in own:
            values = dict(entry.split(b"=", 1) for entry in environment if b"=" in entry)
            node = values.get(b"PIPE_NODE", b"").decode("utf-8", "replace")
            found.append(Leftover(pid, node, values.get(b"PIPE_ATTEMPT", b"").decode("utf-8", "replace")))
    return found


def _scan_listed(wanted: dict[str, str]) -> list[Leftover]:
    if os.path.lexists("/proc/self"):  # of others, of which `ps` would tell: their numbers are not ours
        return []
    from pipe_runner.executors.listed import ancestors, listed

    processes, needed = listed(), entries(wanted)
    own = {*ancestors(os.getpid(), processes), os.getppid()}
    return [
        Leftover(each.pid, each.value("PIPE_NODE").decode("utf-8", "replace"), each.value("PIPE_ATTEMPT").decode())
        for each in processes
        if each.pid not in own and each.shows(needed)
    ]


def entries(wanted: dict[str, str]) -> set[bytes]:
    """Variables as an environment has them."""
    return {os.fsencode(f"{name}={value}") for name, value in wanted.items()}


def _proc_environments() -> Iterator[tuple[int, set[bytes]]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            environment = environment_of(int(name))
            if environment:
                yield int(name), environment


def environment_of(pid: int) -> set[bytes]:
    """What a process was started with, `NAME=value` each; empty when it can't be known."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return set(file.read(4 << 20).split(b"\0"))
    except OSError:  # it has ended, or is another user's
        return set()


def _kill(pid: int, wanted: dict[str, str]) -> bool:
    """Kill the process if it still is the one that was found; False when it can't be."""
    import signal

    from pipe_runner.executors.family import shows_us

    try:
        handle = _handle(pid)
        if handle is None:
            if shows_us() and not entries(wanted) <= environment_of(pid):
                return False
            os.kill(pid, signal.SIGKILL)
            return True
        try:
            if not entries(wanted) <= environment_of(pid):
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            return True
        finally:
            os.close(handle)
    except OSError:
        return False


def _handle(pid: int) -> int | None:
    """What stands for this very process, or None where the system has no such thing; raises OSError."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):  # an old kernel, or a sandbox
            return None
        raise


def _ancestors() -> set[int]:
    from pipe_runner.executors.family import stat_words

    found = {os.getpid(), os.getppid()}
    pid = os.getppid()
    while pid > 1:
        words = stat_words(f"/proc/{pid}/stat")
        if not words:
            break
        pid = int(words[1])
        found.add(pid)
    return found
