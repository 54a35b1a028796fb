"""`network_diagnostics` where something hangs: the time of the attempt holds, and what was measured is given."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pipe_agents.network import local
from pipe_agents.network.waiting import Late, Stop, Stopped, each
from pipe_agents.network_diagnostics import NetworkAgent
from pipe_runner.types import NodeStatus
from pipe_schemas.network_measured import NetworkResult


class Hanging:
    """Takes connections, and never says a word."""

    def __init__(self) -> None:
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(64)
        self.port = self._listening.getsockname()[1]

    def taken(self) -> int:
        """How many connections there were."""
        self._listening.settimeout(0.2)
        number = 0
        while True:
            try:
                self._listening.accept()[0].close()
            except TimeoutError:
                return number
            number += 1

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    there = Hanging()
    yield there
    there.close()


def measured(bench: Any, options: dict[str, Any], timeout: float | None) -> dict[str, Any]:

    async def perform() -> Any:
        host = {} if "urls" in options else {"host": "127.0.0.1"}
        attempt = bench.attempt("network_diagnostics", {**host, **options}, timeout=timeout)
        return await asyncio.wait_for(NetworkAgent().perform(attempt, bench.context()), timeout)

    outcome = asyncio.run(perform())
    assert outcome.status is NodeStatus.SUCCEEDED
    NetworkResult.model_validate(outcome.output)
    output: dict[str, Any] = outcome.output
    return output


def told(output: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["status"] for one in output["findings"]}


def test_a_handshake_that_hangs_is_tried_once(bench: Any, hanging: Hanging) -> None:
    output = measured(bench, {"ports": [hanging.port], "checks": ["tls"], "request_timeout": "300ms"}, None)
    (one,) = output["findings"]
    assert (one["check"], one["severity"]) == ("tls.failed", "high")
    assert "no TLS handshake within 0.3 s" in one["summary"]
    assert hanging.taken() == 1


def test_a_port_that_hangs_costs_no_other_check(bench: Any, hanging: Hanging) -> None:
    options = {"ports": [hanging.port], "checks": ["tcp", "latency", "tls", "local"], "probes": 2}
    output = measured(bench, options, 2)
    host = output["measurements"]["hosts"][0]
    assert (host["tcp"]["open"], host["latency"]["probes"]) == (1, 2)
    assert output["measurements"]["local"] is not None
    assert told(output)[f"tls.failed:127.0.0.1:{hanging.port}"] == "measured"


def test_http_and_tls_share_what_time_there_is(bench: Any, hanging: Hanging) -> None:
    output = measured(bench, {"urls": [f"https://127.0.0.1:{hanging.port}/"], "checks": ["http", "tls"]}, 3)
    checks = {one["check"] for one in output["findings"] if one["status"] == "measured"}
    assert checks == {"http.tls", "tls.failed"}


def test_what_was_not_begun_in_time_is_unavailable(bench: Any, hanging: Hanging) -> None:
    urls = [f"http://127.0.0.1:{hanging.port}/{number}" for number in range(20)]
    output = measured(bench, {"urls": urls, "checks": ["http", "local"]}, 2)
    statuses = [one["status"] for one in output["findings"] if one["check"].startswith("http")]
    assert len(statuses) == 20
    assert statuses.count("unavailable") >= 12, "eight at a time, and there is no time for more"
    late = next(one for one in output["findings"] if one["status"] == "unavailable")
    assert "the node's time was up" in late["why"]
    assert "timeout" in late["needs"]
    assert output["measurements"]["local"] is not None


def test_probes_that_were_answered_by_then_count(bench: Any, hanging: Hanging) -> None:
    options = {"ports": [hanging.port], "checks": ["tcp", "latency"], "probes": 100, "probe_interval": "200ms"}
    output = measured(bench, options, 2)
    latency = output["measurements"]["hosts"][0]["latency"]
    assert 0 < latency["probes"] < 100
    assert (latency["answers"], latency["loss_percent"]) == (latency["probes"], 0)


def test_what_can_not_be_ended_is_left_behind(bench: Any, hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(local, "measure", lambda: ended.wait(60) and None)
    output = measured(bench, {"ports": [hanging.port], "checks": ["tcp", "local"]}, 2)
    assert output["measurements"]["hosts"][0]["tcp"]["open"] == 1
    assert told(output) == {"local:this machine": "unavailable"}
    ended.set()


@pytest.mark.parametrize("workers", [1, 3])
def test_each_gives_what_was_done_in_time(workers: int) -> None:
    stop = Stop()

    def work(item: int) -> int:
        if item == 2:
            stop.set_late()
        stop.check()
        return item

    given = each(work, range(6), workers, stop, lambda item: -item)
    assert given[2:] == [-2, -3, -4, -5] or workers > 1
    assert [abs(item) for item in given] == list(range(6))
    with pytest.raises(Late):
        each(work, range(6), workers, stop)
    stop.set()
    with pytest.raises(Stopped):
        each(work, range(6), workers, stop, lambda item: -item)
    stop.leave()
