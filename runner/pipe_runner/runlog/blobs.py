"""Large outputs: files named by the sha256 of what they hold, beside the log that refers to them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Mapping
from typing import Any, Final

from pipe_runner import flags
from pipe_runner.errors import StorageError
from pipe_runner.ports import Journal
from pipe_runner.run import INLINE_OUTPUT_LIMIT
from pipe_runner.runlog.faults import RESTORE, storage_fault
from pipe_runner.runlog.rundir import RunDir
from pipe_runner.sync import sync_directory, sync_file
from pipe_runner.types import Json

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_EXCERPT: Final = 1024
_KEPT: Final = 2**24
"""Bytes of files whose outputs are kept as they were read: one as large as it may be by default."""
_SHOWN: Final = 100
"""Characters of a field in a message."""


def encode_output(output: Json) -> tuple[bytes, str]:
    """What a blob of this output holds, and its type: `text` (UTF-8; lone surrogates pass) or `json` (ASCII)."""
    if isinstance(output, str):
        return output.encode("utf-8", "surrogatepass"), "text"
    return json.dumps(output, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii"), "json"


def write_blob(directory: str, data: bytes, *, durable: bool, known: set[str]) -> str:
    """Keep `data`; its digest. Whole or not at all: written beside, then renamed. Raises StorageError.

    `known` are the digests that this writer has kept already. Safe beside other threads that keep the same data.
    """
    digest = _sha256(data)
    if digest in known:
        return digest
    path = os.path.join(directory, digest)
    part = flags.beside(path)
    try:
        if not os.path.isdir(directory):
            os.makedirs(directory, exist_ok=True)
            if durable:
                sync_directory(os.path.dirname(directory))
        fd = os.open(part, flags.NEW, 0o666)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if durable:
                sync_file(fd)
        finally:
            os.close(fd)
        os.replace(part, path)
        if durable:
            sync_directory(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise storage_fault("write", path, error) from error
    known.add(digest)
    return digest


def read_blob(rundir: RunDir, ref: Mapping[str, Any]) -> Json:
    """The output that an `output_ref` stands for, byte for byte; raises StorageError naming the file if it isn't there
    or isn't what the log says."""
    digest, size, kind = ref.get("sha256"), ref.get("bytes"), ref.get("type")
    if not isinstance(digest, str) or not _DIGEST.match(digest) or kind not in ("text", "json"):
        raise StorageError(f"{rundir.log_path}: no output can be read by {_shown(ref)}")
    path = os.path.join(rundir.blobs, digest)
    data = _read(path, size)
    if _sha256(data) != digest:
        raise StorageError(f"{path} is damaged: its sha256 is not its name", hint=RESTORE)
    try:
        return data.decode("utf-8", "surrogatepass") if kind == "text" else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path} does not hold {kind}: {error}") from error


class LastRead:
    """Reads outputs of one run, and keeps what was read last, so that a hundred nodes that refer to one large output
    parse it once. Who reads a value may not change it."""

    def __init__(self, rundir: RunDir) -> None:
        self._rundir = rundir
        self._kept: dict[tuple[object, object], tuple[Json, int]] = {}
        """By digest and type: the value, and bytes of its file; in the order in which they were read."""
        self._bytes = 0

    def __call__(self, ref: Mapping[str, Any]) -> Json:
        """As `read_blob`."""
        name, size = (ref.get("sha256"), ref.get("type")), ref.get("bytes")
        found = self._kept.pop(name, None)
        if found is None or found[1] != size:
            found = read_blob(self._rundir, ref), int(size or 0)
            self._bytes += found[1]
        self._kept[name] = found
        while self._bytes > _KEPT:
            self._bytes -= self._kept.pop(next(iter(self._kept)))[1]
        return found[0]


def _shown(ref: Mapping[str, Any]) -> str:
    """What says where the output is, without the beginning of it."""
    return (
        ", ".join(f"{name} {str(ref[name])[:_SHOWN]!r}" for name in ("sha256", "bytes", "type") if name in ref) or "{}"
    )


def _sha256(data: bytes) -> str:
    from hashlib import sha256  # late: it loads OpenSSL, and most runs have no blobs

    return sha256(data).hexdigest()


def _read(path: str, size: object) -> bytes:
    try:
        fd = os.open(path, flags.READ)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                raise StorageError(f"{path} is damaged: {found.st_size} bytes where the log says {size}", hint=RESTORE)
            return file.read()
    except OSError as error:
        raise storage_fault("read", path, error) from error


def output_fields(output: Json, journal: Journal) -> dict[str, Any]:
    """The fields in which an event carries an output."""
    if output is None or isinstance(output, (bool, int, float)):
        return {"output": output}
    if isinstance(output, str) and len(output) * 4 <= INLINE_OUTPUT_LIMIT:
        return {"output": output}
    raw, kind = encode_output(output)
    if len(raw) <= INLINE_OUTPUT_LIMIT:
        return {"output": output}
    excerpt = raw[:_EXCERPT].decode("utf-8", "replace")
    sha256 = journal.put_blob(raw)
    return {"output_ref": {"sha256": sha256, "bytes": len(raw), "type": kind, "excerpt": excerpt}}
