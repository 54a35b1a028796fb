"""Which answers the http agent takes for a success, and what it says where none comes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from http_asking import Serve, body_of, fault, perform, reply

from pipe_agents.http import HttpAgent
from pipe_runner.ports import Outcome
from pipe_runner.types import ErrorKind, NodeStatus

# ---------------------------------------------------------------- statuses


@pytest.mark.parametrize(
    ("expect", "status", "passes"),
    [
        (None, 200, True),
        (None, 299, True),
        (None, 404, False),
        ([404], 404, True),
        ([404], 200, False),
        (["2xx", 404], 404, True),
        (["4xx"], 418, True),
        (404, 404, True),
        ("404", 404, True),
        (["200"], 201, False),
    ],
)
def test_expect_says_which_statuses_are_success(
    bench: Any, serve: Serve, expect: Any, status: int, passes: bool
) -> None:
    options = {"url": serve(reply(b"why", status=f"{status} X")).url}
    if expect is not None:
        options["expect"] = expect
    outcome = perform(bench, options)
    assert (outcome.status is NodeStatus.SUCCEEDED) == passes
    assert isinstance(outcome.output, dict)
    assert outcome.output["status"] == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, ErrorKind.HTTP),
        (500, ErrorKind.HTTP),
        (429, ErrorKind.RATE_LIMITED),
        (503, ErrorKind.UNAVAILABLE),
    ],
)
def test_an_unexpected_status_fails_with_the_answer_at_hand(
    bench: Any, serve: Serve, status: int, kind: ErrorKind
) -> None:
    server = serve(reply(b'{"error":"no"}', status=f"{status} Whatever It Says", content_type="application/json"))
    outcome = perform(bench, {"url": server.url + "/secret-free?token=abc"})
    assert outcome.status is NodeStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.kind is kind
    assert str(status) in outcome.error.message
    assert "expected 2xx" in outcome.error.message
    assert "Whatever" not in outcome.error.message
    assert "abc" not in outcome.error.message
    assert outcome.error.tail == '{"error":"no"}'
    assert isinstance(outcome.output, dict)
    assert outcome.output["body"] == {"error": "no"}


def test_an_unexpected_answer_with_an_endless_body_still_tells_its_status(bench: Any, serve: Serve) -> None:
    def endless(seen: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 500 No\r\n\r\n"
        while True:
            yield b"x" * 65536

    outcome = perform(bench, {"url": serve(endless).url, "max_bytes": 10_000})
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.HTTP
    assert outcome.error.tail == "x" * 4096


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "99999999999"}, 3600.0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "1e99"}, None),
        ({}, None),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry_after": "Tue, 14 Nov 2023 21:00:00 GMT"}, 0.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:00:09 GMT", "date": "Tue, 14 Nov 2023 22:00:00 GMT"}, 9.0),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600.0),
        ({"retry_after": "Xxx, 99 Nov 2023 22:13:50 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_clamped(
    bench: Any, serve: Serve, headers: dict[str, str], seconds: float | None
) -> None:
    outcome = perform(bench, {"url": serve(reply(b"", status="429 X", **headers)).url})
    assert outcome.retry_after == seconds


# ---------------------------------------------------------------- no answer


def test_a_refused_connection_is_unavailable(bench: Any, serve: Serve) -> None:
    server = serve(reply())
    server.close()
    error = fault(bench, {"url": server.url + "/x?token=1"})
    assert error.kind is ErrorKind.UNAVAILABLE
    assert error.message == f"GET {server.url}/x: connection refused"


@pytest.mark.parametrize(
    ("number", "kind"), [(socket.EAI_NONAME, ErrorKind.NOT_FOUND), (socket.EAI_AGAIN, ErrorKind.UNAVAILABLE)]
)
def test_a_host_without_an_address_is_not_found(
    bench: Any, monkeypatch: pytest.MonkeyPatch, number: int, kind: ErrorKind
) -> None:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(number, "no such thing")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    error = fault(bench, {"url": "http://nowhere.invalid/"})
    assert error.kind is kind
    assert error.message == "the host nowhere.invalid has no address: no such thing"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", ErrorKind.UNAVAILABLE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", ErrorKind.UNAVAILABLE),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", ErrorKind.UNAVAILABLE),
        (b"HTTP/1.1 200 OK\r\ncontent-le", ErrorKind.UNAVAILABLE),
        (b"garbage\r\n\r\n", ErrorKind.HTTP),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ErrorKind.HTTP),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", ErrorKind.HTTP),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", ErrorKind.HTTP),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", ErrorKind.HTTP),
    ],
)
def test_s11_answers_that_are_none_fail_with_a_typed_sentence(
    bench: Any, serve: Serve, answer: bytes, kind: ErrorKind
) -> None:
    error = fault(bench, {"url": serve(lambda seen: iter([answer])).url})
    assert error.kind is kind, error.message
    assert len(error.message) < 500


def test_x3_a_slow_trickle_ends_with_the_attempt(bench: Any, serve: Serve) -> None:
    def trickle(seen: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"
        while True:
            time.sleep(0.05)
            yield b"x"

    server = serve(trickle)

    async def bounded() -> float:
        agent = HttpAgent()
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await bench.perform(agent, {"url": server.url})
        await agent.close()
        return time.monotonic() - start

    assert asyncio.run(bounded()) < 2


def test_connections_are_used_again_within_a_run(bench: Any, serve: Serve) -> None:
    server = serve(reply(b"x"))
    perform(bench, *[{"url": server.url}] * 5)
    assert (len(server.seen), server.connections) == (5, 1)


def test_no_cookie_travels_from_one_node_to_another(bench: Any, serve: Serve) -> None:
    server = serve(reply(b"", set_cookie="id=1; Path=/"))
    perform(bench, {"url": server.url}, {"url": server.url})
    assert "cookie" not in server.seen[1].headers


def test_ipv6_hosts_are_reached(bench: Any, serve: Serve) -> None:
    try:
        server = serve(reply(b"six"), host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    assert body_of(perform(bench, {"url": server.url + "/x"})) == "six"
    assert server.seen[0].headers["host"] == f"[::1]:{server.port}"


def test_many_requests_at_once_are_all_answered(bench: Any, serve: Serve) -> None:
    server = serve(lambda seen: reply(seen.target.encode()))

    async def all_at_once() -> list[Outcome]:
        agent = HttpAgent()
        try:
            return await asyncio.gather(
                *(bench.perform(agent, {"url": f"{server.url}/{number}"}) for number in range(60))
            )
        finally:
            await agent.close()

    assert [body_of(outcome) for outcome in asyncio.run(all_at_once())] == [f"/{number}" for number in range(60)]
