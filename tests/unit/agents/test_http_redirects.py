"""Redirects, resolved names, proxies and TLS: what a request may lead to, and what goes along."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_agents.http import HttpAgent
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Outcome
from pipe_runner.types import ErrorKind, NodeStatus

Serve = Callable[..., Any]
Names = Callable[..., list[str]]


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def perform(bench: Any, options: dict[str, Any], agent: HttpAgent | None = None) -> Outcome:
    async def once() -> Outcome:
        used = agent or HttpAgent()
        try:
            outcome: Outcome = await bench.perform(used, options)
            return outcome
        finally:
            await used.close()

    return asyncio.run(once())


def refused(bench: Any, options: dict[str, Any]) -> str:
    with pytest.raises(NodeFault) as caught:
        perform(bench, options)
    assert caught.value.kind is ErrorKind.REFUSED, caught.value.message
    return caught.value.message


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Gives names to addresses: `names("a.example", "127.0.0.1", …)`; returns the look-ups as they happen.

    Several lists of addresses for one name are given out one after the other, as a rebinding server would.
    """
    known: dict[str, list[list[str]]] = {}
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in known:
            return real(host, port, *args, **kwargs)
        asked.append(name)
        addresses = known[name].pop(0) if len(known[name]) > 1 else known[name][0]
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def name(host: str, *answers: str) -> list[str]:
        known[host] = [answer.split() for answer in answers]
        return asked

    return name


