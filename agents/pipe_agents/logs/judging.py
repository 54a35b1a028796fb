"""What of the measurements is a finding, and how bad it is. The rules stand in docs/logs.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding, ordered, unavailable
from pipe_agents.logs.analysis import Asked, Read
from pipe_agents.logs.baseline import Change, Compared
from pipe_agents.logs.covering import ends, logs_of, missing, series_of, silent
from pipe_agents.logs.judging_people import http, logins
from pipe_agents.logs.judging_words import worded
from pipe_agents.logs.measured import place_of
from pipe_agents.logs.patterns import FAILED, INVALID, PATTERNS
from pipe_agents.logs.series import silence_bound
from pipe_agents.logs.times import iso
from pipe_agents.logs.words import many, often, shown

MOST_FINDINGS: Final = 20
MOST_UNREAD: Final = 100
MOST_NAMED: Final = 10
RECENT: Final = 7 * 86400.0
ARCHIVE: Final = 7 * 86400.0
"""A log that ended longer ago is an old one, and not one that has stopped."""

BY_CHECK: Final = {one.check: one for one in PATTERNS}


def judged(
    read: Read, asked: Asked, measurements: dict[str, Any], thresholds: Mapping[str, Any], compared: Compared | None
) -> tuple[list[Finding], int]:
    """The findings, the worst first, and how many more there would have been."""
    found: list[Finding] = []
    if "security" in asked.checks or "kernel" in asked.checks or "services" in asked.checks:
        found += _patterns(measurements)
        found += logins(read, measurements, thresholds)
    if "levels" in asked.checks:
        found += _errors(measurements, thresholds, read)
    if "rates" in asked.checks:
        found += _bursts(measurements, read)
    if "gaps" in asked.checks:
        found += _gaps(measurements) + _stopped(read, asked)
    if "http" in asked.checks:
        found += http(measurements, thresholds)
    if compared is not None:
        found += _compared(compared)
    nothing = not measurements["patterns"] and not any(one["severity"] != "info" for one in found)
    if "levels" in asked.checks and nothing:
        found += worded(read, measurements)
    ranked = ordered(found)
    blind = _blind(read, measurements, asked)
    return ranked[:MOST_FINDINGS] + blind, max(len(ranked) - MOST_FINDINGS, 0)


def _patterns(measurements: dict[str, Any]) -> list[Finding]:
    found = []
    for one in measurements["patterns"]:
        pattern = BY_CHECK[one["check"]]
        if pattern.severity == "info" or pattern.check in (FAILED, INVALID) or one["lines"] < pattern.least:
            continue
        severity: Severity = pattern.severity
        if pattern.check == "new_user" and "nologin" in (one["example"] or "") and one["lines"] == 1:
            severity = "low"
        if pattern.check == "certificate" and one["lines"] < 5:
            severity = "low"
        summary = f"{many(one['lines'], 'line')} of {pattern.what}{_between(one)}"
        found.append(
            finding(f"logs.{pattern.check}", "all", severity, summary, _evidence(one), pattern.suggestion or None)
        )
    return found


def _evidence(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in ("lines", "first_at", "last_at", "example", "file", "line")}


def _between(one: Mapping[str, Any]) -> str:
    if not one["first_at"]:
        return ""
    if one["first_at"] == one["last_at"]:
        return f", at {one['first_at']}"
    return f", from {one['first_at']} to {one['last_at']}"


def _errors(measurements: dict[str, Any], thresholds: Mapping[str, Any], read: Read) -> list[Finding]:
    levels, entries = measurements["levels"], measurements["entries"]
    bad = levels["fatal"] + levels["error"]
    if not bad:
        return []
    percent = round(100 * bad / entries, 2)
    worst = [one for one in measurements["templates"] if one["level"] in ("fatal", "error")]
    many_errors = percent >= thresholds.get("error_percent", 5.0) and bad >= 20
    severity: Severity = "medium" if levels["fatal"] or many_errors else "low"
    first = worst[0] if worst else None
    other = read.tally.miner.other_bad
    shows = first or place_of(other.first, read, 300)
    most = ""
    if first and first["count"] > other.count:
        most = f"; most often: {first['template'][:160]} ({often(first['count'])})"
    elif text := (first["template"] if first else shows["example"]):
        most = f"; one of them: {text[:160]}"
    fatal = f", {levels['fatal']:,} of them fatal" if levels["fatal"] else ""
    evidence = {
        "errors": bad,
        "fatal": levels["fatal"],
        "error_percent": percent,
        "templates": [
            {key: one[key] for key in ("template", "level", "count", "first_at", "last_at")} for one in worst[:5]
        ],
        "templates_total": len(worst),
        "other_errors": other.count,
        **{key: shows[key] for key in ("example", "file", "line")},
    }
    summary = f"{many(bad, 'entry', 'entries')} at level error or worse ({percent:g} % of {entries:,}){fatal}{most}"
    return [
        finding(
            "logs.errors",
            "all",
            severity,
            summary,
            evidence,
            "Begin with the most frequent; `measurements.templates` has all.",
        )
    ]


def _recent(measurements: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Of bursts or gaps those that ended within the last week of the logs; older ones are in the measurements only."""
    last = measurements["last_at"]
    if last is None:
        return []
    since = iso(datetime.fromisoformat(last).timestamp() - RECENT) or ""
    return [one for one in measurements[what] if one["end"] >= since]


