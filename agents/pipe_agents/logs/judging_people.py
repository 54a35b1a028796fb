"""Findings about logins and web requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding
from pipe_agents.logs.analysis import Read
from pipe_agents.logs.measured import exact_times, place_of
from pipe_agents.logs.words import many, often, shown

MOST_SOURCES: Final = 5


def logins(read: Read, measurements: dict[str, Any], thresholds: Mapping[str, Any]) -> list[Finding]:
    """Failed logins in one finding; each login that worked after many of them in one of its own."""
    found = []
    said = measurements["logins"]
    least = thresholds.get("failed_logins", 10)
    much = thresholds.get("many_failed_logins", 100)
    by_check = {one["check"]: one for one in measurements["patterns"]}
    line = by_check.get("failed_login") or by_check.get("invalid_user")
    sources = said["sources"]
    largest = max((max(one["failures"], one["invalid_users"]) for one in sources), default=0)
    invalid = sum(one.invalid for one in read.tally.logins.sources.values())
    tries = max(said["failures"], invalid)
    if line is not None and (largest >= least or tries >= much):
        severity: Severity = "medium" if largest >= much or tries >= 10 * much else "low"
        first = sources[0]
        summary = (
            f"{many(tries, 'failed login')} from {many(said['sources_total'], 'source')}"
            f"{f', {largest:,} of them from ' + first['source'] if first else ''}"
        )
        evidence = {
            "failures": said["failures"],
            "invalid_users": invalid,
            "accepted": said["accepted"],
            "sources_total": said["sources_total"],
            "sources": [
                {key: one[key] for key in ("source", "failures", "invalid_users", "accepted", "users")}
                for one in sources[:MOST_SOURCES]
            ],
            "users": said["users"][:MOST_SOURCES],
            **{key: line[key] for key in ("lines", "first_at", "last_at", "example", "file", "line")},
        }
        found.append(
            finding(
                "logs.failed_login",
                "all",
                severity,
                summary,
                evidence,
                "See whether the sources are yours; forbid passwords, or limit who may connect.",
            )
        )
    when = exact_times(read)
    worked = [
        (failures, shown(name, 130), shown(who, 64), where)
        for name, source in read.tally.logins.sources.items()
        for failures, who, where in source.after
    ]
    worked.sort(key=lambda one: (-one[0], one[1], one[2]))
    for failures, name, who, where in worked[:MOST_SOURCES]:
        summary = (
            f"{who} logged in from {name} after {many(failures, 'failed login')} from there, "
            f"at {when(where) or 'an unknown time'}"
        )
        evidence = {
            "failures_before": failures,
            "user": who,
            "at": when(where),
            "first_at": when(read.tally.logins.sources[name.encode()].first)
            if name.encode() in read.tally.logins.sources
            else None,
            **place_of(where, read),
        }
        found.append(
            finding(
                "logs.login_after_failures",
                name,
                "high",
                summary,
                evidence,
                "Ask the user whether it was them; if not, end the session and change the password.",
            )
        )
    return found


def http(measurements: dict[str, Any], thresholds: Mapping[str, Any]) -> list[Finding]:
    """Failing and slow requests."""
    said = measurements["http"]
    if said is None:
        return []
    found = []
    requests, failing = said["requests"], said["classes"]["5xx"]
    percent = round(100 * failing / requests, 2)
    if failing >= 10 and percent >= thresholds.get("http_5xx_percent", 1.0):
        severity: Severity = "high" if percent >= 5 * thresholds.get("http_5xx_percent", 1.0) else "medium"
        first = said["failing"][0] if said["failing"] else None
        most = f"; most often {first['request'][:120]} ({first['status']}, {often(first['count'])})" if first else ""
        example = next(
            (one for one in measurements["templates"] if one["level"] == "error" and " -> 5" in one["template"]), None
        )
        evidence = {
            "requests": requests,
            "failed_requests": failing,
            "failed_percent": percent,
            "statuses": said["statuses"][:10],
            "failing": said["failing"][:10],
            **({key: example[key] for key in ("first_at", "last_at", "example", "file", "line")} if example else {}),
        }
        summary = f"{failing:,} of {many(requests, 'request')} failed with a status of 5xx ({percent:g} %){most}"
        found.append(
            finding("logs.http_5xx", "all", severity, summary, evidence, "See the server's error log at these times.")
        )
    slow = thresholds.get("http_p95_s", 2.0)
    if said["timed"] >= 100 and said["p95_s"] is not None and said["p95_s"] > slow:
        first_slow = said["slow"][0] if said["slow"] else None
        most = f"; most often {first_slow['request'][:120]}" if first_slow else ""
        summary = f"5 % of {said['timed']:,} timed requests took longer than {said['p95_s']:g} s{most}"
        evidence = {key: said[key] for key in ("timed", "p50_s", "p95_s", "p99_s")} | {
            "slow": said["slow"][:10],
            "threshold_s": slow,
        }
        found.append(
            finding(
                "logs.http_slow",
                "all",
                "medium",
                summary,
                evidence,
                "Look at what these requests wait for.",
                estimated=True,
            )
        )
    return found
