"""`agent: findings`: findings of others that are written in another way, or are none, are never told as fine."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_agents.findings import ended
from pipe_agents.findings_report import merge
from pipe_agents.merging.gather import taken_in
from pipe_runner.types import NodeStatus
from pipe_schemas.merging import Merged

DOWN = {"id": "db.down:main", "check": "db.down", "subject": "main", "severity": "critical", "summary": "boom"}


def together(results: Any) -> dict[str, Any]:
    output = merge(list(taken_in(results)), 60, 1_764_000_000 * 10**9)
    Merged.model_validate(output)
    return output


@pytest.mark.parametrize("severity", ["CRITICAL", "Critical", " critical "])
@pytest.mark.parametrize("status", ["MEASURED", "measured", None])
def test_severities_and_statuses_may_be_in_capitals(severity: str, status: str | None) -> None:
    more = {} if status is None else {"status": status}
    output = together({"a": [{**DOWN, "severity": severity, **more}]})
    assert (output["severity"], output["counts"]["critical"], output["blind_spots"]) == ("critical", 1, [])
    assert ended(output, "low").status is NodeStatus.FAILED
    assert together({"a": [{**DOWN, "status": "Estimated"}]})["findings"][0]["status"] == "estimated"


@pytest.mark.parametrize(
    ("odd", "what"),
    [({"severity": "fatal"}, "severity is fatal"), ({"severity": 5}, "severity is 5"),
     ({"severity": None}, "severity is null"), ({"status": "failed"}, "status is failed"),
     ({"status": 1}, "status is 1")],
)  # fmt: skip
def test_a_severity_or_status_that_there_is_not_is_a_blind_spot(odd: dict[str, Any], what: str) -> None:
    output = together({"a": [{**DOWN, **odd}]})
    (spot,) = output["blind_spots"]
    assert spot["what"] == "db.down (main)"
    assert spot["why"] == f"its {what}, which is none: boom"
    assert "one of" in spot["needs"]
    assert output["findings"][0]["status"] == "unavailable"
    assert "1 thing could not be looked at" in output["summary"]


UNREADABLE: tuple[Any, ...] = ("db is down", {"id": "a"}, {**{k: DOWN[k] for k in DOWN if k != "check"}}, 5, None)


def test_findings_that_cannot_be_read_are_counted_in_a_blind_spot_in_both_forms() -> None:
    for given in ({"findings": [*UNREADABLE, DOWN]}, [*UNREADABLE, DOWN], {"agent": "x", "findings": [DOWN, "x"]}):
        output = together({"a": given})
        (spot,) = output["blind_spots"]
        count = (len(given["findings"]) if isinstance(given, dict) else len(given)) - 1
        assert spot["what"] == "findings.unreadable (a)"
        assert spot["why"] == f"{count} of its {count + 1} findings can't be read"
        assert output["counts"]["critical"] == 1


def test_a_result_of_which_nothing_can_be_read_is_a_blind_spot() -> None:
    output = together(
        {"a": {"agent": "x", "severity": "critical", "findings": list(UNREADABLE)}, "b": list(UNREADABLE)}
    )
    assert [spot["agent"] for spot in output["blind_spots"]] == ["b", "a"]
    assert output["summary"] == "nothing wrong was found; 2 things could not be looked at"


def test_results_of_one_name_are_counted_apart() -> None:
    gave = {"agent": "x", "findings": ["?"]}
    assert len(together([gave, gave])["blind_spots"]) == 2


def test_a_list_of_results_and_findings_loses_neither() -> None:
    output = together({"a": [DOWN, {"agent": "x", "findings": [{**DOWN, "id": "z", "subject": "z"}]}]})
    assert output["counts"]["critical"] == 2
