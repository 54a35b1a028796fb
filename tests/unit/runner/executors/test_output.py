"""What is kept and told of a command's output, wherever its pieces are cut."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.executors.output import PIECE, TAIL, TOLD, Output
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.types import EventKind

PIECES = st.lists(st.binary(max_size=40) | st.sampled_from(["é".encode(), "€".encode(), "😀".encode(), b"\n", b"\xff"]))


class Told:
    """Takes the events."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def __call__(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        assert kind is EventKind.NODE_OUTPUT
        assert data["text"]
        self.texts[data["stream"]].append(data["text"])


@given(PIECES, st.integers(0, 200), st.booleans())
def test_the_whole_is_kept_up_to_the_limit_and_told_as_text(pieces: list[bytes], limit: int, often: bool) -> None:
    whole = b"".join(pieces)
    told = Told()
    output = Output(told, NoMasking(), limit)
    for piece in pieces:
        output.take("stdout", piece)
        if often:
            output.tell()
    output.end("stdout")
    output.end("stderr")
    kept, truncated, tail = output.result()
    assert kept == whole[:limit]
    assert tail == b""
    if len(whole) > limit:
        assert truncated == {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    else:
        assert truncated is None
    assert "".join(told.texts["stdout"]) == whole.decode("utf-8", "replace")


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=5), st.booleans())
def test_what_is_told_of_an_attempt_takes_at_most_its_bytes_as_text_also_where_it_is_no_text(
    pieces: list[bytes], often: bool
) -> None:
    told = Told()
    output = Output(told, NoMasking(), 100)
    while sum(map(len, told.texts["stdout"])) < TOLD // 3 and len(pieces) < 10_000:
        for piece in pieces:
            output.take("stdout", piece)
            if often:
                output.tell()
        pieces = pieces * 2
    output.end("stdout")
    assert len("".join(told.texts["stdout"]).encode()) <= TOLD


@given(st.lists(st.binary(max_size=3000)))
def test_of_stderr_the_end_is_kept(pieces: list[bytes]) -> None:
    output = Output(Told(), NoMasking(), 100)
    for piece in pieces:
        output.take("stderr", piece)
    output.end("stderr")
    assert output.result() == (b"", None, b"".join(pieces)[-TAIL:])


@given(st.integers(1, 13), st.booleans())
def test_a_secret_is_masked_before_it_is_kept_or_told(step: int, often: bool) -> None:
    secret = "hunter2-hunter2"
    data = f"a {secret} b\n".encode() * 5
    told = Told()
    output = Output(told, SecretMasker({"S": secret}), 1000)
    for at in range(0, len(data), step):
        output.take("stdout", data[at : at + step])
        if often:
            output.tell()
    output.end("stdout")
    assert output.result()[0] == b"a *** b\n" * 5
    assert "".join(told.texts["stdout"]) == "a *** b\n" * 5


def test_events_wait_for_whole_lines_or_for_enough() -> None:
    told = Told()
    output = Output(told, NoMasking(), 10**6)
    output.take("stdout", b"one\ntw")
    assert told.texts["stdout"] == [] and output.waits()
    assert output.tell(), "there is more, that waits only once"
    assert told.texts["stdout"] == ["one\n"] and output.waits()
    assert not output.tell()
    assert told.texts["stdout"] == ["one\n", "tw"] and not output.waits()
    output.take("stdout", "é".encode()[:1])
    assert not output.tell(), "half a character is no reason to ask again"
    output.take("stdout", "é".encode()[1:])
    output.tell()
    assert told.texts["stdout"].pop() == "é"
    output.take("stdout", b"x" * PIECE)
    assert told.texts["stdout"][2:] == ["x" * PIECE]


def test_both_streams_share_the_room_and_a_character_at_its_end_is_left_out() -> None:
    told = Told()
    output = Output(told, NoMasking(), 10**6)
    output.take("stderr", b"e" * (TOLD - 10))
    output.take("stdout", "€€€€".encode())
    output.end("stdout")
    output.take("stderr", b"more")
    output.end("stderr")
    assert told.texts["stdout"] == ["€€€"]
    assert len("".join(told.texts["stderr"])) == TOLD - 10
    kept, _, tail = output.result()
    assert kept == "€€€€".encode() and tail.endswith(b"more")


def test_ending_a_stream_twice_changes_nothing() -> None:
    told = Told()
    output = Output(told, NoMasking(), 10)
    output.take("stdout", b"abc")
    output.end("stdout")
    output.end("stdout")
    assert told.texts["stdout"] == ["abc"] and output.result()[0] == b"abc"