def _bursts(measurements: dict[str, Any], read: Read) -> list[Finding]:
    found = []
    kinds: tuple[tuple[str, Severity], ...] = (("errors", "medium"), ("entries", "low"))
    for of, severity in kinds:
        bursts = [one for one in _recent(measurements, "bursts") if one["of"] == of]
        if not bursts:
            continue
        one = bursts[0]
        culprit = _culprit(read, one)
        mostly = f", mostly: {culprit[:160]}" if culprit else ""
        summary = (
            f"{one['count']:,} {of} from {one['start']} to {one['end']}, "
            f"at most {one['peak']:,} in {one['bucket_s']} s, "
            f"where the median is {one['median']:g}{mostly}"
        )
        if len(bursts) > 1:
            summary += f" (and {len(bursts) - 1} smaller)"
        logs = _logs_within(read, one) if of == "entries" else []
        if logs:
            summary += f"; in {', '.join(log for log, _ in logs[:2])}"
        named = [{"log": log, "entries": count} for log, count in logs]
        evidence = {**one, "bursts": len(bursts), "template": culprit, **({"logs": named} if named else {})}
        found.append(
            finding("logs.burst", of, severity, summary, evidence, "Look at what happened just before it began.")
        )
    return found


def _culprit(read: Read, burst: Mapping[str, Any]) -> str | None:
    """The template with most lines within the burst; None where none has half of them."""
    start, end = (datetime.fromisoformat(burst[key]).timestamp() for key in ("start", "end"))
    best, most = None, burst["count"] // 2
    for one in read.tally.miner.templates:
        width = one.series.width
        inside = sum(
            count
            for bucket, count in one.series.counts.items()
            if start <= bucket * width and (bucket + 1) * width <= end
        )
        if inside > most:
            best, most = one, inside
    return None if best is None else shown(best.text, 300)


