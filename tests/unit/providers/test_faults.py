"""What services say of a failure, in their own words, and what is meant by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipe_providers.faults import in_stream, of_status
from pipe_runner.models import ModelFault, Reason

GEMINI = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: "
    "generate_content_free_tier_requests, limit: 10\nPlease retry in 36.9s."
)
OPENAI = "You exceeded your current quota, please check your plan and billing details."


def of(answered: int, body: Any) -> ModelFault:
    return of_status("it", answered, {}, json.dumps(body).encode(), str)


def fault(answered: int, message: str, code: Any = None, status: str = "") -> ModelFault:
    return of(answered, {"error": {"message": message, "code": code, "status": status}})


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
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)",
        "model max length exceeded, max length:8192",
        "tokens in request more than max tokens allowed",
        "Range of input length should be [1, 129024]",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens",
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
        ("This model does not support response format `json_schema`. See supported models", "`json_object`"),
        (
            "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "`max_tokens_key: max_completion_tokens`",
        ),
        ("Unrecognized request argument supplied: max_completion_tokens", "`max_tokens_key: max_tokens`"),
        (
            "{'loc': ['body', 'max_completion_tokens'], 'msg': 'Extra inputs are not permitted'}",
            "`max_tokens_key: max_tokens`",
        ),
        ("max_tokens must be less than or equal to 16384", ""),
        ("Unrecognized request argument supplied: stream_options", "`extra_body: {stream_options: null}`"),
        (
            '{"loc": ["body", "tool_choice"], "msg": "Extra inputs are not permitted"}',
            "`extra_body: {tool_choice: null}`",
        ),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', ""),
        ("This model doesn't support the toolConfig.toolChoice.tool field. Remove it.", "`output_schema: auto`"),
        ("bad request", ""),
    ],
)
def test_what_a_setting_mends_is_told_with_it(said: str, advice: str) -> None:
    message = fault(400, said).message
    assert advice in message
    assert advice or message == f"it answered 400: {said}"


def routed(raw: Any, **more: Any) -> Any:
    """As OpenRouter tells of an error of the service that it asked."""
    return {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, **more}}}


@pytest.mark.parametrize("packed", [True, False])
def test_what_stands_behind_a_router_is_told(packed: bool) -> None:
    inside = {"error": {"message": "This model supports at most 1 image.", "code": "invalid_request_error"}}
    found = of(400, routed(json.dumps(inside) if packed else inside, provider_name="Crucible"))
    assert found.message == "it answered 400: Provider returned error (Crucible): This model supports at most 1 image."
    assert found.reason is Reason.REFUSED
    said = "glm-5 is temporarily rate-limited upstream. Please retry shortly"
    assert of(429, routed(said)).message == f"it answered 429: Provider returned error: {said}"


def test_why_a_service_behind_a_router_failed_is_known() -> None:
    long = {"error": {"message": "too much", "code": "context_length_exceeded"}}
    assert of(400, routed(json.dumps(long))).reason is Reason.TOO_LONG
    assert of(400, routed("prompt is too long: 210000 tokens > 200000 maximum")).reason is Reason.TOO_LONG
    for odd in (None, "", 7, [], {}, {"error": 7}, "{}"):
        assert of(400, routed(odd)).message == "it answered 400: Provider returned error"


@pytest.mark.parametrize(
    "body",
    [
        {"error": None, "message": "no such route"},
        {"error": True, "message": "no such route"},
        {"success": False, "errors": [{"code": 7003, "message": "no such route"}]},
        {"errors": ["no such route"]},
        [{"error": {"message": "no such route"}}],
        {"error": [{"message": "no such route"}]},
        {"error_code": "BAD_REQUEST", "message": "no such route"},
        {"error": {"error": {"message": "no such route"}}},
        {"detail": "no such route"},
    ],
)
def test_the_words_of_an_error_are_found_in_many_shapes(body: Any) -> None:
    assert of(400, body).message == "it answered 400: no such route"


def test_an_error_and_what_it_says_beside_are_both_told() -> None:
    found = of(404, {"error": "Not Found", "message": "no static resource v1", "path": "/v1"})
    assert found.message.startswith("it answered 404: Not Found: no static resource v1;")
    assert of(400, {"error": "bad", "message": "bad"}).message == "it answered 400: bad"


def test_what_a_model_said_is_no_word_of_an_error_beside_it() -> None:
    choice = {"error": {"code": 502}, "message": {"content": "so far"}}
    assert in_stream("it", choice, str).message == "it broke its answer off with an error: 502"
    assert "so far" not in in_stream("it", {**choice, "error": "gone"}, str).message


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 4096 "
            "tokens and your request has 20 input tokens",
            True,
        ),
        (
            "maximum context length is 4096 tokens. You requested 5000 (904 in the messages, 4096 in the completion)",
            True,
        ),
        ("maximum context length is 128000. You requested 65535 output tokens and your prompt contains 62466", True),
        ("prompt is too long: 210000 tokens > 200000 maximum", False),
    ],
)
def test_where_the_answer_takes_the_room_its_option_is_named(said: str, named: bool) -> None:
    found = fault(400, said)
    assert found.reason is Reason.TOO_LONG
    assert ("lower `max_tokens`" in found.message) == named


@pytest.mark.parametrize("status", [498, 499])
def test_a_service_without_room_for_now_is_asked_again(status: int) -> None:
    """Groq's flex tier, and one that has given up."""
    assert fault(status, "capacity_exceeded").reason is Reason.UNAVAILABLE


