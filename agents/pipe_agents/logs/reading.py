"""Files as pieces of whole lines: compressed ones opened, long lines cut, everything bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from pipe_agents.logs.sources import File, kind

PIECE: Final = 1 << 20
LONGEST_LINE: Final = 1 << 16
XZ_MEMORY: Final = 96 << 20
_HOLE: Final = bytes(64)
_HOLES: Final = re.compile(rb"\0{64,}")
"""What a crash leaves in a file, and a rotation that empties one which a program goes on writing at its old end."""
DAMAGE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)


class Unreadable(Exception):
    """A file can't be read as lines: why, and what it would take."""

    def __init__(self, why: str, needs: str) -> None:
        super().__init__(why)
        self.why, self.needs = why, needs


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class Pieces:
    """Iterates over pieces of whole lines, without their last newline; knows afterwards what was left out.

    A line beyond `LONGEST_LINE` that fills a piece is cut; it stays one line.
    """

    def __init__(self, stream: Readable, most: int) -> None:
        self._stream = stream
        self._most = most
        self.bytes = 0
        self.cut_lines = 0
        self.beyond = False
        """There was more than `max_bytes`."""
        self.damaged: str | None = None
        self.holes = False
        """Runs of zero bytes were taken out."""

    def __iter__(self) -> Iterator[bytes]:
        rest, skipping = b"", False
        wide = None
        """Whether it is UTF-16 whose newlines end with a zero byte."""
        while block := self._block():
            wide = block[:2] == b"\xff\xfe" if wide is None else wide
            if skipping:
                at = block.find(b"\n")
                if at < 0:
                    continue
                block, skipping = block[at + 1 :], False
            at = block.rfind(b"\n")
            if at >= 0:
                yield rest + block[:at]
                rest = block[at + 1 :]
            else:
                rest += block
            if len(rest) >= PIECE:
                self.cut_lines += 1
                yield rest[:LONGEST_LINE]
                rest, skipping = b"", True
        if rest and not (wide and rest == b"\0"):
            yield rest

    def _block(self) -> bytes:
        while self.bytes < self._most:
            block = self._read(min(PIECE, self._most - self.bytes))
            self.bytes += len(block)
            if not block:
                return b""
            if _HOLE in block:
                block, self.holes = _HOLES.sub(b"", block), True
            if block:
                return block
        self.beyond = bool(self._read(1))
        return b""

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except DAMAGE as error:
            self.damaged = str(error) or type(error).__name__
            return b""


class _Xz:
    """Reads xz with bounded memory, which the library's own reader does not offer."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
        self._ahead = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._unpacker.eof:
                self._ahead = (self._unpacker.unused_data or self._raw.read(1 << 16)).lstrip(b"\0")
                if not self._ahead:
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
            if self._unpacker.needs_input and not self._ahead:
                self._ahead = self._raw.read(1 << 16)
                if not self._ahead:
                    raise EOFError("the file ends before its compressed data does")
            given, self._ahead = self._ahead, b""
            data = self._unpacker.decompress(given, size)
            if data:
                return data

    def close(self) -> None:
        self._raw.close()


class _Over:
    """An unpacking stream that closes the file below it, too. Gives what it has before it tells of a damage."""

    def __init__(self, stream: io.BufferedIOBase, raw: io.BufferedIOBase) -> None:
        self.read, self._stream, self._raw = stream.read1, stream, raw

    def close(self) -> None:
        self._stream.close()
        self._raw.close()


class UpTo:
    """A plain file as long as it was when it was opened: one that grows meanwhile has an end."""

    def __init__(self, raw: Any, size: int) -> None:
        self.raw, self.size = raw, size
        self._raw, self._left = raw, size

    def part(self, start: int, end: int) -> int:
        """Read on from the first line that begins at `start` or after it, to `end`; where that line begins.

        One line that is as long as all of it is read from `start` on.
        """
        begin = start
        if start > 0:
            self._raw.seek(start - 1)
            place = start - 1
            while place < end and (block := self._raw.read(min(PIECE, end - place))):
                at = block.find(b"\n")
                if at >= 0:
                    begin = place + at + 1
                    break
                place += len(block)
            if begin == end:
                begin = start
        self._raw.seek(begin)
        self._left = end - begin
        return begin

    def read(self, size: int) -> bytes:
        data: bytes = self._raw.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._raw.close()


class Sizeless:
    """A file that says no size and holds something, as those of /proc: it is read to its end."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self, size: int) -> bytes:
        return self._raw.read(size) or b""

    def close(self) -> None:
        self._raw.close()


def opened(file: File) -> tuple[Readable, str]:
    """The file's content, and how it is compressed (`none`, `gzip`, …), by its first bytes."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except PermissionError:
        raise Unreadable(
            "this user may not read it", "the permission to read it (often the group adm), or root"
        ) from None
    except OSError as error:
        raise Unreadable(f"it can't be opened: {error.strerror}", "a file that can be opened") from None
    raw: Any = open(descriptor, "rb", buffering=1 << 16)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable(f"it is {kind(about.st_mode)}, and only regular files are read", "a regular file")
        try:
            first = raw.peek(8)[:8]
        except OSError as error:
            raise Unreadable(f"it can't be read: {error.strerror}", "a file that can be read") from None
        return _unpacked(first, raw, about.st_size)
    except BaseException:
        raw.close()
        raise


def _unpacked(first: bytes, raw: Any, size: int) -> tuple[Readable, str]:
    if first.startswith(b"\x1f\x8b"):
        return _Over(gzip.GzipFile(fileobj=raw, mode="rb"), raw), "gzip"
    if first.startswith(b"BZh"):
        return _Over(bz2.BZ2File(raw, "rb"), raw), "bzip2"
    if first.startswith(b"\xfd7zXZ\0"):
        return _Xz(raw), "xz"
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        return _Over(_zstd(raw), raw), "zstd"
    if first.startswith(b"LPKSHHRH"):
        raise Unreadable("it is a file of the journal", "`journal: true`")
    return UpTo(raw, size) if size or not first else Sizeless(raw), "none"


def _zstd(raw: Any) -> io.BufferedIOBase:
    try:
        from importlib import import_module

        made: io.BufferedIOBase = import_module("compression.zstd").ZstdFile(raw, "rb")
    except ImportError:
        raise Unreadable("it is compressed with zstd, which this Python can't read", "Python 3.14 or later") from None
    return made


def looks_binary(sample: bytes, holes: bool = False) -> bool:
    """Whether it is no text: many control bytes, or some and many that are no UTF-8. UTF-16 counts as text.

    `holes`: zeros were taken out of it, so that nothing else may be odd.
    """
    if not sample or sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return False
    odd = len(sample) - len(sample.translate(None, bytes([*range(9), *range(14, 27), *range(28, 32), 127])))
    if holes:
        return odd > 0 or "\ufffd" in sample.decode("utf-8", "replace").rstrip("\ufffd")
    if odd * 20 > len(sample):
        no_text = sample.decode("utf-8", "replace").count("\ufffd")
        return odd * 5 > len(sample) or no_text * 5 > len(sample)
    return False
