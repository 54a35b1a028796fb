"""Makes files and directories durable."""

from __future__ import annotations

import errno
import os


def sync_file(fd: int) -> None:
    """Make a file's bytes and its length durable."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:  # macOS: fsync doesn't reach the platter there, F_FULLFSYNC does
        import fcntl

        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        else:
            os.fsync(fd)


def sync_directory(path: str) -> None:
    """Make a directory's entries durable, where the system lets us: some network file systems say EINVAL, and a
    directory that we may write but not list can't be opened for it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(fd)
