"""What was counted, as the output's `measurements`: plain data, bounded, nothing in it that may not be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from pipe_agents.logs.analysis import Asked, Read
from pipe_agents.logs.covering import covered, inside, logs_of, missing, series_of, silent, within
from pipe_agents.logs.entries import LEVELS
from pipe_agents.logs.files import Reader
from pipe_agents.logs.mining import Template, Where
from pipe_agents.logs.series import BURST_LEAST, ERRORS_LEAST, Series, bursts, silences, threshold
from pipe_agents.logs.times import iso
from pipe_agents.logs.words import shown

MOST_FILES: Final = 200
MOST_BUCKETS: Final = 288
MOST_EVENTS: Final = 20
MOST_NAMES: Final = 20

When = Callable[[Where | None], str | None]


def measured(read: Read, asked: Asked, most_templates: int) -> dict[str, Any]:
    """Everything but the comparison with an earlier result."""
    tally = read.tally
    when = exact_times(read)
    span = tally.total.span()
    templates = sorted(tally.miner.templates, key=lambda one: (-one.count, one.text))
    times = _first_last(templates, when)
    seconds = span[1] - span[0] if span else None
    known = covered(read.readers)
    total, errors = within(tally.total, known), within(tally.errors, known)
    return {
        "lines": tally.lines,
        "entries": tally.entries,
        "joined_lines": tally.joined,
        "blank_lines": tally.blank,
        "outside_lines": tally.outside,
        "untimed_entries": tally.untimed,
        "bytes": sum(reader.bytes for reader in read.readers),
        "levels": dict(zip(LEVELS, tally.levels, strict=True)),
        "first_at": times[0],
        "last_at": times[1],
        "span_s": seconds,
        "entries_per_minute": _per_minute(total),
        "complete_from": iso(known.since),
        "complete_until": iso(known.until),
        "since": iso(asked.window.since),
        "until": iso(asked.window.until),
        "files": [_file(reader, asked) for reader in read.readers[:MOST_FILES]],
        "files_total": len(read.readers),
        "logs": [_log(log, files) for log, files in logs_of(read.readers).items()],
        "unread_total": len(read.unread),
        "empty_globs": [shown(one, 300) for one in read.empty_globs[:MOST_FILES]],
        "partly_read": sum(reader.cut_before or reader.cut_after for reader in read.readers),
        "templates": [template_of(one, when, read) for one in templates[:most_templates]],
        "templates_total": len(templates),
        "other_lines": tally.miner.other.count + tally.miner.other_bad.count,
        "merged": tally.miner.merges,
        "rate": _rate(tally.total, tally.errors, total),
        "bursts": _bursts(total, total.span(), "entries", BURST_LEAST)
        + _bursts(errors, total.span(), "errors", ERRORS_LEAST),
        "gaps": _gaps(read),
        "patterns": _patterns(read, when),
        "exceptions": [{"name": shown(name, 200), "lines": count} for name, count in tally.exceptions.top(MOST_NAMES)],
        "logins": _logins(read, when),
        "http": _http(read),
        "baseline": None,
    }


def exact_times(read: Read) -> When:
    """Times of kept lines to the second, where the line says it and agrees with its minute."""

    def when(where: Where | None) -> str | None:
        if where is None or where.when is None:
            return None
        exact = read.readers[where.file].exact(where.line) if where.file < len(read.readers) else None
        return iso(exact if exact is not None and 0 <= exact - where.when < 60 else where.when)

    return when


def _first_last(templates: list[Template], when: When) -> tuple[str | None, str | None]:
    firsts = [found for one in templates if (found := when(one.first))]
    lasts = [found for one in templates if (found := when(one.last))]
    return min(firsts, default=None), max(lasts, default=None)


def template_id(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


def template_of(one: Template, when: When, read: Read) -> dict[str, Any]:
    text = shown(one.text, 400)
    return {
        "id": template_id(text),
        "template": text,
        "count": one.count,
        "level": LEVELS[one.level],
        "first_at": when(one.first),
        "last_at": when(one.last),
        "logs": [
            {"log": shown(log, 300), "count": count}
            for log, count in sorted(one.logs.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMES]
        ],
        **place_of(one.first, read, 300),
    }


def place_of(where: Where | None, read: Read, most: int = 500) -> dict[str, Any]:
    """An example line, and where it stands."""
    if where is None:
        return {"example": None, "file": None, "line": None}
    return {
        "example": shown(where.line, most),
        "file": shown(read.readers[where.file].path, 300),
        "line": None if read.readers[where.file].skipped_before else where.number,
    }


def _file(reader: Reader, asked: Asked) -> dict[str, Any]:
    clock = reader.clock
    span = reader.series.span()
    assumed = []
    if clock is not None and clock.assumed_zone and reader.timed:
        assumed.append(f"times have no zone: {asked.zone_name} is assumed")
    if clock is not None and clock.assumed_year:
        assumed.append("times have no year: the last one before the file's end was written is assumed")
    return {
        "path": shown(reader.path, 300),
        "format": reader.format.name,
        "format_percent": round(100 * reader.detected.coverage, 1),
        "lines": reader.lines,
        "joined_lines": reader.joined,
        "blank_lines": reader.blank,
        "outside_lines": reader.outside,
        "untimed_entries": reader.untimed,
        "bytes": reader.bytes,
        "compressed": reader.compressed,
        "skipped_before_bytes": reader.skipped_before,
        "skipped_after_bytes": reader.skipped_after,
        "cut_lines": reader.cut_lines,
        "times_back": reader.backwards,
        "first_minute": iso(span[0]) if span else None,
        "last_minute": iso(span[1] - reader.series.width) if span else None,
        "assumed": assumed,
    }


def _log(log: str, files: list[Reader]) -> dict[str, Any]:
    span = series_of(files).span()
    return {
        "log": shown(log, 300),
        "begin": iso(span[0]) if span else None,
        "end": iso(span[1]) if span else None,
        "partly_read": any(one.cut_before or one.cut_after for one in files),
    }


def _rate(total: Series, errors: Series, known: Series) -> dict[str, Any]:
    counts, width = total.counts, total.width
    span = total.span()
    if span is None:
        return {"bucket_s": width, "buckets": [], "median": None, "burst_above": None, "most": None, "most_at": None}
    length = round((span[1] - span[0]) / width)
    usual: float | None = None
    bound: float | None = None
    if (covers := known.span()) is not None:
        empty = round((covers[1] - covers[0]) / width) - len(known.counts)
        usual, bound = threshold(list(known.counts.values()), empty)
    peak = max(counts, key=lambda bucket: (counts[bucket], -bucket))
    shown_width = width
    while length * width / shown_width > MOST_BUCKETS and shown_width < 2**40:
        shown_width *= 2
    wide = total.at_width(shown_width)
    bad = errors.at_width(shown_width) if errors.width <= shown_width else {}
    return {
        "bucket_s": shown_width,
        "buckets": [
            {"at": iso(bucket * shown_width), "entries": wide[bucket], "errors": bad.get(bucket, 0)}
            for bucket in sorted(wide)
        ],
        "median": usual,
        "burst_above": None if bound is None else round(bound, 3),
        "most": counts[peak],
        "most_at": iso(peak * width),
    }


def _bursts(series: Series, span: tuple[float, float] | None, of: str, least: int) -> list[dict[str, Any]]:
    return [
        {
            "of": of,
            "start": iso(one.start),
            "end": iso(one.end),
            "count": one.entries,
            "peak": one.peak,
            "median": one.usual,
            "above": round(one.threshold, 3),
            "bucket_s": one.width,
        }
        for one in bursts(series, span, least)[:MOST_EVENTS]
    ]


def _per_minute(total: Series) -> float | None:
    span = total.span()
    return round(total.total / ((span[1] - span[0]) / 60), 3) if span else None


def _gaps(read: Read) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    unread = missing(read)
    for log, files in logs_of(read.readers).items():
        whole = log not in unread and not any(one.cut_before or one.cut_after for one in files)
        known = [one for one in silences(series_of(files)) if whole or inside(one, files)]
        for one in [one for one in known[:50] if silent(files, one.start, one.end) > one.bound][:5]:
            found.append(
                {
                    "log": shown(log, 300),
                    "start": iso(one.start),
                    "end": iso(one.end),
                    "seconds": one.end - one.start,
                    "above_s": one.bound,
                }
            )
    return sorted(found, key=lambda one: (-one["seconds"], one["log"], one["start"]))[:MOST_EVENTS]


def _patterns(read: Read, when: When) -> list[dict[str, Any]]:
    return [
        {
            "check": check,
            "lines": hits.lines,
            "first_at": when(hits.first),
            "last_at": when(hits.last),
            **place_of(hits.first, read),
        }
        for check, hits in sorted(read.tally.hits.items())
    ]


def _logins(read: Read, when: When) -> dict[str, Any]:
    logins = read.tally.logins
    ranked = sorted(logins.sources.items(), key=lambda item: (-max(item[1].failures, item[1].invalid), item[0]))
    return {
        "failures": logins.failures,
        "accepted": logins.accepted,
        "sources": [
            {
                "source": shown(name, 130),
                "failures": one.failures,
                "invalid_users": one.invalid,
                "accepted": one.accepted,
                "first_at": when(one.first),
                "last_at": when(one.last),
                "users": [shown(user, 64) for user, _ in one.users.top(5)],
            }
            for name, one in ranked[:MOST_NAMES]
            if one.failures or one.invalid
        ],
        "sources_total": sum(1 for one in logins.sources.values() if one.failures or one.invalid),
        "beyond": logins.beyond,
        "users": _named(logins.users.top(MOST_NAMES)),
        "sudo": _named(logins.sudo.top(MOST_NAMES)),
        "sudo_failed": _named(logins.sudo_failed.top(MOST_NAMES)),
    }


def _named(found: list[tuple[bytes, int]]) -> list[dict[str, Any]]:
    return [{"name": shown(name, 64), "count": count} for name, count in found]


def _http(read: Read) -> dict[str, Any] | None:
    access = read.tally.access
    if not access.requests:
        return None
    return {
        "requests": access.requests,
        "bytes": access.bytes,
        "classes": access.by_class(),
        "statuses": [{"status": status, "count": count} for status, count in access.statuses.most_common(MOST_NAMES)],
        "failing": [
            {"request": shown(path, 300), "status": status, "count": count}
            for (path, status), count in access.failing.top(MOST_NAMES)
        ],
        "failing_beyond": access.failing.beyond,
        "clients": [{"client": shown(name, 64), "requests": count} for name, count in access.clients.top(MOST_NAMES)],
        "clients_known": len(access.clients.kept),
        "clients_beyond": access.clients.beyond,
        "timed": sum(access.times.values()),
        "p50_s": access.quantile(0.5),
        "p95_s": access.quantile(0.95),
        "p99_s": access.quantile(0.99),
        "slow": [{"request": shown(path, 300), "count": count} for path, count in access.slow.top(MOST_NAMES)],
    }
