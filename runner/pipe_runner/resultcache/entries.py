"""Entries of the cache: one JSON file each under `cache/results/`, named by its key; large outputs beside them."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Any, Final, NamedTuple

from pipe_runner.resultcache.key import FORMAT, Parts, parts_from_json, parts_to_json
from pipe_runner.types import Json

INLINE: Final = 64 * 1024
"""Bytes of an output, as JSON, above which it has a file of its own."""
_LARGEST: Final = 64 << 20
_numbers = count()


class Entry(NamedTuple):
    """A kept result. `made` is the wall clock, in seconds since 1970."""

    key: str
    parts: Parts
    pipeline: str
    node: str
    run: str
    made: float
    output: Json = None
    blob: Mapping[str, Any] | None = None
    """`{sha256, bytes}` of the file that holds the output, where it is large."""
    exit_code: int | None = None
    artifacts: Sequence[Mapping[str, Any]] = ()
    """`{name, path, sha256, bytes}` of each, whose content has a file, too."""

    def blobs(self) -> dict[str, int]:
        """The files that it has besides its own, and their sizes."""
        found = {str(item["sha256"]): int(item["bytes"]) for item in self.artifacts}
        if self.blob is not None:
            found[str(self.blob["sha256"])] = int(self.blob["bytes"])
        return found


class Entries:
    """The entries below one state directory. Whatever is wrong with one makes it a miss, never an error."""

    def __init__(self, state_dir: str | os.PathLike[str]) -> None:
        home = os.path.join(os.path.abspath(state_dir), "cache")
        self._results = os.path.join(home, "results")
        self._blobs = os.path.join(home, "blobs")
        self._salt = os.path.join(home, "salt")

    def read(self, key: str) -> Entry | None:
        """The entry of this key, with its output; None where there is none, or one that is damaged."""
        found = self._entry(key)
        if found is None or found.blob is None:
            return found
        raw = _content(os.path.join(self._blobs, str(found.blob.get("sha256"))))
        if raw is None or len(raw) != found.blob.get("bytes") or sha256(raw).hexdigest() != found.blob.get("sha256"):
            return None
        try:
            return found._replace(output=json.loads(raw))
        except (ValueError, RecursionError):
            return None

    def write(self, entry: Entry) -> None:
        """Keep an entry: whole or not at all, in place of one of the same key. Raises OSError."""
        text = json.dumps(entry.output, separators=(",", ":"), allow_nan=False)
        data: dict[str, Any] = {**entry._asdict(), "format": FORMAT, "parts": parts_to_json(entry.parts)}
        if len(text) > INLINE:
            raw = text.encode("ascii")
            data["output"], data["blob"] = None, {"sha256": sha256(raw).hexdigest(), "bytes": len(raw)}
            _write(self._blobs, data["blob"]["sha256"], raw)
        line = json.dumps(data, separators=(",", ":"), allow_nan=False)[:-1].encode("ascii")
        _write(self._results, entry.key, b'%s,"crc":"%08x"}\n' % (line, zlib.crc32(line)))

    def all(self) -> Iterator[tuple[Entry, int]]:
        """Every entry that can be read, without large outputs, and its size in bytes with them; in no order."""
        for key in _listed(self._results):
            entry = self._entry(key)
            if entry is not None:
                with contextlib.suppress(OSError):
                    own = os.stat(os.path.join(self._results, key)).st_size
                    yield entry, own + sum(entry.blobs().values())

    def remove(self, older_than: float | None = None) -> tuple[int, int]:
        """Remove the entries made before `older_than` (all without it), damaged ones, and large outputs that no entry
        names; how many entries and how many bytes that were. Raises OSError."""
        gone = freed = 0
        named: set[str] = set()
        for name in _listed(self._results):
            entry = self._entry(name)
            if entry is not None and older_than is not None and entry.made >= older_than:
                named.update(entry.blobs())
                continue
            freed += _remove(os.path.join(self._results, name))
            gone += 1
        for name in _listed(self._blobs):
            if name not in named:
                freed += _remove(os.path.join(self._blobs, name))
        return gone, freed

    def file(self, digest: str) -> str:
        """Where the content of an artifact is kept."""
        return os.path.join(self._blobs, digest)

    def take_file(self, source: str, digest: str) -> None:
        """Keep the content of an artifact, which has this digest. Raises OSError."""
        os.makedirs(self._blobs, exist_ok=True)
        target, part = self.file(digest), f"{self.file(digest)}.{os.getpid()}.{next(_numbers)}.part"
        try:
            os.link(source, part)
        except OSError:
            from shutil import copyfile

            copyfile(source, part)
        os.replace(part, target)
        with contextlib.suppress(FileNotFoundError):  # both names were one file already: `replace` does nothing then
            os.unlink(part)

    def salt(self) -> bytes:
        """What the digests of secrets are keyed with: made once, for its owner only. Raises OSError."""
        for _ in range(2):
            found = _content(self._salt)
            if found is not None and len(found) == 32:
                return found
            os.makedirs(os.path.dirname(self._salt), exist_ok=True)
            part = f"{self._salt}.{os.getpid()}.{next(_numbers)}.part"
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, os.urandom(32))
            finally:
                os.close(fd)
            try:
                if found is None and not os.path.lexists(self._salt):
                    with contextlib.suppress(FileExistsError):
                        os.link(part, self._salt)  # whoever is first has made it
                else:
                    os.replace(part, self._salt)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part)
        found = _content(self._salt)
        if found is None:
            raise OSError(0, f"{self._salt} can't be read")
        return found

    def _entry(self, key: str) -> Entry | None:
        raw = _content(os.path.join(self._results, key))
        if raw is None:
            return None
        before, _, crc = raw.rpartition(b',"crc":')
        if crc != b'"%08x"}\n' % zlib.crc32(before):
            return None
        try:
            data = json.loads(before + b"}")
            if data.pop("format") != FORMAT or data["key"] != key:
                return None
            data["parts"] = parts_from_json(data["parts"])
            data["artifacts"] = tuple(data["artifacts"])
            entry = Entry(**data)
            entry.blobs()
            return entry if entry.parts.digest() == key else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _remove(path: str) -> int:
    try:
        size = os.lstat(path).st_size
        os.unlink(path)
    except FileNotFoundError:  # somebody else was quicker
        return 0
    return size


def _content(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            return file.read() if stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST else None
    except OSError:
        return None


def _write(folder: str, name: str, data: bytes) -> None:
    part = os.path.join(folder, f"{name}.{os.getpid()}.{next(_numbers)}.part")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(part, "xb") as file:
            file.write(data)
        os.replace(part, os.path.join(folder, name))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
