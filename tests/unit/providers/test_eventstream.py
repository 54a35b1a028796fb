"""Messages of AWS's event streams come whole, however their bytes arrive, and what is none is seen at once."""

from __future__ import annotations

import json
import time

import pytest
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
