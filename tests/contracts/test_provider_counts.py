"""Tokens as services count them: what can't be read is unknown, not zero (V1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from model_servers import DIALECTS, Said, Service, chunked, response

from pipe_providers.chat_counts import usage_of
from pipe_runner.models import Message, ModelRequest, Usage
from pipe_runner.registry import ProviderTypes
from pipe_runner.spending.listed import listed
from pipe_runner.testing import run_pipeline

REQUEST = ModelRequest("m", (Message("user", "Say hello."),))
READ = {"openai": "prompt_tokens", "ollama": "prompt_eval_count", "bedrock": "inputTokens"}
WROTE = {"openai": "completion_tokens", "ollama": "eval_count", "bedrock": "outputTokens"}
ODD: tuple[Any, ...] = ("many", "12", -1, 1.5, True, [12], {"n": 12})

every = pytest.mark.parametrize("name", sorted(ProviderTypes()))
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
halves = pytest.mark.parametrize("half", [READ, WROTE], ids=["read", "wrote"])


@pytest.fixture
def bench(name: str, service: Service, provider_bench: Any) -> Any:
    return provider_bench(DIALECTS[name], service)


def counting(monkeypatch: pytest.MonkeyPatch, name: str, counts: Mapping[str, Any]) -> None:
    """Have the service count so."""
    dialect: Any = DIALECTS[name]
    where = "_last" if name == "ollama" else "_usage"
    before = getattr(dialect, where)
    monkeypatch.setattr(dialect, where, lambda said: {**before(said), **counts})


@every
@both_ways
@halves
def test_v1_counts_of_which_a_half_can_not_be_read_are_unknown(
    name: str, streamed: bool, half: Mapping[str, str], bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for odd in ODD:
        with monkeypatch.context() as patch:
            counting(patch, name, {half[name]: odd})
            bench.service.decides(bench.dialect.either(Said()))
            answer = bench.ask(streamed=streamed)
        assert (answer.text, answer.usage, answer.cost) == ("Hello wörld", None, None), odd


@every
@halves
def test_v1_counts_of_which_a_half_is_not_there_are_unknown(
    name: str, half: Mapping[str, str], bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch, name, {half[name]: None})
    bench.service.decides(bench.dialect.either(Said()))
    assert bench.ask().usage is None


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("openai", {"completion_tokens_details": {"reasoning_tokens": "some"}}),
        ("bedrock", {"cacheReadInputTokens": "some"}),
        ("bedrock", {"cacheWriteInputTokens": -3}),
    ],
)
def test_v1_parts_that_can_make_a_call_dearer_are_as_unknown_where_they_can_not_be_read(
    name: str, counts: Mapping[str, Any], bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch, name, counts)
    bench.service.decides(bench.dialect.either(Said()))
    assert bench.ask().usage is None


@pytest.mark.parametrize("name", ["ollama"])
@pytest.mark.parametrize(("said", "cached"), [(None, 0), (8, 8), ("some", 0)])
def test_ollama_counts_what_it_had_read_before_within_the_prompt(
    name: str, said: Any, cached: int, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch, name, {"prompt_eval_count": 12, "eval_count": 5, "prompt_eval_cached_count": said})
    bench.service.decides(bench.dialect.either(Said()))
    assert bench.ask().usage == Usage(12, 5, cached=cached)


def test_v1_what_a_service_counts_in_the_total_only_has_been_written() -> None:
    """xAI and Gemini count so what a model thought."""
    thought = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 317}
    assert usage_of(thought) == Usage(12, 305)
    assert usage_of({**thought, "completion_tokens_details": {"reasoning_tokens": 300}}) == Usage(
        12, 305, reasoning=300
    )
    for total in (None, 17, 3, "many", -5):
        assert usage_of({**thought, "total_tokens": total}) == Usage(12, 5)


@pytest.mark.parametrize(
    "said",
    [
        {"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 8}},
        {"prompt_tokens_details": {"cached_tokens": 3, "cache_creation_tokens": 8}, "cache_creation_input_tokens": 8},
        {"cache_read_input_tokens": 3, "cache_creation_input_tokens": 8},
    ],
)
def test_v1_what_a_service_wrote_to_its_cache_is_counted_as_that(said: dict[str, Any]) -> None:
    """OpenAI and OpenRouter; LiteLLM. It costs more than what is only read."""
    plain = {"prompt_tokens": 12, "completion_tokens": 5}
    assert usage_of({**plain, **said}) == Usage(12, 5, cached=3, cache_written=8)


def test_v1_what_a_model_heard_is_counted_and_costs_what_that_costs() -> None:
    details = {"prompt_tokens_details": {"audio_tokens": 1000}}
    usage = usage_of({"prompt_tokens": 1200, "completion_tokens": 100, **details})
    assert usage == Usage(1200, 100, audio=1000)
    (row,) = listed("openai", {"base_url": "https://api.openai.com/v1"}, "gpt-audio")
    assert row.cost(usage) == (200 * row.input[0][1] + 1000 * 32 + 100 * row.output[0][1]) / 1_000_000


@pytest.mark.parametrize("said", ["some", -3, 1.5])
def test_v1_what_was_written_to_a_cache_and_can_not_be_read_leaves_all_unknown(said: Any) -> None:
    plain = {"prompt_tokens": 12, "completion_tokens": 5}
    assert usage_of({**plain, "cache_creation_input_tokens": said}) is None
    assert usage_of({**plain, "prompt_tokens_details": {"cache_write_tokens": said}}) is None


def test_v1_a_call_that_wrote_to_the_cache_costs_what_that_costs(service: Service, tmp_path: Path) -> None:
    dialect = DIALECTS["openai"]
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cache_write_tokens": 1000}}
    service.answers(response({**dialect.whole(), "usage": usage}))
    prices = {"m": {"input": 1000, "output": 1000, "cache_written": 1250}}
    entry = {"type": "openai", "model": "m", "prices": prices, **dialect.options(service.url)}
    (tmp_path / "pipe.yml").write_text(json.dumps({"version": 1, "providers": {"mine": entry}}))
    text = "version: 1\nnodes: {a: {agent: llm, provider: mine, with: {prompt: hello}}}\n"
    run = run_pipeline(text, root=tmp_path, environ=dialect.environ("canary-key-0123"))
    assert run.status == "succeeded", run.node("a").error
    assert run.events[-1].data["totals"]["cost"] == 1.25


@pytest.mark.parametrize("said", [{"cached_tokens": 8}, {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 4}])
def test_what_was_read_from_a_cache_is_known_where_its_service_says_it(said: dict[str, Any]) -> None:
    """Moonshot; DeepSeek."""
    assert usage_of({"prompt_tokens": 12, "completion_tokens": 5, **said}) == Usage(12, 5, cached=8)


@pytest.mark.parametrize("where", ["choice", "x_groq"])
def test_counts_are_found_where_a_service_puts_them_in_a_stream(
    where: str, service: Service, provider_bench: Any
) -> None:
    """Moonshot puts them into the last choice, Groq into a field of its own."""
    bench = provider_bench(DIALECTS["openai"], service)
    *parts, last, counts, done = bench.dialect.parts()
    data, usage = json.loads(last[6:]), json.loads(counts[6:])["usage"]
    (data["choices"][0] if where == "choice" else data.setdefault(where, {}))["usage"] = usage
    service.answers(chunked([*parts, b"data: %s\n\n" % json.dumps(data).encode(), done], bench.dialect.streams))
    answer = bench.ask(streamed=True)
    assert (answer.text, answer.usage) == ("Hello wörld", Usage(12, 5, reasoning=2))


def test_parts_that_nobody_counted_or_that_make_a_call_cheaper_leave_the_rest_known() -> None:
    plain = {"prompt_tokens": 12, "completion_tokens": 5.0}
    for details in (None, {}, {"cached_tokens": None}, {"cached_tokens": "some"}, "none"):
        assert usage_of({**plain, "prompt_tokens_details": details}) == Usage(12, 5)
    for details in (None, {}, {"reasoning_tokens": None}):
        assert usage_of({**plain, "completion_tokens_details": details}) == Usage(12, 5)


@every
@halves
def test_v1_a_budget_counts_all_that_was_set_aside_where_a_half_can_not_be_read(
    name: str, half: Mapping[str, str], service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = DIALECTS[name]
    counting(monkeypatch, name, {half[name]: "many"})
    service.decides(dialect.either(Said()))
    prices = {"*": {"input": 1000, "output": 1000}}
    entry = {"type": name, "model": "m", "prices": prices, **dialect.options(service.url)}
    (tmp_path / "pipe.yml").write_text(json.dumps({"version": 1, "providers": {"mine": entry}}))
    node = "{agent: llm, provider: mine, with: {prompt: hello, max_tokens: 9}}"
    text = f"version: 1\nbudget: {{max_tokens: 100k}}\nnodes: {{a: {node}}}\n"
    run = run_pipeline(text, root=tmp_path, environ=dialect.environ("canary-key-0123"))
    assert run.status == "succeeded", run.node("a").error
    reserved, called = (event.data for event in run.events if event.event.startswith("model."))
    assert called.keys().isdisjoint({"tokens", "cost", "free"})
    totals = run.events[-1].data["totals"]
    assert (totals["tokens"], totals["cost"]) == (reserved["tokens"], reserved["cost"])
