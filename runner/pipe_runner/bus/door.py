"""Where processes of nodes reach the bus: a socket of the run. Small, since every run of commands makes one."""

from __future__ import annotations

import os
import socket
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from zlib import crc32

from pipe_runner.forks import let_go_in_children

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Mapping

    from pipe_runner.bus.server import Server
    from pipe_runner.executors.local import LateBus
    from pipe_runner.runlog import RunDir

ADDRESS, TOKEN = "PIPE_BUS", "PIPE_BUS_TOKEN"
_LONGEST: Final = 100
"""Bytes of a socket's path; systems take 104 or 108."""
_FOLDER: Final = f"pipe-bus-{crc32(os.fsencode(socket.gethostname())):08x}-"
"""How folders begin that runners of this machine make; a socket of another one refuses us, though somebody listens."""
_YOUNG: Final = 60.0
"""Seconds in which a socket may be one on which nobody listens yet."""
_BACKLOG: Final = 64
_TOKEN: Final = 16
"""Bytes of a token."""
_PAUSE: Final = 1.0
"""Seconds until one who could not be let in is tried again."""
_CANNOT: Final[Mapping[str, str]] = {}


class Door:
    """One for each run. Who knocks says by a token which attempt it is of; a token is good as long as its attempt."""

    def __init__(self, rundir: RunDir, loop: AbstractEventLoop) -> None:
        self.rundir, self.loop = rundir, loop
        self.known: dict[str, LateBus] = {}
        self._tokens: list[str] = []
        """Of attempts to come."""
        self._path = ""
        self._folder: str | None = None
        """Made for the socket, where the run's directory has no place for one."""
        self._server: Server | None = None
        self._socket = self._listen() if hasattr(socket, "AF_UNIX") else None
        if self._socket is not None:
            self._listen_on()
            let_go_in_children(self)

    def _listen(self) -> socket.socket | None:
        """Listen in the run's directory; or elsewhere, where the path is too long or the file system has no sockets."""
        found = self._listen_at(os.path.join(self.rundir.path, "scratch", "bus"))
        if found is not None:
            return found
        from tempfile import gettempdir, mkdtemp

        for place in (None, "/tmp"):
            with suppress(OSError):
                _clear(place or gettempdir())
                folder = mkdtemp(prefix=_FOLDER, dir=place)
                found = self._listen_at(os.path.join(folder, "bus"))
                if found is not None:
                    self._folder = folder
                    return found
                os.rmdir(folder)
        return None

    def _listen_at(self, path: str) -> socket.socket | None:
        if len(os.fsencode(path)) > _LONGEST:
            return None
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with suppress(FileNotFoundError):
                os.unlink(path)
            made.bind(path)
            os.chmod(path, 0o600)  # before anybody can connect
            made.setblocking(False)
            made.listen(_BACKLOG)
        except OSError:
            made.close()
            return None
        self._path = path
        return made

    def enter(self, bus: LateBus) -> Mapping[str, str]:
        """Variables for a process of an attempt; none where there is no socket."""
        if self._socket is None:
            return _CANNOT
        if not self._tokens:  # many at once: to ask the system each time takes as long as all the rest
            digits = os.urandom(_TOKEN * _BACKLOG).hex()
            self._tokens = [digits[at : at + 2 * _TOKEN] for at in range(0, len(digits), 2 * _TOKEN)]
        token = bus.token = self._tokens.pop()
        self.known[token] = bus
        return {ADDRESS: self._path, TOKEN: token}

    def leave(self, bus: LateBus) -> None:
        self.known.pop(bus.token, None)
        if self._server is not None:
            self._server.leave(bus)

    def _knock(self) -> None:
        if self._server is None:
            from pipe_runner.bus.server import Server

            self._server = Server(self.known, self.loop)
        assert self._socket is not None
        try:
            for _ in range(_BACKLOG):
                connection, _ = self._socket.accept()
                self._server.serve(connection)
        except (BlockingIOError, ConnectionError):  # nobody is left, or has gone again
            pass
        except OSError:  # there are too many open files: those who wait go on doing so
            self.loop.remove_reader(self._socket.fileno())
            self.loop.call_later(_PAUSE, self._listen_on)

    def _listen_on(self) -> None:
        if self._socket is not None:
            self.loop.add_reader(self._socket.fileno(), self._knock)

    async def close(self) -> None:
        """Speak to nobody any more."""
        if self._socket is not None:
            self.loop.remove_reader(self._socket.fileno())
        self.let_go()
        if self._server is not None:
            await self._server.close()
        for path in (self._path, self._folder):
            if path:
                with suppress(OSError):
                    os.unlink(path) if path == self._path else os.rmdir(path)

    def let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _clear(place: str) -> None:
    """Remove what runners that were killed have left there: sockets on which nobody listens."""
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_FOLDER):
                path = os.path.join(entry.path, "bus")
                with suppress(OSError):
                    if _is_own(entry.stat(follow_symlinks=False), stat.S_IFDIR) and _is_nobodys(path):
                        os.unlink(path)
                        os.rmdir(entry.path)


def _is_nobodys(path: str) -> bool:
    about = os.lstat(path)
    if not _is_own(about, stat.S_IFSOCK) or time.time() - about.st_mtime < _YOUNG:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def _is_own(about: os.stat_result, kind: int) -> bool:
    """Whether it is of this user and this kind, and no link to such a one."""
    return about.st_uid == os.getuid() and stat.S_IFMT(about.st_mode) == kind