def test_v2_a_wait_that_stands_within_an_error_is_told() -> None:
    """OpenRouter's, also of errors within a stream, which have no headers."""
    limited = {"message": "Rate limit exceeded: free-models-per-min", "code": 429}
    soon = {**limited, "metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "37"}}}
    assert of(429, {"error": soon}).retry_after == 37
    assert in_stream("it", {"error": soon}, str).retry_after == 37
    assert of_status("it", 429, {"retry-after": "5"}, json.dumps({"error": soon}).encode(), str).retry_after == 5
    for odd in (None, 7, {"X-RateLimit-Reset": 7}, {"X-RateLimit-Reset": "soon"}, {7: "7"}):
        assert in_stream("it", {"error": {**limited, "metadata": {"headers": odd}}}, str).retry_after is None


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (400, "Your credit balance is too low to access the Anthropic API.", "invalid_request_error"),
        (400, "Budget has been exceeded! Current cost: 2.1, Max budget: 2.0", "budget_exceeded"),
        (400, "Access denied, please make sure your account is in good standing.", "Arrearage"),
        (429, "Insufficient balance or no resource package. Please recharge.", "1113"),
        (402, "Insufficient Balance", None),
    ],
)
def test_an_account_with_nothing_left_is_no_matter_of_the_question(status: int, said: str, code: Any) -> None:
    """Anthropic, LiteLLM, DashScope, Z.ai, DeepSeek."""
    found = fault(status, said, code)
    assert found.reason is Reason.CREDENTIALS
    assert found.message.endswith("; the account has nothing left to spend")
    within = in_stream("it", {"error": {"message": said, "code": code}}, str)
    if within.reason is Reason.CREDENTIALS:
        assert within.message.endswith("; the account has nothing left to spend")


@pytest.mark.parametrize("code", ["insufficient_quota", None])
def test_an_account_with_nothing_left_is_told_as_that_within_an_answer(code: Any) -> None:
    found = in_stream("it", {"error": {"message": OPENAI, "code": code}}, str)
    assert found.reason is Reason.CREDENTIALS
    assert found.message.endswith("; the account has nothing left to spend")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("foo/bar is not a valid model ID", 400),
        ("Model Not Exist", "invalid_request_error"),
        ("Unknown Model, please check the model code.", "1211"),
        ("Unknown model: foo", "unknown_model"),
        ("The requested model 'foo' is not supported by any provider you have enabled.", "model_not_supported"),
        ("Invalid model: foo", "1500"),
        ("The provided model identifier is invalid.", None),
    ],
)
def test_a_model_that_is_not_there_is_told_as_that_whatever_the_status(said: str, code: Any) -> None:
    """OpenRouter, DeepSeek, Z.ai, GitHub, Hugging Face, Mistral, Bedrock."""
    assert fault(400, said, code).reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            429,
            "Request too large for gpt-4 in organization org-1 on tokens per min (TPM): Limit 10000, Requested 12000. "
            "The input or output tokens must be reduced in order to run successfully.",
        ),
        (413, "Request too large for model `kimi-k2` on tokens per minute (TPM): Limit 10000, Requested 15088"),
    ],
)
def test_a_request_that_no_minute_has_room_for_is_not_waited_for(status: int, said: str) -> None:
    """OpenAI, Groq: what an answer may take counts, too."""
    found = fault(status, said, "rate_limit_exceeded")
    assert (found.reason, found.retry_after) == (Reason.TOO_LONG, None)
    assert "more than the account may ask for in a minute" in found.message
    assert "lower `max_tokens`" in found.message
    assert (
        fault(
            429,
            "Rate limit reached on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000. Please try "
            "again in 6s.",
            "rate_limit_exceeded",
        ).reason
        is Reason.RATE_LIMITED
    )
