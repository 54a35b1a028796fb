"""Entries of the cache: one JSON file each under `cache/results/`, named by its key; large outputs beside them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import stat
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from pipe_runner import flags
from pipe_runner.resultcache.key import FORMAT, Parts, parts_from_json, parts_to_json
from pipe_runner.resultcache.room import Room
from pipe_runner.types import Json

INLINE: Final = 64 * 1024
"""Bytes of an output, as JSON, above which it has a file of its own."""
_LARGEST: Final = 64 << 20
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z").match


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


class _Kept(NamedTuple):
    """An entry with the size of its own file, and when it was last used, in ns since 1970."""

    entry: Entry
    size: int
    used: int


class Entries:
    """The entries below one state directory. Whatever is wrong with one makes it a miss, never an error."""

    def __init__(self, state_dir: str | os.PathLike[str]) -> None:
        home = os.path.join(os.path.abspath(state_dir), "cache")
        self._results = os.path.join(home, "results")
        self._blobs = os.path.join(home, "blobs")
        self._salt = os.path.join(home, "salt")
        self.room = Room(home)
        """Hold it while an entry is read with its files, or written with them."""

    def read(self, key: str) -> Entry | None:
        """The entry of this key, with its output; None where there is none, or one that is damaged."""
        found = self._entry(key)
        if found is None or found.blob is None:
            return found
        raw = _content(os.path.join(self._blobs, str(found.blob.get("sha256"))))
        if raw is None or len(raw) != found.blob.get("bytes") or sha256(raw).hexdigest() != found.blob.get("sha256"):
            return None
        try:
            return found._replace(output=_parsed(raw))
        except (ValueError, RecursionError):
            return None

    def used(self, key: str) -> None:
        """An entry was taken: it is among the last that go."""
        at = self.room.next_use(time.time_ns(), self._newest)
        with contextlib.suppress(OSError, OverflowError):
            os.utime(os.path.join(self._results, key), ns=(at, at), follow_symlinks=False)

    def _newest(self) -> int:
        """When an entry was last used, in ns since 1970, as far as the times of files say so."""
        newest = 0
        for key in _listed(self._results):
            with contextlib.suppress(OSError):
                newest = max(newest, os.lstat(os.path.join(self._results, key)).st_mtime_ns)
        return newest

    def write(self, entry: Entry) -> int:
        """Keep an entry: whole or not at all, in place of one of the same key; the bytes written. Raises OSError."""
        size = 0
        text = json.dumps(entry.output, separators=(",", ":"), allow_nan=False)
        data: dict[str, Any] = {**entry._asdict(), "format": FORMAT, "parts": parts_to_json(entry.parts)}
        if len(text) > INLINE:
            raw = text.encode("ascii")
            data["output"], data["blob"] = None, {"sha256": sha256(raw).hexdigest(), "bytes": len(raw)}
            size = len(raw)
            _write(self._blobs, data["blob"]["sha256"], raw)
        line = json.dumps(data, separators=(",", ":"), allow_nan=False)[:-1].encode("ascii")
        line = b'%s,"crc":"%08x"}\n' % (line, zlib.crc32(line))
        _write(self._results, entry.key, line)
        self.used(entry.key)
        return size + len(line)

    def all(self) -> Iterator[tuple[Entry, int]]:
        """Every entry that can be read, without large outputs, and its size in bytes with them; in no order."""
        yield from ((one.entry, one.size + sum(one.entry.blobs().values())) for one in self._kept())

    def remove(self, older_than: float | None = None, *, patience: float | None = None) -> tuple[int, int]:
        """Remove the entries made before `older_than` (all without it), damaged ones, and large outputs that no entry
        names; how many entries and how many bytes that were. Raises OSError: BlockingIOError where others kept the
        cache busy for that many seconds."""
        with self.room.hold(alone=True, patience=patience):
            return self._remove(lambda one: older_than is None or one.entry.made < older_than)

    def shrink(self, most: int, *, down_to: int | None = None, patience: float | None = None) -> tuple[int, int]:
        """Where there are more bytes than `most`, remove the entries that were used least recently until `down_to` are
        left, and what `remove` removes beside; gives and raises what that does."""
        with self.room.hold(alone=True, patience=patience):
            kept = sorted(self._kept(), key=lambda one: (-one.used, one.entry.key))
            if down_to is not None and _bytes(kept) > most:
                most = down_to
            stay: set[str] = set()
            blobs: set[str] = set()
            total = 0
            for one in kept:
                if _bytes([one]) > most:  # too large by itself: it drives nothing else out
                    continue
                total += one.size + sum(size for name, size in one.entry.blobs().items() if name not in blobs)
                if total > most:
                    break
                blobs.update(one.entry.blobs())
                stay.add(one.entry.key)
            return self._remove(lambda one: one.entry.key not in stay)

    def sweep(self) -> None:
        """Remove what killed writers had begun, unless somebody uses the cache just now. Raises OSError."""
        folders = (self._results, self._blobs)
        begun = [os.path.join(folder, name) for folder in folders for name in _listed(folder) if name.endswith(".part")]
        if begun:
            with self.room.hold(alone=True, patience=0):
                for path in begun:
                    _remove(path)

    def total(self) -> int:
        """Bytes of all entries, each large output counted once."""
        return _bytes(self._kept())

    def _kept(self) -> Iterator[_Kept]:
        for key in _listed(self._results):
            entry = self._entry(key)
            if entry is not None:
                with contextlib.suppress(OSError):
                    found = os.stat(os.path.join(self._results, key), follow_symlinks=False)
                    yield _Kept(entry, found.st_size, found.st_mtime_ns)

    def _remove(self, goes: Callable[[_Kept], bool]) -> tuple[int, int]:
        stay = {one.entry.key: one for one in self._kept() if not goes(one)}
        named = {name for one in stay.values() for name in one.entry.blobs()}
        gone = freed = 0
        for name in _listed(self._results):
            if name not in stay:
                freed += _remove(os.path.join(self._results, name))
                gone += 1
        for name in _listed(self._blobs):
            if name not in named:
                freed += _remove(os.path.join(self._blobs, name))
        self.room.set(_bytes(stay.values()))
        return gone, freed

    def file(self, digest: str) -> str:
        """Where the content of an artifact is kept."""
        return os.path.join(self._blobs, digest)

    def take_file(self, source: str, digest: str) -> int:
        """Keep the content of an artifact, which has this digest; the bytes that are new. Raises OSError."""
        os.makedirs(self._blobs, exist_ok=True)
        size = 0 if os.path.lexists(self.file(digest)) else os.stat(source).st_size
        target = self.file(digest)
        part = flags.beside(target)
        try:
            try:
                os.link(source, part)
            except OSError:
                _copy(source, part)
            os.replace(part, target)
        except OSError as error:
            _unlink(part)
            raise OSError(error.errno, error.strerror, self._blobs) from error
        with contextlib.suppress(FileNotFoundError):  # both names were one file already: `replace` does nothing then
            os.unlink(part)
        return size

    def known_salt(self) -> bytes | None:
        """What `salt` has made, None before it has."""
        found = _content(self._salt)
        return found if found is not None and len(found) == 32 else None

    def salt(self) -> bytes:
        """What the digests of secrets are keyed with: made once, for its owner only. Raises OSError."""
        for _ in range(2):
            found = self.known_salt()
            if found is not None:
                return found
            os.makedirs(os.path.dirname(self._salt), exist_ok=True)
            part = flags.beside(self._salt)
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                try:
                    os.write(fd, os.urandom(32))
                finally:
                    os.close(fd)
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
            data = _parsed(before + b"}")
            if data.pop("format") != FORMAT or data["key"] != key:
                return None
            data["parts"] = parts_from_json(data["parts"])
            data["artifacts"] = tuple(data["artifacts"])
            entry = Entry(**data)
            return entry if _well_formed(entry) and entry.parts.digest() == key else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


_STRICT: Final = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)


def _parsed(raw: bytes) -> Any:
    """JSON without numbers that are none; raises ValueError."""
    return _STRICT.decode(raw.decode())


def _well_formed(entry: Entry) -> bool:
    """Whether the fields are what they are where a run made the entry. Raises TypeError, KeyError, AttributeError."""
    files = [*entry.artifacts, *([] if entry.blob is None else [entry.blob])]
    if not all(_DIGEST(item["sha256"]) and type(item["bytes"]) is int and item["bytes"] >= 0 for item in files):
        return False
    texts: list[Any] = [entry.key, entry.pipeline, entry.node, entry.run]
    texts += [text for item in entry.artifacts for text in (item["name"], item["path"])]
    for part in entry.parts:
        texts += [part] if not isinstance(part, Mapping) else [*part, *part.values()]
    numbers = type(entry.made) in (int, float) and type(entry.exit_code) in (int, type(None))
    return numbers and all(type(text) is str for text in texts)


def _bytes(kept: Iterable[_Kept]) -> int:
    """Of entries, each file counted once."""
    blobs: dict[str, int] = {}
    own = 0
    for one in kept:
        own += one.size
        blobs.update(one.entry.blobs())
    return own + sum(blobs.values())


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove(path: str) -> int:
    try:
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode):
            from shutil import rmtree

            rmtree(path)
            return 0
        size = found.st_size
        os.unlink(path)
    except FileNotFoundError:  # somebody else was quicker
        return 0
    return size


def _content(path: str) -> bytes | None:
    try:
        fd = os.open(path, flags.READ)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            return file.read() if stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST else None
    except OSError:
        return None


def _copy(source: str, target: str) -> None:
    """For nobody who may not read or write the source. Raises OSError."""
    from shutil import copyfileobj

    with (
        open(source, "rb") as file,
        open(os.open(target, flags.NEW, os.fstat(file.fileno()).st_mode & 0o666 | 0o600), "wb") as copy,
    ):
        copyfileobj(file, copy)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _write(folder: str, name: str, data: bytes) -> None:
    part = flags.beside(os.path.join(folder, name))
    try:
        os.makedirs(folder, exist_ok=True)
        with open(part, "xb") as file:
            file.write(data)
        os.replace(part, os.path.join(folder, name))
    except OSError as error:
        _unlink(part)
        raise OSError(error.errno, error.strerror, folder) from error
