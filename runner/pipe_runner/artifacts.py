"""Files that a node leaves behind: copied into the run by digest, and put back from a cached result (S9)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from pipe_runner import flags
from pipe_runner.errors import NodeFault, StorageError
from pipe_runner.halts import Halted
from pipe_runner.ports import Attempt
from pipe_runner.sync import sync_directory, sync_file
from pipe_runner.types import ErrorKind

MOST: Final = 10_000
"""Files of one node."""
_CHUNK: Final = 1 << 18
_STRETCH: Final = 1 << 25
"""Bytes after which what was written is made durable, where it is to be: so that no wait for the disk is long."""


def _go_on() -> bool:
    return False


class Copied(NamedTuple):
    """A file that was copied, as events have it."""

    name: str
    path: str
    """From the node's working directory."""
    sha256: str
    bytes: int
    executable: bool

    def to_json(self) -> dict[str, Any]:
        data = self._asdict()
        if not self.executable:
            del data["executable"]
        return data


def working_directory(attempt: Attempt) -> tuple[str, int, int]:
    """Where a node's paths begin: links resolved, inside the root; a descriptor of it, and whom the folders on the way
    let in, as `_open` gives it. Raises NodeFault."""
    cwd = attempt.options.get("cwd") if attempt.agent == "shell" and not attempt.workspace else None
    root = attempt.workspace or attempt.root
    real = os.path.realpath(os.path.join(root, str(cwd or "")))
    if attempt.workspace and real != root:
        raise NodeFault(ErrorKind.REFUSED, f"the working directory {root} was exchanged for a link")
    if real != root and not real.startswith(root.rstrip("/") + "/"):
        raise NodeFault(ErrorKind.REFUSED, f"the working directory {cwd} is outside the project's root")
    try:
        top = os.open(root, flags.FOLDER if attempt.workspace else os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            return real, *_open(top, os.path.relpath(real, root), flags.FOLDER)
        finally:
            os.close(top)
    except OSError as error:
        raise NodeFault(ErrorKind.NOT_FOUND, f"the working directory {real}: {error.strerror}") from error


def collect(
    attempt: Attempt,
    wanted: Sequence[tuple[str, str]],
    folder: str,
    *,
    durable: bool,
    halted: Callable[[], bool] = _go_on,
) -> list[Copied]:
    """Copy these (name, path from the working directory) into `folder`, each file under its digest: all or none.

    Raises NodeFault for what is not there, leaves that directory or is no file, StorageError where it can't be written,
    Halted once `halted` says so.
    """
    copied: list[Copied] = []
    parts: dict[str, str] = {}
    base, top, above = working_directory(attempt)
    try:
        for name, path in wanted:
            for shown, real in _files(base, name, path, halted):
                if len(copied) == MOST:
                    raise NodeFault(ErrorKind.OUTPUT_TOO_LARGE, f"the artifacts are more than {MOST} files: pack them")
                try:
                    source, let_in = _open(top, os.path.relpath(real, base))
                except OSError as error:
                    raise _not_read(name, shown, error) from error
                mode = os.fstat(source).st_mode
                if not stat.S_ISREG(mode):
                    os.close(source)
                    raise NodeFault(ErrorKind.REFUSED, f"artifact {name}: {shown} is no regular file")
                with open(source, "rb", buffering=0) as file:
                    part, digest, size = _copy(file, folder, durable, halted, above & let_in)
                if digest in parts:
                    os.unlink(part)
                else:
                    parts[digest] = part
                copied.append(Copied(name, shown, digest, size, bool(mode & 0o100)))
        _name(parts, folder, durable)
    finally:
        os.close(top)
        for part in parts.values():
            _unlink(part)
    return copied


def kept(source: str, digest: str, folder: str, *, durable: bool, halted: Callable[[], bool] = _go_on) -> bool:
    """Copy a file of the cache into `folder`; False where it isn't what its name says. Raises StorageError, Halted."""
    try:
        file = open(os.open(source, flags.READ), "rb", buffering=0)
    except OSError:
        return False
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return False
        part, found, _ = _copy(file, folder, durable, halted)
    if found != digest:
        _unlink(part)
        return False
    _name({digest: part}, folder, durable)
    return True


def put_back(
    attempt: Attempt,
    files: Sequence[Mapping[str, Any]],
    folder: str,
    *,
    verify: bool = False,
    halted: Callable[[], bool] = _go_on,
) -> None:
    """Put files of the run into the working directory; what is there already, with the same content, stays.

    No link is followed on the way. Folders that are made let in whoever may read something in them. With `verify` a
    file that isn't what its name says is refused. Raises OSError and NodeFault, and Halted once `halted` says so.
    """
    _, top, _ = working_directory(attempt)
    made: dict[tuple[str, ...], int] = {}
    try:
        for item in files:
            *folders, name = str(item["path"]).split("/")
            if not name or ".." in (*folders, name):
                raise OSError(0, f"{item['path']} is no path of an artifact")
            way = [os.dup(top)]
            try:
                for depth, below in enumerate(folders):
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(below, 0o700, dir_fd=way[-1])
                        made[tuple(folders[: depth + 1])] = 0o700
                    way.append(os.open(below, flags.FOLDER, dir_fd=way[-1]))
                mode = _place(way[-1], name, os.path.join(folder, item["sha256"]), item, verify, halted)
                for depth, here in enumerate(way[1:], 1):
                    _let_in(here, mode, tuple(folders[:depth]), made)
            finally:
                for here in way:
                    os.close(here)
    finally:
        os.close(top)


def _let_in(folder: int, mode: int, path: tuple[str, ...], made: dict[tuple[str, ...], int]) -> None:
    """Open a folder, if it was made here, to those whom a file in it is open to."""
    before = made.get(path)
    if before is not None and (after := before | mode & 0o066 | (mode & 0o044) >> 2) != before:
        os.fchmod(folder, after)
        made[path] = after


def _place(here: int, name: str, source: str, item: Mapping[str, Any], verify: bool, halted: Callable[[], bool]) -> int:
    """Put a file into a folder; its mode there."""
    with contextlib.suppress(OSError), open(os.open(name, flags.READ, dir_fd=here), "rb", buffering=0) as there:
        found = os.fstat(there.fileno())
        same = stat.S_ISREG(found.st_mode) and found.st_size == item["bytes"] and bool(found.st_mode & 0o100) == bool(
            item.get("executable")
        )  # fmt: skip
        if same and _digest(there, halted) == item["sha256"]:
            return found.st_mode
    part = flags.beside("")
    digest = sha256()
    try:
        try:
            kept_file = open(source, "rb", buffering=0)
        except FileNotFoundError as error:
            raise NodeFault(ErrorKind.NOT_FOUND, "it is gone from the run") from error
        with kept_file:
            mode = rights(kept_file)
            if item.get("executable"):
                mode |= (mode & 0o444) >> 2
            with open(os.open(part, flags.NEW, mode, dir_fd=here), "wb") as file:
                mode = os.fstat(file.fileno()).st_mode
                for chunk in _chunks(kept_file, halted):
                    file.write(chunk)
                    digest.update(chunk)
        if verify and digest.hexdigest() != item["sha256"]:
            raise NodeFault(ErrorKind.NOT_FOUND, "it is damaged in the run")
        os.rename(part, name, src_dir_fd=here, dst_dir_fd=here)
        return mode
    except (OSError, NodeFault, Halted):
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=here)
        raise


