"""A stream that breaks off with an error (V1): after it began it may have been paid for, and counts so."""

from __future__ import annotations

import time
from typing import Any

import pytest
from model_servers import BEDROCK, DIALECTS, Service, chunked, response
from model_servers.eventstream import message

from pipe_runner.calls.answers import may_be_paid
from pipe_runner.models import Message, ModelRequest, Reason
from pipe_runner.registry import ProviderTypes

every = pytest.mark.parametrize("name", sorted(ProviderTypes()))
TEXT = {"delta": {"text": "Hel"}, "contentBlockIndex": 0}


@pytest.fixture
def bench(name: str, service: Service, provider_bench: Any) -> Any:
    return provider_bench(DIALECTS[name], service)


@every
@pytest.mark.parametrize("kind", ["rate", "down", "broken", "filter"])
@pytest.mark.few(6)
def test_v1_an_error_after_the_answer_began_may_have_been_paid_for(name: str, kind: str, bench: Any) -> None:
    bench.service.answers(
        chunked([*bench.dialect.parts()[:2], bench.dialect.error_part(kind, "oh")], bench.dialect.streams)
    )
    fault = bench.fault(streamed=True)
    assert fault.sent
    assert may_be_paid(fault)


@pytest.mark.parametrize("name", ["openai"])
@pytest.mark.parametrize("code", [429, 500, 502, "503"])
def test_v1_a_status_within_a_stream_is_none_of_the_answer(name: str, code: Any, bench: Any) -> None:
    error = b'data: {"error": {"message": "oh", "code": %s}}\n\n' % str(code).encode()
    bench.service.answers(chunked([*bench.dialect.parts()[:2], error], bench.dialect.streams))
    assert may_be_paid(bench.fault(streamed=True))
    bench.service.answers(chunked([error], bench.dialect.streams))
    assert not may_be_paid(bench.fault(streamed=True)), "nothing of an answer had come"


@pytest.mark.parametrize("name", ["bedrock"])
@pytest.mark.parametrize(
    ("exception", "reason"),
    [
        ("internalServerException", Reason.UNAVAILABLE),
        ("modelStreamErrorException", Reason.UNAVAILABLE),
        ("serviceUnavailableException", Reason.UNAVAILABLE),
        ("throttlingException", Reason.RATE_LIMITED),
        ("validationException", Reason.REFUSED),
        ("weird", Reason.UNAVAILABLE),
        ("modelTimeoutException", Reason.TIMED_OUT),
    ],
)
def test_v1_an_exception_of_bedrock_s_after_text_may_have_been_paid_for(
    name: str, exception: str, reason: Reason, bench: Any
) -> None:
    frame = message(exception, {"message": "oh"}, fault=True)
    begun = [message("messageStart", {"role": "assistant"}), message("contentBlockDelta", TEXT)]
    bench.service.answers(chunked([*begun, frame], BEDROCK.streams))
    fault = bench.fault(streamed=True)
    assert (fault.reason, may_be_paid(fault)) == (reason, True)
    bench.service.answers(chunked([frame], BEDROCK.streams))
    fault = bench.fault(streamed=True)
    assert (fault.reason, may_be_paid(fault)) == (reason, reason is Reason.TIMED_OUT)


@pytest.mark.parametrize("name", ["bedrock"])
def test_a_stream_of_bedrock_s_that_is_whole_needs_no_end_of_its_connection(name: str, bench: Any) -> None:
    bench.service.answers([*chunked(BEDROCK.parts(), BEDROCK.streams, end=False), 30.0])
    began = time.monotonic()
    answer = bench.ask(streamed=True)
    assert time.monotonic() - began < 10
    assert (answer.text, answer.usage.output) == ("Hello wörld", 5)


@pytest.mark.parametrize("name", ["bedrock"])
def test_a_signature_that_is_late_or_early_is_a_matter_of_the_clock(name: str, bench: Any) -> None:
    for words in ("Signature expired: 1 is now earlier than 2", "Signature not yet current: 2 is still later than 1"):
        body = {"message": words}
        bench.service.answers(response(body, 403, {"x-amzn-ErrorType": "InvalidSignatureException"}))
        fault = bench.fault()
        assert fault.reason is Reason.CREDENTIALS
        assert "the clock of this machine is wrong" in fault.message
        assert "the key is wrong" not in fault.message


@pytest.mark.parametrize("name", ["bedrock"])
def test_nothing_is_no_question(name: str, bench: Any) -> None:
    fault = bench.fault(ModelRequest("m", (Message("user", ""),)))
    assert (fault.reason, fault.sent) == (Reason.REFUSED, False)
    assert "the prompt is empty" in fault.message
    assert bench.service.asked == []
