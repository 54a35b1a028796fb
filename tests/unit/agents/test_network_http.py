"""`network_diagnostics` and HTTP, against servers that are slow, broken or lead in circles on purpose."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_certificates import Authority

from pipe_agents.network import lookup
from pipe_agents.network.answers import Answer, Reader, Wrong
from pipe_agents.network.contexts import words
from pipe_agents.network.targets import forbidden, place_of
from pipe_agents.network.texts import bounded, shown_url
from pipe_agents.network_diagnostics import NetworkAgent
from pipe_runner.testing import FakeClock
from pipe_runner.types import NodeStatus


class RealTime(FakeClock):
    """The machine's own clock: certificates are made by it."""

    def now_ns(self) -> int:
        return time.time_ns()


PATIENT = ("dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "total_ms")
"""Bounds that a busy machine must not reach, where a test is about something else."""


def run(bench: Any, url: str, **options: Any) -> dict[str, Any]:
    thresholds = {**dict.fromkeys(PATIENT, 60_000), **options.pop("thresholds", {})}
    options = {"urls": [url], "checks": ["http"], "timeout": "10s", "thresholds": thresholds, **options}
    context = bench.context()._replace(clock=RealTime())
    outcome = asyncio.run(NetworkAgent().perform(bench.attempt("network_diagnostics", options), context))
    assert outcome.status is NodeStatus.SUCCEEDED
    found: dict[str, Any] = outcome.output
    return found


def http(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["measurements"]["http"][0]
    return found


def checks(result: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["severity"] for one in result["findings"]}


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_status_size_and_times(bench: Any, serve: Any) -> None:
    server = serve(answer(b"x" * 5000, content_type="text/plain", server="made"))
    result = run(bench, f"{server.url}/path?token=t0psecret")
    found = http(result)
    assert result["findings"] == []
    assert (found["status"], found["bytes"], found["cut"], found["redirects"]) == (200, 5000, False, 0)
    assert found["url"] == f"{server.url}/path?…"
    assert found["steps"][0]["headers"] == {
        "server": "made", "content-type": "text/plain", "content-length": "5000",
    }  # fmt: skip
    assert server.seen[0].target == "/path?token=t0psecret"
    assert server.seen[0].headers["host"] == f"127.0.0.1:{server.port}"
    phases = found["phases_ms"]
    assert phases["dns"] is None
    assert phases["tls"] is None
    assert phases["total"] == pytest.approx(phases["connect"] + phases["first_byte"] + phases["transfer"], abs=0.01)
    assert "t0psecret" not in repr(result)


@pytest.mark.parametrize("where", ["first_byte", "transfer"])
def test_a_delay_shows_in_its_own_phase(bench: Any, serve: Any, where: str) -> None:
    whole = answer(b"x" * 100)

    def slow(seen: Any) -> Iterator[bytes]:
        if where == "first_byte":
            time.sleep(0.15)
        yield whole[:-50]
        if where == "transfer":
            time.sleep(0.15)
        yield whole[-50:]

    result = run(bench, serve(slow).url, thresholds={"first_byte_ms": 70} if where == "first_byte" else {})
    phases = http(result)["phases_ms"]
    other = {"first_byte": "transfer", "transfer": "first_byte"}[where]
    assert phases["first_byte"] + phases["transfer"] >= 150  # a busy machine may see the first byte late
    assert phases[where] > phases[other]
    if where == "first_byte":
        assert checks(result) == {"http.slow_first_byte": "medium"}


def test_a_slow_lookup_shows_as_dns(bench: Any, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(name: str, family: int = 0) -> tuple[str, ...]:
        time.sleep(0.08)
        return ("127.0.0.1",)

    monkeypatch.setattr(lookup, "system_addresses", slow)
    server = serve(answer())
    result = run(bench, f"http://slow.test:{server.port}/", thresholds={"dns_ms": 50})
    assert http(result)["phases_ms"]["dns"] >= 80
    assert checks(result) == {"http.slow_dns": "medium"}
    assert server.seen[0].headers["host"] == f"slow.test:{server.port}"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("200 OK", {}),
        ("204 No Content", {}),
        ("304 Not Modified", {}),
        ("404 Not Found", {"http.status": "medium"}),
        ("401 Unauthorized", {"http.status": "medium"}),
        ("500 Oh No", {"http.status": "high"}),
        ("503", {"http.status": "high"}),
    ],
)
def test_what_a_status_is(bench: Any, serve: Any, status: str, expected: dict[str, str]) -> None:
    result = run(bench, serve(answer(status=status)).url)
    assert checks(result) == expected
    assert http(result)["status"] == int(status[:3])


def test_redirects_are_followed_and_listed(bench: Any, serve: Any) -> None:
    def way(seen: Any) -> bytes:
        if seen.target == "/end":
            return answer(b"done")
        return answer(status="302 Found", location={"/": "/one?key=hidden", "/one?key=hidden": "end"}[seen.target])

    server = serve(way)
    result = run(bench, server.url + "/")
    found = http(result)
    assert [step["url"] for step in found["steps"]] == [f"{server.url}{path}" for path in ("/", "/one?…", "/end")]
    assert [step["status"] for step in found["steps"]] == [302, 302, 200]
    assert (found["redirects"], found["status"], found["final_url"]) == (2, 200, server.url + "/end")
    assert found["steps"][0]["headers"]["location"] == f"{server.url}/one?…"
    assert "hidden" not in repr(result)
    assert result["findings"] == []


def test_redirects_in_a_circle_and_too_many(bench: Any, serve: Any) -> None:
    circle = serve(lambda seen: answer(status="301 Moved", location="/b" if seen.target == "/a" else "/a"))
    result = run(bench, f"{circle.url}/a")
    assert checks(result) == {"http.redirect_loop": "high"}
    assert result["findings"][0]["evidence"]["way"] == [f"{circle.url}/a", f"{circle.url}/b"]
    onward = serve(lambda seen: answer(status="302 Found", location=f"{seen.target}x"))
    result = run(bench, f"{onward.url}/", max_redirects=3)
    assert checks(result) == {"http.redirects": "medium"}
    assert http(result)["redirects"] == 3
    assert len(onward.seen) == 4


@pytest.mark.parametrize("location", ["ftp://x/", "http://[::1", "http://a:99999/", "javascript:x"])
def test_redirects_to_where_nobody_can_go(bench: Any, serve: Any, location: str) -> None:
    result = run(bench, serve(answer(status="302 Found", location=location)).url)
    assert checks(result) == {"http.redirect": "high"}


def test_one_redirect_is_one_and_a_redirect_to_nowhere_is_told(bench: Any, serve: Any) -> None:
    lost = serve(answer(status="302 Found"))
    (told,) = run(bench, lost.url)["findings"]
    assert (told["check"], told["severity"]) == ("http.redirect", "high")
    assert "302" in told["summary"]
    assert "without saying where to" in told["summary"]
    circle = serve(lambda seen: answer(status="301 Moved", location="/b" if seen.target == "/a" else "/a"))
    (told,) = run(bench, f"{circle.url}/a")["findings"]
    assert "(after 1 redirect, at" in told["summary"]


def test_no_redirect_leads_to_where_credentials_are(bench: Any, serve: Any) -> None:
    server = serve(answer(status="302 Found", location="http://169.254.169.254/latest/meta-data/"))
    result = run(bench, server.url)
    (told,) = result["findings"]
    assert (told["check"], told["status"]) == ("http", "unavailable")
    assert "credentials" in told["why"]
    assert http(result)["steps"][1]["phases_ms"]["connect"] is None
    assert "answers" not in result["summary"]


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (b"", "http.no_answer"),
        (b"220 mail.test ESMTP\r\n", "http.no_answer"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "http.no_answer"),
        (b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", "http.no_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "http.no_answer"),
        (b"HTTP/1.1 999 OK\r\n\r\n", "http.no_answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "http.no_answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n", "http.no_answer"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000 + b"\r\n\r\n", "http.no_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!", "http.broken_body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "http.broken_body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "http.broken_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "http.broken_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "http.broken_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", "http.broken_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n",
         "http.broken_body"),
    ],
)  # fmt: skip
def test_answers_that_are_none_or_not_whole(bench: Any, serve: Any, data: bytes, check: str) -> None:
    result = run(bench, serve(lambda seen: iter([data])).url)
    assert checks(result) == {check: "high"}
    assert http(result)["fault"]


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 13),
        (b"HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 2),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab", 2),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: v\r\n\r\n", 5),
    ],
)
def test_bodies_of_every_kind(bench: Any, serve: Any, data: bytes, size: int) -> None:
    result = run(bench, serve(lambda seen: iter([data])).url)
    assert (http(result)["bytes"], http(result)["fault"]) == (size, None)
    assert result["findings"] == []


