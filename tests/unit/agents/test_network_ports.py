"""`network_diagnostics`, ports and times, against sockets on loopback that are open, refused or silent on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipe_agents.network import icmp, latency
from pipe_agents.network.connecting import Connector, state_of
from pipe_agents.network.numbers import percentile, spread
from pipe_agents.network.probing import by_connecting, by_echo
from pipe_agents.network.waiting import Stop
from pipe_agents.network_diagnostics import NetworkAgent
from pipe_runner.types import NodeStatus


def listening(host: str = "127.0.0.1", backlog: int = 1024) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind((host, 0))
    one.listen(backlog)
    return one


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


@pytest.fixture
def open_port() -> Iterator[int]:
    with listening() as one:
        yield port_of(one)


@pytest.fixture
def refused_port() -> Iterator[int]:
    """Bound, so that nobody else takes it, and not listening."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield port_of(one)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Its queue of connections is full, and it takes none out: the system drops what comes."""
    with listening(backlog=0) as one, contextlib.ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(one.getsockname())
        time.sleep(0.05)
        yield port_of(one)


@pytest.fixture
def stop() -> Iterator[Stop]:
    made = Stop()
    yield made
    made.leave()


def run(bench: Any, **options: Any) -> dict[str, Any]:
    patient = {"connect_ms": 60_000, "latency_ms": 60_000, "jitter_ms": 60_000}  # however busy the machine is
    options = {"host": "127.0.0.1", "checks": ["tcp"], "timeout": "300ms", "thresholds": patient, **options}
    outcome = asyncio.run(bench.perform(NetworkAgent(), options))
    assert outcome.status is NodeStatus.SUCCEEDED
    found: dict[str, Any] = outcome.output
    return found


def states(result: dict[str, Any]) -> dict[int, str]:
    return {one["port"]: one["state"] for one in result["measurements"]["hosts"][0]["tcp"]["ports"]}


def checks(result: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["severity"] for one in result["findings"]}


def test_open_refused_and_silent_ports_are_told_apart(
    bench: Any, open_port: int, refused_port: int, silent_port: int
) -> None:
    result = run(bench, ports=[open_port, refused_port, silent_port])
    assert states(result) == {open_port: "open", refused_port: "refused", silent_port: "filtered"}
    assert checks(result) == {"tcp.refused": "high", "tcp.filtered": "high"}
    tcp = result["measurements"]["hosts"][0]["tcp"]
    assert (tcp["tried"], tcp["open"], tcp["refused"], tcp["filtered"]) == (3, 1, 1, 1)
    silent = next(one for one in result["findings"] if one["check"] == "tcp.filtered")
    assert silent["summary"] == f"127.0.0.1:{silent_port} gave no answer within 0.3 s"
    assert silent["evidence"]["state"] == "filtered"
    assert all(one["ms"] is not None for one in tcp["ports"] if one["state"] != "filtered")


