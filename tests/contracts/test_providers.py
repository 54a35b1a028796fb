"""What holds for every provider that we bring, over a server that speaks its protocol, well and badly."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
from model_servers import DIALECTS, Said, Service, chunked

from pipe_runner.models import (
    Finish,
    Media,
    Message,
    ModelFault,
    ModelRequest,
    Provider,
    Reason,
    ToolCall,
    ToolSpec,
    Usage,
)
from pipe_runner.registry import ProviderTypes

HEAVY = ("pydantic", "aiohttp", "boto3", "botocore", "asyncio", "anyio", "ssl", "email")
KEY = "canary/+key=0123456789-abcdef"
REQUEST = ModelRequest(model="m", messages=(Message("system", "Be brief."), Message("user", "Say hello, ünï ☃.")))
WEATHER = ToolSpec(
    "weather",
    "The weather of a place.",
    {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
)
SCHEMA = {
    "type": "object",
    "properties": {"severity": {"enum": ["low", "high"]}},
    "required": ["severity"],
    "additionalProperties": False,
}
NAMES = sorted(ProviderTypes())

every = pytest.mark.parametrize("name", NAMES)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def bench(name: str, service: Service, provider_bench: Any) -> Any:
    return provider_bench(DIALECTS[name], service)


def test_every_provider_of_ours_is_asked_all_of_this() -> None:
    assert sorted(DIALECTS) == NAMES


# ---------------------------------------------------------------- as a plugin


@every
def test_importing_it_and_making_settings_is_cheap(name: str) -> None:
    script = (
        "import sys\nbefore = set(sys.modules)\nfrom importlib.metadata import entry_points\n"
        f"(point,) = entry_points(group='pipe_runner.providers', name={name!r})\n"
        "before = set(sys.modules)\nkind = point.load()()\nassert kind.summary.endswith('.')\n"
        "kind.settings('x', {}, '', {})\n"
        f"print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


@every
def test_its_options_are_closed_and_explained(name: str) -> None:
    model = ProviderTypes()[name].options_model()
    assert model.model_config.get("extra") == "forbid"
    schema = model.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for option, about in schema["properties"].items():
        assert about.get("description"), f"{option} has no description"
        assert option not in ("type", "model", "limits", "prices")


@every
def test_settings_without_anything_say_what_is_missing_or_work(name: str) -> None:
    settings = ProviderTypes()[name].settings(name, {}, "", {})
    assert settings.name == name
    assert settings.missing is None or "set " in settings.missing
    assert set(settings.sources) == set(settings.options)


@every
def test_the_key_is_among_the_secrets_and_shows_nowhere(name: str, bench: Any) -> None:
    settings = bench.settings()
    assert KEY in settings.secrets
    assert KEY not in repr(settings)
    assert KEY not in repr(bench.open())


@every
def test_opening_it_imports_no_other_one_s_client(name: str) -> None:
    dialect = DIALECTS[name]
    script = (
        "import sys\nfrom pipe_runner.registry import ProviderTypes\n"
        f"kind = ProviderTypes()[{name!r}]\n"
        f"kind.open(kind.settings('x', {dialect.options('http://127.0.0.1:9')!r}, '', {dialect.environ('a-key')!r}))\n"
        "print(sorted({'pydantic', 'aiohttp', 'boto3', 'yaml'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("[]\n" if name == "bedrock" else "['aiohttp']\n", "")


# ---------------------------------------------------------------- answers


@every
def test_generate_gives_the_text(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())
    assert bench.use(lambda provider: provider.generate(REQUEST)) == "Hello wörld"


@every
def test_stream_gives_the_pieces(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())

    async def pieces(provider: Provider) -> list[str]:
        return [piece async for piece in provider.stream(REQUEST)]

    assert bench.use(pieces) == ["Hel", "lo ", "wörld"]


@every
@both_ways
def test_an_answer_comes_with_all_that_is_known_of_it(name: str, streamed: bool, bench: Any) -> None:
    bench.service.decides(bench.dialect.either(Said(cached=4)))
    answer = bench.ask(streamed=streamed)
    assert (answer.text, answer.finish, answer.tool_calls) == ("Hello wörld", Finish.STOP, ())
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (12, 5)
    assert answer.usage.cached == (0 if name == "ollama" else 4)
    assert answer.cost == pytest.approx(0.017)
    assert (answer.provider, answer.model) == ("mine", "m" if name == "bedrock" else "m-2026")
    assert 0 < answer.latency < 60
    assert (answer.first_piece is not None) == streamed
    if answer.first_piece is not None:
        assert 0 < answer.first_piece <= answer.latency


@every
@both_ways
def test_the_service_is_told_what_was_asked(name: str, streamed: bool, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())
    bench.ask(
        REQUEST._replace(max_tokens=77, temperature=0.5, stop=("END",), traceparent="00-a-b-01"), streamed=streamed
    )
    heard = bench.heard
    assert heard["messages"] == [("system", "Be brief."), ("user", "Say hello, ünï ☃.")]
    assert (heard["max_tokens"], heard["temperature"], heard["tools"]) == (77, 0.5, [])
    assert name == "bedrock" or heard["model"] == "m"
    assert len(bench.service.asked) == 1


@every
@both_ways
def test_tools_are_told_and_their_calls_come_back(name: str, streamed: bool, bench: Any) -> None:
    said = Said((), [("c1", "weather", {"place": "Köln"}), ("c2", "weather", {"place": "Ulm"})], "tool_calls")
    bench.service.decides(bench.dialect.either(said))
    answer = bench.ask(REQUEST._replace(tools=(WEATHER,)), streamed=streamed)
    assert answer.finish is Finish.TOOL_CALLS
    assert [(call.name, call.arguments, call.fault) for call in answer.tool_calls] == [
        ("weather", {"place": "Köln"}, None),
        ("weather", {"place": "Ulm"}, None),
    ]
    assert len({call.id for call in answer.tool_calls}) == 2
    assert bench.heard["tools"] == ["weather"]


@every
def test_a_conversation_with_tools_and_a_failed_one_goes_on(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())
    calls = (ToolCall("c1", "weather", {"place": "Köln"}), ToolCall("c2", "weather", {}))
    turns = (
        *REQUEST.messages,
        Message("assistant", "", tool_calls=calls),
        Message("tool", "rain", tool_call_id="c1"),
        Message("tool", "no place", tool_call_id="c2", failed=True),
    )
    assert bench.ask(REQUEST._replace(messages=turns, tools=(WEATHER,))).text == "Hello wörld"
    sent = bench.service.asked[-1].body.decode()
    assert "rain" in sent
    assert "no place" in sent
    assert "error" in sent


@every
@both_ways
def test_an_output_schema_is_told_and_the_text_is_json(name: str, streamed: bool, bench: Any) -> None:
    plain = Said(('{"severity":', ' "low"}'))
    by_tool = Said((), [("c1", "answer", {"severity": "low"})], "tool_calls")
    bench.service.decides(bench.dialect.either(by_tool if name == "bedrock" else plain))
    answer = bench.ask(REQUEST._replace(output_schema=SCHEMA), streamed=streamed)
    assert json.loads(answer.text) == {"severity": "low"}
    assert (answer.finish, answer.tool_calls) == (Finish.STOP, ())
    assert '"severity"' in bench.service.asked[-1].body.decode()


@every
@both_ways
def test_an_output_schema_may_be_of_anything(name: str, streamed: bool, bench: Any) -> None:
    plain = Said(('{"value": ', "[1, 2]}"))
    by_tool = Said((), [("c1", "answer", {"value": [1, 2]})], "tool_calls")
    said = {"bedrock": by_tool, "ollama": Said(("[1, 2]",))}.get(name, plain)
    bench.service.decides(bench.dialect.either(said))
    answer = bench.ask(REQUEST._replace(output_schema={"type": "array"}), streamed=streamed)
    assert json.loads(answer.text) == [1, 2]


@pytest.mark.parametrize("name", ["ollama"])
@both_ways
def test_a_schema_beside_tools_is_told_in_words_where_it_would_keep_a_model_from_calling_one(
    name: str, streamed: bool, bench: Any
) -> None:
    said = Said((), [("c1", "weather", {"place": "Ulm"})], "tool_calls")
    bench.service.decides(lambda asked: bench.dialect.either(Said() if "format" in asked.data else said)(asked))
    answer = bench.ask(REQUEST._replace(tools=(WEATHER,), output_schema=SCHEMA), streamed=streamed)
    assert [call.name for call in answer.tool_calls] == ["weather"]
    (role, text), *others = bench.heard["messages"]
    assert (role, json.dumps(SCHEMA) in text, [role for role, _ in others]) == ("system", True, ["user"])


@every
@both_ways
def test_an_answer_that_is_cut_at_its_bound_says_so(name: str, streamed: bool, bench: Any) -> None:
    bench.service.decides(bench.dialect.either(Said(finish="length")))
    assert bench.ask(streamed=streamed).finish is Finish.LENGTH


@every
@both_ways
def test_what_a_filter_stopped_is_refused_and_has_been_counted(name: str, streamed: bool, bench: Any) -> None:
    if name == "ollama":
        pytest.skip("it has no filter")
    bench.service.decides(bench.dialect.either(Said(finish="refused")))
    fault = bench.fault(streamed=streamed)
    assert (fault.reason, fault.sent) == (Reason.REFUSED, True)
    assert fault.usage is not None
    assert (fault.usage.input, fault.usage.output) == (12, 5)


@every
def test_images_and_files_go_along(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())
    png, text = base64.b64encode(b"\x89PNG picture").decode(), base64.b64encode("Zeile ä".encode()).decode()
    media = (Media("image/png", png, "a.png"), Media("text/plain", text, "notes.txt"))
    message = Message("user", "What is this?", media)
    assert bench.ask(REQUEST._replace(messages=(message,))).text == "Hello wörld"
    sent = bench.service.asked[-1].body.decode()
    assert png in sent
    assert "What is this?" in sent
    assert text in sent or json.dumps("Zeile ä")[1:-1] in sent


@every
def test_a_streamed_answer_may_be_cut_anywhere_on_its_way(name: str, bench: Any) -> None:
    stream = b"".join(bench.dialect.parts())
    for size in (1, 2, 3, 7, 64):
        cut = [stream[at : at + size] for at in range(0, len(stream), size)]
        bench.service.answers(chunked(cut, bench.dialect.streams))
        pieces: list[str] = []
        answer = bench.use(lambda provider, pieces=pieces: provider.generate_with_metadata(REQUEST, pieces.append))
        assert ("".join(pieces), answer.text) == ("Hello wörld", "Hello wörld")


@every
@both_ways
def test_arguments_that_are_no_json_are_a_fault_of_the_call(name: str, streamed: bool, bench: Any) -> None:
    said = Said((), [("c1", "weather", {"place": float("inf")}), ("c2", "weather", [1])], "tool_calls")  # type: ignore[list-item]
    bench.service.decides(bench.dialect.either(said))
    answer = bench.ask(REQUEST._replace(tools=(WEATHER,)), streamed=streamed)
    assert [(call.arguments, bool(call.fault)) for call in answer.tool_calls] == [({}, True), ({}, True)]


@every
def test_characters_that_come_in_halves_are_put_together(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either(Said(("a\ud83d", "\ude00b", "c\ud83d"))))
    pieces: list[str] = []
    answer = bench.use(lambda provider: provider.generate_with_metadata(REQUEST, pieces.append))
    assert answer.text == "a\U0001f600bc\ufffd"
    assert "".join(pieces) == "a\U0001f600bc"


@every
def test_the_trace_goes_along(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())
    bench.ask(REQUEST._replace(traceparent="00-a-b-01"))
    assert bench.service.asked[-1].headers["traceparent"] == "00-a-b-01"


@every
def test_connections_are_used_again(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())

    async def often(provider: Provider) -> None:
        for number in range(10):
            await provider.generate_with_metadata(REQUEST, (lambda piece: None) if number % 2 else None)

    bench.use(often)
    assert (len(bench.service.asked), bench.service.connections) == (10, 1)


@every
def test_many_calls_run_beside_one_another(name: str, bench: Any) -> None:
    bench.service.decides(lambda asked: [0.3, *bench.dialect.either()(asked)])

    async def together(provider: Provider) -> list[str]:
        return list(await asyncio.gather(*(provider.generate(REQUEST) for _ in range(40))))

    assert bench.use(together) == ["Hello wörld"] * 40
    assert bench.service.most > 20


@every
def test_a_check_really_asks(name: str, bench: Any) -> None:
    bench.service.decides(lambda asked: bench.lists(asked))
    told = bench.use(lambda provider: provider.check(), model="m-1")
    assert "answers" in told
    assert bench.service.asked


@every
def test_a_check_fails_as_a_call_does(name: str, bench: Any) -> None:
    bench.service.answers(bench.dialect.declines("key", f"wrong key {KEY}"))
    with pytest.raises(ModelFault) as raised:
        bench.use(lambda provider: provider.check(), model="m-1")
    assert raised.value.reason is Reason.CREDENTIALS
    assert KEY not in raised.value.message


@every
def test_closing_it_twice_or_unused_does_no_harm(name: str, bench: Any) -> None:
    async def twice(provider: Provider) -> None:
        await provider.close()
        await provider.close()

    bench.use(twice)


def test_usage_has_what_openai_counts_apart(service: Service, provider_bench: Any) -> None:
    bench = provider_bench(DIALECTS["openai"], service)
    service.decides(bench.dialect.either())
    assert bench.ask().usage == Usage(12, 5, reasoning=2)


@pytest.mark.parametrize("name", ["bedrock", "openai"])
def test_a_check_asks_a_word_as_nodes_ask(name: str, bench: Any) -> None:
    """On Bedrock a stream wants leave of its own, and some models know streams only."""
    asked_whole: list[str] = []

    def choose(asked: Any) -> Any:
        if "models" in asked.path:
            return [bench.dialect.declines("model")]
        if not bench.dialect.is_stream(asked):
            asked_whole.append(asked.path)
            return [bench.dialect.declines("key")]
        return bench.dialect.stream()

    bench.service.decides(choose)
    assert "was asked a word" in bench.use(lambda provider: provider.check(), model="m")
    assert asked_whole == []