def test_no_more_bytes_are_read_than_allowed(bench: Any, serve: Any) -> None:
    result = run(bench, serve(answer(b"x" * 100_000)).url, max_bytes=1000)
    assert (http(result)["bytes"], http(result)["cut"]) == (1000, True)
    assert result["findings"] == []


def test_a_body_that_never_ends_is_left_in_time(bench: Any, serve: Any) -> None:
    def drip(seen: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for _ in range(200):
            time.sleep(0.05)
            yield b"x"

    result = run(bench, serve(drip).url, request_timeout="1s")
    assert checks(result) == {"http.slow_body": "high"}
    assert 0 < http(result)["bytes"] < 200
    silent = run(bench, serve(lambda seen: (time.sleep(1) for _ in range(1))).url, request_timeout="200ms")
    assert checks(silent) == {"http.no_answer": "high"}


@pytest.fixture
def secure(serve: Any, tmp_path: Path) -> Callable[..., Any]:
    root = Authority()
    (tmp_path / "ca.pem").write_text(root.pem)

    def start(**options: Any) -> Any:
        return serve(answer(b"secret"), tls=root.issue(**options).server(tmp_path))

    return start


def test_https_with_its_own_phase(bench: Any, secure: Any) -> None:
    result = run(bench, secure().url, ca_file="ca.pem")
    found = http(result)
    assert result["findings"] == []
    assert found["phases_ms"]["tls"] > 0
    assert (found["steps"][0]["tls"], found["steps"][0]["certificate_valid"]) == ("TLS 1.3", True)


@pytest.mark.parametrize("options", [{"days": -1, "begins": -5}, {"names": ["other.test"]}])
def test_a_wrong_certificate_is_told_and_the_rest_is_measured(bench: Any, secure: Any, options: Any) -> None:
    result = run(bench, secure(**options).url, ca_file="ca.pem")
    assert checks(result) == {"http.certificate": "high"}
    assert (http(result)["status"], http(result)["bytes"]) == (200, 6)
    assert http(result)["steps"][0]["certificate_valid"] is False


def test_a_certificate_is_told_of_once(bench: Any, secure: Any) -> None:
    result = run(bench, secure(days=-1, begins=-5).url, ca_file="ca.pem", checks=["http", "tls"])
    assert checks(result) == {"tls.expired": "critical"}


def test_a_way_from_https_to_http_is_told(bench: Any, serve: Any, tmp_path: Path) -> None:
    root = Authority()
    (tmp_path / "ca.pem").write_text(root.pem)
    plain = serve(answer(b"seen by all"))
    server = serve(answer(status="301 Moved", location=plain.url), tls=root.issue().server(tmp_path))
    assert checks(run(bench, server.url, ca_file="ca.pem")) == {"http.downgrade": "medium"}


def test_nothing_of_a_body_is_in_the_result(bench: Any, serve: Any) -> None:
    result = run(bench, serve(answer(b"password=hunter22", status="500 No")).url)
    assert "hunter22" not in repr(result)


def test_hostile_headers_are_bounded_and_shown_as_what_they_are(bench: Any, serve: Any) -> None:
    data = b"HTTP/1.1 200 OK\r\nServer: \x1b[31m" + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n"
    server = http(run(bench, serve(lambda seen: iter([data])).url))["steps"][0]["headers"]["server"]
    assert server.startswith("\\x1b[31mxx")
    assert len(server) < 600


@pytest.mark.parametrize(
    ("url", "target", "field"),
    [
        ("http://a.test", "/", "a.test"),
        ("http://a.test:80/x y", "/x%20y", "a.test"),
        ("https://a.test:8443?q=1", "/?q=1", "a.test:8443"),
        ("http://[::1]:8080/ä", "/%C3%A4", "[::1]:8080"),
        ("http://user:pass@a.test/", "/", "a.test"),
        ("http://bücher.test/", "/", "xn--bcher-kva.test"),
        ("http://a.test/%0d%0aX", "/%0d%0aX", "a.test"),
    ],
)
def test_how_a_url_is_asked_for(url: str, target: str, field: str) -> None:
    place = place_of(url)
    assert (place.target, place.field) == (target, field)


def test_what_openssl_says_has_no_place_in_its_source() -> None:
    fault = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol (_ssl.c:2427)")
    assert words(fault) == "EOF occurred in violation of protocol"


def test_what_is_shown_of_a_url() -> None:
    assert shown_url("https://u:p@a.test/x?token=1#y") == "https://a.test/x?…"
    assert "secret" not in shown_url("http://[bad?secret")
    assert bounded("x" * 600) == "x" * 500 + "… (600 characters)"


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "8.8.8.8", "fd00::1", "::1", "192.168.1.1"])
def test_private_addresses_may_be_asked(address: str) -> None:
    assert forbidden(address) is None


