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


def storage_fault(doing: str, path: str, error: OSError) -> StorageError:
    """The StorageError for an OSError; `doing` is a verb phrase: `write`, `make durable`."""
    code = error.errno or 0
    name = errno.errorcode.get(code, "")
    words = error.strerror or str(error) or type(error).__name__
    return StorageError(f"cannot {doing} {path}: {words}" + (f" ({name})" if name else ""), hint=_HINTS.get(code))