def _files(base: str, name: str, path: str, halted: Callable[[], bool]) -> Iterator[tuple[str, str]]:
    """The files of an artifact: their path as it is shown, and where they are, links resolved."""
    shown = os.path.normpath(path)
    real = _inside(base, name, shown)
    if not os.path.lexists(real):
        raise NodeFault(ErrorKind.NOT_FOUND, f"artifact {name}: {shown} is not there")
    if not os.path.isdir(real):
        yield shown, real
        return
    stack = [("" if shown == "." else shown, real)]
    while stack:
        here, folder = stack.pop()
        if halted():
            raise Halted
        try:
            entries = [
                (entry, entry.is_dir(follow_symlinks=False), entry.is_symlink())
                for entry in sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
            ]
        except OSError as error:
            raise _not_read(name, here, error) from error
        files = []
        for entry, is_folder, is_link in entries:
            below = f"{here}/{entry.name}" if here else entry.name
            if is_folder:
                stack.append((below, entry.path))
            else:
                files.append((below, _inside(base, name, below) if is_link else entry.path))
        yield from reversed(files)


def _inside(base: str, name: str, path: str) -> str:
    try:
        real = os.path.realpath(os.path.join(base, path))
    except OSError as error:  # exchanged while links are resolved
        raise _not_read(name, path, error) from error
    if real != base and not real.startswith(base.rstrip("/") + "/"):
        raise NodeFault(ErrorKind.REFUSED, f"artifact {name}: {path} leaves the node's working directory")
    return real