def _logs_within(read: Read, burst: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The logs with most entries within the burst, as many as make nine tenths of it, three at most."""
    start, end = (datetime.fromisoformat(burst[key]).timestamp() for key in ("start", "end"))
    found = []
    for log, readers in logs_of(read.readers).items():
        series = series_of(readers)
        inside = [count for bucket, count in series.counts.items() if start <= bucket * series.width < end]
        found.append((shown(log, 300), sum(inside)))
    found.sort(key=lambda one: (-one[1], one[0]))
    enough: list[tuple[str, int]] = []
    for one in found[:3]:
        if one[1] and sum(count for _, count in enough) < 0.9 * burst["count"]:
            enough.append(one)
    return enough


def _gaps(measurements: dict[str, Any]) -> list[Finding]:
    found = []
    by_log: dict[str, list[dict[str, Any]]] = {}
    for one in _recent(measurements, "gaps"):
        by_log.setdefault(one["log"], []).append(one)
    for log, gaps in list(by_log.items())[:3]:
        one = gaps[0]
        more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
        summary = f"{log}: nothing was logged for {_long(one['seconds'])}, from {one['start']} to {one['end']}{more}"
        found.append(
            finding(
                "logs.gap",
                log,
                "low",
                summary,
                {**one, "gaps": len(gaps)},
                "The machine, the program or its logging was off; see what stands before and after.",
            )
        )
    return found


def _stopped(read: Read, asked: Asked) -> list[Finding]:
    if asked.window.until is not None:
        return []
    found = []
    unread = missing(read)
    for log, readers in list(logs_of(read.readers).items())[:50]:
        series = series_of(readers)
        bound, span = silence_bound(series), series.span()
        if bound is None or span is None or log == "text" or not ends(readers, unread.get(log)):
            continue
        quiet = asked.now - span[1]
        if bound < silent(readers, span[1], asked.now) and quiet <= ARCHIVE:
            summary = (
                f"{shown(log, 300)}: nothing was logged since {iso(span[1])}, {_long(quiet)} ago; "
                "such a silence is unusual for it"
            )
            evidence = {"last_minute": iso(span[1] - series.width), "silent_s": round(quiet), "above_s": bound}
            found.append(
                finding(
                    "logs.stopped",
                    shown(log, 300),
                    "medium",
                    summary,
                    evidence,
                    "See whether the program runs and can write its log.",
                )
            )
    return found[:3]


def _long(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 2880 else f"{minutes / 1440:.1f} days"


def _compared(compared: Compared) -> list[Finding]:
    found = []
    than = f"the run of {compared.at}" if compared.at else "the earlier result"
    if compared.new:
        bad = [one for one in compared.new if one["level"] in ("fatal", "error")]
        first = max(bad or compared.new, key=lambda one: one["count"])
        worse_ones = f", {len(bad)} of them at level error or worse" if bad else ""
        summary = (
            f"{many(compared.new_total, 'kind of lines is', 'kinds of lines are')} new since {than}{worse_ones}: "
            f"{first['template'][:160]} ({often(first['count'])})"
        )
        keep = ("template", "level", "count", "first_at", "last_at", "example", "file", "line")
        evidence = {
            "new_templates": compared.new_total,
            "new_errors": len(bad),
            "templates": [
                {key: one[key] for key in keep} for one in [*bad, *(one for one in compared.new if one not in bad)][:10]
            ],
            "earlier_run": compared.run,
        }
        found.append(
            finding(
                "logs.new_templates",
                "all",
                "medium" if bad else "info",
                summary,
                evidence,
                "See what was changed or began since then.",
            )
        )
    if compared.changed:
        first_change = compared.changed[0]
        worse = any(
            one.level in ("fatal", "error") and (one.factor is None or one.factor > 1) for one in compared.changed
        )
        summary = (
            f"{many(compared.changed_total, 'kind of lines comes', 'kinds of lines come')} more or less often than in "
            f"{than}: {first_change.template[:160]} ({_times(first_change)})"
        )
        evidence = {
            "changed": compared.changed_total,
            "templates": [one._asdict() for one in compared.changed[:10]],
            "earlier_run": compared.run,
        }
        found.append(
            finding(
                "logs.rate_changed",
                "all",
                "medium" if worse else "low",
                summary,
                evidence,
                "See what changed between the two.",
            )
        )
    return found


def _times(change: Change) -> str:
    count = often(change.entries) if change.entries else "not once"
    return f"{count}, where {max(round(change.expected), 1):,} were to be expected"


def _blind(read: Read, measurements: dict[str, Any], asked: Asked) -> list[Finding]:
    partly = {one.path for one in read.readers if one.cut_before or one.cut_after}
    unread = sorted(read.unread, key=lambda one: one.subject not in partly)
    made = [unavailable("logs.source", shown(one.subject, 300), one.why, one.needs) for one in unread[:MOST_UNREAD]]
    if rest := unread[MOST_UNREAD:]:
        names = ", ".join(shown(one.subject, 100) for one in rest[:MOST_NAMED])
        ends_with = f" and {len(rest) - MOST_NAMED:,} others" if len(rest) > MOST_NAMED else ""
        cut = sum(one.subject in partly for one in rest)
        parts = ((len(rest) - cut, "could not be read"), (cut, "could only be read in part"))
        why = f"{', '.join(f'{count:,} {text}' for count, text in parts if count)}: {names}{ends_with}"
        made.append(unavailable("logs.source", f"{len(rest):,} more", why, "fewer files in one node"))
    if "templates" in asked.checks and not measurements["merged"]:
        why = "drain3 isn't installed: lines are grouped by their text without numbers, and not merged"
        made.append(unavailable("logs.templates", "all", why, "pip install 'pipe-runner[ops]'"))
    if measurements["other_lines"]:
        why = (
            f"there are more than {asked.max_templates:,} templates, or too many different lines: "
            f"{measurements['other_lines']:,} entries are counted as `other_lines`"
        )
        made.append(
            unavailable("logs.templates", "other", why, "a larger `max_templates`, or fewer kinds of logs in one node")
        )
    return made
