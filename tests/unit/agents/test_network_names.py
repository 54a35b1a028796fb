"""`network_diagnostics` and names, against a DNS server whose every answer is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dns_server import DnsServer
from hypothesis import given
from hypothesis import strategies as st

from pipe_agents.network import lookup
from pipe_agents.network_diagnostics import NetworkAgent
from pipe_runner.types import NodeStatus

LONG = [f"10.9.{number}.1" for number in range(200)]
ZONE = {
    "app.test": {
        "A": ["10.1.2.3", "10.1.2.4"],
        "AAAA": ["fd00::5"],
        "MX": ["20 mail2.test", "10 mail.test"],
        "TXT": ["v=spf1 -all", "x" * 700],
        "NS": ["ns1.test", "ns2.test"],
    },
    "www.test": {"CNAME": ["web.test"]},
    "web.test": {"CNAME": ["app.test"]},
    "gone.test": {"CNAME": ["nowhere.test"]},
    "circle.test": {"CNAME": ["circle2.test"]},
    "circle2.test": {"CNAME": ["circle.test"]},
    "text.test": {"TXT": ["only text"]},
    "many.test": {"A": LONG},
    "xn--bcher-kva.test": {"A": ["10.1.2.9"]},
    "": {"NS": ["a.root.test"]},
}  # fmt: skip


@pytest.fixture
def servers() -> Iterator[Callable[..., DnsServer]]:
    made: list[DnsServer] = []

    def start(zone: Any = ZONE, tricks: Any = None, **options: Any) -> DnsServer:
        made.append(DnsServer(zone, tricks, **options))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What this machine's own look-up gives, in place of what it would."""
    import socket

    known: dict[str, tuple[str, ...]] = {}

    def find(name: str, family: int = 0) -> tuple[str, ...]:
        if name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[name]

    monkeypatch.setattr(lookup, "system_addresses", find)
    return known


def run(bench: Any, **options: Any) -> dict[str, Any]:
    options = {"checks": ["dns"], "timeout": "10s", "thresholds": {"dns_ms": 60_000}, **options}
    outcome = asyncio.run(bench.perform(NetworkAgent(), options))
    assert outcome.status is NodeStatus.SUCCEEDED
    found: dict[str, Any] = outcome.output
    return found


def answers(result: dict[str, Any], resolver: int = 0) -> dict[str, dict[str, Any]]:
    said = result["measurements"]["hosts"][0]["dns"]["resolvers"][resolver]
    return {one["type"]: one for one in said["answers"]}


def checks(result: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["severity"] for one in result["findings"]}


def test_every_type_of_record_is_read(bench: Any, servers: Any, system: Any) -> None:
    system["app.test"] = ("10.1.2.4", "10.1.2.3")
    result = run(bench, host="app.test", resolvers=[servers().address])
    said = answers(result)
    assert said["A"]["records"] == ["10.1.2.3", "10.1.2.4"]
    assert said["AAAA"]["records"] == ["fd00::5"]
    assert said["MX"]["records"] == ["10 mail.test", "20 mail2.test"]
    assert said["NS"]["records"] == ["ns1.test", "ns2.test"]
    assert said["TXT"]["records"][0] == "v=spf1 -all"
    assert said["TXT"]["records"][1] == "x" * 500 + "… (700 characters)"
    assert said["CNAME"]["status"] == "no_data"
    assert said["A"]["ttl_s"] == 300
    assert result["severity"] == "info"
    assert result["findings"] == []


def test_aliases_are_followed(bench: Any, servers: Any, system: Any) -> None:
    system["www.test"] = ("10.1.2.3",)
    said = answers(run(bench, host="www.test", resolvers=[servers().address], record_types=["A", "CNAME"]))
    assert said["A"]["records"] == ["10.1.2.3", "10.1.2.4"]
    assert said["A"]["cnames"] == ["web.test", "app.test"]
    assert said["CNAME"]["records"] == ["web.test"]


