"""Servers that speak a service's language nearly, as those do that people run themselves."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from typing import Any

import pytest
from model_servers import DIALECTS, OPENAI, Said, Service, chunked, response

from pipe_runner.models import Finish, Message, ModelFault, ModelRequest, ModelResponse, Reason, ToolSpec

of_http = pytest.mark.parametrize("name", ["openai", "ollama"])
openai = pytest.mark.parametrize("name", ["openai"])
REQUEST = ModelRequest(model="m", messages=(Message("user", "Say hello."),))
KINDS = ["", "text/plain; charset=utf-8", "application/octet-stream", "application/json", "Text/Event-Stream"]


@pytest.fixture
def bench(name: str, service: Service, provider_bench: Any) -> Any:
    return provider_bench(DIALECTS[name], service)


def head(kind: str, more: str = "", version: str = "1.1") -> bytes:
    typed = f"Content-Type: {kind}\r\n" if kind else ""
    return f"HTTP/{version} 200 OK\r\n{typed}{more}\r\n".encode()


def sized(body: bytes, kind: str) -> bytes:
    return head(kind, f"Content-Length: {len(body)}\r\n") + body


@of_http
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_read_whatever_its_server_calls_it(name: str, kind: str, bench: Any) -> None:
    bench.service.answers(sized(b"".join(bench.dialect.parts()), kind))
    answer = bench.ask(streamed=True)
    assert (answer.text, answer.usage.output) == ("Hello wörld", 5)


@of_http
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_in_place_of_a_stream_is_read_whatever_its_server_calls_it(name: str, kind: str, bench: Any) -> None:
    bench.service.answers(sized(json.dumps(bench.dialect.whole()).encode(), kind))
    answer = bench.ask(streamed=True)
    assert (answer.text, answer.usage.output) == ("Hello wörld", 5)


@of_http
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("cut", [False, True])
def test_an_answer_in_place_of_a_stream_may_end_with_its_connection(
    name: str, version: str, cut: bool, bench: Any
) -> None:
    body = json.dumps(bench.dialect.whole()).encode()
    more = "Connection: close\r\n"
    bench.service.answers([head("application/json", more, version), body[:-9] if cut else body])
    if cut:
        assert bench.fault(streamed=True).reason is Reason.UNAVAILABLE
    else:
        assert bench.ask(streamed=True).text == "Hello wörld"


@of_http
@pytest.mark.parametrize("in_pieces", [False, True])
def test_bytes_that_are_no_utf_8_are_shown_as_such(name: str, in_pieces: bool, bench: Any) -> None:
    dialect, said = bench.dialect, Said(pieces=("Hel", "lo ", "W"))
    body = b"".join(dialect.parts(said)) if in_pieces else json.dumps(dialect.whole(said)).encode()
    bench.service.answers(sized(body.replace(b"W", b"\xff\xc3"), dialect.streams if in_pieces else "application/json"))
    assert bench.ask(streamed=True).text == "Hello \ufffd\ufffd"


@of_http
def test_headers_may_be_long(name: str, bench: Any) -> None:
    bench.service.answers(bench.dialect.stream(**{"X-Policy": "a" * 20_000}))
    assert bench.ask(streamed=True).text == "Hello wörld"


def deaf() -> None:
    """Let time pass in which the loop hears nothing."""
    time.sleep(0.02)


class Closing(socketserver.StreamRequestHandler):
    """Ends the connection after each answer, and doesn't say that it will."""

    answer = b""

    def handle(self) -> None:
        size = 0
        while line := self.rfile.readline().strip():
            if line.lower().startswith(b"content-length:"):
                size = int(line.partition(b":")[2])
        self.rfile.read(size)
        self.wfile.write(self.answer)


@of_http
def test_a_connection_that_a_server_has_closed_without_a_word_is_not_used_again(
    name: str, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Closing, "answer", bench.dialect.answer())

    async def ask_often(provider: Any) -> list[str]:
        found = []
        for _ in range(20):
            found.append((await provider.generate_with_metadata(REQUEST)).text)
            deaf()
        return found

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Closing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bench.url = f"http://127.0.0.1:{server.server_address[1]}"
        assert set(bench.use(ask_often)) == {"Hello wörld"}
        server.shutdown()


