"""Messages of AWS's event streams come whole, however their bytes arrive, and what is none is seen at once."""

from __future__ import annotations

import json
import struct
import time
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st
from model_servers.eventstream import message

from pipe_providers.aws_faults import of_message
from pipe_providers.eventstream import Messages
from pipe_runner.models import Reason

PARTS = [message("contentBlockDelta", {"delta": {"text": f"é{i}" * i}}) for i in range(6)]


@given(st.lists(st.integers(1, 400), max_size=30))
def test_messages_may_be_cut_anywhere(sizes: list[int]) -> None:
    stream, at, found = b"".join(PARTS), 0, []
    messages = Messages()
    for size in [*sizes, len(stream)]:
        found += [json.loads(one.payload) for one in messages.feed(stream[at : at + size])]
        at += size
    assert found == [{"delta": {"text": f"é{i}" * i}} for i in range(6)]
    assert messages.held == 0


@pytest.mark.parametrize("at", [0, 5, 9, 14, -1])
def test_a_byte_that_is_wrong_is_seen(at: int) -> None:
    wrong = bytearray(PARTS[2])
    wrong[at] ^= 0xFF
    with pytest.raises(ValueError):
        list(Messages().feed(bytes(wrong)))


@pytest.mark.parametrize("wrong", [b"\x00" * 12, b"data: {}\n\n---", b"\xff" * 12])
def test_what_is_no_message_is_not_waited_for(wrong: bytes) -> None:
    with pytest.raises(ValueError):
        list(Messages().feed(wrong))


def test_a_message_that_comes_in_small_pieces_takes_time_in_proportion() -> None:
    large = message("x", {"text": "y" * 4_000_000})
    messages, found = Messages(), []
    began = time.process_time()
    for at in range(0, len(large), 1000):
        found += list(messages.feed(large[at : at + 1000]))
    assert len(found) == 1
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("headers", "payload", "reason", "words"),
    [
        ({":exception-type": "throttlingException"}, b'{"message": "slow down"}', Reason.RATE_LIMITED, "slow down"),
        ({":exception-type": "brandNewException"}, b'{"message": "the moon is full"}', Reason.UNAVAILABLE, "the moon"),
        ({":exception-type": "brandNewException"}, b"plain words", Reason.UNAVAILABLE, "plain words"),
        ({":exception-type": "brandNewException"}, b"", Reason.UNAVAILABLE, "brandNewException"),
        ({":error-code": "500", ":error-message": "oh no"}, b"", Reason.UNAVAILABLE, "oh no"),
        ({":exception-type": "validationException"}, b'{"Message": "too odd"}', Reason.REFUSED, "too odd"),
    ],
)
def test_an_error_in_a_stream_keeps_its_words(
    headers: dict[str, str], payload: bytes, reason: Reason, words: str
) -> None:
    fault = of_message("bedrock", headers, payload, lambda text: text)
    assert fault.reason is reason
    assert words in fault.message


def built(headers: bytes, payload: bytes = b"{}") -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def header(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([kind]) + value


KINDS = st.one_of(
    st.sampled_from([(0, b""), (1, b"")]),
    st.tuples(st.just(2), st.binary(min_size=1, max_size=1)),
    st.tuples(st.just(3), st.binary(min_size=2, max_size=2)),
    st.tuples(st.just(4), st.binary(min_size=4, max_size=4)),
    st.tuples(st.sampled_from([5, 8]), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(6), st.binary(max_size=40).map(lambda data: struct.pack(">H", len(data)) + data)),
    st.tuples(st.just(7), st.text(max_size=20).map(lambda text: struct.pack(">H", len(text.encode())) + text.encode())),
    st.tuples(st.just(9), st.binary(min_size=16, max_size=16)),
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), KINDS, max_size=6), st.binary(max_size=60))
def test_every_kind_of_header_is_read_as_botocore_reads_it(
    headers: dict[str, tuple[int, bytes]], payload: bytes
) -> None:
    raw = b"".join(header(name.encode(), kind, value) for name, (kind, value) in headers.items())
    buffer = EventStreamBuffer()
    buffer.add_data(built(raw, payload))
    theirs = next(buffer)
    for ours in Messages().feed(built(raw, payload)):
        assert (dict(ours.headers), ours.payload) == (theirs.headers, theirs.payload)


@given(st.binary(max_size=40))
def test_headers_of_any_bytes_are_headers_or_none(raw: bytes) -> None:
    try:
        assert len(list(Messages().feed(built(raw)))) == 1
    except ValueError:
        pass


@pytest.mark.parametrize(
    "raw",
    [
        header(b"a", 7, b"\x00\x09short"),
        header(b"a", 10, b""),
        header(b"a", 0, b"") * 2,
        header(b"a", 7, b"\x00\x01\xff"),
        header(b"a", 4, b"\x00"),
        b"\x05a",
    ],
)
def test_headers_that_are_wrong_are_no_message(raw: bytes) -> None:
    with pytest.raises(ValueError):
        list(Messages().feed(built(raw)))