@pytest.mark.parametrize("host", ["bücher.test", "BÜCHER.test", "xn--bcher-kva.test."])
def test_names_in_other_letters_are_asked_for_in_ascii(bench: Any, servers: Any, host: str) -> None:
    server = servers()
    result = run(bench, host=host, resolvers=[server.address], record_types=["A"])
    assert answers(result)["A"]["records"] == ["10.1.2.9"]
    assert {one.name for one in server.asked} == {"xn--bcher-kva.test"}


@pytest.mark.parametrize(
    ("trick", "status", "check", "severity"),
    [
        ("servfail", "servfail", "dns.servfail", "high"),
        ("refused", "refused", "dns.refused", "high"),
        ("notimp", "error", "dns.error", "high"),
        ("silent", "timeout", "dns.timeout", "high"),
        ("garbage", "malformed", "dns.malformed", "high"),
        ("cut", "malformed", "dns.malformed", "high"),
        ("lame", "lame", "dns.lame", "high"),
        ("no_tcp", "malformed", "dns.malformed", "high"),
        ("wrong_id", "timeout", "dns.timeout", "high"),
        ("noise", "timeout", "dns.timeout", "high"),
    ],
)
def test_what_goes_wrong_is_told_apart(
    bench: Any, servers: Any, system: Any, trick: str, status: str, check: str, severity: str
) -> None:
    system["app.test"] = ("10.1.2.3",)
    server = servers(tricks={"app.test": trick})
    quick = trick in ("silent", "garbage", "cut", "no_tcp", "wrong_id", "noise")  # these are waited for
    timeout = "200ms" if quick else "10s"
    result = run(bench, host="app.test", resolvers=[server.address], record_types=["A"], timeout=timeout)
    assert answers(result)["A"]["status"] == status
    assert checks(result)[check] == severity
    (told,) = [one for one in result["findings"] if one["check"] == check]
    assert told["subject"] == server.address
    assert told["evidence"]["names"] == ["app.test"]
    assert told["suggestion"]
    if trick == "wrong_id":
        assert answers(result)["A"]["ignored"] >= 2
        assert checks(result)["dns.forged"] == "medium"


def test_a_name_that_does_not_exist(bench: Any, servers: Any) -> None:
    result = run(bench, host="nothere.test", resolvers=[servers().address])
    assert {one["status"] for one in answers(result).values()} == {"nxdomain"}
    assert checks(result) == {"dns.nxdomain": "high"}


def test_a_name_that_only_this_machine_knows_is_a_small_thing(bench: Any, servers: Any, system: Any) -> None:
    system["nothere.test"] = ("10.0.0.1",)
    result = run(bench, host="nothere.test", resolvers=[servers().address])
    assert checks(result) == {"dns.nxdomain": "low"}
    assert "/etc/hosts" in result["findings"][0]["summary"]


def test_an_alias_that_leads_nowhere_and_one_that_leads_in_a_circle(bench: Any, servers: Any) -> None:
    server = servers()
    gone = run(bench, host="gone.test", resolvers=[server.address], record_types=["A"])
    assert checks(gone)["dns.dangling"] == "high"
    assert gone["findings"][0]["evidence"]["cnames"] == ["nowhere.test"]
    circle = run(bench, host="circle.test", resolvers=[server.address], record_types=["A", "AAAA"])
    assert checks(circle)["dns.loop"] == "high"


@pytest.mark.parametrize("records", [["A", "CNAME"], ["CNAME", "AAAA"], ["A", "AAAA", "CNAME", "MX", "TXT", "NS"]])
def test_an_alias_that_leads_nowhere_is_found_whatever_is_asked_for(
    bench: Any, servers: Any, records: list[str]
) -> None:
    """The answer to CNAME itself is always that there is one."""
    gone = run(bench, host="gone.test", resolvers=[servers().address], record_types=records)
    (one,) = gone["findings"]
    assert (one["check"], one["severity"]) == ("dns.dangling", "high")
    assert one["evidence"]["cnames"] == ["nowhere.test"]


