"""Faults of the file system, said in one way: what was being done, to which file, the system's own words."""

from __future__ import annotations

import errno

from pipe_runner.errors import StorageError

_HINTS = {
    errno.ENOSPC: "make room on the disk, then `pipe resume` the run",
    errno.EDQUOT: "make room in your quota, then `pipe resume` the run",
    errno.EROFS: "choose a writable place with --state-dir or PIPE_STATE_DIR",
    errno.EACCES: "choose a writable place with --state-dir or PIPE_STATE_DIR, or change the permissions",
    errno.EIO: "the disk reports errors; what the log holds so far can be resumed elsewhere from a copy",
}

RESTORE = "restore the file from a copy, or start a new run with `pipe run`"
_READING = {
    errno.EACCES: "change the permissions, or read it as the user who ran it",
    errno.ENOENT: RESTORE,
    errno.EIO: _HINTS[errno.EIO],
}
_MAKING = {
    **_HINTS,
    errno.ENOENT: "choose a place that is there with --state-dir or PIPE_STATE_DIR",
    errno.ENOTDIR: "choose a place that is there with --state-dir or PIPE_STATE_DIR",
}
_LOCKING = {
    **_HINTS,
    **dict.fromkeys(
        (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP),
        "this file system has no locks to give: choose another one with --state-dir or PIPE_STATE_DIR",
    ),
}


def storage_fault(doing: str, path: str, error: OSError) -> StorageError:
    """The StorageError for an OSError; `doing` is a verb phrase: `write`, `make durable`."""
    code = error.errno or 0
    name = errno.errorcode.get(code, "")
    words = error.strerror or str(error) or type(error).__name__
    making = _MAKING if doing.startswith("make the") else _HINTS
    hints = {"read": _READING, "lock": _LOCKING}.get(doing, making)
    return StorageError(f"cannot {doing} {path}: {words}" + (f" ({name})" if name else ""), hint=hints.get(code))
