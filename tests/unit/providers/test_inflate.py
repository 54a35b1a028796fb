"""A packed answer is unpacked piece by piece."""

from __future__ import annotations

import zlib

import pytest

from pipe_providers.inflate import PIECE, Inflate


def _all(inflate: Inflate, *parts: bytes) -> list[bytes]:
    found = []
    for part in parts:
        piece = inflate.take(part)
        while piece:
            found.append(piece)
            piece = inflate.take()
    return found


def test_pieces_are_small_and_all_of_it_comes() -> None:
    data = bytes(range(256)) * 8000
    packed = zlib.compress(data)
    found = _all(Inflate("deflate", 2**30), packed[:100], packed[100:])
    assert b"".join(found) == data
    assert max(map(len, found)) <= PIECE


def test_it_stops_one_byte_behind_the_limit() -> None:
    assert sum(map(len, _all(Inflate("deflate", 1000), zlib.compress(b" " * 2**22)))) == 1001


def test_what_is_not_packed_is_an_error() -> None:
    with pytest.raises(zlib.error):
        Inflate("gzip", 10).take(b"no such data")
