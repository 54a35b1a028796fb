"""Unpacks an answer that a service has compressed although nobody asked for it, no further than it may be large."""

from __future__ import annotations

import zlib
from typing import Final

PACKED: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Inflate:
    """One answer's bytes. `take` gives at most `most` bytes in all and one more, so that what is too much is seen."""

    def __init__(self, coding: str, most: int) -> None:
        self._zlib = zlib.decompressobj(PACKED[coding])
        self._left = most + 1

    def take(self, data: bytes) -> bytes:
        """Raises zlib.error where it is no such data."""
        if self._left <= 0:
            return b""
        found = self._zlib.decompress(data, self._left)
        self._left -= len(found)
        return found
