"""`log_analysis`: times with an offset of hours only, as PostgreSQL writes them, are at that offset."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from logs_reading import analysed, output_of


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2026-03-01 12:00:00+05 [123] ERROR:  no relation", "2026-03-01T07:00:00Z"),
        ("2026-03-01 12:00:00.123 +05 [123] ERROR:  no relation", "2026-03-01T07:00:00Z"),
        ("2026-03-01 12:00:00-03 [123] ERROR:  no relation", "2026-03-01T15:00:00Z"),
        ("2026-03-01 12:00:00+05:30 [123] ERROR:  no relation", "2026-03-01T06:30:00Z"),
        ("2026-03-01T12:00:00+05 ERROR x", "2026-03-01T07:00:00Z"),
        ("2026-03-01 12:00:00.5-11 ERROR x", "2026-03-01T23:00:00Z"),
        ('{"time": "2026-03-01T12:00:00+05", "level": "error", "msg": "x"}', "2026-03-01T07:00:00Z"),
    ],
)
def test_an_offset_of_hours_is_read(line: str, at: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{line}\n" * 3)
    found = analysed(tmp_path, paths="a.log")
    assert (found["first_at"], found["last_at"], found["files"][0]["assumed"]) == (at, at, [])
    assert found["levels"]["error"] == 3


@pytest.mark.parametrize("rest", [" -10 files are left", " +20 points", "-", " - 05", "-15 x", "+99"])
def test_a_number_behind_a_time_is_no_offset(rest: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"2026-03-01 12:00:00{rest}\n" * 3)
    assert analysed(tmp_path, paths="a.log")["first_at"] == "2026-03-01T12:00:00Z"


def test_an_offset_that_changes_within_a_file_is_followed(tmp_path: Path) -> None:
    first = "2026-03-01 01:59:00+01 [1] LOG:  a\n"
    (tmp_path / "a.log").write_text(
        first * 5 + "2026-03-01 03:01:00+02 [1] LOG:  a\n" * 5 + first.replace("+01", "+0130")
    )
    found = analysed(tmp_path, paths="a.log")
    assert [one["at"] for one in found["rate"]["buckets"]] == [
        "2026-03-01T00:29:00Z", "2026-03-01T00:59:00Z", "2026-03-01T01:01:00Z",
    ]  # fmt: skip


@pytest.fixture
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("vienna")
@pytest.mark.parametrize("before", ["2025-07-01", "2025-12-01"])
def test_of_an_hour_that_comes_twice_it_is_the_first_whatever_was_read_before(before: str, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{before} 12:00:00 INFO x\n2025-10-26 02:30:00 ERROR y\n")
    found: Any = analysed(tmp_path, paths="a.log", timezone="local")
    assert [one["first_at"] for one in found["templates"] if one["level"] == "error"] == ["2025-10-26T00:30:00Z"]


@pytest.mark.usefixtures("vienna")
@pytest.mark.parametrize("zone", ["Europe/Vienna", "local"])
@pytest.mark.parametrize(("quiet", "told"), [(0, []), (10, []), (40, ["logs.gap"])])
def test_an_hour_that_comes_twice_is_no_silence(zone: str, quiet: int, told: list[str], tmp_path: Path) -> None:
    begin = datetime(2025, 10, 25, 20, 0, tzinfo=UTC)
    back = datetime(2025, 10, 26, 2, 0, tzinfo=UTC)
    every = (begin + timedelta(minutes=number) for number in range(600))
    rows = [one for one in every if not back <= one < back + timedelta(minutes=quiet)]
    (tmp_path / "a.log").write_text(
        "".join(f"{one.astimezone(ZoneInfo('Europe/Vienna')):%Y-%m-%d %H:%M:%S} INFO x\n" for one in rows)
    )
    now = rows[-1].timestamp() + 60
    output = output_of(tmp_path, now=now, paths="a.log", timezone=zone)
    assert [one["check"] for one in output["findings"]] == told


@pytest.mark.usefixtures("vienna")
def test_a_log_that_is_written_in_the_hour_that_comes_twice_has_not_stopped(tmp_path: Path) -> None:
    now = datetime(2025, 10, 26, 1, 40, tzinfo=UTC)
    rows = [now - timedelta(minutes=number) for number in range(300, 0, -1)]
    (tmp_path / "a.log").write_text(
        "".join(f"{one.astimezone(ZoneInfo('Europe/Vienna')):%Y-%m-%d %H:%M:%S} INFO x\n" for one in rows)
    )
    assert output_of(tmp_path, now=now.timestamp(), paths="a.log", timezone="local")["findings"] == []