def _open(top: int, path: str, how: int = flags.READ) -> tuple[int, int]:
    """Folder by folder: what is exchanged for a link meanwhile is refused by the system. With the descriptor, as bits
    of a mode: to whom the folders on the way are open."""
    *folders, name = path.split("/")
    here, let_in = os.dup(top), 0o666
    try:
        for folder in folders:
            below = os.open(folder, flags.FOLDER, dir_fd=here)
            os.close(here)
            here = below
            let_in &= _lets_in(here)
        found = os.open(name, how, dir_fd=here)
        return found, let_in & (_lets_in(found) if how == flags.FOLDER and name != "." else 0o666)
    finally:
        os.close(here)


def _lets_in(folder: int) -> int:
    mode = os.fstat(folder).st_mode
    return 0o600 | (0o060 if mode & 0o010 else 0) | (0o006 if mode & 0o001 else 0)


def _not_read(name: str, path: str, error: OSError) -> NodeFault:
    if error.errno == errno.ENXIO:
        return NodeFault(ErrorKind.REFUSED, f"artifact {name}: {path} is no regular file")
    kind = ErrorKind.NOT_FOUND if isinstance(error, FileNotFoundError) else ErrorKind.REFUSED
    return NodeFault(kind, f"artifact {name}: {path} can't be read: {error.strerror}")


def _copy(
    file: Any, folder: str, durable: bool, halted: Callable[[], bool], let_in: int = 0o666
) -> tuple[str, str, int]:
    """Copy a file into `folder`, whole or not at all, for nobody who may not read or write the file itself; where it is
    there, its digest and its size.

    `let_in`: to whom the folders of the file are open, as bits of a mode.
    """
    part = flags.beside(os.path.join(folder, "copy"))
    digest, size = sha256(), 0
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            if durable:
                sync_directory(os.path.dirname(folder))
        with open(os.open(part, flags.NEW, rights(file) & let_in), "wb", buffering=0) as out:
            for chunk in _chunks(file, halted):
                digest.update(chunk)
                size += len(chunk)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[out.write(rest) :]
                if durable and size % _STRETCH == 0:
                    sync_file(out.fileno())
            if durable:
                sync_file(out.fileno())
    except OSError as error:
        _unlink(part)
        raise StorageError(f"cannot write {part}: {error.strerror}") from error
    except BaseException:
        _unlink(part)
        raise
    return part, digest.hexdigest(), size


def _chunks(file: Any, halted: Callable[[], bool]) -> Iterator[bytes]:
    """What is in an open file. Raises Halted."""
    while not halted():
        if not (chunk := file.read(_CHUNK)):
            return
        yield chunk
    raise Halted


def _name(parts: dict[str, str], folder: str, durable: bool) -> None:
    """Give copies in `folder` the names of their digests. Raises StorageError."""
    try:
        for digest, part in parts.items():
            os.rename(part, os.path.join(folder, digest))
        if durable and parts:
            sync_directory(folder)
        parts.clear()
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror}") from error


def _unlink(part: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(part)


def rights(file: Any) -> int:
    """Who may read and write a copy of an open file: its owner, and who else may with the file itself."""
    return os.fstat(file.fileno()).st_mode & 0o666 | 0o600


def _digest(file: Any, halted: Callable[[], bool]) -> str:
    digest = sha256()
    for chunk in _chunks(file, halted):
        digest.update(chunk)
    return digest.hexdigest()
