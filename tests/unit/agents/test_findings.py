"""What findings make of an attempt."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_agents.findings import ended, finding, result, unavailable
from pipe_runner.types import ErrorKind, NodeStatus


def made(*findings: dict[str, Any]) -> dict[str, Any]:
    return result("network_diagnostics", findings, {}, began_ns=0, seconds=0.5)


BAD = (
    finding("tcp.refused", "h:1", "high", "h:1 refused the connection"),
    finding("latency.high", "h", "medium", "h takes 300 ms"),
)


def test_what_was_found_fails_no_node_by_itself() -> None:
    given = made(*BAD)
    assert ended(given).status is NodeStatus.SUCCEEDED
    assert ended(given, None).output == given
    assert ended(given, "critical").status is NodeStatus.SUCCEEDED


@pytest.mark.parametrize(("fail_on", "more"), [("high", ""), ("medium", " (and 1 more)"), ("low", " (and 1 more)")])
def test_a_finding_as_bad_as_fail_on_fails_it_and_the_result_is_recorded(fail_on: Any, more: str) -> None:
    given = made(*BAD)
    outcome = ended(given, fail_on)
    assert outcome.status is NodeStatus.FAILED
    assert outcome.output == given
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.REFUSED
    assert outcome.error.message == (
        f"fail_on is {fail_on}, and there is a finding of severity high: h:1 refused the connection{more}"
    )


def test_what_could_not_be_measured_fails_nothing() -> None:
    given = made(unavailable("latency.icmp", "h", "no permission", "root"), finding("net.note", "h", "info", "a note"))
    assert ended(given, "low").status is NodeStatus.SUCCEEDED


def test_what_was_not_looked_at_is_a_finding_that_claims_nothing() -> None:
    from pipe_agents.findings import result, with_unseen

    fine = result("x", [], {}, began_ns=0, seconds=0.0)
    assert with_unseen(fine, None) is fine
    told = with_unseen(fine, [{"what": "web01", "why": "this agent measures the machine that it runs on"}])
    (one,) = told["findings"]
    assert (one["id"], one["status"]) == ("task.not_looked_at:web01", "unavailable")
    assert told["summary"] == "web01 was not looked at; nothing wrong was found"
    assert told["severity"] == "info"
