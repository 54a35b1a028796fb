"""Cuts AWS's event streams into their messages, however the bytes arrive."""

from __future__ import annotations

from collections.abc import Iterator
from struct import error as StructError
from typing import Any, Final

_PRELUDE: Final = 12
_LEAST: Final = 16


class Messages:
    """Messages of a stream of bytes. Linear in what is fed, also where one comes byte by byte; botocore reads each."""

    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer, ParserError

        self._buffer, self._wrong = EventStreamBuffer, ParserError
        self._begun = bytearray()
        self._checked = False

    @property
    def held(self) -> int:
        """Bytes of the message that has begun."""
        return len(self._begun)

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that have ended with these bytes. Raises ValueError where they are none."""
        begun = self._begun
        begun += data
        at = 0
        try:
            while len(begun) - at >= _PRELUDE:
                size = int.from_bytes(begun[at : at + 4], "big")
                if size < _LEAST:
                    raise ValueError
                if len(begun) - at < size:
                    if not self._checked:  # lest all is waited for that a wrong length says
                        self._parsed(bytes(begun[at : at + _PRELUDE]))
                        self._checked = True
                    return
                message = self._parsed(bytes(begun[at : at + size]))
                at, self._checked = at + size, False
                yield message
        finally:
            del begun[:at]

    def _parsed(self, data: bytes) -> Any:
        buffer = self._buffer()
        buffer.add_data(data)
        try:
            return next(buffer, None)
        except (self._wrong, StructError, LookupError, TypeError) as error:
            raise ValueError(str(error)) from None