@pytest.mark.parametrize("name", ["ollama"])
@pytest.mark.parametrize("last", [{}, {"message": None}])
def test_the_last_line_of_a_stream_needs_no_message(name: str, last: dict[str, Any], bench: Any) -> None:
    *parts, end = bench.dialect.parts()
    told = {**{key: value for key, value in json.loads(end).items() if key != "message"}, **last}
    bench.service.answers(chunked([*parts, json.dumps(told).encode() + b"\n"], bench.dialect.streams))
    answer = bench.ask(streamed=True)
    assert (answer.text, answer.usage.output) == ("Hello wörld", 5)


def streamed(bench: Any, body: bytes) -> ModelResponse:
    bench.service.answers(chunked([body], OPENAI.streams))
    answer: ModelResponse = bench.ask(streamed=True)
    return answer


@openai
@pytest.mark.parametrize("size", [1, 2, 3, 10**6])
def test_lines_of_events_may_end_with_a_return_alone(name: str, size: int, bench: Any) -> None:
    body = b"".join(bench.dialect.parts()).replace(b"\n", b"\r")
    bench.service.answers(chunked([body[at : at + size] for at in range(0, len(body), size)], OPENAI.streams))
    assert bench.ask(streamed=True).text == "Hello wörld"


@openai
def test_white_space_behind_the_end_of_a_stream_means_nothing(name: str, bench: Any) -> None:
    body = b"".join(bench.dialect.parts()).replace(b"[DONE]", b"[DONE] \t")
    assert streamed(bench, body).text == "Hello wörld"


def chunk(delta: dict[str, Any], finish: str | None = None, index: int | str = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode() + b"\n\n"


@openai
@pytest.mark.parametrize("beat", ["data:", "data: ", "event: ping\ndata:", ": beat", "retry: 9"])
def test_an_event_of_nothing_is_a_sign_of_life(name: str, beat: str, bench: Any) -> None:
    """Some servers and gateways send one now and then."""
    sent = f"{beat}\n\n".encode()
    parts = [sent, *(part + sent for part in bench.dialect.parts())]
    bench.service.answers(chunked(parts, OPENAI.streams))
    answer = bench.ask(streamed=True)
    assert (answer.text, answer.usage.output) == ("Hello wörld", 5)


@openai
def test_an_error_of_nothing_is_one_all_the_same(name: str, bench: Any) -> None:
    bench.service.answers(chunked([*bench.dialect.parts()[:2], b"event: error\ndata:\n\n"], OPENAI.streams))
    fault = bench.fault(streamed=True)
    assert (fault.reason, fault.begun) == (Reason.UNAVAILABLE, True)
    assert "without a word of why" in fault.message


@openai
def test_an_error_that_a_server_tells_in_a_field_of_its_own_is_told(name: str, bench: Any) -> None:
    error = b'error: {"code": 400, "message": "the request exceeds the available context size"}\n\n'
    bench.service.answers(chunked([error], OPENAI.streams))
    assert bench.fault(streamed=True).reason is Reason.TOO_LONG


@openai
@pytest.mark.parametrize("number", [0, "0"])
def test_of_several_answers_the_first_counts(name: str, number: int | str, bench: Any) -> None:
    parts = [chunk({"content": "B"}, index=1), chunk({"content": "A"}, index=number)]
    parts += [chunk({}, "stop", 1), chunk({}, "length")]
    answer = streamed(bench, b"".join(parts))
    assert (answer.text, answer.finish) == ("A", Finish.LENGTH)


@openai
def test_other_answers_without_the_first_are_no_answer_of_nothing(name: str, bench: Any) -> None:
    parts = [chunk({"content": "B"}, index=1), chunk({}, "stop", 1), b"data: [DONE]\n\n"]
    bench.service.answers(chunked(parts, OPENAI.streams))
    fault = bench.fault(streamed=True)
    assert fault.reason is Reason.INVALID_OUTPUT
    assert "none that is the first" in fault.message


@openai
@pytest.mark.parametrize("together", [False, True])
def test_calls_that_bear_the_same_number_are_told_apart_by_their_ids(name: str, together: bool, bench: Any) -> None:
    calls = [
        {"index": 0, "id": id, "type": "function", "function": {"name": "echo", "arguments": json.dumps({"text": id})}}
        for id in ("a", "b")
    ]
    deltas = [calls] if together else [[call] for call in calls]
    answer = streamed(bench, b"".join(chunk({"tool_calls": one}) for one in deltas) + chunk({}, "tool_calls"))
    assert [(call.id, call.arguments, call.fault) for call in answer.tool_calls] == [
        ("a", {"text": "a"}, None),
        ("b", {"text": "b"}, None),
    ]


@openai
@pytest.mark.parametrize("later", [{"id": "b"}, {"id": ""}, {"id": "a", "name": "echo"}, {"name": "echo"}, {}])
def test_parts_of_a_call_belong_together_however_they_repeat_themselves(
    name: str, later: dict[str, str], bench: Any
) -> None:
    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "echo", "arguments": ""}}
    parts = [chunk({"tool_calls": [first]})]
    for text in ('{"te', 'xt": 1}'):
        function = {"arguments": text, **({"name": later["name"]} if "name" in later else {})}
        one = {"index": 0, "function": function, **({"id": later["id"]} if "id" in later else {})}
        parts.append(chunk({"tool_calls": [one]}))
    [call] = streamed(bench, b"".join([*parts, chunk({}, "tool_calls")])).tool_calls
    assert (call.id, call.name, call.arguments) == ("a", "echo", {"text": 1})


