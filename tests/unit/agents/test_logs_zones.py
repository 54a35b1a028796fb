"""`log_analysis`: times with an offset of hours only, as PostgreSQL writes them, are at that offset."""

from __future__ import annotations

from pathlib import Path

import pytest
from logs_reading import analysed


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
