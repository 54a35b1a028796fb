"""How agents that measure say what they found: the same shape for all of them (`pipe_schemas.findings`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from pipe_runner.ports import NodeError, Outcome
from pipe_runner.types import ErrorKind, NodeStatus

Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
Finding: TypeAlias = dict[str, Any]

RANK: Final[Mapping[str, int]] = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}


def finding(
    check: str,
    subject: str,
    severity: Severity,
    summary: str,
    evidence: Mapping[str, Any] | None = None,
    suggestion: str | None = None,
    *,
    estimated: bool = False,
) -> Finding:
    """Something that was measured. `evidence` holds the numbers, by names with units: `loss_percent`, `free_bytes`."""
    return {
        "id": f"{check}:{subject}",
        "check": check,
        "subject": subject,
        "severity": severity,
        "status": "estimated" if estimated else "measured",
        "summary": summary,
        "evidence": dict(evidence or {}),
        "suggestion": suggestion,
        "why": None,
        "needs": None,
    }


def unavailable(check: str, subject: str, why: str, needs: str) -> Finding:
    """Something that could not be measured: why, and what it would take. Nothing is claimed about it."""
    return {
        **finding(check, subject, "info", f"{check} of {subject} could not be measured: {why}"),
        "status": "unavailable",
        "why": why,
        "needs": needs,
    }


def unseen(left: Any) -> list[Finding]:
    """What of a task is not looked at (the option `not_looked_at`), as findings."""
    found = []
    for one in left if isinstance(left, list) else ():
        what, why = str(one["what"]), str(one["why"])
        made = unavailable("task.not_looked_at", what, why, "an agent that can, or to run it there")
        found.append({**made, "summary": f"{what} was not looked at: {why}"})
    return found


def with_unseen(result: dict[str, Any], left: Any) -> dict[str, Any]:
    """The result, which also says what of the task was not looked at."""
    found = unseen(left)
    if not found:
        return result
    names = [one["subject"] for one in found]
    told = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    summary = f"{told} {'was' if len(names) == 1 else 'were'} not looked at; {result['summary']}"
    return {**result, "findings": ordered([*result["findings"], *found]), "summary": summary}


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, what could not be measured last; ids made unique."""
    found = sorted(
        findings, key=lambda one: (one["status"] == "unavailable", RANK[one["severity"]], one["check"], one["subject"])
    )
    seen: dict[str, int] = {}
    given = []
    for one in found:
        times = seen[one["id"]] = seen.get(one["id"], 0) + 1
        given.append(one if times == 1 else {**one, "id": f"{one['id']}#{times}"})
    return given


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """What was measured, the worst first, then what could not be."""
    return sorted(findings, key=lambda one: (one["status"] == "unavailable", RANK[one["severity"]]))


def explains(options: Mapping[str, Any]) -> bool:
    """Whether options of an agent that measures may ask for an explanation; they can hold templates."""
    return options.get("explain", False) is not False


def worst(findings: Iterable[Finding]) -> Severity:
    """The worst severity of what was measured; `info` where there is nothing."""
    measured = [one["severity"] for one in findings if one["status"] != "unavailable"]
    return min(measured, key=RANK.__getitem__, default="info")


def result(
    agent: str,
    findings: Iterable[Finding],
    measurements: Mapping[str, Any],
    *,
    began_ns: int,
    seconds: float,
    summary: str | None = None,
) -> dict[str, Any]:
    """The output of an agent that measures. `began_ns`: the clock's `now_ns()` when it began."""
    found = ordered(findings)
    return {
        "agent": agent,
        "severity": worst(found),
        "summary": summary if summary is not None else told(found),
        "findings": found,
        "measurements": dict(measurements),
        "measured_at": datetime.fromtimestamp(began_ns / 1e9, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "duration_s": round(seconds, 6),
        "explanation": None,
    }


def told(findings: list[Finding]) -> str:
    """How many of each severity, and the first of them in its words."""
    wrong = [one for one in findings if one["status"] != "unavailable" and one["severity"] != "info"]
    blind = sum(one["status"] == "unavailable" for one in findings)
    rest = f"; {blind} could not be measured" if blind else ""
    if not wrong:
        return f"nothing wrong was found{rest}"
    counts = [f"{number} {name}" for name in RANK if (number := sum(one["severity"] == name for one in wrong))]
    return f"{', '.join(counts)}: {wrong[0]['summary']}{rest}"


def ended(result: dict[str, Any], fail_on: Severity | None = None) -> Outcome:
    """How the attempt ends: succeeded, whatever was found, unless something measured is as bad as `fail_on`.

    Then it fails with kind `refused`, as after a person's `reject`, and the result is recorded all the same.
    """
    bad = [] if fail_on is None else [one for one in result["findings"] if _at_least(one, fail_on)]
    if not bad:
        return Outcome(NodeStatus.SUCCEEDED, result)
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    message = (
        f"fail_on is {fail_on}, and there is a finding of severity {bad[0]['severity']}: {bad[0]['summary']}{more}"
    )
    return Outcome(NodeStatus.FAILED, result, NodeError(ErrorKind.REFUSED, message))


def _at_least(one: Finding, severity: Severity) -> bool:
    return one["status"] != "unavailable" and RANK[one["severity"]] <= RANK[severity]
