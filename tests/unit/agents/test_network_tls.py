"""`network_diagnostics` and TLS, against certificates that were made right and wrong on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from made_certificates import Authority, Issued, made, small_key

from pipe_agents.certificate_names import holds_for
from pipe_agents.infra.certificates import matches
from pipe_agents.network import certificates, contexts, tls_judged
from pipe_agents.network_diagnostics import NetworkAgent
from pipe_runner.types import NodeStatus


class RealTime:
    """The machine's own clock, moved by some days."""

    def __init__(self, days: float = 0) -> None:
        self.days = days

    def now_ns(self) -> int:
        return time.time_ns() + int(self.days * 86400e9)

    def monotonic(self) -> float:
        return time.monotonic()


class TlsServer:
    """Shakes hands, and hangs up. `contexts`: one for each connection in turn, the last for all that follow."""

    def __init__(self, *given: ssl.SSLContext, delay: float = 0) -> None:
        self._contexts, self._delay = list(given), delay
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(64)
        self._listening.settimeout(0.05)
        self.port = self._listening.getsockname()[1]
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                context = self._contexts[0] if len(self._contexts) == 1 else self._contexts.pop(0)
                threading.Thread(target=self._greet, args=(connection, context), daemon=True).start()

    def _greet(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            connection.settimeout(5)
            time.sleep(self._delay)
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        self._listening.close()


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority()


@pytest.fixture
def serve() -> Iterator[Callable[..., TlsServer]]:
    servers: list[TlsServer] = []

    def start(*given: ssl.SSLContext, **options: Any) -> TlsServer:
        servers.append(TlsServer(*given, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def look(bench: Any, root: Authority, serve: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The result for a server that shows this certificate."""
    (tmp_path / "ca.pem").write_text(root.pem)

    def result(issued: Issued | TlsServer, *, days: float = 0, server: Any = None, **options: Any) -> dict[str, Any]:
        there = issued if isinstance(issued, TlsServer) else serve(issued.server(tmp_path, **(server or {})))
        options = {
            "host": "127.0.0.1", "ports": [there.port], "checks": ["tls"], "ca_file": "ca.pem", "timeout": "10s",
            "thresholds": {"tls_ms": 60_000},
            **options,
        }  # fmt: skip
        context = bench.context()._replace(clock=RealTime(days))
        outcome = asyncio.run(NetworkAgent().perform(bench.attempt("network_diagnostics", options), context))
        assert outcome.status is NodeStatus.SUCCEEDED
        return outcome.output  # type: ignore[return-value]

    return result


def checks(result: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["severity"] for one in result["findings"] if one["status"] != "unavailable"}


def test_a_good_certificate_is_no_finding(look: Any, root: Authority) -> None:
    result = look(root.issue(days=90))
    assert checks(result) == {}
    (tls,) = result["measurements"]["tls"]
    assert tls["trusted"] is True
    assert tls["name_matches"] is True
    assert tls["version"] == "TLS 1.3"
    assert tls["days_left"] == pytest.approx(90, abs=0.01)
    assert tls["handshake_ms"] > 0
    (own,) = tls["chain"]
    assert own["names"] == ["localhost", "127.0.0.1"]
    assert (own["key"], own["key_bits"], own["signature"]) == ("EC secp256r1", 256, "ecdsa-with-SHA256")
    assert own["subject"] == "CN=127.0.0.1"
    assert own["issuer"] == "CN=Test Root"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-3, {"tls.expired": "critical"}),
        (3, {"tls.expires_soon": "high"}),
        (14, {"tls.expires_soon": "medium"}),
        (22, {}),
    ],
)
def test_the_days_that_are_left(look: Any, root: Authority, days: float, expected: dict[str, str]) -> None:
    result = look(root.issue(days=days, begins=-30))
    assert checks(result) == expected
    assert result["measurements"]["tls"][0]["trusted"] is True
    if expected:
        assert result["findings"][0]["evidence"]["days_left"] == pytest.approx(days, abs=0.01)


@pytest.mark.parametrize(
    ("days", "begins", "expected"),
    [
        (5, -1, {}),  # of six days, as some authorities give them
        (1.2, -4.8, {"tls.expires_soon": "medium"}),
        (0.5, -5.5, {"tls.expires_soon": "high"}),
        (0.5, -0.5, {}),  # of a day
        (-0.1, -1.1, {"tls.expired": "critical"}),
    ],
)
def test_a_short_life_is_near_its_end_for_most_of_it(
    look: Any, root: Authority, days: float, begins: float, expected: dict[str, str]
) -> None:
    assert checks(look(root.issue(days=days, begins=begins))) == expected


def test_days_are_counted_on_the_runs_clock(look: Any, root: Authority) -> None:
    assert checks(look(root.issue(days=90), days=80)) == {"tls.expires_soon": "medium"}
    assert checks(look(root.issue(days=90), days=91)) == {"tls.expired": "critical"}


def test_one_that_is_not_valid_yet(look: Any, root: Authority) -> None:
    result = look(root.issue(begins=5))
    assert checks(result) == {"tls.not_yet_valid": "high"}
    assert "begins in 5 days" in result["findings"][0]["summary"]


def test_one_that_is_signed_by_itself(look: Any) -> None:
    result = look(made(["127.0.0.1"]))
    assert checks(result) == {"tls.self_signed": "high"}
    assert result["measurements"]["tls"][0]["trusted"] is False


def test_one_that_is_signed_by_itself_and_trusted_by_name(look: Any, bench: Any, tmp_path: Path) -> None:
    own = made(["127.0.0.1"])
    (tmp_path / "own.pem").write_text(own.pem)
    assert checks(look(own, ca_file="own.pem")) == {}


def test_one_for_another_name(look: Any, root: Authority) -> None:
    issued = root.issue(["other.test", "*.app.test"])
    result = look(issued)
    assert checks(result) == {"tls.wrong_name": "high"}
    assert result["findings"][0]["evidence"]["names"] == ["other.test", "*.app.test"]
    assert "is not for 127.0.0.1: it is for other.test, *.app.test" in result["findings"][0]["summary"]
    assert checks(look(issued, server_name="web.app.test")) == {}


def test_one_without_any_name(look: Any, root: Authority) -> None:
    assert checks(look(root.issue([]))) == {"tls.wrong_name": "high"}


def test_one_of_an_authority_that_nobody_knows(look: Any) -> None:
    other = Authority("Somebody")
    result = look(other.issue(), server={"chain": [other]})
    assert checks(result) == {"tls.untrusted": "high"}


def test_a_chain_that_lacks_what_is_in_between(look: Any, root: Authority) -> None:
    between = Authority("Between", under=root)
    result = look(between.issue())
    assert checks(result) == {"tls.incomplete_chain": "high"}
    assert result["findings"][0]["evidence"]["missing"] == "CN=Between"
    whole = look(between.issue(), server={"chain": [between]})
    assert checks(whole) == {}
    assert [one["authority"] for one in whole["measurements"]["tls"][0]["chain"]] == [False, True]


def test_several_faults_are_all_told(look: Any) -> None:
    result = look(made(["other.test"], days=-1, begins=-9))
    assert checks(result) == {"tls.expired": "critical", "tls.self_signed": "high", "tls.wrong_name": "high"}
    assert result["severity"] == "critical"


def test_weak_keys_and_signatures(look: Any, root: Authority) -> None:
    assert checks(look(root.issue(key=small_key()))) == {"tls.weak_key": "high"}
    from dataclasses import replace

    from pipe_agents.network.targets import host_of
    from pipe_agents.network.tls_seen import Seen

    good = certificates.read(root.issue().certificate.public_bytes(Encoding.DER))
    seen = Seen(host_of("a.test"), 443, "a.test")
    found = [*tls_judged._strength(seen, replace(good, hash="sha1"), own=True)]
    assert [(one["check"], one["severity"]) for one in found] == [("tls.weak_signature", "high")]
    assert tls_judged._strength(seen, replace(good, hash="sha1", self_signed=True), own=False) == []
    assert tls_judged._strength(seen, good, own=True) == []


def test_each_version_that_is_offered(look: Any, root: Authority) -> None:
    only = {"maximum": ssl.TLSVersion.TLSv1_2}
    versions = look(root.issue(), server=only)["measurements"]["tls"][0]["versions"]
    assert (versions["TLS 1.2"], versions["TLS 1.3"]) == ("offered", "not_offered")
    newest = look(root.issue(), server={"minimum": ssl.TLSVersion.TLSv1_3})["measurements"]["tls"][0]["versions"]
    assert (newest["TLS 1.2"], newest["TLS 1.3"]) == ("not_offered", "offered")


@pytest.fixture
def old_versions(root: Authority, tmp_path: Path) -> Callable[[ssl.TLSVersion], ssl.SSLContext]:
    def context(highest: ssl.TLSVersion) -> ssl.SSLContext:
        if contexts.looking("TLS 1.0") is None:
            pytest.skip("this machine's OpenSSL speaks no TLS 1.0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return root.issue().server(
                tmp_path, minimum=ssl.TLSVersion.TLSv1, maximum=highest, ciphers="ALL:@SECLEVEL=0"
            )

    return context


def test_old_versions_are_found(look: Any, serve: Any, old_versions: Any) -> None:
    result = look(serve(old_versions(ssl.TLSVersion.TLSv1_3)))
    assert set(result["measurements"]["tls"][0]["versions"].values()) == {"offered"}
    assert checks(result) == {"tls.old_versions": "low"}
    result = look(serve(old_versions(ssl.TLSVersion.TLSv1_1)))
    assert checks(result) == {"tls.only_old_versions": "high"}
    assert result["measurements"]["tls"][0]["version"] == "TLS 1.1"
    assert result["measurements"]["tls"][0]["trusted"] is True


def test_what_this_machine_does_not_speak_is_not_claimed(
    look: Any, root: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl, "HAS_TLSv1", False)
    result = look(root.issue())
    assert result["measurements"]["tls"][0]["versions"]["TLS 1.0"] == "untested"
    (blind,) = [one for one in result["findings"] if one["check"] == "tls.versions"]
    assert blind["status"] == "unavailable"
    assert "TLS 1.0" in blind["subject"]
    assert "OpenSSL" in blind["why"]


def test_servers_behind_one_address_that_differ(look: Any, root: Authority, serve: Any, tmp_path: Path) -> None:
    both = [root.issue().server(tmp_path), root.issue(days=300).server(tmp_path)]
    assert checks(look(serve(*both))) == {"tls.varies": "medium"}


def test_a_slow_handshake_is_measured(look: Any, root: Authority, serve: Any, tmp_path: Path) -> None:
    server = serve(root.issue().server(tmp_path), delay=0.2)
    result = look(server, thresholds={"tls_ms": 50})
    assert checks(result) == {"tls.slow": "medium"}
    assert result["measurements"]["tls"][0]["handshake_ms"] >= 100


def test_a_port_that_speaks_no_tls(look: Any, serve: Any, bench: Any) -> None:
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen(16)
        plain.settimeout(0.05)
        done = threading.Event()

        def greet() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError):
                    one, _ = plain.accept()
                    with one:
                        one.sendall(b"220 mail.test ESMTP\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        result = look(type("Plain", (TlsServer,), {"__init__": lambda self: None, "port": plain.getsockname()[1]})())
        done.set()
        thread.join()
    assert checks(result) == {"tls.failed": "high"}
    assert "STARTTLS" in result["findings"][0]["suggestion"]


def test_nobody_there(look: Any, bench: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        result = look(type("Gone", (TlsServer,), {"__init__": lambda self: None, "port": closed.getsockname()[1]})())
    assert checks(result) == {"tls.connect": "high"}


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"])
def test_link_local_addresses_are_never_asked(bench: Any, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_agents.network.line.Line.__init__", lambda *args: pytest.fail("it connects"))
    options = {"host": host, "ports": [443], "checks": ["tls", "http"]}
    outcome = asyncio.run(bench.perform(NetworkAgent(), options))
    assert {one["check"]: one["status"] for one in outcome.output["findings"]} == {
        "tls": "unavailable", "http": "unavailable",
    }  # fmt: skip
    assert "credentials" in outcome.output["findings"][0]["why"]
    assert "answers" not in outcome.output["summary"]


@pytest.mark.parametrize(
    ("file", "kind"),
    [("../ca.pem", "refused"), ("none.pem", "not_found"), ("empty.pem", "refused"), ("/etc/passwd", "refused")],
)
def test_a_file_of_authorities_stays_in_the_root(bench: Any, tmp_path: Path, file: str, kind: str) -> None:
    from pipe_runner.errors import NodeFault

    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(NodeFault) as raised:
        asyncio.run(bench.perform(NetworkAgent(), {"host": "127.0.0.1", "checks": ["tls"], "ca_file": file}))
    assert raised.value.kind == kind


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("app.test", "APP.test.", True),
        ("*.app.test", "a.app.test", True),
        ("*.app.test", "app.test", False),
        ("*.app.test", "a.b.app.test", False),
        ("*.test", "a.test", False),
        ("*", "test", False),
        ("w*.app.test", "www.app.test", False),
        ("", "a", False),
    ],
)
def test_how_names_are_compared(pattern: str, name: str, fits: bool) -> None:
    assert holds_for(pattern, name) is fits
    assert matches(name, [pattern]) is fits, "infrastructure says the same"


@given(st.binary(max_size=300))
def test_garbage_is_no_certificate(data: bytes) -> None:
    with pytest.raises(ValueError):
        certificates.read(data)