def test_a_name_without_an_address(bench: Any, servers: Any) -> None:
    server = servers()
    result = run(bench, host="text.test", resolvers=[server.address], checks=["dns", "tcp"], ports=[1])
    assert checks(result)["dns.no_address"] == "high"
    alone = run(bench, host="text.test", resolvers=[server.address])
    assert "dns.no_address" not in checks(alone)


def test_a_long_answer_comes_over_tcp(bench: Any, servers: Any) -> None:
    server = servers(tricks={"many.test": "truncated"})
    said = answers(run(bench, host="many.test", resolvers=[server.address], record_types=["A"]))["A"]
    assert (said["status"], said["protocol"], said["truncated"]) == ("ok", "tcp", True)
    assert said["records"] == sorted(LONG)[:100]
    assert [one.protocol for one in server.asked if one.type == "A"][:2] == ["udp", "tcp"]


def test_a_long_answer_that_does_not_come_over_tcp_is_not_told_as_damaged(bench: Any, servers: Any) -> None:
    server = servers(tricks={"many.test": "no_tcp"})
    output = run(bench, host="many.test", resolvers=[server.address], record_types=["A"])
    (found,) = [one for one in output["findings"] if one["check"] == "dns.malformed"]
    assert "has an answer that is too long for UDP, and gives none over TCP for many.test (A)" in found["summary"]


def test_a_lost_datagram_is_asked_for_again_and_told(bench: Any, servers: Any, system: Any) -> None:
    system["app.test"] = ("10.1.2.3",)
    result = run(
        bench,
        host="app.test",
        resolvers=[servers(tricks={"app.test": "drop_first"}).address],
        record_types=["A"],
        timeout="1s",
    )
    assert answers(result)["A"]["status"] == "ok"
    assert answers(result)["A"]["tries"] == 2
    assert checks(result)["dns.retried"] == "low"


def test_answers_to_other_questions_are_passed_over(bench: Any, servers: Any) -> None:
    result = run(bench, host="app.test", resolvers=[servers(tricks={"app.test": "forged"}).address], record_types=["A"])
    assert answers(result)["A"]["records"] == ["10.1.2.3", "10.1.2.4"]
    assert answers(result)["A"]["ignored"] == 3
    assert checks(result)["dns.forged"] == "medium"


def test_a_server_from_before_edns_is_asked_without_it(bench: Any, servers: Any) -> None:
    server = servers(tricks={"app.test": "no_edns"})
    result = run(bench, host="app.test", resolvers=[server.address], record_types=["A"])
    assert answers(result)["A"]["status"] == "ok"
    assert [one.edns for one in server.asked if one.type == "A"][:2] == [True, False]
    assert "dns.retried" not in checks(result)


def test_a_name_that_a_server_from_before_edns_does_not_know_does_not_exist(bench: Any, servers: Any) -> None:
    server = servers(tricks={"none.test": "no_edns"})
    result = run(bench, host="none.test", resolvers=[server.address], record_types=["A"])
    assert answers(result)["A"]["status"] == "nxdomain"
    assert checks(result) == {"dns.nxdomain": "high"}


def test_a_slow_resolver_is_told_with_its_time(bench: Any, servers: Any) -> None:
    server = servers(tricks={"app.test": "slow:0.12"})
    result = run(bench, host="app.test", resolvers=[server.address], record_types=["A"], timeout="5s",
                 thresholds={"dns_ms": 100})  # fmt: skip
    (slow,) = [one for one in result["findings"] if one["check"] == "dns.slow"]
    assert slow["evidence"]["slowest_ms"] >= 120
    assert slow["evidence"]["slow"][0]["name"] == "app.test"
    assert answers(result)["A"]["ms"] >= 120


