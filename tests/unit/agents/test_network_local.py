"""`network_diagnostics` and this machine: what /proc and resolv.conf say, read from texts that are known."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_agents.network import local, proc, resolvconf, route
from pipe_agents.network_diagnostics import NetworkAgent

ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t{default}\t{gateway}\t0003\t0\t0\t100\t{none}\t0\t0\t0
eth0\t{net}\t{default}\t0001\t0\t0\t0\t{mask}\t0\t0\t0
eth0\t{net}\t{default}\t0200\t0\t0\t0\t{mask}\t0\t0\t0
broken
"""
ROUTES_V6 = """\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 0 0 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 0 0 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 0 0 80200001       lo
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 0 0 00000001     eth0
"""  # noqa: E501


def number(address: str) -> str:
    """As the kernel writes an address on this machine."""
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"


def test_routes_are_read() -> None:
    text = ROUTES.format(
        default=number("0.0.0.0"), gateway=number("10.0.0.1"), none=number("0.0.0.0"), net=number("10.0.0.0"),
        mask=number("255.255.255.0"),
    )  # fmt: skip
    assert proc.routes(text, ROUTES_V6) == [
        {"destination": "0.0.0.0/0", "gateway": "10.0.0.1", "interface": "eth0", "metric": 100},
        {"destination": "10.0.0.0/24", "gateway": None, "interface": "eth0", "metric": 0},
        {"destination": "fd00::/64", "gateway": None, "interface": "eth0", "metric": 256},
        {"destination": "::/0", "gateway": "fd00::1", "interface": "eth0", "metric": 1024},
    ]


def test_counters_are_read() -> None:
    snmp = "Tcp: RtoMin OutSegs RetransSegs\nTcp: 200 1000 70\nUdp: RcvbufErrors\nUdp: 3\n"
    netstat = "TcpExt: ListenOverflows ListenDrops TCPTimeouts\nTcpExt: 1 2 -1\n"
    assert proc.counters(snmp, netstat, None) == {
        "segments_sent": 1000, "segments_sent_again": 70, "udp_receive_buffer_errors": 3, "listen_overflows": 1,
        "listen_drops": 2,
    }  # fmt: skip


@given(st.text(max_size=300), st.text(max_size=300))
def test_texts_that_are_none_harm_nothing(first: str, second: str) -> None:
    proc.routes(first, second)
    proc.counters(first, second)
    resolvconf.parse(first)


def test_resolv_conf_is_read() -> None:
    conf = resolvconf.parse(
        "# a comment\nnameserver 10.0.0.1 # first\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver 10.0.0.4\n"
        "search A.test b.test\noptions ndots:2 timeout:1\nnameserver\nnonsense x\n"
    )
    assert conf.measured() == {
        "nameservers": ["10.0.0.1", "fe80::1%eth0", "::1", "10.0.0.4"],
        "search": ["a.test", "b.test"],
        "options": ["ndots:2", "timeout:1"],
    }
    assert [str(one) for one in conf.resolvers] == ["10.0.0.1:53", "[fe80::1%eth0]:53", "[::1]:53"]
    assert conf.names("web") == ["web.a.test", "web.b.test", "web"]
    assert conf.names("a.b.c") == ["a.b.c", "a.b.c.a.test", "a.b.c.b.test"]
    assert [one["check"] for one in local._judge_names(conf)] == ["local.nameservers"]
    assert [one["check"] for one in local._judge_names(resolvconf.parse(""))] == ["local.no_nameserver"]


def test_a_listening_socket_of_this_process_is_found(bench: Any) -> None:
    pytest.importorskip("psutil")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(1)
        port = one.getsockname()[1]
        outcome = asyncio.run(bench.perform(NetworkAgent(), {}))
    measured = outcome.output["measurements"]["local"]
    if measured["listening"] is None:
        pytest.skip("this machine doesn't let sockets be listed")
    import os

    (own,) = [found for found in measured["listening"] if found["port"] == port]
    assert (own["protocol"], own["address"], own["pid"]) == ("tcp", "127.0.0.1", os.getpid())
    loopback = [one for one in measured["interfaces"] if any(a.startswith("127.0.0.1/") for a in one["addresses"])]
    assert len(loopback) == 1
    assert loopback[0]["up"] is True