@given(st.lists(st.binary(max_size=40), max_size=20), st.booleans())
def test_whatever_comes_is_an_answer_or_wrong(pieces: list[bytes], begins: bool) -> None:
    data = iter([b"HTTP/1.1 200 OK\r\n", *pieces] if begins else pieces)
    reader = Reader(lambda: next((piece for piece in data if piece), b""), 100)
    try:
        reader.head()
    except Wrong:
        return
    found: Answer = reader.body()
    assert found.bytes <= 100


def test_an_address_that_is_passed_over_is_told(bench: Any, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "system_addresses", lambda name, family=0: ("127.0.0.2", "127.0.0.1"))
    server = serve(answer(b"ok"))
    result = run(bench, f"http://two.test:{server.port}/")
    assert checks(result) == {"http.address": "medium"}
    assert result["findings"][0]["evidence"]["passed_over"] == {
        "127.0.0.2": "no connection to 127.0.0.2: Connection refused"
    }
    assert http(result)["status"] == 200


def test_a_name_that_leads_to_where_credentials_are(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "system_addresses", lambda name, family=0: ("10.0.0.1", "169.254.169.254"))
    monkeypatch.setattr("pipe_agents.network.line.Line.__init__", lambda *args: pytest.fail("it connects"))
    result = run(bench, "http://metadata.test/", checks=["http"])
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("http", "unavailable")]
    assert http(result)["fault"] == "169.254.169.254 is a link-local address, where clouds keep a machine's credentials"


def test_ports_of_which_nobody_says_what_they_speak(bench: Any, serve: Any, secure: Any) -> None:
    plain, safe = serve(answer(b"plain")), secure()
    options = {"host": "127.0.0.1", "ports": [plain.port, safe.port], "checks": ["http", "tls"], "ca_file": "ca.pem",
               "thresholds": dict.fromkeys(PATIENT, 60_000), "timeout": "10s"}  # fmt: skip
    context = bench.context()._replace(clock=RealTime())
    outcome = asyncio.run(NetworkAgent().perform(bench.attempt("network_diagnostics", options), context))
    found: Any = outcome.output
    assert [one["url"] for one in found["measurements"]["http"]] == [
        f"http://127.0.0.1:{plain.port}/", f"https://127.0.0.1:{safe.port}/",
    ]  # fmt: skip
    assert [one["status"] for one in found["measurements"]["http"]] == [200, 200]
    (blind,) = found["findings"]
    assert (blind["check"], blind["status"], blind["subject"]) == ("tls", "unavailable", f"127.0.0.1:{plain.port}")
