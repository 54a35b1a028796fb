"""`infrastructure`: certificates of hosts and in files, and domains, against ones that were made on purpose."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from hypothesis import given
from hypothesis import strategies as st
from infra_servers import NOW, Ops, one, told
from infra_servers.authority import Authority, Signed
from infra_servers.http import HttpServer, Reply, Request, serving

from pipe_agents.infra import rdap
from pipe_agents.infra.certificates import host_and_port, matches
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(datetime.now(UTC))


@pytest.fixture
def ops(tmp_path: Path, authority: Authority) -> Ops:
    (tmp_path / "ca.pem").write_bytes(authority.root.pem)
    return Ops(tmp_path, now=time.time())


@pytest.fixture
def presents(tmp_path: Path) -> Iterator[Callable[[Signed], str]]:
    """Starts a TLS server with a certificate; gives its `host:port`."""
    with contextlib.ExitStack() as stack:

        def start(signed: Signed) -> str:
            server = stack.enter_context(serving(lambda _: Reply(), tls=signed.server(tmp_path)))
            return f"127.0.0.1:{server.port}"

        yield start


def test_hosts_of_each_kind(ops: Ops, authority: Authority, presents: Callable[[Signed], str]) -> None:
    here = ["127.0.0.1", "localhost"]
    good = presents(authority.sign("good", here, days=200))
    soon = presents(authority.sign("soon", here, days=15, since=300))
    urgent = presents(authority.sign("urgent", here, days=3, since=300))
    short = presents(authority.sign("short", here, days=4, since=2))
    old = presents(authority.sign("old", here, days=-2, since=400))
    young = presents(authority.sign("young", here, days=90, since=-2))
    own = presents(authority.sign("own", here, own=True))
    strange = presents(Authority(datetime.now(UTC), "Stranger").sign("strange", here))
    wrong = presents(authority.sign("wrong", ["other.example"]))
    output = ops.look(
        checks=["certificates"], ca_file="ca.pem", hosts=[good, soon, urgent, short, old, young, own, strange, wrong]
    )
    assert told(output) == {
        f"certificate.expired:{old}": "critical",
        f"certificate.expires:{urgent}": "high",
        f"certificate.not_yet_valid:{young}": "high",
        f"certificate.untrusted:{strange}": "high",
        f"certificate.name:{wrong}": "high",
        f"certificate.expires:{soon}": "medium",
        f"certificate.untrusted:{own}": "medium",
    }
    found = {one["source"]: one for one in output["measurements"]["certificates"]["certificates"]}
    assert {source: one["trusted"] for source, one in found.items()} == {
        good: True, soon: True, urgent: True, short: True, old: None, young: None, own: False, strange: False,
        wrong: True,
    }  # fmt: skip
    assert {source for source, one in found.items() if not one["name_matches"]} == {wrong}
    assert {source for source, one in found.items() if one["self_signed"]} == {own}
    assert found[soon]["days_left"] == pytest.approx(15, abs=0.1)
    assert one(output, f"certificate.expired:{old}")["evidence"]["days_left"] == pytest.approx(-2, abs=0.1)
    assert "it holds for other.example" in one(output, f"certificate.name:{wrong}")["summary"]
    assert (found[good]["subject"], found[good]["issuer"], found[good]["names"]) == (
        "good", "Test Authority", ["localhost", "127.0.0.1"],
    )  # fmt: skip


def test_a_chain_that_has_expired_above_a_certificate_that_holds(
    ops: Ops, tmp_path: Path, presents: Callable[[Signed], str]
) -> None:
    old = Authority(datetime.now(UTC), "Old")
    old.root = old.sign("Old", [], days=-1, since=400, authority=True, own=True)
    (tmp_path / "ca.pem").write_bytes(old.root.pem)
    host = presents(old.sign("good", ["127.0.0.1"], days=200))
    output = ops.look(checks=["certificates"], ca_file="ca.pem", hosts=[host])
    assert told(output) == {f"certificate.untrusted:{host}": "high"}
    assert output["findings"][0]["summary"].endswith(
        "is not trusted by this machine: in its chain: certificate has expired"
    )


def test_what_can_t_be_connected_is_unavailable(ops: Ops) -> None:
    class Greets(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            self.request.recv(10_000)

    with socket.socket() as silent, socket.socket() as free, socketserver.TCPServer(("127.0.0.1", 0), Greets) as plain:
        threading.Thread(target=plain.handle_request, daemon=True).start()
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        free.bind(("127.0.0.1", 0))
        places = [
            f"127.0.0.1:{port}" for port in (silent.getsockname()[1], free.getsockname()[1], plain.server_address[1])
        ]
        output = ops.look(checks=["certificates"], hosts=places, timeout=1)
    why = {found["subject"]: found["why"] for found in output["findings"]}
    assert why[places[0]] == "no TLS connection within 1 s"
    assert why[places[1]] == "no connection: connection refused"
    assert why[places[2]].startswith("no TLS connection could be made: ")
    assert set(told(output).values()) == {"unavailable"}


def test_an_address_that_leads_nowhere_leaves_time_for_the_next_one(
    ops: Ops, authority: Authority, presents: Callable[[Signed], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = presents(authority.sign("good", ["127.0.0.1"], days=200))

    async def both(*asked: Any) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    monkeypatch.setattr("pipe_agents.infra.certificates.resolved", both)
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.9", int(host.rpartition(":")[2])))
        full.listen(0)
        for _ in range(4):  # nobody accepts them, so that others get no answer
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        output = ops.look(checks=["certificates"], ca_file="ca.pem", hosts=[host], timeout=4)
    assert told(output) == {}


def test_files(ops: Ops, authority: Authority, tmp_path: Path) -> None:
    leaf, old = (
        authority.sign("leaf.example", ["leaf.example"], days=10, since=300),
        authority.sign("o", ["o"], days=-1, since=99),
    )
    ancient = authority.sign("Old Authority", [], days=-10, since=4000, authority=True, own=True)
    (tmp_path / "chain.pem").write_bytes(leaf.key_pem + leaf.pem + BROKEN + authority.root.pem + ancient.pem)
    (tmp_path / "old.der").write_bytes(old.der)
    (tmp_path / "broken.pem").write_bytes(BROKEN)
    (tmp_path / "text.crt").write_bytes(b"no certificate")
    store = pkcs12.serialize_key_and_certificates(b"x", leaf.key, leaf.certificate, None, BestAvailableEncryption(b"x"))
    (tmp_path / "store.p12").write_bytes(store)
    (tmp_path / "big.pem").write_bytes(b" " * (2**20 + 1))
    (tmp_path / "dir.crt").mkdir()
    names = ["chain.pem", "old.der", "broken.pem", "store.p12", "big.pem", "*.crt", "*.nothing"]
    output = ops.look(checks=["certificates"], files=names)
    place = {name: f"{tmp_path}/{name}" for name in [*names, "text.crt"]}
    assert told(output) == {
        f"certificate.expired:{place['old.der']}": "high",
        f"certificate.expires:{place['chain.pem']}": "medium",
        f"certificate.authority:{place['chain.pem']}": "low",
        f"certificate:{place['broken.pem']}": "unavailable",
        f"certificate:{place['chain.pem']}": "unavailable",
        f"certificate:{place['store.p12']}": "unavailable",
        f"certificate:{place['text.crt']}": "unavailable",
        f"certificate:{place['big.pem']}": "unavailable",
    }
    assert one(output, f"certificate.authority:{place['chain.pem']}")["evidence"]["subjects"] == ["Old Authority"]
    certificates = output["measurements"]["certificates"]["certificates"]
    assert [(one["subject"], one["authority"], one["trusted"]) for one in certificates] == [
        ("leaf.example", False, None),
        ("Test Authority", True, None),
        ("Old Authority", True, None),
        ("o", False, None),
    ]
    assert "PRIVATE" not in repr(output)


def test_a_file_that_is_named_and_not_there_fails_the_node(ops: Ops) -> None:
    for options in ({"files": ["none.pem"]}, {"hosts": ["127.0.0.1:1"], "ca_file": "none.pem"}):
        with pytest.raises(NodeFault) as raised:
            ops.look(checks=["certificates"], **options)
        assert raised.value.kind is ErrorKind.NOT_FOUND


def test_a_directory_that_is_named_as_a_file_is_not_passed_over(ops: Ops, tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    with pytest.raises(NodeFault) as raised:
        ops.look(checks=["certificates"], files=["certs/"])
    assert raised.value.kind is ErrorKind.NOT_FOUND
    assert "it is a directory, and certs/*.pem are files in it" in raised.value.message


@pytest.mark.parametrize(
    ("host", "names", "held"),
    [
        ("example.com", ["example.com"], True),
        ("EXAMPLE.com.", ["example.COM"], True),
        ("www.example.com", ["*.example.com"], True),
        ("example.com", ["*.example.com"], False),
        ("a.b.example.com", ["*.example.com"], False),
        ("www.example.com", ["w*.example.com"], False),
        ("example.com", ["*.com"], False),
        ("127.0.0.1", ["127.0.0.1"], True),
        ("127.0.0.1", ["*.0.0.1"], False),
        ("::1", ["::1"], True),
        ("bücher.example", ["xn--bcher-kva.example"], True),
        ("example.com", [], False),
    ],
)
def test_names_hold_as_clients_see_it(host: str, names: list[str], held: bool) -> None:
    assert matches(host, names) is held


def test_places() -> None:
    assert host_and_port("example.com") == ("example.com", 443)
    assert host_and_port("example.com:8443") == ("example.com", 8443)
    assert host_and_port("::1") == ("::1", 443)
    assert host_and_port("[::1]:8443") == ("::1", 8443)
    for wrong in ("example.com:0", "example.com:x", ":443", "example.com:70000"):
        with pytest.raises(NodeFault):
            host_and_port(wrong)


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_any_names_are_compared(host: str, names: list[str]) -> None:
    assert matches(host, names) in (True, False)


# ---------------------------------------------------------------- domains


def record(name: str, expires: str | None, *status: str) -> dict[str, Any]:
    card = ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Registrar Ltd."]]]
    events = [{"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"}]
    events += [{"eventAction": "expiration", "eventDate": expires}] if expires else []
    entities = [{"roles": ["abuse"]}, {"roles": ["registrar"], "vcardArray": card}]
    return {
        "objectClassName": "domain",
        "ldhName": name,
        "status": list(status),
        "events": events,
        "entities": entities,
    }


RECORDS: dict[str, Any] = {
    "fine.example": record("fine.example", "2027-09-21T14:13:20Z", "active"),
    "soon.example": record("soon.example", "2026-10-11T14:13:20Z"),
    "now.example": record("now.example", "2026-09-24T14:13:20Z"),
    "over.example": record("over.example", "2026-09-19T14:13:20Z"),
    "held.example": record("held.example", "2027-09-21T14:13:20Z", "client hold"),
    "lost.example": record("lost.example", "2026-09-01T14:13:20Z", "pending delete"),
    "silent.example": record("silent.example", None),
    "odd.example": {"events": [3, {"eventAction": "expiration", "eventDate": 7}], "entities": {}, "status": 5},
    "xn--bcher-kva.example": record("xn--bcher-kva.example", "2027-09-21T14:13:20Z"),
}


def registry(request: Request) -> Reply:
    name = request.path.rpartition("/")[2]
    if name == "moved.example":
        return Reply(None, 302, headers={"location": "/domain/fine.example"})
    if name == "round.example":
        return Reply(None, 302, headers={"location": "/domain/round.example"})
    if name == "away.example":
        return Reply(None, 302, headers={"location": "http://192.0.2.1/domain/away.example"})
    if name == "busy.example":
        return Reply({"errorCode": 429, "title": "slow down"}, 429)
    found = RECORDS.get(name)
    return Reply(found) if found is not None else Reply({"errorCode": 404}, 404)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with serving(registry) as made:
        yield made


def test_domains(tmp_path: Path, server: HttpServer) -> None:
    names = [name for name in RECORDS if name != "xn--bcher-kva.example"]
    names += ["bücher.example", "none.example", "www.fine.example", "moved.example"]
    names += ["round.example", "away.example", "busy.example"]
    output = Ops(tmp_path, now=NOW).look(checks=["certificates"], domains=names, rdap_url=server.url)
    assert told(output) == {
        "domain.expired:over.example": "critical",
        "domain.held:held.example": "critical",
        "domain.lost:lost.example": "critical",
        "domain.expires:now.example": "high",
        "domain.unregistered:none.example": "high",
        "domain.expires:soon.example": "medium",
        "domain:silent.example": "unavailable",
        "domain:odd.example": "unavailable",
        "domain:www.fine.example": "unavailable",
        "domain:round.example": "unavailable",
        "domain:away.example": "unavailable",
        "domain:busy.example": "unavailable",
    }
    found = {one["domain"]: one for one in output["measurements"]["certificates"]["domains"]}
    assert found["fine.example"] == {
        "domain": "fine.example", "expires": "2027-09-21T14:13:20Z", "days_left": 365.0, "registrar": "Registrar Ltd.",
        "status": ["active"],
    }  # fmt: skip
    assert found["soon.example"]["days_left"] == 20
    assert "192.0.2.1 is not asked over HTTPS" in one(output, "domain:away.example")["why"]
    assert {request.method for request in server.asked} == {"GET"}


def test_without_a_network_a_domain_is_unavailable(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        output = Ops(tmp_path).look(checks=["certificates"], domains=["example.com"], rdap_url=url)
    assert told(output) == {"domain:example.com": "unavailable"}


def test_the_registries_of_iana_are_read() -> None:
    services = [
        [["com", "net"], ["http://old/", "https://rdap.verisign.com/com/v1/"]],
        [["xn--kprw13d", "DE"], ["https://rdap.example/"]],
        "rubbish",
        [["x"], []],
        [[3], ["https://y/"]],
    ]
    assert rdap.registries({"services": services}) == {
        "com": "https://rdap.verisign.com/com/v1/",
        "net": "https://rdap.verisign.com/com/v1/",
        "xn--kprw13d": "https://rdap.example/",
        "de": "https://rdap.example/",
    }
    assert rdap.registries([]) == rdap.registries({"services": 3}) == {}


def test_without_cryptography_it_says_what_to_install(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    output = ops.look(checks=["certificates"], files=["ca.pem"])
    assert told(output) == {"certificates:certificates": "unavailable"}
    assert output["findings"][0]["needs"] == "pip install 'pipe-runner[ops]'"
