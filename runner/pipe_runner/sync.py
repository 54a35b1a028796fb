"""Makes files and directories durable."""

from __future__ import annotations

import errno
import os


def sync_file(fd: int) -> None:
    """Make a file's bytes and its length durable."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        _sync_fully(fd)


def _sync_fully(fd: int) -> None:
    """On macOS fsync leaves data in the drive, which may lose it with the power; F_FULLFSYNC doesn't. Drives and
    network file systems that don't know it get fsync, as everywhere."""
    import fcntl

    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        try:
            fcntl.fcntl(fd, full)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY):
                raise
    os.fsync(fd)


def sync_directory(path: str) -> None:
    """Make a directory's entries durable, where the system lets us: some network file systems say EINVAL, and a
    directory that we may write but not list can't be opened for it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(fd) if hasattr(os, "fdatasync") else _sync_fully(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(fd)
