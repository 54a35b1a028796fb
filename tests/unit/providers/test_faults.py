"""What services say of a failure, in their own words, and what is meant by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipe_providers.faults import of_status
from pipe_runner.models import ModelFault, Reason

GEMINI = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: "
    "generate_content_free_tier_requests, limit: 10\nPlease retry in 36.9s."
)
OPENAI = "You exceeded your current quota, please check your plan and billing details."


def fault(answered: int, message: str, code: Any = None, status: str = "") -> ModelFault:
    body = {"error": {"message": message, "code": code, "status": status}}
    return of_status("it", answered, {}, json.dumps(body).encode(), str)


def test_a_quota_that_comes_back_is_waited_for_and_one_that_is_used_up_is_not() -> None:
    limited = fault(429, GEMINI, 429, status="RESOURCE_EXHAUSTED")
    assert (limited.reason, limited.retry_after) == (Reason.RATE_LIMITED, 36.9)
    assert fault(429, OPENAI, "insufficient_quota").reason is Reason.CREDENTIALS
    assert fault(429, f"{OPENAI} Please retry in 20s.", "insufficient_quota").reason is Reason.CREDENTIALS
    assert fault(429, "Your prepayment credits are depleted; see billing.", 429).reason is Reason.CREDENTIALS


@pytest.mark.parametrize(
    "said",
    [
        "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        "This model's maximum context length is 4096 tokens.",
        "the request exceeds the available context size, try increasing it",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_a_question_that_is_too_long_is_told_as_that(said: str) -> None:
    assert fault(400, said).reason is Reason.TOO_LONG


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Failed to call a function. Please adjust your prompt.", "tool_use_failed"),
        ("Failed to generate JSON.", "json_validate_failed"),
    ],
)
def test_an_answer_that_its_own_service_can_not_read_is_worth_another_attempt(said: str, code: str) -> None:
    assert fault(400, said, code).reason is Reason.INVALID_OUTPUT


@pytest.mark.parametrize(
    "said", ["Expected a string with maximum length 40, but got a string with length 300 instead.", "bad request"]
)
def test_other_requests_that_are_wrong_are_refused(said: str) -> None:
    assert fault(400, said).reason is Reason.REFUSED


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("This response_format type is unavailable now", "`json_object`"),
        (
            "messages.2.assistant.reasoning_content: property 'x.reasoning_content' is unsupported",
            "`return_reasoning: false`",
        ),
        ('{"loc": ["assistant", "reasoning_content"], "msg": "Extra inputs are not permitted"}', "`return_reasoning"),
        ("bad request", ""),
    ],
)
def test_what_a_setting_mends_is_told_with_it(said: str, advice: str) -> None:
    message = fault(400, said).message
    assert advice in message
    assert advice or message == f"it answered 400: {said}"
