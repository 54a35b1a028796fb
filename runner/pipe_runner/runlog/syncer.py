"""A process that makes the log durable beside a loop that has it done often.

A thread does so, too, but it needs the interpreter before and after each fdatasync: where the loop is busy it waits
five milliseconds for that each time, and takes the loop's time. A process is told by a byte, and answers by one.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from errno import EIO, ESTALE
from time import monotonic
from typing import TYPE_CHECKING, Final

from pipe_runner import companions
from pipe_runner.forks import let_go_in_children
from pipe_runner.prctl import signal_with_parent
from pipe_runner.sync import sync_file

if TYPE_CHECKING:
    import asyncio

PATIENCE: Final = 3.0
"""Seconds without an answer, after which somebody else is to do it: the process may be stopped."""

Synced = Callable[[float, "int | None"], None]
"""Called with the seconds that it took, and the system's number for why it failed, 0 where it didn't; None: nobody
knows, since the process is gone."""


class Syncer:
    """The loop's end, for the log at `path`, which is open as `log`. Raises OSError where none can be started."""

    def __init__(self, path: str, log: int, loop: asyncio.AbstractEventLoop) -> None:
        import socket

        ours, theirs = socket.socketpair()
        self._pid = 0
        try:
            fds = [_opened_again(path, log), theirs.detach()]
            self._pid = companions.start("pipe_runner.runlog.syncer", fds)
            ours.setblocking(False)
            loop.add_reader(ours.fileno(), self._read)
        except OSError:
            ours.close()
            if self._pid:
                companions.kill(self._pid)
            raise
        finally:
            theirs.close()
        self._socket, self._loop = ours, loop
        self._ready = False
        """It is there; until then others do it."""
        self._asked: deque[tuple[Synced, Context, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.gone = False
        let_go_in_children(self)

    def sync(self, then: Synced) -> bool:
        """Make durable what has been written to the log; False where it can't. `then` is called in the loop, never
        before this returns."""
        if not self._ready or self.gone:
            return False
        try:
            self._socket.send(b"\n")
        except OSError:
            self._loop.call_soon(self._give_up)
            return False
        self._asked.append((then, copy_context(), monotonic()))
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._look)
        return True

    def close(self) -> None:
        """End it; who waits is told nothing. In the loop's thread, or after the loop."""
        if self.gone:
            return
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        companions.kill(self._pid)

    def let_go(self) -> None:
        """In a forked child, which shares what the loop waits on."""
        self.gone = True
        self._socket.close()

    def _read(self) -> None:
        try:
            answers = self._socket.recv(256)
        except BlockingIOError:
            return
        except OSError:
            answers = b""
        if not answers:
            self._give_up()
            return
        if not self._ready:
            self._ready, answers = True, answers[1:]
        for error in answers:
            then, context, began = self._asked.popleft()
            context.run(then, monotonic() - began, error)

    def _look(self) -> None:
        self._timer = None
        if self._asked:
            left = self._asked[0][2] + PATIENCE - monotonic()
            if left <= 0:
                self._give_up()
            else:
                self._timer = self._loop.call_later(left, self._look)

    def _give_up(self) -> None:
        if self.gone:
            return
        self.close()
        asked, self._asked = self._asked, deque()
        for then, context, began in asked:
            context.run(then, monotonic() - began, None)


def _opened_again(path: str, log: int) -> int:
    """The same file, opened anew: that it could not be written the system tells each opened file once, and what the
    process was told is lost with it. Raises OSError, also where another file stands at `path`."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not os.path.samestat(os.fstat(fd), os.fstat(log)):
        os.close(fd)
        raise OSError(ESTALE, os.strerror(ESTALE), path)
    return fd


def main(log: int, line: int, _: list[str]) -> None:
    """The process: one byte for each byte, after the log is durable, until nobody is there. Doesn't return."""
    import signal

    signal_with_parent(signal.SIGKILL, line)  # else it would stay if it is stopped then
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.closerange(max(log, line) + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        os.write(line, b"\0")
        while asked := os.read(line, 256):
            os.write(line, bytes([_synced(log)]) * len(asked))
    finally:
        os._exit(0)


def _synced(log: int) -> int:
    try:
        sync_file(log)
    except OSError as error:
        return error.errno if error.errno and error.errno < 256 else EIO
    return 0
