"""Tells findings of different logs apart: `log_analysis` says `all` of all that it reads, whatever that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from pipe_agents.findings import Finding
from pipe_agents.merging.gather import Given
from pipe_agents.merging.texts import bounded

_ALL = ("all", "")
_UNNAMED = ("text", "journal")
"""What is read without a path: that of two results is not known to be the same."""
_LONGEST = 200


def told_apart(given: list[Given]) -> list[Given]:
    """Where results read different logs, their findings have ids and subjects that name the logs."""
    logs = [_logs(one) for one in given]
    if len({names for names in logs if names}) < 2:
        return given
    return [
        one._replace(findings=[_of(finding, names) for finding in one.findings]) if names else one
        for one, names in zip(given, logs, strict=True)
    ]


def _logs(one: Given) -> tuple[str, ...]:
    """The logs that a result was made of; empty where it is none of logs."""
    told = one.measurements.get("logs") if one.agent == "log_analysis" else None
    if isinstance(told, list):
        found = [log["log"] for log in told if isinstance(log, Mapping) and isinstance(log.get("log"), str)]
    else:  # a list of findings: of the files that their examples are from
        files = (finding["evidence"].get("file") for finding in one.findings if _of_logs(finding))
        found = [file for file in files if isinstance(file, str)]
    return tuple(sorted({f"{log} of {one.name}" if log in _UNNAMED else log for log in found}))


def _of_logs(one: Finding) -> bool:
    return bool(one["check"].startswith("logs."))


def _of(one: Finding, logs: Iterable[str]) -> Finding:
    subject = one["subject"]
    if not _of_logs(one) or one["check"] == "logs.source" or subject in logs:
        return one
    label = _label(list(logs))
    named = label if subject in _ALL else bounded(f"{subject} ({label})", 300)
    id = f"{one['check']}:{named}" if one["id"] == f"{one['check']}:{subject}" else f"{one['id']} ({label})"
    return {**one, "id": bounded(id, 420), "subject": named}


def _label(logs: list[str]) -> str:
    """`/a.log`, `/a.log, /b.log`; of many the first, and a mark that is the same for the same logs."""
    named = ", ".join(logs)
    if len(logs) <= 3 and len(named) <= _LONGEST:
        return named
    more = f" and {len(logs) - 1} more" if len(logs) > 1 else ""
    mark = sha256("\0".join(logs).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{bounded(logs[0], _LONGEST)}{more} [{mark}]"
