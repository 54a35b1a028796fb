"""Ground truth: files of every format, made with known counts, and the agent counts the same."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from logs_reading import analysed, finding_of

BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MESSAGES = {
    "error": ("cannot reach host db{} for order {}", "write of block {} was refused by peer {}"),
    "warning": ("queue {} is longer than {} items",),
    "info": ("session {} began for account {}", "stored object {} in bucket {}", "request {} took {} ms"),
}


class Line(NamedTuple):
    at: datetime
    level: str
    text: str
    kind: str


def lines(seed: int, count: int = 400) -> list[Line]:
    rng = random.Random(seed)
    made = []
    for number in range(count):
        level = rng.choices(("error", "warning", "info"), (10, 20, 70))[0]
        kind = rng.choice(MESSAGES[level])
        text = kind.format(rng.randrange(10_000), rng.randrange(10_000))
        made.append(Line(BEGIN + timedelta(seconds=number * 7), level, text, kind))
    return made


WORDS = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}
NUMBERS = {"error": 3, "warning": 4, "info": 6}
PINO = {"error": 50, "warning": 40, "info": 30}


def ms(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.123Z")


FORMATS: dict[str, tuple[str, Callable[[Line], str]]] = {
    "syslog with priorities": (
        "syslog",
        lambda a: f"<{NUMBERS[a.level]}>{a.at:%b %e %H:%M:%S} web1 app[123]: {a.text}",
    ),
    "syslog": ("syslog", lambda a: f"{a.at:%b %e %H:%M:%S} web1 app[123]: {a.level}: {a.text}"),
    "syslog_iso": ("syslog_iso", lambda a: f"{a.at:%Y-%m-%dT%H:%M:%S.123456+00:00} web1 app[123]: {a.level}: {a.text}"),
    "rfc5424": ("rfc5424", lambda a: f'<{8 + NUMBERS[a.level]}>1 {ms(a.at)} web1 app 123 ID47 [a@1 b="c"] {a.text}'),
    "json": ("json", lambda a: json.dumps({"time": ms(a.at), "level": a.level, "msg": a.text, "id": a.at.minute})),
    "json of pino": (
        "json",
        lambda a: json.dumps(
            {"level": PINO[a.level], "time": int(a.at.timestamp() * 1000), "msg": a.text}, separators=(",", ":")
        ),
    ),
    "docker": (
        "json",
        lambda a: json.dumps({"log": f"{WORDS[a.level]} {a.text}\n", "stream": "stderr", "time": ms(a.at)}),
    ),
    "cri": ("cri", lambda a: f"{a.at:%Y-%m-%dT%H:%M:%S.123456789Z} stdout F {WORDS[a.level]} {a.text}"),
    "klog": (
        "klog",
        lambda a: f"{WORDS[a.level][0]}{a.at:%m%d %H:%M:%S}.123456    1234 server.go:12] {a.text}",
    ),
    "logfmt": ("logfmt", lambda a: f'time={ms(a.at)} level={a.level} msg="{a.text}" id={a.at.minute}'),
    "java": ("java", lambda a: f"{a.at:%Y-%m-%d %H:%M:%S},123 [main] {WORDS[a.level]} com.example.App - {a.text}"),
    "python": ("python", lambda a: f"{a.at:%Y-%m-%d %H:%M:%S},123 - app.core - {WORDS[a.level]} - {a.text}"),
    "postgresql": (
        "postgresql",
        lambda a: (
            f"{a.at:%Y-%m-%d %H:%M:%S}.123 UTC [77] b@c {'LOG' if a.level == 'info' else WORDS[a.level]}:  {a.text}"
        ),
    ),
    "nginx_error": (
        "nginx_error",
        lambda a: f"{a.at:%Y/%m/%d %H:%M:%S} [{'warn' if a.level == 'warning' else a.level}] 12#12: *5 {a.text}",
    ),
    "apache_error": (
        "apache_error",
        lambda a: (
            f"[{a.at:%a %b %d %H:%M:%S}.123456 {a.at:%Y}] "
            f"[core:{'warn' if a.level == 'warning' else a.level}] [pid 5:tid 6] {a.text}"
        ),
    ),
    "iso": ("iso", lambda a: f"[{a.at:%Y-%m-%d %H:%M:%S}] {WORDS[a.level]}: {a.text}"),
    "epoch": ("epoch", lambda a: f"{a.at.timestamp():.3f} {WORDS[a.level]} {a.text}"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("asked", ["auto", pytest.param("named", marks=pytest.mark.slow)])
def test_counts_levels_times_and_templates_are_those_of_the_file(name: str, asked: str, tmp_path: Path) -> None:
    format, write = FORMATS[name]
    made = lines(len(name))
    (tmp_path / "a.log").write_text("".join(write(one) + "\n" for one in made))
    found = analysed(tmp_path, paths="a.log", format="auto" if asked == "auto" else format)
    levels = Counter(one.level for one in made)
    assert found["files"][0]["format"] == format
    assert found["lines"] == found["entries"] == len(made)
    assert {name: count for name, count in found["levels"].items() if count} == dict(levels)
    assert found["first_at"] == "2026-03-01T12:00:00Z"
    assert found["last_at"] == made[-1].at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found["untimed_entries"] == 0
    kinds = sorted(Counter(one.kind for one in made).values())
    assert sorted(one["count"] for one in found["templates"]) == kinds
    assert found["other_lines"] == 0
    minutes = Counter(one.at.replace(second=0) for one in made)
    assert [one["entries"] for one in found["rate"]["buckets"]] == [minutes[at] for at in sorted(minutes)]
    assert sum(one["errors"] for one in found["rate"]["buckets"]) == levels["error"]


def test_examples_name_the_first_line_of_their_template(tmp_path: Path) -> None:
    made = lines(3)
    write = FORMATS["python"][1]
    text = [write(one) for one in made]
    (tmp_path / "a.log").write_text("\n".join(text))
    for one in analysed(tmp_path, paths="a.log")["templates"]:
        assert text[one["line"] - 1] == one["example"]
        kind = made[one["line"] - 1].kind
        same = [a for a in made if a.kind == kind]
        assert one["count"] == len(same)
        assert one["first_at"] == same[0].at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert one["last_at"] == same[-1].at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_only_what_lies_in_the_window_is_counted(tmp_path: Path) -> None:
    made = lines(4)
    for name in ("python", "json", "syslog", "apache_error", "rfc5424", "epoch"):
        (tmp_path / "a.log").write_text("".join(FORMATS[name][1](one) + "\n" for one in made))
        since, until = BEGIN + timedelta(seconds=303), BEGIN + timedelta(seconds=1501)
        found = analysed(tmp_path, paths="a.log", since=since.isoformat(), until=until.isoformat())
        inside = [number for number, one in enumerate(made) if since <= one.at < until]
        assert found["entries"] == len(inside), name
        assert found["outside_lines"] == len(made) - len(inside)
        first = min(found["templates"], key=lambda one: one["line"])
        assert first["line"] == inside[0] + 1


def test_zones_are_read_and_assumed_ones_are_said(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    (tmp_path / "a.log").write_text(f"{BEGIN.astimezone(zone):%Y-%m-%dT%H:%M:%S%z} ERROR x\n" * 3)
    (tmp_path / "b.log").write_text("2026-03-01 12:00:00 ERROR x\n" * 3)
    found = analysed(tmp_path, paths=["a.log", "b.log"], timezone="+02:00")
    first, second = found["files"]
    assert first["first_minute"] == "2026-03-01T12:00:00Z"
    assert first["assumed"] == []
    assert second["first_minute"] == "2026-03-01T10:00:00Z"
    assert second["assumed"] == ["times have no zone: +02:00 is assumed"]


def test_a_zone_that_changes_within_a_file_is_followed(tmp_path: Path) -> None:
    text = "2026-03-29T01:59:00+01:00 x\n" * 5 + "2026-03-29T03:01:00+02:00 x\n" * 5
    (tmp_path / "a.log").write_text(text)
    found = analysed(tmp_path, paths="a.log")
    assert [one["at"] for one in found["rate"]["buckets"]] == ["2026-03-29T00:59:00Z", "2026-03-29T01:01:00Z"]


def test_a_missing_year_is_the_last_one_that_fits(tmp_path: Path) -> None:
    """Times of a log without years lie before it was written."""
    (tmp_path / "a.log").write_text("Dec 31 23:59:00 a b: x\nJan  1 00:01:00 a b: x\n")
    os.utime(tmp_path / "a.log", (1767225700, 1767225700))  # 2026-01-01 00:01:40
    found = analysed(tmp_path, paths="a.log")
    assert (found["first_at"], found["last_at"]) == ("2025-12-31T23:59:00Z", "2026-01-01T00:01:00Z")
    assert any("no year" in one for one in found["files"][0]["assumed"])


def test_rotated_files_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    for name, minute in (("app.log", 3), ("app.log.1", 2), ("app.log.10.gz", 0), ("app.log.2.gz", 1)):
        data = f"2026-03-01 12:0{minute}:00 INFO m{minute}\n".encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    found = analysed(tmp_path, paths="app.log*")
    assert [Path(one["path"]).name for one in found["files"]] == [
        "app.log.10.gz",
        "app.log.2.gz",
        "app.log.1",
        "app.log",
    ]
    assert [one["times_back"] for one in found["files"]] == [0, 0, 0, 0]
    assert found["lines"] == 4


TRACES = {
    "java": "java.lang.IllegalStateException: no order {}\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n"
    "Caused by: java.io.IOException: closed\n\t... 2 more\n",
    "python": 'Traceback (most recent call last):\n  File "a.py", line {}, in f\n    g()\nValueError: no\n',
    "node": "TypeError: x is not a function\n    at f (/app/a.js:{}:5)\n    at g (/app/b.js:2:7)\n",
    "go": "goroutine {} [running]:\nmain.work(0x1)\n\t/app/main.go:12 +0x1d\nmain.main()\n\t/app/main.go:5 +0x2\n",
}


@pytest.mark.parametrize("name", TRACES)
def test_stack_traces_are_joined_to_their_first_line(name: str, tmp_path: Path) -> None:
    trace = TRACES[name]
    text = "".join(
        f"2026-03-01 12:00:0{number},123 - app - ERROR - it failed {number}\n{trace.replace('{}', str(number))}"
        for number in range(5)
    )
    (tmp_path / "a.log").write_text(text)
    found = analysed(tmp_path, paths="a.log")
    first_is_an_entry = name == "python"  # `Traceback …` may also come alone
    assert found["entries"] == (10 if first_is_an_entry else 5)
    assert found["joined_lines"] == text.count("\n") - found["entries"]


def test_access_logs_are_counted_by_status_path_client_and_time(tmp_path: Path) -> None:
    rng = random.Random(5)
    rows = []
    for number in range(2000):
        status = rng.choices((200, 404, 500, 503), (90, 7, 2, 1))[0]
        rows.append(
            (
                f"192.0.2.{rng.randrange(9)}",
                rng.choice(("/a", "/b?x=1", "/c/7")),
                status,
                rng.choice((0.1, 4.0)),
                number,
            )
        )
    text = "".join(
        f"{client} - - [01/Mar/2026:12:{number // 60:02}:{number % 60:02} +0100] "
        f'"GET {path} HTTP/1.1" {status} 10 "-" "a \\"b\\"" {took:.3f}\n'
        for client, path, status, took, number in rows
    )
    (tmp_path / "access.log").write_text(text)
    found = analysed(tmp_path, paths="access.log")
    http: Any = found["http"]
    statuses = Counter(row[2] for row in rows)
    assert {one["status"]: one["count"] for one in http["statuses"]} == dict(statuses)
    assert http["requests"] == 2000
    assert http["classes"]["5xx"] == statuses[500] + statuses[503]
    assert {one["client"]: one["requests"] for one in http["clients"]} == dict(Counter(row[0] for row in rows))
    failing = Counter((f"GET {row[1].partition('?')[0]}", row[2]) for row in rows if row[2] >= 500)
    assert {(one["request"], one["status"]): one["count"] for one in http["failing"]} == dict(failing)
    assert http["bytes"] == 20_000
    assert http["p95_s"] == pytest.approx(4.0, rel=0.05)
    assert sum(one["count"] for one in http["slow"]) == sum(row[3] >= 1 for row in rows)
    assert found["first_at"] == "2026-03-01T11:00:00Z"
    output = finding_of(tmp_path, "logs.http_5xx", paths="access.log")
    assert output["evidence"]["failed_requests"] == http["classes"]["5xx"]


def test_text_of_another_node_is_read_as_a_file_is(tmp_path: Path) -> None:
    text = "\n".join(FORMATS["python"][1](one) for one in lines(9))
    (tmp_path / "a.log").write_text(text)
    of_file, of_text = analysed(tmp_path, paths="a.log"), analysed(tmp_path, text=text)
    assert of_text["levels"] == of_file["levels"]
    assert [one["count"] for one in of_text["templates"]] == [one["count"] for one in of_file["templates"]]
    assert analysed(tmp_path, text=text.splitlines())["lines"] == of_file["lines"]
