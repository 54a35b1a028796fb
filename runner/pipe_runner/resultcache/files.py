"""The content of the files that globs match: inside the root, links resolved, regular files only (S9)."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

from pipe_runner import flags

_CHUNK: Final = 1 << 20
_SETTLED: Final = 2.0
"""Seconds after a change of a file in which another one may bear the same time."""
_SPECIAL: Final = re.compile(r"[*?\[]")


class NotRead(Exception):
    """Why the files can't be part of a key, in words."""


Known: TypeAlias = dict[str, tuple[tuple[int, ...], str]]
"""By the real paths of files: what their `stat` said when they were read, and their digest."""


def digests(
    root: str,
    globs: Iterable[str],
    leave_out: str,
    give_up: Callable[[], bool] = lambda: False,
    known: Known | None = None,
) -> dict[str, str]:
    """sha256 of each file that a glob matches, by its path from `root`; raises NotRead.

    `*`, `?` and `[…]` match within a name, `**` any number of folders; names that begin with `.` only where the glob
    says so. A folder that is matched stands for all in it. A link that leads out of the root, or to no regular file,
    counts by where it leads: what is there is not read. Nothing in the folder `leave_out` is looked at. A file that
    is in `known` is read again when its `stat` is another.
    """
    found: dict[str, str] = {}
    known = {} if known is None else known
    folders: dict[str, str | None] = {}
    try:
        top = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError as error:
        raise NotRead(f"{root} can't be read: {error.strerror}") from error
    try:
        for path in sorted({path for glob in globs for path in _matches(root, glob, leave_out, give_up)}):
            if give_up():
                raise NotRead("the run was stopped")
            found[path] = _digest(top, root, path, give_up, known, folders)
    finally:
        os.close(top)
    return found


def idle(root: str, globs: Iterable[str], leave_out: str, give_up: Callable[[], bool] = lambda: False) -> list[str]:
    """The globs that match no file; raises NotRead."""
    return [glob for glob in globs if next(_matches(root, glob, leave_out, give_up), None) is None]


def _matches(root: str, glob: str, leave_out: str, give_up: Callable[[], bool]) -> Iterator[str]:
    segments = [segment for segment in glob.split("/") if segment not in ("", ".")]
    end = len(segments)
    stack: list[tuple[str, int]] = [("", 0)]
    seen: set[tuple[str, int]] = set()
    while stack:
        here, at = stack.pop()
        if (here, at) in seen or os.path.join(root, here) == leave_out:
            continue
        seen.add((here, at))
        if give_up():
            raise NotRead("the run was stopped")
        if at >= end:  # matched, or within a folder that is
            if _is_folder(root, here) or (at == end and os.path.isdir(_inside(root, here) or "")):
                stack += [(_join(here, name), end + 1) for name in _names(root, here) if name[:1] != "."]
            elif here:
                yield here
            continue
        segment = segments[at]
        if segment == "**":
            stack.append((here, at + 1))
            for name in _names(root, here):
                below = _join(here, name)
                if name[:1] != "." and _is_folder(root, below):
                    stack.append((below, at))
        elif not _SPECIAL.search(segment):
            below = _join(here, segment)
            if _inside(root, here) and os.path.lexists(os.path.join(root, below)):
                stack.append((below, at + 1))
        else:
            fits = _pattern(segment).match
            hidden = segment[:1] == "."
            stack += [
                (_join(here, name), at + 1) for name in _names(root, here) if fits(name) and (hidden or name[:1] != ".")
            ]


@lru_cache(maxsize=256)
def _pattern(segment: str) -> re.Pattern[str]:
    return re.compile(translate(segment))


def _join(here: str, name: str) -> str:
    return f"{here}/{name}" if here else name


def _is_folder(root: str, path: str) -> bool:
    """Whether it is a folder itself; a link to one is looked at as a link, so that no walk leaves the root."""
    try:
        return stat.S_ISDIR(os.lstat(os.path.join(root, path)).st_mode)
    except OSError:
        return False


def _inside(root: str, path: str) -> str | None:
    """Where a path leads, links resolved; None for out of the root."""
    real = os.path.realpath(os.path.join(root, path))
    return real if real == root or real.startswith(root.rstrip("/") + "/") else None


def _names(root: str, path: str) -> list[str]:
    real = _inside(root, path)
    if real is None or not os.path.isdir(real):
        return []
    try:
        return os.listdir(real)
    except OSError as error:
        raise NotRead(f"the folder {path or root} can't be read: {error.strerror}") from error


def _digest(
    top: int, root: str, path: str, give_up: Callable[[], bool], known: Known, folders: dict[str, str | None]
) -> str:
    """Of the file's content, opened without following a link that wasn't there when links were resolved."""
    full = os.path.join(root, path)
    folder, _, name = path.rpartition("/")
    if folder not in folders:
        folders[folder] = _inside(root, folder)
    try:
        real: str | None = None if folders[folder] is None else os.path.join(folders[folder] or "", name)
        state = os.lstat(real) if real is not None else None
        if state is None or stat.S_ISLNK(state.st_mode):
            real = _inside(root, path)
            state = os.stat(real) if real is not None and os.path.isfile(real) else None
        if real is not None and state is not None and stat.S_ISREG(state.st_mode):
            before, digest = known.get(real, ((), ""))
            if before != _signs(state):
                fd = _open(top, os.path.relpath(real, root))
                opened = os.fstat(fd)
                digest = _hash(fd, give_up)
                if time.time() - opened.st_ctime > _SETTLED and _signs(os.lstat(real)) == _signs(opened):
                    known[real] = _signs(opened), digest
            return digest
        if os.path.islink(full):
            return f"link {sha256(os.fsencode(os.readlink(full))).hexdigest()}"
        return "no regular file of the project"
    except OSError as error:
        raise NotRead(f"{path} can't be read: {error.strerror}") from error


def _signs(state: os.stat_result) -> tuple[int, ...]:
    """What is another when a file is, or its content: the second time it can't be set by anybody."""
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _open(top: int, path: str) -> int:
    """The file, folder by folder: what is exchanged for a link meanwhile is refused by the system."""
    *folders, name = path.split("/")
    here = top
    try:
        for folder in folders:
            below = os.open(folder, flags.FOLDER, dir_fd=here)
            if here != top:
                os.close(here)
            here = below
        return os.open(name, flags.READ, dir_fd=here)
    finally:
        if here != top:
            os.close(here)


def _hash(fd: int, give_up: Callable[[], bool]) -> str:
    digest = sha256()
    with open(fd, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotRead("a file was exchanged for something else while it was read")
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if give_up():
                raise NotRead("the run was stopped")
    return digest.hexdigest()
