"""Lines within lines, levels by numbers, other encodings, damaged archives, and what templates must not show."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from logs_reading import analysed, perform

from pipe_agents.logs import tally
from pipe_runner.masking import SecretMasker

BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PINO = {"error": 50, "info": 30}
SYSLOG = {"error": 3, "info": 6}


def iso(number: int) -> str:
    return (BEGIN + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.123Z")


def stamp(number: int) -> str:
    return (BEGIN + timedelta(seconds=number)).strftime("%b %e %H:%M:%S")


FORMS: dict[str, Callable[[int, str], str]] = {
    "json in kubernetes' lines": lambda n, level: (
        f"{iso(n)} stderr F " + json.dumps({"level": level, "msg": f"it {n}"})
    ),
    "json by numbers in kubernetes' lines": lambda n, level: (
        f"{iso(n)} stderr F " + json.dumps({"level": PINO[level], "time": 1772366400000 + n, "msg": f"it {n}"})
    ),
    "klog in kubernetes' lines": lambda n, level: (
        f"{iso(n)} stderr F {level[0].upper()}0301 12:00:00.000001 1 a.go:1] it {n}"
    ),
    "json in docker's lines": lambda n, level: json.dumps(
        {"log": json.dumps({"level": PINO[level], "msg": f"it {n}"}) + "\n", "stream": "stdout", "time": iso(n)}
    ),
    "json in syslog": lambda n, level: f"{stamp(n)} host app[1]: " + json.dumps({"level": level, "msg": f"it {n}"}),
    "gelf": lambda n, level: json.dumps(
        {"version": "1.1", "short_message": f"it {n}", "timestamp": BEGIN.timestamp() + n, "level": SYSLOG[level]}
    ),
    "json without a message": lambda n, level: json.dumps({"time": iso(n), "level": SYSLOG[level], "took": n}),
    "mongodb": lambda n, level: json.dumps({"t": {"$date": iso(n)}, "s": level[0].upper(), "c": "-", "msg": f"it {n}"}),
    "json with a level for errors only": lambda n, level: json.dumps(
        {"@t": iso(n), "@mt": "it", **({"@l": "Error"} if level == "error" else {})}
    ),
    "json with another level before its own": lambda n, level: json.dumps(
        {"time": iso(n), "within": {"level": 7, "msg": "x"}, "msg": f"it {n}", "level": SYSLOG[level]},
        separators=(",", ":"),
    ),
    "json of long lines": lambda n, level: json.dumps(
        {"time": iso(n), "trace": "x" * 10_000, "level": level, "msg": "it"}
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_line_has_its_own_level_and_time(form: str, tmp_path: Path) -> None:
    rows = [FORMS[form](number, "info" if number % 10 else "error") for number in range(200)]
    (tmp_path / "a.log").write_text("\n".join(rows) + "\n")
    found = analysed(tmp_path, paths="a.log")
    assert (found["entries"], found["levels"]["error"], found["untimed_entries"]) == (200, 20, 0)
    assert (found["first_at"], found["last_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T12:03:19Z")


@pytest.mark.parametrize("said", [0, 3, 3.5, "3"])
def test_seconds_are_no_level(said: object, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(
        "".join(json.dumps({"time": iso(n), "msg": "it", "s": said}) + "\n" for n in range(20))
    )
    assert analysed(tmp_path, paths="a.log")["levels"]["none"] == 20


@pytest.mark.parametrize("said", ["null", "<nil>", "false"])
@pytest.mark.parametrize("form", ['{{"time":"{}","msg":"done","error":"{}"}}', 'time={} msg="done" err={}'])
def test_a_message_stands_alone_where_the_error_beside_it_says_there_is_none(
    form: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text("".join(form.format(iso(n), said) + "\n" for n in range(20)))
    assert [one["template"] for one in analysed(tmp_path, paths="a.log")["templates"]] == ["done"]


ASIDE: dict[str, dict[str, Any]] = {
    "an empty error": {"msg": "it", "error": {}},
    "json in docker's lines": {"log": '{"msg":"it","request":"REQUEST"}\n', "stream": "stdout"},
    "an error with a message": {"message": "it", "error": {"message": "is gone"}, "level": "error"},
}


@pytest.mark.parametrize("form", ASIDE)
def test_lines_that_differ_in_their_ids_alone_are_looked_at_once(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, looked = random.Random(1), []
    at_one = tally.entry_of
    monkeypatch.setattr(tally, "entry_of", lambda one, line: looked.append(line) or at_one(one, line))
    rows = [json.dumps({"time": iso(n), **ASIDE[form], "request": "REQUEST"}) for n in range(40_000)]
    (tmp_path / "a.log").write_text("".join(row.replace("REQUEST", rng.randbytes(8).hex()) + "\n" for row in rows))
    analysed(tmp_path, paths="a.log")
    assert len(looked) < 20_000


@pytest.mark.parametrize("where", [0, 7])
def test_a_message_that_begins_with_a_quotation_mark_is_looked_at_for_itself(where: int, tmp_path: Path) -> None:
    rows = [
        {"time": iso(n), "level": "info", "msg": '"a": no space left on device' if n == where else f'"b": fine {n}'}
        for n in range(20)
    ]
    (tmp_path / "a.log").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found: Any = analysed(tmp_path, paths="a.log")
    assert [(one["check"], one["lines"]) for one in found["patterns"]] == [("disk_full", 1)]


CAUSES = {
    "json": '{"time":"TIME","level":"error","msg":"it failed","error":"WHY"}',
    "json of pino": '{"level":50,"err":{"type":"Error","message":"WHY","stack":"a"},"msg":"it failed"}',
    "json with the text far in": '{"level":50,"err":{"stack":"' + "a" * 290 + '","message":"WHY"},"msg":"it failed"}',
    "json of ecs": '{"level":"error","error":{"message":"it failed"},"message":"WHY"}',
    "logfmt": 'time=TIME level=error msg="it failed" error="WHY"',
    "audit": "type=AVC msg=audit(1772366400.123:NUMBER): WHY",
}


@pytest.mark.parametrize("form", CAUSES)
def test_what_an_error_says_beside_the_message_is_looked_at(form: str, tmp_path: Path) -> None:
    rows = [
        CAUSES[form].replace("TIME", iso(n)).replace("NUMBER", f"{n}").replace("WHY", why)
        for n, why in enumerate([*["it is gone"] * 10, *["no space left on device"] * 20, *["it is gone"] * 10])
    ]
    (tmp_path / "a.log").write_text("\n".join(rows) + "\n")
    found: Any = analysed(tmp_path, paths="a.log")
    assert [(one["check"], one["lines"]) for one in found["patterns"]] == [("disk_full", 20)]


def test_logs_of_auditd_have_times(tmp_path: Path) -> None:
    rows = [f"type={'AVC' if n % 2 else 'SYSCALL'} msg=audit({1772366400 + n}.123:{n}): a=b c=d" for n in range(100)]
    (tmp_path / "a.log").write_text("\n".join(rows) + "\n")
    found: Any = analysed(tmp_path, paths="a.log")
    assert (found["files"][0]["format"], found["untimed_entries"]) == ("audit", 0)


@pytest.mark.parametrize(
    ("encoding", "before", "end"),
    [("utf-16-le", "\ufeff", "\r\n"), ("utf-16-be", "\ufeff", "\r\n"), ("utf-8", "\ufeff", "\n")],
)
def test_times_and_levels_of_other_encodings_are_read(encoding: str, before: str, end: str, tmp_path: Path) -> None:
    rows = [f"{iso(n)} {'INFO' if n % 10 else 'ERROR'} it {n}" for n in range(100)]
    (tmp_path / "a.log").write_bytes((before + end.join(rows) + end).encode(encoding))
    found = analysed(tmp_path, paths="a.log")
    assert found["levels"]["error"] == 10
    assert (found["lines"], found["untimed_entries"]) == (100, 0)


def test_times_behind_colours_are_read(tmp_path: Path) -> None:
    rows = [f"\x1b[90m{iso(n)}\x1b[0m \x1b[31mERROR\x1b[0m it {n}" for n in range(100)]
    (tmp_path / "a.log").write_text("\n".join(rows) + "\n")
    found = analysed(tmp_path, paths="a.log")
    assert (found["levels"]["error"], found["untimed_entries"]) == (100, 0)


def test_of_a_cut_archive_all_that_can_be_unpacked_is_counted(tmp_path: Path) -> None:
    rng = random.Random(1)
    packed = gzip.compress(b"".join(b"2026-03-01 12:00:00 ERROR it %d\n" % rng.randrange(10**9) for _ in range(5000)))
    (tmp_path / "a.log.gz").write_bytes(packed[: len(packed) * 9 // 10])
    found = analysed(tmp_path, paths="a.log.gz")
    assert 4000 < found["entries"] < 5000
    assert found["partly_read"] == 1


@pytest.mark.parametrize(
    ("word", "secret"),
    [
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", ""),
        ("AKIAIOSFODNN7EXAMPLE", ""),
        ("sk-live-abcdefghijklmnop1qrstuvwxyz", ""),
        ("correct-horse-battery-1-staple", "correct-horse-battery-1-staple"),
    ],
)
def test_s4_a_template_shows_no_secret_without_its_numbers(word: str, secret: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"2026-03-01 12:00:00 ERROR refused the key {word}\n" * 3)
    masker = SecretMasker({"KEY": secret}) if secret else None
    output: Any = perform(tmp_path, {"paths": "a.log", "top_templates": 10}, masker=masker).output
    assert [one["template"] for one in output["measurements"]["templates"]] == ["refused the key ***"]
