"""The folder of a recording: one file for each call, so that runs beside each other don't meet, and git shows each."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from pipe_runner.errors import StorageError, UsageError
from pipe_runner.project import is_inside
from pipe_runner.recordings.entry import Entry

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}-[a-z]{1,20}-[0-9a-f]{12}-[0-9]+\.json(?:\.part)?\Z")
_LEFT: Final = 3600
"""Seconds after which nobody writes any more to what was begun."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.]+")
_NAMED: Final = 20
"""Files that can't be used and that are named."""
_MOST: Final = 64 * 2**20
"""Bytes of one recording."""


class Folder:
    """Reads and writes recordings; `path` is absolute. `within`: a folder that no link leads out of where it reads."""

    def __init__(self, path: str, within: Path | None = None) -> None:
        self.path, self._within = path, within
        self._free: dict[str, int] = {}
        """By the beginning of a name: the number behind the last that was taken."""

    def prepare(self) -> None:
        """Make the folder where there is none, see that files can be made in it, and remove what killed runners have
        begun. Raises StorageError."""
        probe = os.path.join(self.path, f"{os.getpid()}-probe-{'0' * 12}-0.json.part")
        try:
            os.makedirs(self.path, exist_ok=True)
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.unlink(probe)
            for name in os.listdir(self.path):
                if name.endswith(".part") and _NAME.match(name):
                    self._sweep(os.path.join(self.path, name))
        except OSError as error:
            raise self._fault("be used", error) from error

    def _sweep(self, part: str) -> None:
        """Remove a file that nobody finishes any more; runs beside this one write to theirs."""
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.lstat(part).st_mtime > _LEFT:
                os.unlink(part)

    def clear(self, only: Collection[str] = ()) -> None:
        """Remove the recordings that are there, and make the folder where there is none. Raises StorageError.

        `only`: those of these nodes, of their items and of what is inside them; none: all.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            for name in os.listdir(self.path):
                path = os.path.join(self.path, name)
                if _NAME.match(name) and (not only or self._is_of(path, only)):
                    os.unlink(path)
        except OSError as error:
            raise self._fault("be used", error) from error

    def _is_of(self, path: str, nodes: Collection[str]) -> bool:
        try:
            node = self._entry(path).node
        except UsageError:  # nobody knows whose it is
            return path.endswith(".part")
        return any(node == one or node.startswith((f"{one}[", f"{one}.")) for one in nodes)

    def write(self, entry: Entry) -> None:
        """Keep one, whole or not at all, under a name of its own. Raises StorageError."""
        node = _UNFIT.sub("-", entry.node).strip("-.")[:60] or "node"
        start = f"{node}-{entry.kind}-{entry.key[:12]}"
        data = entry.to_text().encode("utf-8", "surrogatepass")
        number = max(entry.number, self._free.get(start, 0))
        try:
            while not _written(os.path.join(self.path, f"{start}-{number}.json"), data):
                number += 1
        except OSError as error:
            raise self._fault("be written", error) from error
        self._free[start] = number + 1

    def read(self) -> list[Entry]:
        """All of it, by name. Raises UsageError where there is none, or some can't be used."""
        try:
            names = sorted(name for name in os.listdir(self.path) if name.endswith(".json"))
        except OSError as error:
            if isinstance(error, NotADirectoryError):
                raise UsageError(f"no recordings can be read in {self.path}: it is no folder") from error
            hint = f"make them with `pipe run FILE --record {shlex.quote(self.path)}`"
            raise UsageError(f"no recordings can be read in {self.path}: {error.strerror}", hint=hint) from error
        found, unfit = [], []
        for name in names:
            try:
                found.append(self._entry(os.path.join(self.path, name)))
            except UsageError as error:
                unfit.append((name, error))
        if unfit:
            _, first = unfit[0]
            others = [name for name, _ in unfit[1:]]
            more = f", … ({len(others)} in all)" if len(others) > _NAMED else ""
            if others:
                first.message += f"; others that can't be used: {', '.join(others[:_NAMED])}{more}"
            raise first
        return found

    def others(self, *, some: bool = False) -> list[str]:
        """Files, by name, that recording leaves there and `read` would refuse: those of somebody else, and where only
        `some` recordings are made anew, any."""
        try:
            names = sorted(os.listdir(self.path))
        except OSError:
            return []
        found = []
        for name in names:
            if name.endswith(".json") and (some or not _NAME.match(name)):
                try:
                    self._entry(os.path.join(self.path, name))
                except UsageError:
                    found.append(name)
        return found

    def _entry(self, path: str) -> Entry:
        try:
            if self._within is not None and not is_inside(path, self._within):
                raise ValueError("it is a link that leaves the project")
            if not os.path.isfile(path):
                raise ValueError("it is no file")
            if os.stat(path).st_size > _MOST:
                raise ValueError(f"it has more than {_MOST >> 20} MiB")
            with open(path, encoding="utf-8-sig", errors="surrogatepass") as file:
                return Entry.from_text(file.read())._replace(file=path)
        except UnicodeDecodeError as error:
            raise self._unfit(path, f"it is not UTF-8, at byte {error.start}") from error
        except OSError as error:
            raise UsageError(f"the recording {path} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise self._unfit(path, error) from error

    def _unfit(self, path: str, why: object) -> UsageError:
        hint = "mend it, record again with --record, or remove the file"
        return UsageError(f"the recording {path} can't be used: {why}", hint=hint)

    def _fault(self, what: str, error: OSError) -> StorageError:
        why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        return StorageError(f"the recording in {self.path} can't {what}: {why}")


def _written(path: str, data: bytes) -> bool:
    """Whether the name was free, and now is a file of these bytes. Who makes the part file has the name."""
    part = f"{path}.part"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if os.path.lexists(path):
            os.unlink(part)
            return False
        os.rename(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    return True
