"""Unpacks an answer that a service has compressed although nobody asked for it, no further than it may be large."""

from __future__ import annotations

import zlib
from typing import Final

PACKED: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
PIECE: Final = 256 * 1024


class Inflate:
    """One answer's bytes, at most `PIECE` at a time, since a small part of a packed answer can come to a thousand times
    its size. In all it gives at most `most` bytes and one more, so that what is too much is seen."""

    def __init__(self, coding: str, most: int) -> None:
        self._zlib = zlib.decompressobj(PACKED[coding])
        self._left = most + 1
        self._kept = b""

    def take(self, data: bytes = b"") -> bytes:
        """What comes next; with no more data, what is left of that before. Raises zlib.error where it is no such
        data."""
        if self._left <= 0:
            return b""
        found = self._zlib.decompress(self._kept + data if self._kept else data, min(PIECE, self._left))
        self._kept = self._zlib.unconsumed_tail
        self._left -= len(found)
        return found