def test_what_psutil_would_tell_is_unavailable_without_it(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    outcome = asyncio.run(bench.perform(NetworkAgent(), {}))
    blind = {one["check"]: one["needs"] for one in outcome.output["findings"] if one["status"] == "unavailable"}
    assert blind["local.interfaces"] == blind["local.sockets"] == "pip install 'pipe-runner[ops]'"
    assert outcome.output["measurements"]["local"]["listening"] is None


def test_dns_and_certificates_are_unavailable_without_their_packages(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, package=None: None if name == "dns" else real(name, package))
    outcome = asyncio.run(bench.perform(NetworkAgent(), {"host": "127.0.0.1", "checks": ["dns"]}))
    (blind,) = outcome.output["findings"]
    assert (blind["check"], blind["status"], blind["needs"]) == ("dns", "unavailable", local.OPS)


def test_errors_and_drops_of_an_interface() -> None:
    fine = {
        "name": "eth0", "received_packets": 10**6, "sent_packets": 10**6, "receive_errors": 5, "send_errors": 0,
        "receive_drops": 900, "send_drops": 0,
    }  # fmt: skip
    assert local._judge_interfaces([fine]) == []
    found = local._judge_interfaces([{**fine, "receive_errors": 2000, "send_drops": 50_000}])
    assert [(one["check"], one["severity"]) for one in found] == [("local.errors", "medium"), ("local.drops", "low")]
    assert found[0]["evidence"]["percent"] == 0.2


def test_full_tables() -> None:
    assert local._judge_tables(100, 1000, 10, "32768 60999") == []
    found = local._judge_tables(950, 1000, 25_000, "32768 60999")
    assert [(one["check"], one["severity"]) for one in found] == [
        ("local.conntrack", "high"),
        ("local.ports", "medium"),
    ]
    assert local._judge_tables(None, None, 0, None) == []


def test_segments_that_are_sent_again() -> None:
    assert local._judge_counters({"segments_sent": 10**6, "segments_sent_again": 100}) == []
    (found,) = local._judge_counters({"segments_sent": 10**6, "segments_sent_again": 80_000})
    assert found["evidence"]["percent"] == 8.0


# ---------------------------------------------------------------- routes


def error(number: int, origin: int, kind: int, code: int, sender: str | None) -> bytes:
    head = struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0)
    if sender is None:
        return head
    if ":" in sender:
        return head + struct.pack("=HHI", socket.AF_INET6, 0, 0) + socket.inet_pton(socket.AF_INET6, sender) + bytes(4)
    return head + struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(sender) + bytes(8)


def test_what_routers_say_is_read() -> None:
    told = route.parsed(error(113, 2, 11, 0, "10.0.0.1"))
    assert told is not None
    assert (told.address, told.key, told.errno) == ("10.0.0.1", (2, 11, 0), 113)
    told = route.parsed(error(111, 3, 1, 4, "2001:db8::1"))
    assert told is not None
    assert told.address == "2001:db8::1"
    for cut in range(16):
        assert route.parsed(error(1, 2, 3, 4, None)[:cut]) is None


def hops(*steps: str) -> list[route._Hop]:
    made = []
    for ttl, step in enumerate(steps, 1):
        hop = route._Hop(ttl, sent=3)
        address, _, why = step.partition(" ")
        if address:
            hop.addresses, hop.times = [address], [0.001] * 3
        hop.arrived, hop.why = why == "end", why if why not in ("", "end") else None
        made.append(hop)
    return made


@pytest.mark.parametrize(
    ("way", "reached", "check", "status"),
    [
        (("10.0.0.1", "", "10.0.2.1", "10.9.9.9 end"), True, None, None),
        (("10.0.0.1", "10.0.1.1 host unreachable"), False, "route.stopped", "measured"),
        (("10.0.0.1", "10.0.1.1", "10.0.0.1", "10.0.1.1", "10.0.0.1", "10.0.1.1"), False, "route.loop", "measured"),
        (("10.0.0.1", "10.0.1.1"), False, "route.end", "unavailable"),
    ],
)
def test_what_a_route_tells(way: tuple[str, ...], reached: bool, check: str | None, status: str | None) -> None:
    from pipe_agents.network.targets import host_of

    found = route._judged(host_of("10.9.9.9"), "10.9.9.9", hops(*way), reached, 30)
    assert [(one["check"], one["status"]) for one in found] == ([] if check is None else [(check, status)])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells senders of the end of packets")
def test_the_way_to_this_machine_is_one_hop(bench: Any) -> None:
    outcome = asyncio.run(bench.perform(NetworkAgent(), {"host": "127.0.0.1", "checks": ["route"]}))
    measured = outcome.output["measurements"]["hosts"][0]["route"]
    if measured is None:
        pytest.skip("this machine doesn't tell senders of the end of packets")
    assert measured["reached"] is True
    assert [hop["addresses"] for hop in measured["hops"]] == [["127.0.0.1"]]
    assert outcome.output["findings"] == []


def test_elsewhere_a_route_is_unavailable(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    outcome = asyncio.run(bench.perform(NetworkAgent(), {"host": "127.0.0.1", "checks": ["route"]}))
    assert [(one["check"], one["status"]) for one in outcome.output["findings"]] == [("route", "unavailable")]
