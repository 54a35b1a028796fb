"""One command in flight, from its start until it, its output and all that it left behind are at their end."""

from __future__ import annotations

import os
import sys
import time
from os import waitstatus_to_exitcode
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.executors.output import Output
from pipe_runner.ports import Attempt, Command, ProcessEnd

if TYPE_CHECKING:
    import asyncio

STREAMS: Final = ("stdout", "stderr")
READ: Final = 64 * 1024
"""Bytes of a pipe as the system makes it."""
WIDE: Final = 1024 * 1024
"""Bytes of a pipe through which much goes."""
_SET_PIPE_SIZE: Final = 1031


_tuple: Any = tuple.__new__  # without the call that its class would make of it: one for each command
SERVER: Final = "mcp"
"""Stands for the agent in attempts that are no node's: servers of tools, which nodes share."""


class Flight:
    """The runner's side of a started command. `code` is None until its exit was told."""

    # Most commands need none of these, and to set each of them takes time from all.
    held = False
    """The warden has the pipes, and reads them when the command exits."""
    asked = False
    """It was asked for them."""
    open = False
    """They are not at their end although the command has exited."""
    room: tuple[int, int] | None = None
    """What is kept for them meanwhile."""
    wide: tuple[int, ...] = ()
    """The pipes that were made wide."""
    watched = False
    """The loop tells when there is something to read."""
    gathering = False
    """Its output waits for more, to share an event."""
    code: int | None = None
    left = False
    """Processes of the attempt are there although its command has exited."""
    let_go = False
    """Nobody waits any longer for the end of the output."""
    ending = False
    """The warden was told to end it."""
    timed_out = stopped = lost = False
    untaken = False
    """No warden had it: the one to which it was to go had died before."""
    not_found: str | None = None
    unavailable: str | None = None
    fault: BaseException | None = None
    """What `emit` raised."""

    def __init__(
        self,
        number: int,
        command: Command,
        attempt: Attempt,
        output: Output,
        future: asyncio.Future[ProcessEnd],
    ) -> None:
        self.number = number
        self.command = command
        self.attempt = attempt
        self.output = output
        self.future = future
        self.began = time.monotonic()
        self.streams: dict[int, str] = {}
        """The pipes that are open, by descriptor: `stdout` and `stderr`."""
        self.timers: list[asyncio.TimerHandle] = []

    def pipes(self) -> tuple[int, int]:
        """Make the pipes for stdout and stderr; gives the ends for the command. Raises OSError."""
        out, command_out = os.pipe()
        try:
            err, command_err = os.pipe()
        except OSError:
            os.close(out)
            os.close(command_out)
            raise
        os.set_blocking(out, False)
        os.set_blocking(err, False)
        self.streams[out] = "stdout"
        self.streams[err] = "stderr"
        return command_out, command_err

    def exited(self, status: int, when: float, *, left: bool) -> None:
        """Take its exit: by when that was it was in time or not, however late the runner hears of it."""
        self.code, self.left = waitstatus_to_exitcode(status), left
        timeout = self.attempt.timeout
        self.timed_out = timeout is not None and when > self.began + timeout
        if self.code >= 0:  # it had ended before somebody could end it whose output could not be watched
            self.unavailable = None

    def printed(self, name: str, data: bytes) -> None:
        """Take what came over one of the streams."""
        if self.fault is None:
            try:
                self.output.take(name, data)
            except BaseException as error:  # a log that can't be written ends the attempt, not a callback of the loop
                self.fault = error

    def complete(self) -> bool:
        """Whether all of its output was taken."""
        return not (self.streams or self.held)

    def ended_streams(self, spare: int = 0) -> None:
        """Take the end of the streams but for these (bits)."""
        if self.output.nothing:
            return
        for bit, name in enumerate(STREAMS):
            if not spare >> bit & 1:
                self._ended(name)

    def take_over(self, streams: int, fds: list[int]) -> None:
        """Read from now on what the warden has handed over: the pipes of these streams (bits)."""
        self.streams = dict(zip(fds, (name for bit, name in enumerate(STREAMS) if streams >> bit & 1), strict=True))
        self.ended_streams(streams)

    def read(self, fd: int) -> bool | None:
        """Read once; True when there may be more, False when there is nothing now, None at the end of the stream."""
        try:
            data = os.read(fd, WIDE if fd in self.wide else READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end(fd)
            return None
        self.printed(self.streams[fd], data)
        if len(data) == READ and fd not in self.wide:
            self.wide += (fd,)
            _widen(fd)
        return True

    def read_all(self) -> None:
        """Read what is there, at most a pipe full of each stream."""
        for fd in list(self.streams):
            for _ in range(WIDE // READ):
                if not self.read(fd):
                    break

    def close(self) -> None:
        """Let the streams go that are still open."""
        for fd in list(self.streams):
            self._end(fd)
        for timer in self.timers:
            timer.cancel()

    def tell(self) -> bool:
        """Write events of what waits; True when there is more for the next time."""
        if self.fault is None:
            try:
                return self.output.tell()
            except BaseException as error:
                self.fault = error
        return False

    def time_left(self) -> float:
        """Seconds until the attempt's time is up."""
        if self.attempt.timeout is None:
            return float("inf")
        return max(0.0, self.began + self.attempt.timeout - time.monotonic())

    def end(self) -> ProcessEnd:
        """How it all ended; closes what is open."""
        self.close()
        stdout, truncated, tail = self.output.result()
        code = self.code
        values = (
            code if code is not None and code >= 0 else None,
            -code if code is not None and code < 0 else None,
            stdout,
            tail,
            time.monotonic() - self.began,
            self.timed_out,
            self.stopped,
            self.lost,
            self.not_found,
            truncated,
            self.unavailable,
        )
        end: ProcessEnd = _tuple(ProcessEnd, values)
        return end

    def _end(self, fd: int) -> None:
        name = self.streams.pop(fd)
        if self.watched:
            self.future.get_loop().remove_reader(fd)
        os.close(fd)
        self._ended(name)

    def _ended(self, name: str) -> None:
        if self.fault is None:
            try:
                self.output.end(name)
            except BaseException as error:
                self.fault = error


def _widen(fd: int) -> None:
    if sys.platform != "linux":
        return
    import fcntl

    try:
        fcntl.fcntl(fd, _SET_PIPE_SIZE, WIDE)
    except OSError:  # this user has wide pipes enough
        pass
