"""A started warden, and the socket over which it is told what to do."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pipe_runner import companions
from pipe_runner.errors import RunBusy, StorageError, Unsupported
from pipe_runner.executors.leftovers import take_lock
from pipe_runner.executors.protocol import LATER, MARKS, PAUSE, SPAWN, Frames, frame, hang_up
from pipe_runner.executors.reasons import WATCHES
from pipe_runner.forks import let_go_in_children

if TYPE_CHECKING:
    import asyncio
    import socket
else:  # started before anything else, and sockets of asyncio are imported later
    import _socket as socket

LOCK_WAIT: Final = 6.0
"""Seconds that an earlier warden of the run is given to end what it watches over."""
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Connection:
    """The runner's end. `pid` is the warden's."""

    def __init__(self, lock_path: str, marks: dict[str, str], sweep: Sequence[str] = ()) -> None:
        """Start a warden that holds the lock at `lock_path`; takes about a millisecond, and doesn't wait for it.

        `marks` is put into the environment of every command. `sweep`: marks (`NAME=value`) by which it looks, at its
        end, for processes that the runner itself started.

        Raises Unsupported, StorageError, and RunBusy when an earlier warden of the run doesn't end.
        """
        if not companions.possible():
            raise Unsupported(
                "commands can't be run on this system", hint="pipe check, graph and test work here; run it on Linux"
            )
        lock = _lock(lock_path)
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            os.close(lock)
            raise StorageError(f"cannot start {sys.executable}: {error.strerror}") from error
        try:
            self.pid = companions.start("pipe_runner.executors.warden", [theirs.detach(), lock], sweep)
        except OSError as error:
            ours.close()
            raise StorageError(f"cannot start {sys.executable}: {error.strerror}") from error
        ours.setblocking(False)
        self._socket = ours
        self._frames = Frames()
        self.expected = 0
        """Answers to TAKE that are to come: descriptors are looked for only then."""
        self._fds: list[int] = []
        """What came with reports that are to be read."""
        self._unsent: deque[tuple[bytes | memoryview, Sequence[int], int]] = deque()
        """Frames, the descriptors that go with them, and of a command its number."""
        self.untaken: set[int] = set()
        """Commands that could not be sent: the warden was dead before it could take them."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held = False
        self._waits = False
        """The loop tells when there is room to send more."""
        self._again: asyncio.TimerHandle | None = None
        """When to send what the system had no room for."""
        self._reaped = False
        let_go_in_children(self)
        self.send((MARKS, marks))

    def attach(self, loop: asyncio.AbstractEventLoop, on_reports: Any) -> None:
        """Let the loop call `on_reports` when there is something to receive, and send what found no room before.

        Raises StorageError where the system watches over nothing more.
        """
        try:
            loop.add_reader(self._socket.fileno(), on_reports)
        except OSError as error:
            hint = WATCHES if error.errno == errno.ENOSPC else None
            raise StorageError(f"cannot wait for what commands do: {error.strerror}", hint=hint) from error
        self._loop = loop
        self.flush()

    def send(self, message: tuple[Any, ...], fds: Sequence[int] = ()) -> None:
        """Send a message with descriptors, which are closed when they are on their way."""
        self._unsent.append((frame(message), fds, message[1] if message[0] == SPAWN else 0))
        if len(self._unsent) == 1 and not self._held:
            self.flush()

    def hold(self) -> None:
        """Keep what is to be sent until `flush`."""
        self._held = True

    def receive(self) -> list[tuple[int, int, int, Any]] | None:
        """The reports that have come; None when the warden is dead."""
        reports: list[tuple[int, int, int, Any]] = []
        try:
            data = self._socket.recv(16384) if not self.expected else self._take()
        except BlockingIOError:
            return reports
        except OSError:
            data = b""
        if not data:
            return None
        for message in self._frames.take(data):
            reports += message
        return reports

    def _take(self) -> bytes:
        data, ancillary, _, _ = self._socket.recvmsg(16384, 64, _CLOEXEC)
        for _, _, raw in ancillary:
            for at in range(0, len(raw), 4):
                fd = int.from_bytes(raw[at : at + 4], sys.byteorder)
                if not _CLOEXEC:
                    os.set_inheritable(fd, False)
                self._fds.append(fd)
        return data

    def handed_over(self, streams: int) -> list[int]:
        """The descriptors that came with a report of pipes: one for each bit."""
        self.expected -= 1
        count = streams.bit_count()
        fds, self._fds = self._fds[:count], self._fds[count:]
        return fds

    def detach(self) -> None:
        """Let the loop forget the socket."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
        if self._again is not None:
            self._again.cancel()
        self._loop = self._again = None

    def close(self) -> None:
        """Hang up: the warden ends what there is, then itself."""
        self.detach()
        self.let_go()

    def let_go(self) -> None:
        """Close this process's end, and what was to be sent over it."""
        self._socket.close()
        for fds in (self._fds, *(fds for _, fds, _ in self._unsent)):
            for fd in fds:
                with suppress(OSError):  # of a fork while these were being closed
                    os.close(fd)
        self.untaken.update(number for _, _, number in self._unsent)
        self._unsent.clear()
        self._fds.clear()

    def wake(self) -> None:
        """Have the warden go on if somebody has stopped it; where a sandbox forbids signals it has to wait."""
        import signal

        if not self._reaped:
            with suppress(OSError):
                os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the warden itself, which doesn't answer, and take its exit status, as far as the system lets us."""
        import signal

        if not self._reaped:
            with suppress(OSError):  # a sandbox forbids signals, or a function has taken its exit status
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            self._reaped = True
            companions.alive.discard(self.pid)

    def ended(self) -> bool:
        """Whether the warden has exited; takes its exit status."""
        self._reaped = self._reaped or companions.ended(self.pid)
        return self._reaped

    def wait(self, seconds: float) -> None:
        """Wait for the warden's exit, for so long at most."""
        give_up = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < give_up:
            time.sleep(0.001)

    def flush(self) -> None:
        """Send what there is, as far as it goes without waiting."""
        self._held = False
        while self._unsent:
            data, fds, number = self._unsent[0]
            try:
                if fds:
                    raw = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
                    sent = self._socket.sendmsg((data,), ((socket.SOL_SOCKET, socket.SCM_RIGHTS, raw),))
                else:
                    sent = self._socket.send(data)
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    self._wait(True)
                    return
                if error.errno in LATER:
                    self._wait(False)
                    self._pause()
                    return
                sent = len(data)  # the warden is dead, or ends now that it can't be told; the loop will tell
                self.untaken.add(number)
                hang_up(self._socket)
            for fd in fds:
                os.close(fd)
            if sent < len(data):
                self._unsent[0] = (memoryview(data)[sent:], (), number)
            else:
                self._unsent.popleft()
        if self._waits:
            self._wait(False)

    def _pause(self) -> None:
        if self._again is None and self._loop is not None:
            self._again = self._loop.call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._again = None
        self.flush()

    def _wait(self, wanted: bool) -> None:
        if self._loop is None or wanted == self._waits:
            return
        self._waits = wanted
        if wanted:
            self._loop.add_writer(self._socket.fileno(), self.flush)
        else:
            self._loop.remove_writer(self._socket.fileno())


def _lock(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error
    try:
        if take_lock(fd, time.monotonic() + LOCK_WAIT):
            return fd
    except OSError as error:
        os.close(fd)
        raise StorageError(f"cannot lock {path}: {error.strerror}") from error
    os.close(fd)
    raise RunBusy(f"{path} is locked: processes of an earlier start of this run are still being ended")
