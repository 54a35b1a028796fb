"""Puts a report into the project: whole or not at all, below the root whatever is exchanged meanwhile (S9)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind
from pipe_schemas.report_paths import kept

_FOLDER: Final = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


_NEEDS: Final[Mapping[int, str]] = {
    errno.ENOSPC: "room on the disk",
    getattr(errno, "EDQUOT", errno.ENOSPC): "room in the quota",
    errno.EROFS: "a project that can be written to",
    errno.EACCES: "the right to write there",
    errno.EPERM: "the right to write there",
}
_ON_THE_WAY: Final = "a link or a file stands on the way, and no report is written through one"


class Unwritten(NodeFault):
    """A report that could not be written: why, and what it would take. `refused`: it must not be written there."""

    def __init__(self, message: str, why: str, needs: str, *, refused: bool = False) -> None:
        super().__init__(ErrorKind.REFUSED, message)
        self.why = why
        self.needs = needs
        self.refused = refused


def refused(path: str, why: str) -> Unwritten:
    return Unwritten(f"{path}: {why}, and no report is written there", why, "another path", refused=True)


def write(root: str, path: str, text: str, state: str | None = None) -> None:
    """Write a file by its path from the root. No link is followed, and none is replaced. Blocks; raises Unwritten, and
    NodeFault for a path that leads out.

    `state`: the directory that runs are kept in, where no report may stand, whatever its name.
    """
    mark = os.urandom(6).hex()  # numbers of processes come again, in containers
    steps = path.replace(os.sep, "/").split("/")
    if not all(step not in ("", ".", "..") and "\0" not in step for step in steps) or os.path.isabs(path):
        raise NodeFault(ErrorKind.REFUSED, f"{path} is no path from the project's root that stays in it")
    why = kept(path)
    if why is not None:
        raise refused(path, why)
    if state is not None:
        _refuse_state(root, steps, state, path)
    data = text.encode("utf-8", "replace")
    try:
        if os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd:
            _write_below(root, steps, data, mark)
        else:
            _write_whole(root, steps, data, mark)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Unwritten(
                f"{path}: {_ON_THE_WAY}", _ON_THE_WAY, "another path, or its place free", refused=True
            ) from None
        why = error.strerror or type(error).__name__
        needs = _NEEDS.get(error.errno or 0, "a place that can be written to")
        raise Unwritten(f"the report can't be written to {path}: {why}", why, needs) from None


def _refuse_state(root: str, steps: list[str], state: str, path: str) -> None:
    here = root
    for step in steps[:-1]:
        here = os.path.join(here, step)
        with contextlib.suppress(OSError):
            if Path(here).samefile(state):
                raise refused(path, f"{step} is the runner's own")


def _write_below(root: str, steps: list[str], data: bytes, mark: str) -> None:
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps[:-1]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(step, dir_fd=here)
            below = os.open(step, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        _refuse_others(steps[-1], here)
        part = f".{steps[-1][:100]}.{mark}"
        file = os.open(part, _NEW, 0o666, dir_fd=here)
        try:
            _fill(file, data)
            os.rename(part, steps[-1], src_dir_fd=here, dst_dir_fd=here)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=here)
            raise
    finally:
        os.close(here)


def _refuse_others(name: str, folder: int) -> None:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.ELOOP, "no regular file")


def _fill(file: int, data: bytes) -> None:
    with os.fdopen(file, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _write_whole(root: str, steps: list[str], data: bytes, mark: str) -> None:
    """The same where nothing is opened from a folder (Windows): links on the way are looked for."""
    home = os.path.realpath(root)
    folder = os.path.join(home, *steps[:-1])
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, steps[-1])
    if os.path.realpath(folder) != folder or os.path.islink(target):
        raise OSError(errno.ELOOP, "a link leads elsewhere")
    part = os.path.join(folder, f".{steps[-1][:100]}.{mark}")
    _fill(os.open(part, _NEW | getattr(os, "O_BINARY", 0), 0o666), data)
    os.replace(part, target)
