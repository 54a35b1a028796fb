"""`system_monitoring` where something hangs: the attempt's time holds, and what was measured is given."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from machine_trees import severities

from pipe_agents.system import sensors
from pipe_agents.system_monitoring import SystemMonitoringAgent
from pipe_runner.engine.clock import SystemClock
from pipe_runner.types import NodeStatus
from pipe_schemas.system import SystemResult

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")


@pytest.fixture
def hang() -> Iterator[Callable[..., None]]:
    """Comes to no end before the test does."""
    over = threading.Event()

    def wait(*_: Any) -> None:
        over.wait(60)

    yield wait
    over.set()


def measured(bench: Any, options: dict[str, Any], timeout: float, **context: Any) -> dict[str, Any]:
    async def perform() -> Any:
        attempt = bench.attempt("system_monitoring", options, timeout=timeout)
        given = bench.context()._replace(clock=SystemClock(), **context)
        return await asyncio.wait_for(SystemMonitoringAgent().perform(attempt, given), timeout)

    outcome = asyncio.run(perform())
    assert outcome.status is NodeStatus.SUCCEEDED
    SystemResult.model_validate(outcome.output)
    output: dict[str, Any] = outcome.output
    return output


def test_a_check_that_hangs_costs_itself_and_what_comes_behind_it(
    bench: Any, hang: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "read", hang)
    options = {"checks": ["cpu", "memory", "disk", "temperature"], "window": "50ms"}
    output = measured(bench, options, 2)
    assert output["measurements"]["memory"]["available_bytes"] > 0
    assert output["measurements"]["disks"] is not None
    assert severities(output["findings"])["temperature:machine"] == "unavailable"
    (late,) = [one for one in output["findings"] if one["check"] == "temperature"]
    assert "the node's time was up" in late["why"]


def test_a_window_ends_before_the_attempt(bench: Any) -> None:
    output = measured(bench, {"checks": ["memory"], "window": "10m"}, 2)
    assert 0 < output["measurements"]["window_s"] < 2
    assert output["measurements"]["memory"] is not None


def test_an_earlier_result_that_can_not_be_read_in_time_is_not_compared_with(bench: Any, hang: Any) -> None:
    output = measured(bench, {"checks": ["memory"], "window": "10ms"}, 2, earlier=hang)
    assert output["measurements"]["change"] is None
    assert severities(output["findings"])["change:machine"] == "unavailable"
