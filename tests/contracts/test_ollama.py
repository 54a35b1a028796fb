"""What Ollama is told and tells beyond what every provider does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from model_servers import OLLAMA, Service, response

from pipe_runner.models import Message, ModelRequest, Reason

REQUEST = ModelRequest(model="m", messages=(Message("user", "Say hello."),))
FULL = "request (8889 tokens) exceeds the available context size (4096 tokens), try increasing it"
INSIDE = json.dumps({"error": {"code": 400, "message": FULL, "type": "exceed_context_size_error", "n_ctx": 4096}})


@pytest.fixture
def bench(service: Service, provider_bench: Any) -> Any:
    return provider_bench(OLLAMA, service)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_question_is_not_cut_without_a_word(streamed: bool, bench: Any) -> None:
    """By itself Ollama leaves out the beginning of a question that is longer than its `num_ctx`, and answers."""
    bench.service.decides(bench.dialect.either())
    bench.ask(REQUEST, streamed=streamed)
    assert bench.service.asked[-1].data["truncate"] is False
    bench.ask(REQUEST, streamed=streamed, truncate=True)
    assert bench.service.asked[-1].data["truncate"] is True


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        INSIDE,
        "the input length exceeds the context length",
        "the prompt is longer than the context length currently available to the model",
    ],
)
def test_a_question_that_is_longer_than_the_context_says_which_option_makes_room(
    said: str, streamed: bool, bench: Any
) -> None:
    for status in (400, 200):
        bench.service.answers(response({"error": said}, status))
        fault = bench.fault(REQUEST, streamed=streamed)
        assert fault.reason is Reason.TOO_LONG
        assert "`options: {num_ctx: …}`" in fault.message
    assert "\\" not in fault.message
    assert (FULL in fault.message) == (said is INSIDE)