def test_an_address_to_which_there_is_no_way(bench: Any) -> None:
    result = run(bench, host="255.255.255.255", ports=[80])
    assert states(result) == {80: "unreachable"}
    assert checks(result) == {"tcp.unreachable": "high"}


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_addresses_of_ipv6(bench: Any, host: str) -> None:
    try:
        server = listening("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        port = port_of(server)
        result = run(bench, host=host, ports=[port, 1])
    assert states(result) == {port: "open", 1: "refused"}
    assert result["findings"][0]["subject"] == "[::1]:1"


def test_a_thousand_ports_at_once(bench: Any, in_time: Any, open_port: int) -> None:
    began = time.process_time()
    result = run(bench, ports=["1-999", open_port], concurrency=128)
    assert in_time(time.process_time() - began, 1.0)
    tcp = result["measurements"]["hosts"][0]["tcp"]
    assert tcp["tried"] == 1000
    assert tcp["open"] >= 1
    assert tcp["open"] + tcp["refused"] + tcp["filtered"] == 1000
    assert tcp["expected"] == 1
    (told,) = result["findings"]
    assert (told["check"], told["severity"], told["evidence"]["tried"]) == ("tcp.open", "info", 999)


@pytest.mark.parametrize(
    ("number", "state"),
    [(0, "open"), (errno.ECONNRESET, "open"), (errno.EPIPE, "open"), (errno.ECONNREFUSED, "refused")],
)
def test_a_port_whose_connection_is_reset_at_once_is_open(number: int, state: str) -> None:
    assert state_of(number)[0] == state


def test_many_closed_ports_share_a_finding(bench: Any) -> None:
    result = run(bench, ports=list(range(1, 22)))
    (many,) = result["findings"]
    assert (many["check"], many["evidence"]["count"], many["evidence"]["tried"]) == ("tcp.refused", 21, 21)


def test_a_range_of_which_no_port_gives_a_sign(bench: Any, silent_port: int) -> None:
    result = run(bench, ports=[f"{silent_port}-{silent_port}"])
    assert checks(result) == {"tcp.silent": "medium"}


def test_tls_is_not_tried_on_a_closed_port(bench: Any, refused_port: int) -> None:
    result = run(bench, ports=[refused_port], checks=["tcp", "tls"])
    assert [(one["check"], one["status"]) for one in result["findings"]] == [
        ("tcp.refused", "measured"), ("tls", "unavailable"),
    ]  # fmt: skip


def test_no_more_sockets_than_concurrency_says(silent_port: int, stop: Stop) -> None:
    most = []

    class Counted(Connector):
        def _start(self, selector: Any, target: tuple[str, int]) -> bool:
            done = super()._start(selector, target)
            most.append(self._open(selector))
            return done

    tried = Counted(4, 0.05, stop).run([("127.0.0.1", silent_port)] * 12)
    assert [one.state for one in tried] == ["filtered"] * 12
    assert max(most) == 4


def test_few_descriptors_are_no_fault(silent_port: int, stop: Stop) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    import os

    used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 64
    connector = Connector(500, 0.1, stop)
    connector._most = 500
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 24, before[1]))
        tried = connector.run([("127.0.0.1", silent_port)] * 60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [one.state for one in tried] == ["filtered"] * 60


def test_usual_ports_that_are_closed_are_no_finding(bench: Any) -> None:
    result = run(bench)
    assert len(states(result)) > 40
    assert result["measurements"]["hosts"][0]["tcp"]["expected"] == 0
    assert checks(result) == {"tcp.open": "info"}
    few = run(bench, checks=None, probes=1)
    assert set(states(few)) == {22, 80, 443}
    assert few["findings"] == [] or checks(few) == {"latency.icmp": "info"}
    assert few["summary"].startswith("nothing wrong was found: 127.0.0.1: ")
    assert "of 3 ports open" in few["summary"]


def test_one_of_two_addresses_of_a_name_that_does_not_answer(
    bench: Any, open_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipe_agents.network import lookup

    monkeypatch.setattr(lookup, "system_addresses", lambda name, family=0: ("127.0.0.2", "127.0.0.1"))
    result = run(bench, host="two.test", ports=[open_port])
    assert checks(result) == {"tcp.partial": "medium"}
    assert result["findings"][0]["evidence"]["address"] == "127.0.0.2"


def test_a_node_can_fail_on_what_is_found(bench: Any, refused_port: int) -> None:
    options = {"host": "127.0.0.1", "ports": [refused_port], "checks": ["tcp"], "fail_on": "high"}
    outcome = asyncio.run(bench.perform(NetworkAgent(), options))
    assert outcome.status is NodeStatus.FAILED
    assert outcome.output["findings"][0]["check"] == "tcp.refused"


# ---------------------------------------------------------------- times


def test_percentiles_are_times_that_were_measured() -> None:
    times = [float(number) for number in range(1, 101)]
    assert percentile(times, 95) == 95.0
    assert percentile(times, 99) == 99.0
    assert percentile([7.0], 99) == 7.0
    found = spread([4.0, 1.0, 3.0, 2.0])
    assert found == {
        "min_ms": 1.0, "median_ms": 2.5, "p95_ms": 4.0, "p99_ms": 4.0, "max_ms": 4.0, "mean_ms": 2.5, "jitter_ms": 2.0,
    }  # fmt: skip
    assert set(spread([]).values()) == {None}


def no_icmp(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(family: int) -> Any:
        raise icmp.NotAllowed("Operation not permitted")

    monkeypatch.setattr(icmp, "opened", opened)


def test_without_the_right_to_send_echo_requests_tcp_is_used_and_told(
    bench: Any, open_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_icmp(monkeypatch)
    result = run(bench, ports=[open_port], checks=["latency"], probes=5, probe_interval="1ms")
    measured = result["measurements"]["hosts"][0]["latency"]
    assert (measured["method"], measured["port"], measured["probes"], measured["answers"]) == ("tcp", open_port, 5, 5)
    assert 0 < measured["min_ms"] <= measured["median_ms"] <= measured["p95_ms"] <= measured["max_ms"]
    (blind,) = result["findings"]
    assert (blind["check"], blind["status"]) == ("latency.icmp", "unavailable")
    assert "ping_group_range" in blind["needs"]


def test_a_refused_connection_is_a_time_as_well(bench: Any, refused_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    no_icmp(monkeypatch)
    result = run(bench, ports=[refused_port], checks=["latency"], probes=3, probe_interval="0s")
    measured = result["measurements"]["hosts"][0]["latency"]
    assert (measured["answers"], measured["refused"], measured["loss_percent"]) == (3, 3, 0.0)


def test_where_nothing_answers_no_latency_is_claimed(
    bench: Any, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_icmp(monkeypatch)
    result = run(bench, ports=[silent_port], checks=["latency"], probes=3)
    assert result["measurements"]["hosts"][0]["latency"] is None
    assert [(one["check"], one["status"]) for one in result["findings"]] == [
        ("latency", "unavailable"), ("latency.icmp", "unavailable"),
    ]  # fmt: skip


def test_loss_is_counted(silent_port: int, stop: Stop) -> None:
    probed = by_connecting("127.0.0.1", silent_port, 4, 0.0, 0.1, stop)
    assert (probed.sent, probed.lost) == (4, 4)


def test_probes_go_at_a_steady_pace(open_port: int, stop: Stop) -> None:
    began = time.monotonic()
    probed = by_connecting("127.0.0.1", open_port, 6, 0.02, 1.0, stop)
    assert time.monotonic() - began >= 0.1
    assert sorted(probed.times) == list(range(6))


def test_echo_requests_where_they_are_allowed(stop: Stop) -> None:
    try:
        probed = by_echo("127.0.0.1", 5, 0.001, 2.0, stop)
    except icmp.NotAllowed:
        pytest.skip("this user may send no echo requests")
    assert (probed.sent, probed.lost, probed.duplicates) == (5, 0, 0)
    assert all(0 < seconds < 1 for seconds in probed.times.values())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_bytes_of_echo_requests(family: int) -> None:
    packet = icmp.request(family, 7, 513, b"token")
    if family == socket.AF_INET:
        assert icmp.checksum(packet) == 0
    answer = bytes([0 if family == socket.AF_INET else 129]) + packet[1:]
    assert icmp.reply(family, answer, b"token") == 513
    assert icmp.reply(family, packet, b"token") is None
    assert icmp.reply(family, answer, b"other") is None
    for cut in range(len(answer)):
        assert icmp.reply(family, answer[:cut], b"token") is None
    if family == socket.AF_INET:
        assert icmp.reply(family, b"\x46" + bytes(23) + answer, b"token") == 513


def test_thresholds_decide_what_is_a_finding(bench: Any) -> None:
    from pipe_agents.network.probing import Probed
    from pipe_agents.network.settings import THRESHOLDS
    from pipe_agents.network.targets import host_of

    probed = Probed("10.0.0.1", "tcp", 443, sent=20, times={number: 0.2 + 0.1 * (number % 2) for number in range(18)})
    found = {one["check"]: one for one in latency._judged(host_of("10.0.0.1"), probed, THRESHOLDS)}
    assert {name: one["severity"] for name, one in found.items()} == {
        "latency.loss": "medium", "latency.high": "medium", "latency.jitter": "low",
    }  # fmt: skip
    assert found["latency.loss"]["evidence"]["loss_percent"] == 10.0
    assert found["latency.jitter"]["evidence"]["jitter_ms"] == pytest.approx(100.0)
    higher = {**THRESHOLDS, "latency_ms": 1000, "jitter_ms": 1000, "loss_percent": 50}
    assert latency._judged(host_of("10.0.0.1"), probed, higher) == []
