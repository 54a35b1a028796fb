"""Starts a process of ours beside this one, which has nothing of it but the descriptors that it is given."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_KEPT_ENV: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PIPE_RUN_ID", "PIPE_RUN_DIR", "PIPE_NODE", "PIPE_ATTEMPT")
"""What Python itself may need; and to whom the process belongs when this one is itself the command of a node."""
_OUTER: Final = {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
"""Read once: what a run puts there for its own functions is not for its companions."""
_MOMENT: Final = 0.1
"""Seconds that one that was killed is given to end; one that waits for a sick disk takes longer."""
_START: Final = "import sys; sys.path.append(sys.argv[1]); from {} import main; main({}sys.argv[2:])"
"""Imported, not run as a file, so that compiled files are used."""

alive: Final[set[int]] = set()
"""Those that this process has started and whose exit status nobody has taken."""


def possible() -> bool:
    """Whether this system can start one."""
    return hasattr(os, "posix_spawn") and bool(sys.executable)


def start(module: str, fds: list[int], argv: Sequence[str] = ()) -> int:
    """Start Python with `main` of that module, which is told the numbers that its descriptors have, from 3 on, and
    then `argv`; its pid. Takes about a millisecond, and doesn't wait for it.

    On Linux one that somebody stops before its program has begun goes on when we end; later it sees to that itself
    (`prctl.signal_with_parent`).

    The descriptors are closed here, whatever happens. Raises OSError.
    """
    import signal

    alone = "-IB" if sys.dont_write_bytecode else "-I"  # it reads no variables of Python's
    numbers = range(3, 3 + len(fds))
    code = _START.format(module, "".join(f"{number}, " for number in numbers))
    above = max(numbers)
    given: list[int] = []
    try:
        given.append(_above(above, os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)))
        while fds:
            given.append(_above(above, fds.pop(0)))
        lines = [fd for fd in given if _wakes(fd)]
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, alone, "-S", "-X", "utf8", "-c", code, _folder(), *argv],
            _OUTER,
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, given[0], fd) for fd in (0, 1, 2)),
                *((os.POSIX_SPAWN_DUP2, fd, number) for fd, number in zip(given[1:], numbers, strict=True)),
            ],
            setsid=True,  # else it could read from our terminal, and gets the signals of its keys
            setsigmask=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT],
        )
        alive.add(pid)
        for fd in lines:
            _belongs(fd, pid)
        return pid
    finally:
        for fd in (*given, *fds):
            os.close(fd)


def _folder() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _above(number: int, fd: int) -> int:
    """The same open file under a descriptor above `number`, so that none is overwritten before it was copied."""
    if fd > number:
        return fd
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, number + 1)
    finally:
        os.close(fd)


def _wakes(fd: int) -> bool:
    """Have the system continue the owner of a socket when something comes by it, as our end does; whether it will."""
    import fcntl
    import signal
    import stat

    if not hasattr(fcntl, "F_SETSIG") or not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGCONT)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        return False
    return True


def _belongs(fd: int, pid: int) -> None:
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETOWN, pid)


def ended(pid: int) -> bool:
    """Whether it has ended, or is none of ours any more; takes its exit status."""
    try:
        found = os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:  # somebody else has taken it
        found = True
    if found:
        alive.discard(pid)
    return found


def kill(pid: int) -> None:
    """End one that holds nothing, also while it is stopped, and take its exit status if it ends soon."""
    import signal

    if ended(pid):  # its number may be another's, where exit statuses are not waited for
        return
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + _MOMENT
    while not ended(pid) and time.monotonic() < give_up:
        time.sleep(0.001)