def test_resolvers_that_disagree_are_both_shown(bench: Any, servers: Any) -> None:
    one, other = servers(), servers({"app.test": {"A": ["10.7.7.7"]}})
    result = run(bench, host="app.test", resolvers=[one.address, other.address], record_types=["A"])
    (told,) = [found for found in result["findings"] if found["check"] == "dns.disagree"]
    assert told["severity"] == "medium"
    assert told["evidence"]["answers"] == {one.address: ["10.1.2.3", "10.1.2.4"], other.address: ["10.7.7.7"]}
    assert one.address in told["summary"]
    assert "10.7.7.7" in told["summary"]
    assert result["measurements"]["hosts"][0]["dns"]["agree"] is False


def test_a_name_that_only_one_resolver_has_is_worse(bench: Any, servers: Any) -> None:
    one, other = servers(), servers({})
    result = run(bench, host="app.test", resolvers=[one.address, other.address], record_types=["A"])
    (told,) = [found for found in result["findings"] if found["check"] == "dns.disagree"]
    assert told["severity"] == "high"
    assert told["evidence"]["answers"][other.address] == ["NXDOMAIN"]


def test_a_resolver_that_does_not_know_the_name_is_one_finding_whatever_is_asked_for(bench: Any, servers: Any) -> None:
    one, other = servers(), servers({})
    result = run(bench, host="app.test", resolvers=[one.address, other.address])
    (told,) = [found for found in result["findings"] if found["check"] == "dns.disagree"]
    assert (told["severity"], told["id"]) == ("high", "dns.disagree:app.test A")
    assert told["evidence"]["say_nxdomain"] == [other.address]
    assert {"A", "AAAA", "MX", "TXT", "NS"} <= set(told["evidence"]["types"])


def test_lists_that_overlap_and_public_ones_are_small_things(bench: Any, servers: Any) -> None:
    for first, second in ((["10.0.0.1", "10.0.0.2"], ["10.0.0.1"]), (["1.1.1.1"], ["8.8.8.8"])):
        both = [servers({"app.test": {"A": some}}).address for some in (first, second)]
        assert checks(run(bench, host="app.test", resolvers=both, record_types=["A"]))["dns.disagree"] == "low"


def test_resolvers_that_agree(bench: Any, servers: Any, system: Any) -> None:
    system["app.test"] = ("10.1.2.3",)
    result = run(bench, host="app.test", resolvers=[servers().address, servers().address])
    assert result["measurements"]["hosts"][0]["dns"]["agree"] is True
    assert result["findings"] == []


def test_a_dead_resolver_beside_one_that_answers_and_is_not_asked_for_ever(
    bench: Any, servers: Any, system: Any
) -> None:
    system["app.test"] = ("10.1.2.3",)
    dead = servers(tricks={"app.test": "silent"})
    result = run(bench, host="app.test", resolvers=[dead.address, servers().address], timeout="500ms")
    assert checks(result) == {"dns.timeout": "medium"}
    assert "another one answers" in result["findings"][0]["summary"]
    many = run(bench, hosts=[f"n{number}.test" for number in range(40)], resolvers=[
        servers(tricks={f"n{number}.test": "silent" for number in range(40)}).address], timeout="60ms")  # fmt: skip
    said = [one for host in many["measurements"]["hosts"] for one in host["dns"]["resolvers"][0]["answers"]]
    assert sum(one["tries"] > 0 for one in said) < 60
    (told,) = [one for one in many["findings"] if one["check"] == "dns.timeout"]
    assert len(told["evidence"]["names"]) == 40
    assert "n0.test and 39 more names" in told["summary"]


def test_a_port_on_which_nothing_listens_is_no_time_out(bench: Any, servers: Any) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = run(bench, host="app.test", resolvers=[f"127.0.0.1:{port}"], record_types=["A"])
    assert answers(result)["A"]["status"] == "unreachable"
    assert answers(result)["A"]["why"] == "Connection refused"
    assert checks(result)["dns.unreachable"] == "high"


