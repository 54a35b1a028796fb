"""What a warden is to know for as long as the run goes on: told once, and again to each that takes its place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pipe_runner.executors.guard import FIRST, LEAVE
from pipe_runner.executors.protocol import GUARD, KIN, TABLE

if TYPE_CHECKING:
    from pipe_runner.executors.connection import Connection


class Standing:
    """Messages with descriptors, which stay open here until `close`."""

    def __init__(self) -> None:
        self._messages: list[tuple[tuple[Any, ...], tuple[int, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._messages)

    def guard(self, connection: Connection, grace: float) -> tuple[int, int]:
        """The warden kills this process when signals are not heard (`guard.py`): where to tell of them, after the end
        that it reads from, which keeps that from failing once there is no warden. Whoever asks closes both."""
        told, tell = os.pipe()
        os.set_blocking(tell, False)
        self._tell(connection, (GUARD, grace), os.dup(told))
        if os.getpid() == FIRST:
            _take_leave()
        return told, tell

    def claim(self, connection: Connection, since: int) -> int:
        """What this process has started since then (`relatives.ticks`) ends with it, marked or not.

        Gives a descriptor to write to when something is about to be started; whoever asks closes it.
        """
        told, tell = os.pipe()
        os.set_blocking(tell, False)
        self._tell(connection, (KIN, since), told)
        return tell

    def watch(self, connection: Connection, folder: str, go_on: str, table: int) -> None:
        """The warden ends this process when it can't hold the time limits of the table (`overdue.py`).

        `folder` is the directory of a run that `go_on`, a command, can resume then; empty, if it can't be.
        """
        try:
            stderr = os.dup(2)
        except OSError:
            stderr = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._tell(connection, (TABLE, folder, go_on), os.dup(table), stderr)

    def repeat(self, connection: Connection) -> None:
        """Tell another warden."""
        for message, fds in self._messages:
            connection.send(message, tuple(map(os.dup, fds)))

    def close(self) -> None:
        while self._messages:
            for fd in self._messages.pop()[1]:
                os.close(fd)

    def _tell(self, connection: Connection, message: tuple[Any, ...], *fds: int) -> None:
        self._messages.append((message, fds))
        connection.send(message, tuple(map(os.dup, fds)))


def _take_leave() -> None:
    """Have a signal end this process by C code alone, without Python's help: it is the first one of a container."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    libc.signal(LEAVE, ctypes.cast(libc._exit, ctypes.c_void_p))
