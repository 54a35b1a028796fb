"""What every provider that we bring makes of a service that fails: one fault, in our words, once and in time."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import resource
import socket
import time
import tracemalloc
import zlib
from functools import cache
from typing import Any

import pytest
from model_servers import CUT, DIALECTS, Said, Service, chunked, response

from pipe_runner.models import Message, ModelFault, ModelRequest, Provider, Reason
from pipe_runner.registry import ProviderTypes

KEY = "canary/+key=0123456789-abcdef"
REQUEST = ModelRequest(model="m", messages=(Message("user", "Say hello."),))
NAMES = sorted(ProviderTypes())


@cache
def bomb(level: int, wbits: int, mebibytes: int) -> bytes:
    """Spaces, packed; made once for all providers."""
    packer = zlib.compressobj(level, wbits=wbits)
    return b"".join(packer.compress(b" " * 2**20) for _ in range(mebibytes)) + packer.flush()


every = pytest.mark.parametrize("name", NAMES)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def bench(name: str, service: Service, provider_bench: Any) -> Any:
    return provider_bench(DIALECTS[name], service)


# ---------------------------------------------------------------- what the service says


@every
@both_ways
@pytest.mark.parametrize(
    ("kind", "reason", "sent"),
    [
        ("rate", Reason.RATE_LIMITED, False),
        ("down", Reason.UNAVAILABLE, False),
        ("broken", Reason.UNAVAILABLE, True),
        ("key", Reason.CREDENTIALS, False),
        ("long", Reason.TOO_LONG, False),
        ("model", Reason.NOT_FOUND, False),
        ("filter", Reason.REFUSED, False),
    ],
)
@pytest.mark.few(18)
def test_s4_an_error_of_the_service_has_one_of_our_reasons_and_no_key(
    name: str, streamed: bool, kind: str, reason: Reason, sent: bool, bench: Any
) -> None:
    bench.service.answers(bench.dialect.declines(kind, f"because of {KEY}\x1b[31m\nand so on"))
    fault = bench.fault(streamed=streamed)
    assert (fault.reason, fault.sent) == (reason, sent)
    assert fault.status == bench.dialect.error(kind, "")[0]
    assert "\x1b" not in fault.message
    assert "\n" not in fault.message
    assert len(fault.message) < 800
    assert len(bench.service.asked) == 1, "a provider asks once"


@every
@both_ways
def test_v2_a_wait_that_the_service_asks_for_is_told(name: str, streamed: bool, bench: Any) -> None:
    bench.service.answers(bench.dialect.declines("rate", "slow down", {"Retry-After": "7"}))
    fault = bench.fault(streamed=streamed)
    assert (fault.reason, fault.retry_after) == (Reason.RATE_LIMITED, 7.0)


@every
def test_an_error_that_is_a_page_or_nothing_is_an_error_all_the_same(name: str, bench: Any) -> None:
    for body, kind in (("<html><h1>Bad gateway</h1></html>", "text/html"), ("", "text/plain"), ("[[[", "a/b")):
        bench.service.answers(response(body, 502, {"Content-Type": kind}))
        fault = bench.fault()
        assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, True)
        assert "502" in fault.message
        assert "<" not in fault.message


@every
@both_ways
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.few(9)
def test_redirects_are_not_followed(name: str, streamed: bool, status: int, bench: Any) -> None:
    bench.service.decides(
        lambda asked: [response("", status, {"Location": bench.service.url + asked.path + f"?{KEY}"})]
    )
    fault = bench.fault(streamed=streamed)
    assert fault.reason is Reason.NOT_FOUND
    assert len(bench.service.asked) == 1


@every
@pytest.mark.parametrize(("kind", "reason"), [("rate", Reason.RATE_LIMITED), ("broken", Reason.UNAVAILABLE)])
def test_an_error_in_the_middle_of_a_stream_is_one(name: str, kind: str, reason: Reason, bench: Any) -> None:
    parts = [*bench.dialect.parts()[:2], bench.dialect.error_part(kind, f"oh {KEY}")]
    bench.service.answers(chunked(parts, bench.dialect.streams))
    pieces: list[str] = []

    async def streamed(provider: Provider) -> None:
        async for piece in provider.stream(REQUEST):
            pieces.append(piece)

    with pytest.raises(ModelFault) as raised:
        bench.use(streamed)
    assert (raised.value.reason, raised.value.sent) == (reason, True)
    assert KEY not in raised.value.message
    assert "".join(pieces) in ("Hel", "Hello ")


# ---------------------------------------------------------------- the way there


@every
@both_ways
def test_a_refused_connection_has_sent_nothing(name: str, streamed: bool, bench: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        bench.url = f"http://127.0.0.1:{held.getsockname()[1]}"
        fault = bench.fault(streamed=streamed)
    assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, False)
    assert "is it running" in fault.message


@every
def test_too_many_open_files_are_no_matter_of_the_address(
    name: str, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "connect", full, raising=False)
    fault = bench.fault(streamed=False)
    assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, False)
    assert fault.message.endswith("no connection: too many open files; raise the limit: `ulimit -n`")


@every
@both_ways
@pytest.mark.parametrize("parts", [[CUT], [b"HTTP/1.1 200", CUT], [b""], [b"\x00\xff nonsense\r\n\r\n"]])
@pytest.mark.few(9)
def test_a_connection_that_breaks_after_the_request_may_have_been_paid_for(
    name: str, streamed: bool, parts: list[Any], bench: Any
) -> None:
    bench.service.answers(parts)
    fault = bench.fault(streamed=streamed)
    assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, True)
    assert len(bench.service.asked) == 1


@every
@both_ways
def test_an_answer_that_is_cut_is_no_answer(name: str, streamed: bool, bench: Any) -> None:
    dialect = bench.dialect
    if streamed:
        parts = dialect.parts()
        cut = [chunked(parts[:2], dialect.streams, end=False), chunked(parts[:2], dialect.streams)]
        late = [cut[0][0], 0.05, *cut[0][1:], b"zz\r\n"]
        replies = [[*cut[0], CUT], cut[1], [*cut[0], b"zz\r\n"], late]
    else:
        whole = dialect.answer()
        body = whole.partition(b"\r\n\r\n")[2]
        replies = [
            [whole[:-10], CUT],
            [response(body, length=len(body) + 9), CUT],
            [response(body, length=10**15), CUT],
        ]
    for reply in replies:
        bench.service.answers(reply)
        fault = bench.fault(streamed=streamed)
        assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, True)


OF_HTTP = pytest.mark.parametrize("name", ["openai", "ollama"])


@OF_HTTP
def test_a_stream_that_ends_within_a_line_is_cut(name: str, bench: Any) -> None:
    """Of a server that tells the end by closing the connection."""
    parts, streams = bench.dialect.parts(), bench.dialect.streams
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {streams}\r\nConnection: close\r\n\r\n".encode()
    bench.service.answers([head, parts[0], parts[1].rstrip()[:-5], CUT])
    fault = bench.fault(streamed=True)
    assert (fault.reason, fault.sent) == (Reason.UNAVAILABLE, True), fault.message


@OF_HTTP
@pytest.mark.parametrize(
    ("body", "kind"),
    [("<html>login</html>", "text/html"), ("", "application/json"), ("null", "application/json"), ("hi", "text/plain")],
)
def test_a_page_in_place_of_a_stream_is_an_invalid_answer(name: str, body: str, kind: str, bench: Any) -> None:
    bench.service.answers(response(body, headers={"Content-Type": kind}))
    fault = bench.fault(streamed=True)
    assert fault.reason is Reason.INVALID_OUTPUT, fault.message


@pytest.mark.parametrize("name", ["openai"])
def test_a_server_that_knows_no_streams_answers_whole(name: str, bench: Any) -> None:
    bench.service.answers(bench.dialect.answer())
    whole = bench.ask(streamed=False)
    streamed = bench.ask(streamed=True)
    assert (streamed.text, streamed.usage, streamed.finish) == (whole.text, whole.usage, whole.finish)


@every
def test_what_is_no_json_or_another_ones_is_an_invalid_answer(name: str, bench: Any) -> None:
    body = bench.dialect.answer().partition(b"\r\n\r\n")[2]
    for wrong in (
        body[:-10],
        b"null",
        b"[]",
        b"{}",
        b"7",
        b"<html>",
        b"\xff\xfe",
        b'{"choices":[],"message":3}',
        b"[" * 9000,
    ):
        bench.service.answers(response(wrong))
        fault = bench.fault()
        assert (fault.reason, fault.sent) == (Reason.INVALID_OUTPUT, True), wrong[:20]


@every
def test_a_stream_of_something_else_is_an_invalid_answer_or_a_cut_one(name: str, bench: Any) -> None:
    for wrong in (b"data: {\n\n", b"hello\n\n", b"null\n", b"data: 7\n\n", b"\x00" * 100, b'{"a":1}\n', b""):
        bench.service.answers(chunked([wrong] if wrong else [], bench.dialect.streams))
        fault = bench.fault(streamed=True)
        assert fault.reason in (Reason.INVALID_OUTPUT, Reason.UNAVAILABLE), wrong
        assert fault.sent


# ---------------------------------------------------------------- time


@every
@both_ways
def test_v3_a_time_out_after_sending_is_ambiguous(name: str, streamed: bool, bench: Any) -> None:
    bench.service.answers([30.0])
    began = time.monotonic()
    fault = bench.fault(REQUEST._replace(timeout=0.25), streamed=streamed)
    assert time.monotonic() - began < 5
    assert (fault.reason, fault.sent) == (Reason.TIMED_OUT, True)
    assert "nobody knows" in fault.message


@every
@both_ways
def test_the_time_is_that_of_the_whole_call(name: str, streamed: bool, bench: Any) -> None:
    """Neither headers nor a body that trickle keep a call alive."""
    trickled: list[Any] = []
    whole = b"".join(chunked(bench.dialect.parts(), bench.dialect.streams)) if streamed else bench.dialect.answer()
    for at in range(0, len(whole), 2):
        trickled += [whole[at : at + 2], 0.1]
    bench.service.answers(trickled)
    began = time.monotonic()
    fault = bench.fault(REQUEST._replace(timeout=0.4), streamed=streamed)
    assert time.monotonic() - began < 5
    assert (fault.reason, fault.sent) == (Reason.TIMED_OUT, True)


@every
@both_ways
def test_a_service_has_a_time_limit_of_its_own(name: str, streamed: bool, bench: Any) -> None:
    bench.service.answers([30.0])
    assert bench.fault(streamed=streamed, timeout="250ms").reason is Reason.TIMED_OUT


@every
@both_ways
def test_x3_a_cancelled_call_ends_at_once(name: str, streamed: bool, bench: Any) -> None:
    start = chunked(bench.dialect.parts()[:2], bench.dialect.streams, end=False) if streamed else []
    bench.service.answers([*start, 60.0])

    async def cancelled(provider: Provider) -> float:
        on_piece = (lambda piece: None) if streamed else None
        call = asyncio.ensure_future(provider.generate_with_metadata(REQUEST, on_piece))
        while not bench.service.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return time.monotonic() - began

    began = time.monotonic()
    assert bench.use(cancelled) < 1
    assert time.monotonic() - began < 5, "closing it waits for no call that was cancelled"


@every
def test_a_stream_that_is_left_is_closed(name: str, bench: Any) -> None:
    bench.service.answers([*chunked(bench.dialect.parts()[:3], bench.dialect.streams, end=False), 60.0])

    async def left(provider: Provider) -> str:
        pieces: Any = provider.stream(REQUEST)
        first = await anext(pieces)
        await pieces.aclose()
        return str(first)

    began = time.monotonic()
    assert bench.use(left) == "Hel"
    assert time.monotonic() - began < 5


# ---------------------------------------------------------------- size


@every
@both_ways
def test_an_answer_that_is_too_large_is_not_read(name: str, streamed: bool, bench: Any) -> None:
    if streamed:
        parts: Any = bench.dialect.parts(Said(("x" * (6 * 2**20),) * 3))
        bench.service.answers(chunked(parts, bench.dialect.streams))
    else:
        bench.service.answers(bench.dialect.answer(Said(("x" * (17 * 2**20),))))
    fault = bench.fault(streamed=streamed)
    assert (fault.reason, fault.sent) == (Reason.INVALID_OUTPUT, True)
    assert "MiB" in fault.message


@every
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_packed_answer_is_read_and_a_bomb_is_not(name: str, coding: str, bench: Any) -> None:
    pack = gzip.compress if coding == "gzip" else zlib.compress
    body = bench.dialect.answer().partition(b"\r\n\r\n")[2]
    bench.service.answers(response(pack(body), headers={"Content-Encoding": coding}))
    if name != "bedrock":  # AWS packs nothing, and its client unpacks nothing
        assert bench.ask().text == "Hello wörld"
    packed = bomb(1, 31 if coding == "gzip" else 15, 200)
    bench.service.answers(response(packed, headers={"Content-Encoding": coding}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fault = bench.fault()
    assert fault.reason is Reason.INVALID_OUTPUT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80 * 1024


@every
@both_ways
def test_r2_a_bomb_costs_no_more_than_an_answer_may_be_large(name: str, streamed: bool, bench: Any) -> None:
    bench.service.answers(response(bomb(9, 31, 300), headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        fault = bench.fault(streamed=streamed)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()
    assert fault.reason is Reason.INVALID_OUTPUT


@every
def test_a_redirect_names_the_option_that_the_provider_has(name: str, bench: Any) -> None:
    bench.service.answers(response(b"", 302, {"Location": "https://elsewhere.example/v1"}))
    option = "endpoint_url" if name == "bedrock" else "base_url"
    assert f"let `{option}` be the service's own address" in bench.fault().message


@every
def test_a_long_error_is_cut(name: str, bench: Any) -> None:
    status, body, headers = bench.dialect.error("broken", "x" * 5_000_000)
    bench.service.answers(response(body, status, headers))
    assert len(bench.fault().message) < 800


@every
def test_no_thread_and_no_descriptor_is_left(name: str, bench: Any) -> None:
    bench.service.decides(bench.dialect.either())
    bench.ask()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        bench.ask()
        bench.ask(streamed=True)
    assert len(os.listdir("/proc/self/fd")) <= before + 5
