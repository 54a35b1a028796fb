"""Makes the descriptors that a command is given."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EMFILE
from typing import Final, TypeVar

from pipe_runner.errors import UsageError

T = TypeVar("T")

NEEDED: Final = 64
"""Descriptors that a run must be able to have: some 30 of its own, and a few for each command at a time."""


def room_to_run() -> None:
    """Lift a limit that is too low for any run, for what it starts, too. Raises UsageError where the system refuses."""
    try:
        import resource
    except ImportError:  # no such limits here, or not even room for what tells of them
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not 0 <= soft < NEEDED:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (NEEDED, hard))
    except (OSError, ValueError):
        raise UsageError(
            f"only {hard} files may be open at a time here (`ulimit -Hn`), and a run needs {NEEDED}",
            hint="raise the limit: `ulimit -n`, LimitNOFILE of systemd, or --ulimit of docker",
        ) from None


def file_of(data: bytes) -> int:
    """A file without a name that holds `data`, open at its start."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    else:
        from tempfile import TemporaryFile

        with TemporaryFile() as file:
            fd = os.dup(file.fileno())
    at = 0
    while at < len(data):
        at += os.write(fd, data[at : at + (1 << 20)])
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def before_many() -> None:
    """Load what `with_room` takes while there is a descriptor to load it with."""
    import resource  # noqa: F401


def with_room(make: Callable[[], T]) -> T:
    """Make descriptors; where there are too many already, once more after lifting this process's limit."""
    try:
        return make()
    except OSError as error:
        if error.errno != EMFILE:
            raise
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))
    return make()


class Rooms:
    """Room for two descriptors each, held by a pipe that nobody uses: what a warden hands over meets no limit then."""

    def __init__(self) -> None:
        self._free: list[tuple[int, int]] = []

    def take(self) -> tuple[int, int]:
        """One that is held from now on. Raises OSError."""
        return self._free.pop() if self._free else with_room(os.pipe)

    def give(self, room: tuple[int, int]) -> None:
        """It was not needed. One is kept: the next command comes as this one ends."""
        if self._free:
            self.leave(room)
        else:
            self._free.append(room)

    def leave(self, room: tuple[int, int]) -> None:
        """Let the system have it back."""
        os.close(room[0])
        os.close(room[1])

    def close(self) -> None:
        while self._free:
            self.leave(self._free.pop())
