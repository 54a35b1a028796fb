"""What the http agent sends, and what it makes of answers; against servers on loopback."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from http_asking import Serve, body_of, fault, perform, reply

from pipe_agents.http_body import Inflater
from pipe_runner.types import ErrorKind

# ---------------------------------------------------------------- the request


def test_the_output_holds_status_headers_and_the_parsed_body(bench: Any, serve: Serve) -> None:
    server = serve(reply(b'{"a": [1, null]}', content_type="application/json; charset=utf-8", X_One="1"))
    outcome = perform(bench, {"url": server.url + "/x"})
    assert outcome.output == {
        "status": 200,
        "headers": {"content-length": "16", "content-type": "application/json; charset=utf-8", "x-one": "1"},
        "body": {"a": [1, None]},
    }
    assert (server.seen[0].method, server.seen[0].target) == ("GET", "/x")
    assert server.seen[0].headers["host"] == f"127.0.0.1:{server.port}"


def test_query_parameters_are_encoded_and_added(bench: Any, serve: Serve) -> None:
    server = serve(reply())
    query = {"q": "a b&c=d/#é", "n": 1.5, "yes": True, "none": None, "many": ["x", 2], "obj": {"a": 1}}
    perform(bench, {"url": server.url + "/p?first=1", "query": query})
    assert server.seen[0].target == (
        "/p?first=1&q=a%20b%26c%3Dd%2F%23%C3%A9&n=1.5&yes=true&many=x&many=2&obj=%7B%22a%22%3A1%7D"
    )


@pytest.mark.parametrize(
    ("options", "body", "content_type"),
    [
        ({"json": {"é": [1, True, None]}}, '{"é":[1,true,null]}'.encode(), "application/json"),
        ({"json": None}, b"null", "application/json"),
        ({"json": 0}, b"0", "application/json"),
        ({"body": "text é"}, "text é".encode(), "text/plain; charset=utf-8"),
        ({"body": {"a": 1}}, b'{"a":1}', "text/plain; charset=utf-8"),
        ({"body": "a=1", "headers": {"content-type": "application/x-www-form-urlencoded"}}, b"a=1", None),
        ({}, b"", ""),
    ],
)
def test_bodies_are_json_or_text(bench: Any, serve: Serve, options: Any, body: bytes, content_type: str | None) -> None:
    server = serve(reply())
    perform(bench, {"method": "post", "url": server.url, **options})
    seen = server.seen[0]
    assert (seen.method, seen.body) == ("POST", body)
    assert seen.headers["content-length"] == str(len(body))
    if content_type is None:
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    else:
        assert seen.headers.get("content-type", "") == content_type


def test_headers_are_text_of_values(bench: Any, serve: Serve) -> None:
    server = serve(reply())
    perform(bench, {"url": server.url, "headers": {"X-N": 1, "X-B": True, "X-None": None, "X-S": " v\n"}})
    headers = server.seen[0].headers
    assert (headers["x-n"], headers["x-b"], headers["x-s"]) == ("1", "true", "v")
    assert "x-none" not in headers


def test_d10_every_attempt_of_a_post_carries_the_same_idempotency_key(bench: Any, serve: Serve) -> None:
    server = serve(reply())
    perform(bench, {"method": "POST", "url": server.url}, {"method": "PATCH", "url": server.url}, {"url": server.url})
    assert [seen.headers.get("idempotency-key") for seen in server.seen] == ["key-1", "key-1", None]


def test_a_user_name_in_the_url_becomes_basic_authorization(bench: Any, serve: Serve) -> None:
    server = serve(reply())
    perform(bench, {"url": server.url.replace("http://", "http://me:p%40ss@") + "/x"})
    assert base64.b64decode(server.seen[0].headers["authorization"].removeprefix("Basic ")) == b"me:p@ss"
    assert "me" not in server.seen[0].headers["host"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "//example.com/",
        "http:///x",
        "http://",
        "http:/x",
        "",
        "http://exa mple.com/",
        "http://ex%61mple.com/",
        "http://example.com\\@evil.example/",
        "http://example.com/\r\nX-Evil: 1",
        "http://example.com/\x00",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[::1%25lo]/",
        "http://[::1/",
        "http://ａ.example/",
        "http://" + "a" * 300 + "/",
        "http://example.com/" + "a" * 70000,
    ],
)
def test_s3_s11_urls_that_programs_read_differently_are_refused(bench: Any, url: str) -> None:
    error = fault(bench, {"url": url})
    assert error.kind is ErrorKind.REFUSED
    assert len(error.message) < 500


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nEvil: 1"},
        {"X": "a\nb"},
        {"X": "a\x00b"},
        {"X\r\nEvil": "1"},
        {"X Y": "1"},
        {"": "1"},
        {"Host": "evil.example"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"connection": "close"},
    ],
)
def test_s3_headers_cannot_carry_others_nor_change_the_connection(bench: Any, headers: Any, serve: Serve) -> None:
    server = serve(reply())
    assert fault(bench, {"url": server.url, "headers": headers}).kind is ErrorKind.REFUSED
    assert not server.seen


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GET /\r\nX: 1", "", "GÉT"])
def test_methods_that_are_none_are_refused(bench: Any, method: str, serve: Serve) -> None:
    assert fault(bench, {"url": serve(reply()).url, "method": method}).kind is ErrorKind.REFUSED


# ---------------------------------------------------------------- the answer


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"[1]", "application/problem+json", [1]),
        (b"0", "application/json", 0),
        (b"", "application/json", None),
        (b"", "text/plain", ""),
        (b'{"a":1}', None, {"a": 1}),
        (b"plain", None, "plain"),
        (b'{"a":1}', "text/plain", '{"a":1}'),
        (b"{oops", "application/json", "{oops"),
        (b"[NaN]", "application/json", "[NaN]"),
        (b'"\\ud800"', "application/json", '"\\ud800"'),
        (b"[" * 3000, "application/json", "[" * 3000),
        (b"1" * 5000, "application/json", "1" * 5000),
        ("é".encode("latin-1"), "text/html; charset=ISO-8859-1", "é"),
        (b"\xef\xbb\xbfhi", "text/plain; charset=utf-8", "hi"),
        (b"\xff\xfe", "text/plain; charset=punycode", "\ufffd\ufffd"),
        (b"a\xffb", "text/plain", "a\ufffdb"),
        (b"\x89PNG\x00", "image/png", {"base64": "iVBORwA=", "bytes": 5}),
        (b"\x00\x01", None, {"base64": "AAE=", "bytes": 2}),
        (b"<svg/>", "image/svg+xml", "<svg/>"),
        (b"words", "application/octet-stream", "words"),
    ],
)
def test_a_body_is_json_text_or_base64(
    bench: Any, serve: Serve, body: bytes, content_type: str | None, expected: Any
) -> None:
    headers = {"content_type": content_type} if content_type else {}
    assert body_of(perform(bench, {"url": serve(reply(body, **headers)).url})) == expected


def test_a_large_json_body_is_parsed_too(bench: Any, serve: Serve) -> None:
    value = ["x" * 1000] * 1000
    server = serve(reply(json.dumps(value).encode(), content_type="application/json"))
    assert body_of(perform(bench, {"url": server.url})) == value


def test_repeated_headers_are_joined_and_odd_bytes_kept(bench: Any, serve: Serve) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-B: \xe9\r\ncontent-length: 0\r\n\r\n")
    output: Any = perform(bench, {"url": server.url}).output
    assert output["headers"]["x-a"] == "1, 2"
    assert output["headers"]["x-b"] == "é"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body_have_an_empty_one(bench: Any, serve: Serve, status: str) -> None:
    server = serve(f"HTTP/1.1 {status}\r\n\r\n".encode())
    assert body_of(perform(bench, {"url": server.url, "expect": [204, 304]})) == ""


def test_head_has_no_body(bench: Any, serve: Serve) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\ncontent-encoding: gzip\r\n\r\n")
    assert body_of(perform(bench, {"url": server.url, "method": "HEAD"})) == ""


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("x-gzip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
        ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0)),
        ("identity", b"hello"),
    ],
)
def test_compressed_bodies_are_decoded(bench: Any, serve: Serve, coding: str, data: bytes) -> None:
    assert body_of(perform(bench, {"url": serve(reply(data, content_encoding=coding)).url})) == "hello"


@pytest.mark.parametrize("size", [262_143, 262_144, 262_244, 524_488])
@pytest.mark.parametrize("cut", [slice(None), slice(2, -4)], ids=["zlib", "raw"])
def test_a_body_of_which_zlib_holds_the_end_back_is_whole(size: int, cut: slice) -> None:
    step = Inflater("deflate")
    pieces = list(step.feed(zlib.compress(b"a" * size, 9)[cut]))
    step.finish()
    assert b"".join(pieces) == b"a" * size
    assert max(map(len, pieces)) <= 262_144


def test_compressed_bodies_may_arrive_byte_by_byte(bench: Any, serve: Serve) -> None:
    for coding, data in (("gzip", gzip.compress(b"hello", mtime=0)), ("deflate", zlib.compress(b"hello")[2:-4])):
        chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in data) + b"0\r\n\r\n"
        server = serve(
            f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-encoding: {coding}\r\n\r\n".encode() + chunks
        )
        assert body_of(perform(bench, {"url": server.url})) == "hello"


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-6]),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"garbage"),
        ("br", b"x"),
        ("gzip, gzip, gzip", b"x"),
    ],
)
def test_broken_or_unasked_compression_fails_with_a_sentence(
    bench: Any, serve: Serve, coding: str, data: bytes
) -> None:
    error = fault(bench, {"url": serve(reply(data, content_encoding=coding)).url})
    assert error.kind is ErrorKind.HTTP
    assert "body" in error.message


@pytest.mark.parametrize("layers", [1, 2])
def test_r1_a_compressed_bomb_ends_at_max_bytes(bench: Any, serve: Serve, layers: int) -> None:
    bomb = b"\0" * 50_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb, mtime=0)
    server = serve(reply(bomb, content_encoding=", ".join(["gzip"] * layers)))
    error = fault(bench, {"url": server.url, "max_bytes": 1_000_000})
    assert error.kind is ErrorKind.OUTPUT_TOO_LARGE
    assert "1000000 bytes" in error.message


def test_r3_an_endless_body_ends_at_the_runs_limit(bench: Any, serve: Serve) -> None:
    def endless(seen: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"x" * 65536

    error = fault(bench, {"url": serve(endless).url, "max_bytes": 2**30}, output_limit=300_000)
    assert error.kind is ErrorKind.OUTPUT_TOO_LARGE
    assert "300000 bytes" in error.message


def test_a_body_of_exactly_max_bytes_passes(bench: Any, serve: Serve) -> None:
    server = serve(reply(b"x" * 1000))
    assert body_of(perform(bench, {"url": server.url, "max_bytes": 1000})) == "x" * 1000
    assert fault(bench, {"url": server.url, "max_bytes": 999}).kind is ErrorKind.OUTPUT_TOO_LARGE


# ---------------------------------------------------------------- secrets


def test_s4_no_error_text_holds_a_secret_or_a_password(bench: Any, serve: Serve) -> None:
    server = serve(lambda seen: reply(b"you sent token-123456", status="403 No"))
    bench.keep("token-123456", f"{server.url}/services/T0/B0/XYZ?key=abcdef")
    for options in (
        {"url": f"{server.url}/services/T0/B0/XYZ?key=abcdef"},
        {"url": f"{server.url}/bot/token-123456/send", "headers": {"Authorization": "Bearer token-123456"}},
        {"url": server.url.replace("//", "//me:hunter2@"), "query": {"t": "token-123456"}},
    ):
        outcome = perform(bench, options)
        assert outcome.error is not None
        for text in (outcome.error.message, outcome.error.tail or "", json.dumps(outcome.output)):
            assert "token-123456" not in text
            assert "XYZ" not in text
            assert "abcdef" not in text
            assert "hunter2" not in text


def test_s4_a_refusal_shows_no_part_of_a_secret_url(bench: Any) -> None:
    bench.keep("http://10.0.0.1/services/T0/B0/XYZ")
    error = fault(bench, {"url": "http://10.0.0.1/services/T0/B0/XYZ"})
    assert error.kind is ErrorKind.REFUSED
    assert "XYZ" not in error.message


@pytest.mark.parametrize("times", [10, 200])
def test_s4_a_secret_that_the_cut_of_a_body_would_halve_is_not_shown(bench: Any, serve: Serve, times: int) -> None:
    secret = "s3cr3t-" * 100
    bench.keep(secret)
    outcome = perform(bench, {"url": serve(reply((secret * times).encode(), status="500 X")).url})
    assert outcome.error is not None
    assert outcome.error.tail
    assert outcome.error.tail.replace("*", "") == ""


def test_a_header_may_hold_a_secret_that_ends_with_a_newline(bench: Any, serve: Serve) -> None:
    server = serve(reply())
    bench.keep("token-123456\n")
    perform(bench, {"url": server.url, "headers": {"Authorization": "Bearer token-123456\n"}})
    assert server.seen[0].headers["authorization"] == "Bearer token-123456"
