"""Cuts AWS's event streams into their messages, however the bytes arrive.

A message is its size, that of its headers and a checksum of both, the headers, a payload, and a checksum of it all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from zlib import crc32

_PRELUDE: Final = struct.Struct(">III")
_END: Final = struct.Struct(">I")
_NUMBERS: Final = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}
_LEAST: Final = _PRELUDE.size + _END.size
_HEADERS: Final = 128 * 1024
_PAYLOAD: Final = 24 * 1024 * 1024
_KEPT: Final = 64


class AwsMessage(NamedTuple):
    """One message of an event stream."""

    headers: Mapping[str, Any]
    payload: bytes


class Messages:
    """Messages of a stream of bytes. Linear in what is fed, also where one comes byte by byte."""

    def __init__(self, known: dict[bytes, Mapping[str, Any]] | None = None) -> None:
        """`known`: headers that came before, also in other streams of the service: it has a few kinds only."""
        self._begun = bytearray()
        self._known = {} if known is None else known

    @property
    def held(self) -> int:
        """Bytes of the message that has begun."""
        return len(self._begun)

    def feed(self, data: bytes) -> Iterator[AwsMessage]:
        """The messages that have ended with these bytes. Raises ValueError where they are none."""
        begun = self._begun
        if begun:
            begun += data
        whole = begun or data  # which mostly holds whole messages
        at, length = 0, len(whole)
        try:
            while length - at >= _PRELUDE.size:
                size, headers, checksum = _PRELUDE.unpack_from(whole, at)
                middle, end = _PRELUDE.size + headers, size - _END.size
                if checksum != crc32(whole[at : at + 8]) or not 0 <= end - middle <= _PAYLOAD or headers > _HEADERS:
                    raise ValueError("no message begins there")  # whose length would be waited for
                if length - at < size:
                    return
                message = bytes(whole[at : at + size])
                at += size
                if message[end:] != _END.pack(crc32(message[:end])):
                    raise ValueError("a message has another checksum than it says")
                raw = message[_PRELUDE.size : middle]
                yield AwsMessage(self._known.get(raw) or self._read(raw), message[middle:end])
        finally:
            if whole is begun:
                del begun[:at]
            else:
                begun += data[at:]

    def _read(self, raw: bytes) -> Mapping[str, Any]:
        """Headers that have not come before."""
        headers = _headers(raw)
        if len(self._known) < _KEPT:
            self._known[raw] = headers
        return headers


def _headers(raw: bytes) -> Mapping[str, Any]:
    """The headers of a message. Raises ValueError."""
    found: dict[str, Any] = {}
    at = 0
    try:
        while at < len(raw):
            named = at + 1 + raw[at]
            name, kind = raw[at + 1 : named].decode(), raw[named]
            at = named + 1
            value: Any = kind == 0
            if kind in (6, 7):  # bytes and texts
                (length,) = struct.unpack_from(">H", raw, at)
                at += 2
                value = raw[at : at + length] if kind == 6 else raw[at : at + length].decode()
            elif kind in _NUMBERS:
                (value,) = struct.unpack_from(_NUMBERS[kind], raw, at)
                length = struct.calcsize(_NUMBERS[kind])
            elif kind == 9:
                length = 16
                value = raw[at : at + length]
            elif kind in (0, 1):
                length = 0
            else:
                raise ValueError("a header is of no known kind")
            at += length
            if name in found or at > len(raw):
                raise ValueError("a header comes twice, or is cut")
            found[name] = value
    except (struct.error, IndexError):
        raise ValueError("a header is cut") from None
    return found