@openai
@pytest.mark.parametrize("in_one", [False, True])
@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("STOP", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("MAX_TOKENS", Finish.LENGTH),
        ("model_length", Finish.LENGTH),
        ("eos", Finish.OTHER),
    ],
)
def test_ends_are_known_in_other_words(name: str, said: str, finish: Finish, in_one: bool, bench: Any) -> None:
    bench.service.answers(*_ended(said, in_one))
    answer = bench.ask(streamed=True)
    assert (answer.text, answer.finish) == ("Hel", finish)


@openai
@pytest.mark.parametrize("in_one", [False, True])
@pytest.mark.parametrize(
    "said", ["error", "insufficient_system_resource", "network_error", "cancelled", "time_limit", "abort"]
)
def test_an_answer_that_its_server_did_not_end_is_none(name: str, said: str, in_one: bool, bench: Any) -> None:
    bench.service.answers(*_ended(said, in_one))
    fault = bench.fault(streamed=True)
    assert (fault.reason, fault.sent, fault.begun) == (Reason.UNAVAILABLE, True, True)
    assert said in fault.message


def _ended(said: str, in_one: bool) -> list[Any]:
    if not in_one:
        return [chunked([chunk({"content": "Hel"}), chunk({}, said)], OPENAI.streams)]
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hel"}, "finish_reason": said}
    return [response({"id": "x", "model": "m", "choices": [choice], "usage": None})]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("content_filter: PROHIBITED_CONTENT", Reason.REFUSED),
        ("RECITATION", Reason.REFUSED),
        ("refusal", Reason.REFUSED),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", Reason.INVALID_OUTPUT),
        ("UNEXPECTED_TOOL_CALL", Reason.INVALID_OUTPUT),
        ("MALFORMED_RESPONSE", Reason.INVALID_OUTPUT),
        ("model_context_window_exceeded", Reason.TOO_LONG),
    ],
)
def test_an_end_that_is_none_says_why(
    finish: str, reason: Reason, streamed: bool, service: Service, provider_bench: Any
) -> None:
    bench = provider_bench(DIALECTS["openai"], service)
    for pieces in ((), ("Hel",)):
        service.decides(bench.dialect.either(Said(pieces, finish=finish)))
        fault = bench.fault(streamed=streamed)
        assert (fault.reason, fault.usage is not None) == (reason, True)


@pytest.mark.parametrize("way", ["prompt", "json_object"])
@pytest.mark.parametrize("system", [True, False])
def test_a_schema_in_words_stands_at_the_beginning(
    way: str, system: bool, service: Service, provider_bench: Any
) -> None:
    """Templates of many models refuse a message of the system anywhere else."""
    bench = provider_bench(DIALECTS["openai"], service)
    service.decides(bench.dialect.either(Said(('{"a": 1}',))))
    first = (Message("system", "Be brief."),) if system else ()
    asked = REQUEST._replace(messages=(*first, *REQUEST.messages), output_schema={"type": "object"})
    assert bench.ask(asked, output_schema=way).text == '{"a": 1}'
    sent = service.asked[-1].data
    assert [one["role"] for one in sent["messages"]] == ["system", "user"]
    assert sent["messages"][0]["content"].startswith("Be brief.\n\nAnswer with" if system else "Answer with")
    assert sent["messages"][0]["content"].endswith('Its JSON Schema: {"type": "object"}')
    assert sent.get("response_format") == ({"type": "json_object"} if way == "json_object" else None)


