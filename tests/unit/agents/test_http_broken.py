"""Answers that are cut, in an unknown coding, in another charset, or no HTTP at all: the status counts, and is kept."""

from __future__ import annotations

import asyncio
import errno
import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest

from pipe_agents.http import HttpAgent
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Outcome
from pipe_runner.types import ErrorKind, NodeStatus

Serve = Callable[..., Any]


def perform(bench: Any, options: dict[str, Any], **fields: Any) -> Outcome:
    async def one() -> Outcome:
        agent = HttpAgent()
        try:
            outcome: Outcome = await bench.perform(agent, options, **fields)
            return outcome
        finally:
            await agent.close()

    return asyncio.run(one())


def answered(*fields: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields]).encode() + b"\r\n\r\n" + body


def closing(serve: Serve, answer: bytes) -> str:
    """The URL of a server that closes the connection behind its answer."""
    url: str = serve(lambda seen: iter([answer])).url
    return url


CUT = {
    "by a coding that was not asked for": answered(
        "Retry-After: 7", "Content-Encoding: br", "Content-Length: 3", body=b"abc", status="429 Slow"
    ),
    "within gzip": answered(
        "Retry-After: 7", "Content-Encoding: gzip", body=gzip.compress(b"hello" * 99)[:-4], status="429 Slow"
    ),
    "by the connection": answered("Retry-After: 7", "Content-Length: 100", body=b"slow do", status="429 Slow"),
    "within a chunk": answered("Retry-After: 7", "Transfer-Encoding: chunked", body=b"5\r\nabc", status="429 Slow"),
}


@pytest.mark.parametrize("how", CUT)
def test_an_unexpected_status_counts_although_its_body_cannot_be_read(bench: Any, serve: Serve, how: str) -> None:
    outcome = perform(bench, {"url": closing(serve, CUT[how])})
    assert outcome.status is NodeStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.RATE_LIMITED
    assert "429" in outcome.error.message
    assert outcome.retry_after == 7
    assert isinstance(outcome.output, dict)
    assert outcome.output["status"] == 429
    assert outcome.output["body"] is None


def test_s4_the_half_of_a_secret_that_a_cut_answer_ends_with_is_not_told(bench: Any, serve: Serve) -> None:
    cut = answered("Content-Length: 100", body=b"you sent s3cr3t-t0ken-that-is", status="400 Bad Request")
    bench.keep("s3cr3t-t0ken-that-is-long")
    outcome = perform(bench, {"url": closing(serve, cut)})
    assert outcome.error is not None
    assert outcome.error.tail is not None
    assert "s3cr3t" not in outcome.error.tail
    assert "you sent" in outcome.error.tail


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.6\r\n", b"<html>hi</html>", b"\x15\x03\x01\x00\x02\x02\x0a"])
def test_a_server_that_answers_with_something_else_is_not_said_to_have_been_silent(
    bench: Any, serve: Serve, banner: bytes
) -> None:
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": closing(serve, banner)})
    assert caught.value.kind is ErrorKind.HTTP
    assert "not valid HTTP" in caught.value.message


def test_an_answer_that_is_cut_within_its_head_is_said_to_have_begun(bench: Any, serve: Serve) -> None:
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": closing(serve, b"HTTP/1.1 200 OK\r\nContent-Le")})
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert "before the end of its answer" in caught.value.message


@pytest.mark.parametrize(
    ("charset", "data", "body"),
    [
        ("application/json; charset=iso-8859-1", '{"a": "é"}'.encode("latin-1"), {"a": "é"}),
        ("application/json; charset=iso-8859-1", '{"a": "é"}'.encode(), {"a": "é"}),
        ("application/problem+json;charset=windows-1252", '{"a": "€"}'.encode("cp1252"), {"a": "€"}),
        ("text/plain; charset=macintosh", "é".encode("mac-roman"), "é"),
        ("text/plain; charset=mac-roman", "é".encode("mac-roman"), "é"),
        ("text/plain; charset=Shift-JIS", "日".encode("shift_jis"), "日"),
        ("text/plain; charset=ks_c_5601-1987", "한".encode("euc-kr"), "한"),
    ],
)
def test_a_body_is_read_in_the_charset_that_the_server_names(
    bench: Any, serve: Serve, charset: str, data: bytes, body: Any
) -> None:
    answer = answered(f"Content-Type: {charset}", f"Content-Length: {len(data)}", body=data)
    outcome = perform(bench, {"url": closing(serve, answer)})
    assert isinstance(outcome.output, dict)
    assert outcome.output["body"] == body


@pytest.mark.parametrize("location", ["ftp://example.com/x", "http://a\\b/", "http://[::1/"])
def test_a_redirect_to_what_is_no_url_names_where_it_came_from(bench: Any, serve: Serve, location: str) -> None:
    answer = answered(f"Location: {location}", "Content-Length: 0", status="302 Found")
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": closing(serve, answer) + "/start"})
    assert caught.value.kind is ErrorKind.REFUSED
    assert "/start redirects, and the URL" in caught.value.message


def test_too_many_open_files_are_told_with_the_limit(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "connect", full, raising=False)
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": "http://127.0.0.1:9/"})
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert caught.value.message.endswith(": too many open files (raise the limit: `ulimit -n`)")
