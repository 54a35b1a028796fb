"""Which files are read, and in which order: paths, globs, rotated files. Only regular files are ever opened."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable
from typing import Final, NamedTuple

from pipe_agents.logs.words import shown
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

MOST_FILES: Final = 1000

_ROTATED: Final = re.compile(
    r"(?:[.\-_](\d{1,4})|[.\-_](\d{4}-?\d{2}-?\d{2}(?:[T\-_.]?\d{2,6})?))?(?:\.(?:gz|bz2|xz|zst))?\Z"
)


class File(NamedTuple):
    """One file that is to be read."""

    path: str
    size: int
    modified: float
    """Seconds since 1970."""


class Unread(NamedTuple):
    """Something that was asked for and is not read: why, and what it would take."""

    subject: str
    why: str
    needs: str


class Found(NamedTuple):
    files: list[File]
    unread: list[Unread]
    empty: list[str]
    """Globs that match nothing, while others match."""


class _Wrong(Exception):
    """A path that is named exactly, and can't be read."""

    def __init__(self, kind: ErrorKind, given: str, why: str, needs: str) -> None:
        super().__init__(why)
        self.fault = NodeFault(kind, f"{shown(given, 300)}{'' if why.startswith('is ') else ':'} {why}; {needs}")
        self.unread = Unread(given, f"it {why}" if why.startswith("is ") else why, needs)


def unpacked(file: File) -> int:
    """About how many bytes it holds."""
    return file.size * 8 if file.path.endswith((".gz", ".bz2", ".xz", ".zst")) else file.size


def rotation(path: str) -> tuple[str, int, float, str]:
    """A key by which rotated files stand in the order of their times: `log.2.gz`, `log.1`, `log`."""
    folder, name = os.path.split(path)
    found = _ROTATED.search(name)
    base = name[: found.start()] if found else name
    if found and found[1]:
        return (os.path.join(folder, base), 0, -float(found[1]), path)
    if found and found[2]:
        return (os.path.join(folder, base), 1, float(re.sub(r"\D", "", found[2]).ljust(14, "0")), path)
    return (os.path.join(folder, base), 2, 0.0, path)


def find(paths: Iterable[str], base: str, others: bool = False) -> Found:
    """The files that paths and globs name, each once, the older ones of a rotated log first.

    A path that is named exactly and isn't there, or is no regular file, fails the node if nothing else is left to read.
    """
    files: dict[tuple[int, int], File] = {}
    unread: list[Unread] = []
    empty: list[str] = []
    wrong: list[_Wrong] = []
    beyond = 0
    for given in paths:
        if "\0" in given:
            raise NodeFault(ErrorKind.REFUSED, "a path in `paths` holds a zero byte")
        full = os.path.join(base, given)
        if not glob.has_magic(given) or os.path.lexists(full):
            try:
                one = _exact(given, full)
            except _Wrong as error:
                wrong.append(error)
                continue
            if isinstance(one, Unread):
                unread.append(one)
            else:
                files.setdefault(one[0], one[1])
            continue
        any_there = False
        for path in sorted(_some(full)):
            seen = _look(path)
            any_there = any_there or seen is not None
            if isinstance(seen, Unread):
                unread.append(seen)
            elif seen is not None and len(files) < MOST_FILES:
                files.setdefault(seen[0], seen[1])
            elif seen is not None and seen[0] not in files:
                beyond += 1
        if not any_there:
            empty.append(given)
    if wrong and not files and not others:
        raise wrong[0].fault
    unread += [one.unread for one in wrong]
    if not files:
        unread += [Unread(one, "no file matches this glob", "a file that matches, or another path") for one in empty]
        empty = []
    if beyond:
        why = f"{beyond} more files match: at most {MOST_FILES} are read"
        unread.append(Unread("paths", why, "a narrower glob, or several nodes"))
    return Found(sorted(files.values(), key=lambda file: rotation(file.path)), unread, empty)


def _some(pattern: str) -> list[str]:
    found = []
    for path in glob.iglob(pattern, recursive=True):
        found.append(path)
        if len(found) >= 20 * MOST_FILES:
            break
    return found


def _exact(given: str, full: str) -> tuple[tuple[int, int], File] | Unread:
    try:
        about = os.stat(full)
    except FileNotFoundError:
        hint = "it is a link that leads nowhere" if os.path.islink(full) else "write a glob where it may be missing"
        raise _Wrong(ErrorKind.NOT_FOUND, given, "there is no such file", hint) from None
    except PermissionError:
        return _denied(given)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise _Wrong(ErrorKind.NOT_FOUND, given, why, "write the path of a file") from None
    if not stat.S_ISREG(about.st_mode):
        instead = "write a glob, as in `/var/log/*.log`" if stat.S_ISDIR(about.st_mode) else "write the path of one"
        raise _Wrong(ErrorKind.REFUSED, given, f"is {kind(about.st_mode)}, and only regular files are read", instead)
    return (about.st_dev, about.st_ino), File(full, about.st_size, about.st_mtime)


def _look(path: str) -> tuple[tuple[int, int], File] | Unread | None:
    """What a glob has found; a folder among it is nothing."""
    try:
        about = os.stat(path)
    except PermissionError:
        return _denied(path)
    except OSError as error:
        return Unread(path, f"it can't be looked at: {error.strerror}", "a link that leads somewhere")
    if stat.S_ISDIR(about.st_mode):
        return None
    if not stat.S_ISREG(about.st_mode):
        return Unread(path, f"it is {kind(about.st_mode)}, and only regular files are read", "a regular file")
    return (about.st_dev, about.st_ino), File(path, about.st_size, about.st_mtime)


def _denied(path: str) -> Unread:
    return Unread(path, "this user may not read it", "the permission to read it (often the group adm), or root")


def kind(mode: int) -> str:
    for is_it, words in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if is_it(mode):
            return words
    return "something else"