def test_what_the_system_says_first_is_one_message(service: Service, provider_bench: Any) -> None:
    bench = provider_bench(DIALECTS["openai"], service)
    service.decides(bench.dialect.either())
    system = (Message("system", "Be brief."), Message("system", "Be kind."))
    bench.ask(REQUEST._replace(messages=(*system, *REQUEST.messages)))
    assert bench.heard["messages"] == [("system", "Be brief.\n\nBe kind."), ("user", "Say hello.")]


def test_a_null_in_extra_body_takes_out_what_a_server_refuses(service: Service, provider_bench: Any) -> None:
    bench = provider_bench(DIALECTS["openai"], service)
    service.decides(bench.dialect.either())
    asked = REQUEST._replace(tools=(ToolSpec("add", "Adds.", {"type": "object"}),), max_tokens=9)
    extra = {"stream_options": None, "tool_choice": None, "max_tokens": None, "user": None}
    assert bench.ask(asked, streamed=True, extra_body=extra).text == "Hello wörld"
    sent = service.asked[-1].data
    assert (sent.keys() & extra.keys(), sent["max_tokens"]) == ({"max_tokens", "user"}, 9)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("api.openai.com", "max_completion_tokens"),
        ("eu.api.openai.com", "max_completion_tokens"),
        ("ours.openai.azure.com", "max_completion_tokens"),
        ("ours.services.ai.azure.com", "max_completion_tokens"),
        ("notapi.openai.com.example.com", "max_tokens"),
        ("api.mistral.ai", "max_tokens"),
    ],
)
def test_the_bound_of_an_answer_is_called_as_the_service_calls_it(host: str, key: str, provider_bench: Any) -> None:
    provider = provider_bench(DIALECTS["openai"], None, f"https://{host}").open(
        api_key={"from": "env", "key": "OPENAI_API_KEY"}
    )
    assert key in provider.asked(REQUEST._replace(max_tokens=9), stream=False).body


def test_mistral_is_asked_for_nothing_that_it_refuses(provider_bench: Any) -> None:
    key = {"from": "env", "key": "OPENAI_API_KEY"}
    provider = provider_bench(DIALECTS["openai"], None, "https://api.mistral.ai").open(api_key=key)
    body = provider.asked(REQUEST._replace(seed=7), stream=True).body
    assert (body.keys() & {"seed", "stream_options"}, body["random_seed"], body["stream"]) == (set(), 7, True)


@openai
@pytest.mark.parametrize(
    "listed", [response({"data": [{"id": "gpt-4o-2024-11-20"}]}), response("no", 404), response("not you", 403)]
)
def test_a_check_asks_a_model_that_no_list_has(name: str, listed: bytes, bench: Any) -> None:
    bench.service.decides(lambda asked: [listed if asked.path == "/v1/models" else bench.dialect.answer()])
    assert "ours-east was asked a word" in bench.use(lambda provider: provider.check(), model="ours-east")
    assert bench.service.asked[-1].data["model"] == "ours-east"


@openai
def test_a_check_of_a_model_that_is_not_there_says_which_are(name: str, bench: Any) -> None:
    gone = bench.dialect.declines("model")
    bench.service.decides(lambda asked: bench.lists(asked) if "models" in asked.path else [gone])
    with pytest.raises(ModelFault, match="none is called 'm-2'; there is m-1"):
        bench.use(lambda provider: provider.check(), model="m-2")


@openai
def test_a_check_leaves_a_model_room_to_think(name: str, bench: Any) -> None:
    full = response({"error": {"message": "max_tokens or model output limit was reached"}}, 400)
    bench.service.decides(
        lambda asked: (
            bench.lists(asked)
            if "models" in asked.path
            else [bench.dialect.answer() if asked.data["max_tokens"] > 500 else full]
        )
    )
    assert "gpt-5 was asked a word" in bench.use(lambda provider: provider.check(), model="gpt-5")
