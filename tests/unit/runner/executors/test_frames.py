"""Messages come over the socket in pieces of any size, and each is whole once."""

from __future__ import annotations

import time
from typing import Any

from pipe_runner.executors.protocol import Frames, frame


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_however_messages_are_cut_they_come_out_as_they_went_in() -> None:
    sent: list[Any] = [[], ["a", 1, b"\0"], (), ["x" * 300], None, [["y"] * 9], ("z",)]
    data = b"".join(map(frame, sent))
    for size in range(1, len(data) + 1):
        frames, got = Frames(), []
        for piece in pieces(data, size):
            got += frames.take(piece)
        assert got == sent


def test_a_message_is_there_with_its_last_byte() -> None:
    frames = Frames()
    *rest, last = pieces(frame(["x" * 300]), 1)
    assert [frames.take(piece) for piece in rest] == [[]] * len(rest)
    assert frames.take(last) == [["x" * 300]]


def test_a_large_message_takes_time_in_proportion(in_time: Any) -> None:
    frames, got = Frames(), []
    parts = pieces(frame("x" * (64 << 20)), 16384)
    began = time.process_time()
    for piece in parts:
        got += frames.take(piece)
    assert in_time(time.process_time() - began, 1.5)
    assert [len(one) for one in got] == [64 << 20]