def test_the_zones_own_server_is_no_lame_one(bench: Any, servers: Any) -> None:
    said = answers(run(bench, host="app.test", resolvers=[servers(recursive=False).address]))
    assert said["A"]["authoritative"] is True
    assert said["CNAME"]["status"] == "no_data"


def test_one_type_that_fails_beside_another_that_works(bench: Any, servers: Any, system: Any) -> None:
    system["app.test"] = ("10.1.2.3",)
    server = servers(tricks={"app.test AAAA": "servfail"})
    result = run(bench, host="app.test", resolvers=[server.address], record_types=["A", "AAAA"])
    assert checks(result) == {"dns.servfail": "medium"}
    assert result["findings"][0]["evidence"]["types"] == ["AAAA"]
    assert result["findings"][0]["evidence"]["answered_types"] == ["A"]


def test_this_machine_is_compared_with_dns(bench: Any, servers: Any, system: Any) -> None:
    server = servers()
    nothing = run(bench, host="app.test", resolvers=[server.address], record_types=["A"])
    assert checks(nothing) == {"dns.system": "high"}
    system["app.test"] = ("10.66.66.66",)
    other = run(bench, host="app.test", resolvers=[server.address], record_types=["A"])
    assert checks(other) == {"dns.system": "medium"}
    assert other["findings"][0]["evidence"] == {
        "dns": ["10.1.2.3", "10.1.2.4"], "system": ["10.66.66.66"], "ms": other["findings"][0]["evidence"]["ms"],
    }  # fmt: skip


def test_without_a_host_resolvers_are_asked_for_the_root(bench: Any, servers: Any) -> None:
    good, bad = servers(), servers(tricks={"": "servfail"})
    result = run(bench, checks=["dns"], resolvers=[good.address, bad.address])
    said = result["measurements"]["resolvers"]
    assert [one["answers"][0]["status"] for one in said] == ["ok", "servfail"]
    assert said[0]["answers"][0]["records"] == ["a.root.test"]
    assert checks(result) == {"dns.servfail": "medium"}


def test_a_host_without_an_address_is_told_and_not_measured(bench: Any, servers: Any) -> None:
    result = run(bench, host="nothere.test", checks=["tcp", "latency", "route"], ports=[80])
    assert checks(result)["dns.unknown_host"] == "high"
    unavailable = [one["check"] for one in result["findings"] if one["status"] == "unavailable"]
    assert unavailable == ["latency", "route", "tcp"]


def test_addresses_of_named_resolvers_serve_where_the_system_has_none(bench: Any, servers: Any) -> None:
    server = servers({"here.test": {"A": ["127.0.0.1"]}})
    result = run(bench, host="here.test", checks=["tcp"], ports=[1], resolvers=[server.address])
    host = result["measurements"]["hosts"][0]
    assert host["lookup"]["source"] == "resolver"
    assert host["tcp"]["ports"][0]["state"] == "refused"


@given(st.data())
def test_whatever_a_server_sends_is_read_or_malformed(data: st.DataObject) -> None:
    import dns.message
    from dns_server import _message, encoded

    from pipe_agents.network import queries

    query = dns.message.make_query("app.test", "MX")
    records = [("app.test", "CNAME", "web.test"), ("web.test", "MX", "10 mail.test"), ("web.test", "TXT", "x" * 300)]
    question = encoded("app.test") + b"\x00\x0f\x00\x01"
    wire = bytearray(_message(query.to_wire()[:2], question, 0, records, 300, False, True, False))
    for _ in range(data.draw(st.integers(0, 6))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    said = queries.Said("MX", "app.test")
    try:
        reply = queries._answer(query, bytes(wire[: cut or len(wire)]))
    except queries._Malformed:
        return
    queries._read(reply, said)
    assert said.status in ("ok", "no_data", "nxdomain", "servfail", "refused", "error", "lame")
    assert all(text.isprintable() for text in said.records)