@pytest.fixture
def other_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes 127.0.0.2 a public address and 127.0.0.3 a private one."""
    from ipaddress import ip_address

    from pipe_agents import http_network, http_policy

    real = http_policy.reach_of
    places = {ip_address("127.0.0.2"): http_policy.Reach.PUBLIC, ip_address("127.0.0.3"): http_policy.Reach.PRIVATE}

    def reach_of(address: Any) -> http_policy.Reach:
        return places.get(address) or real(address)

    monkeypatch.setattr(http_policy, "reach_of", reach_of)
    monkeypatch.setattr(http_network, "reach_of", reach_of)


# ---------------------------------------------------------------- redirects


def test_redirects_are_followed_to_the_end(bench: Any, serve: Serve) -> None:
    def numbered(seen: Any) -> bytes:
        number = int(seen.target.partition("?")[0].rpartition("/")[2])
        return reply(b"done") if number == 10 else reply(status="302 Found", location=f"{number + 1}?x=1")

    server = serve(numbered)
    outcome = perform(bench, {"url": server.url + "/a/0"})
    assert isinstance(outcome.output, dict)
    assert outcome.output["body"] == "done"
    assert len(server.seen) == 11


def test_a_redirect_loop_ends_with_a_sentence(bench: Any, serve: Serve) -> None:
    server = serve(reply(status="302 Found", location="/again"))
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": server.url})
    assert caught.value.kind is ErrorKind.HTTP
    assert "more than 10 redirects" in caught.value.message
    assert len(server.seen) == 11


def test_redirects_are_not_followed_when_the_file_says_so(bench: Any, serve: Serve) -> None:
    server = serve(reply(status="302 Found", location="/x"))
    outcome = perform(bench, {"url": server.url, "follow_redirects": False})
    assert outcome.error is not None
    assert "not followed" in outcome.error.message
    assert perform(bench, {"url": server.url, "expect": [302]}).status is NodeStatus.SUCCEEDED
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (303, "HEAD", "HEAD", b""),
        (301, "PUT", "PUT", b"{}"),
        (307, "POST", "POST", b"{}"),
        (308, "PUT", "PUT", b"{}"),
    ],
)
def test_methods_and_bodies_after_a_redirect(
    bench: Any, serve: Serve, status: int, method: str, then: str, body: bytes
) -> None:
    server = serve(lambda seen: reply(status=f"{status} X", location="/b") if seen.target == "/a" else reply())
    options: dict[str, Any] = {"method": method, "url": server.url + "/a"}
    if method != "HEAD":
        options["json"] = {}
    perform(bench, options)
    assert (server.seen[1].method, server.seen[1].body) == (then, body)
    assert ("content-type" in server.seen[1].headers) == bool(body)


def test_credentials_stay_with_the_origin_that_they_were_given_for(bench: Any, serve: Serve) -> None:
    other = serve(reply())
    first = serve(lambda seen: reply(status="302 X", location="/same" if seen.target == "/" else other.url + "/x"))
    bench.keep("very-secret-value")
    headers = {
        "Authorization": "Bearer x",
        "Cookie": "a=b",
        "X-Api-Key": "k",
        "X-Plain": "plain",
        "X-Odd": "has very-secret-value inside",
    }
    perform(bench, {"url": first.url, "headers": headers})
    for seen in first.seen:
        assert set(map(str.lower, headers)) <= set(seen.headers)
    assert other.seen[0].headers["x-plain"] == "plain"
    assert not {"authorization", "cookie", "x-api-key", "x-odd"} & set(other.seen[0].headers)


def test_user_names_in_urls_do_not_travel(bench: Any, serve: Serve) -> None:
    other = serve(reply())
    first = serve(lambda seen: reply(status="302 X", location=other.url.replace("//", "//eve:pw@")))
    perform(bench, {"url": first.url.replace("//", "//me:pw@")})
    assert "authorization" in first.seen[0].headers
    assert "authorization" not in other.seen[0].headers


def test_s4_a_body_with_a_secret_is_not_sent_to_another_origin(bench: Any, serve: Serve) -> None:
    other = serve(reply())
    first = serve(lambda seen: reply(status="307 X", location=other.url))
    bench.keep("very-secret-value")
    message = refused(bench, {"method": "POST", "url": first.url, "json": {"t": "very-secret-value"}})
    assert "very-secret-value" not in message
    assert not other.seen
    perform(bench, {"method": "POST", "url": first.url, "json": {"t": "plain"}})
    assert other.seen[0].body == b'{"t":"plain"}'


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "//10.0.0.1/x",
        "http://127.0.0.1\\@10.0.0.1/",
        "gopher://127.0.0.1:70/",
        "http://[::]/",
    ],
)
def test_s3_each_redirect_is_checked_like_a_first_url(bench: Any, serve: Serve, location: str) -> None:
    refused(bench, {"url": serve(reply(status="302 X", location=location)).url})


def test_s3_no_redirect_leads_from_a_public_address_to_loopback(
    bench: Any, serve: Serve, other_places: None, names: Names
) -> None:
    inside = serve(reply(b"inside"))
    outside = serve(
        lambda seen: reply(status="302 X", location=inside.url + "/in" if seen.target == "/" else "/"), host="127.0.0.2"
    )
    names("rebound.example", "127.0.0.1")
    assert "loopback" in refused(bench, {"url": outside.url})
    # … neither over another public address, nor over a connection that is open already, nor by a name.
    agent = HttpAgent()

    async def both() -> None:
        await bench.perform(agent, {"url": inside.url})
        with pytest.raises(NodeFault, match="loopback"):
            await bench.perform(agent, {"url": outside.url + "/two"})
        await agent.close()

    asyncio.run(both())
    assert [seen.target for seen in inside.seen] == ["/"]
    by_name = serve(
        lambda seen: reply(status="302 X", location=f"http://rebound.example:{inside.port}/in"), host="127.0.0.2"
    )
    assert "loopback" in refused(bench, {"url": by_name.url})


def test_loopback_may_redirect_to_loopback(bench: Any, serve: Serve) -> None:
    other = serve(reply(b"x"))
    assert perform(bench, {"url": serve(reply(status="302 X", location=other.url)).url}).status is NodeStatus.SUCCEEDED


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("addresses", ["10.0.0.1", "127.0.0.1 10.0.0.1", "1.1.1.1 169.254.169.254", "0.0.0.0", "::"])
def test_s3_a_name_is_reached_only_if_all_its_addresses_may_be(bench: Any, names: Names, addresses: str) -> None:
    names("host.example", addresses)
    assert "host.example (" in refused(bench, {"url": "http://host.example/"})


def test_s3_the_address_that_was_checked_is_the_one_connected_to(bench: Any, serve: Serve, names: Names) -> None:
    server = serve(reply(b"here"))
    asked = names("host.example", "127.0.0.1", "10.0.0.1")
    outcome = perform(bench, {"url": f"http://host.example:{server.port}/"})
    assert outcome.status is NodeStatus.SUCCEEDED
    assert asked == ["host.example"]
    assert server.seen[0].headers["host"] == f"host.example:{server.port}"


def test_the_next_address_is_tried_when_the_first_refuses(bench: Any, serve: Serve, names: Names) -> None:
    server = serve(reply(b"here"))
    names("host.example", "127.0.0.9 127.0.0.1")
    assert perform(bench, {"url": f"http://host.example:{server.port}/"}).status is NodeStatus.SUCCEEDED


@pytest.mark.parametrize("allow", ["host.example", "*.example", "127.0.0.3", "127.0.0.0/28"])
def test_policy_lets_a_private_host_be_reached(
    bench: Any, serve: Serve, other_places: None, names: Names, allow: str
) -> None:
    server = serve(reply(b"inside"), host="127.0.0.3")
    names("host.example", "127.0.0.3")
    request = {"url": f"http://host.example:{server.port}/"}
    bench.policy = {"http": {"allow": ["elsewhere.test", "10.0.0.0/8"]}}
    assert "policy.http.allow" in refused(bench, request)
    bench.policy = {"http": {"allow": [allow]}}
    assert perform(bench, request).status is NodeStatus.SUCCEEDED


def test_a_look_up_that_hangs_does_not_hold_the_run(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import time

    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: release.wait(20))

    async def bounded() -> None:
        agent = HttpAgent()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await bench.perform(agent, {"url": "http://slow.example/"})
        await agent.close()

    start = time.monotonic()
    asyncio.run(bounded())
    assert time.monotonic() - start < 3
    release.set()


# ---------------------------------------------------------------- proxies


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_s3_proxy_variables_are_ignored_unless_policy_says_so(
    bench: Any, serve: Serve, names: Names, proxies: pytest.MonkeyPatch
) -> None:
    proxy, server = serve(reply(b"by proxy")), serve(reply(b"direct"))
    names("host.example", "127.0.0.1")
    proxies.setenv("http_proxy", proxy.url)
    url = f"http://host.example:{server.port}/x"

    def body() -> Any:
        output: Any = perform(bench, {"url": url}).output
        return output["body"]

    assert body() == "direct"
    bench.policy = {"http": {"proxy": True}}
    assert body() == "by proxy"
    assert proxy.seen[0].target == url
    proxies.setenv("no_proxy", "host.example")
    assert body() == "direct"
    bench.policy = {"http": {"proxy": proxy.url}}
    assert body() == "by proxy"


def test_a_proxy_is_asked_for_no_address_that_is_refused(bench: Any, serve: Serve) -> None:
    proxy = serve(reply(b"by proxy"))
    bench.policy = {"http": {"proxy": proxy.url}}
    refused(bench, {"url": "http://10.0.0.1/"})
    assert not proxy.seen
    bench.policy = {"http": {"proxy": "socks5://127.0.0.1:1"}}
    refused(bench, {"url": "http://example.com/"})


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for `host.example`, with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=host.example -addext"
    subprocess.run(
        [*command.split(), "subjectAltName=DNS:host.example", "-keyout", folder / "key", "-out", folder / "cert"],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return both


def test_tls_checks_the_certificate_against_the_name_and_not_the_address(
    bench: Any, serve: Serve, names: Names, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[str | None] = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.sni_callback = lambda connection, name, context: asked_for.append(name)
    server = serve(reply(b"safe"), tls=tls)
    names("host.example", "127.0.0.1")
    names("other.example", "127.0.0.1")

    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": f"https://host.example:{server.port}/"})
    assert caught.value.kind is ErrorKind.HTTP
    assert "self-signed" in caught.value.message or "self signed" in caught.value.message

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    output: Any = perform(bench, {"url": f"https://host.example:{server.port}/"}).output
    assert output["body"] == "safe"
    assert asked_for[-1] == "host.example"

    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": f"https://other.example:{server.port}/"})
    assert caught.value.kind is ErrorKind.HTTP
    assert "other.example" in caught.value.message
    assert len(server.seen) == 1


def test_tls_to_a_server_without_it_says_so(bench: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_agents.http_client.CONNECT_SECONDS", 1.0)  # the server waits for a request that it knows
    server = serve(lambda seen: reply())
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": server.url.replace("http:", "https:")})
    assert caught.value.kind in (ErrorKind.HTTP, ErrorKind.UNAVAILABLE)
    assert len(caught.value.message) < 300
