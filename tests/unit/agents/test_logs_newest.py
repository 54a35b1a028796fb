"""Of a log that is larger than what is read of it, the newest part counts; of the rest nothing is claimed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from logs_reading import NOW, output_of

from pipe_agents.logs import newest

OOM = "kernel: Out of memory: Killed process 1234 (java) total-vm:1kB"


def stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def lines(hours: float, every: float, *, end: float = NOW, last: str = OOM) -> Iterator[str]:
    count = int(hours * 3600 / every)
    for number in range(count):
        yield f"{stamp(end - (count - number) * every)} web1 app[1]: served page {number:06}\n"
    yield f"{stamp(end)} web1 {last}\n"


def large(path: Path, hours: float = 20, every: float = 5) -> bytes:
    path.write_text("".join(lines(hours, every)))
    return path.read_bytes()


def test_the_newest_part_is_read_and_what_is_skipped_is_told(tmp_path: Path) -> None:
    data = large(tmp_path / "a.log")
    output = output_of(tmp_path, paths="a.log", max_bytes=200_000)
    found = {one["check"]: one for one in output["findings"]}
    assert set(found) == {"logs.oom", "logs.source"}
    assert found["logs.oom"]["evidence"]["line"] is None
    (file,) = output["measurements"]["files"]
    assert file["bytes"] <= 200_000
    assert file["skipped_before_bytes"] + file["bytes"] == len(data)
    assert file["skipped_after_bytes"] == 0
    assert data[file["skipped_before_bytes"] - 1 : file["skipped_before_bytes"]] == b"\n"
    assert output["measurements"]["lines"] == data[file["skipped_before_bytes"] :].count(b"\n")
    assert output["measurements"]["last_at"] == stamp(NOW)
    assert output["measurements"]["partly_read"] == 1
    assert found["logs.source"]["status"] == "unavailable"
    assert f"the {file['skipped_before_bytes']:,} bytes before" in found["logs.source"]["why"]


def test_a_file_as_large_as_the_bound_is_read_whole(tmp_path: Path) -> None:
    data = large(tmp_path / "a.log", hours=1)
    output = output_of(tmp_path, paths="a.log", max_bytes=len(data))
    assert output["measurements"]["lines"] == data.count(b"\n")
    assert output["measurements"]["partly_read"] == output["measurements"]["unread_total"] == 0


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "STEP", 4096)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(("since", "until"), [(3600, None), (7200, 3600), (15 * 3600, 14 * 3600)])
def test_since_and_until_are_found_in_a_file_whose_times_grow(tmp_path: Path, since: int, until: int | None) -> None:
    large(tmp_path / "a.log")
    window = {"since": stamp(NOW - since)} | ({} if until is None else {"until": stamp(NOW - until)})
    whole = output_of(tmp_path, paths="a.log", **window)["measurements"]
    part = output_of(tmp_path, paths="a.log", max_bytes=150_000, **window)
    assert part["measurements"]["entries"] == whole["entries"] > 600
    assert part["measurements"]["partly_read"] == 0
    assert not [one for one in part["findings"] if one["status"] == "unavailable"]
    assert part["measurements"]["files"][0]["skipped_before_bytes"] > 0
    assert part["measurements"]["bytes"] < 150_000


@pytest.mark.usefixtures("small_steps")
def test_a_window_that_is_larger_than_the_bound_has_its_newest_part(tmp_path: Path) -> None:
    large(tmp_path / "a.log")
    window = {"since": stamp(NOW - 15 * 3600), "until": stamp(NOW - 3600)}
    output = output_of(tmp_path, paths="a.log", max_bytes=150_000, **window)
    assert output["measurements"]["last_at"] == stamp(NOW - 3605)
    assert output["measurements"]["partly_read"] == 1
    (told,) = output["findings"]
    assert (told["check"], told["status"]) == ("logs.source", "unavailable")


@pytest.mark.usefixtures("small_steps")
def test_times_that_do_not_grow_are_not_searched(tmp_path: Path) -> None:
    rows = list(lines(20, 5))
    (tmp_path / "a.log").write_text("".join(rows[7000:] + rows[:7000]))
    output = output_of(tmp_path, paths="a.log", max_bytes=200_000, since=stamp(NOW - 3600))
    assert output["measurements"]["files"][0]["bytes"] > 190_000
    assert output["measurements"]["partly_read"] == 1


def test_each_file_that_was_not_read_whole_is_told(tmp_path: Path) -> None:
    for number in range(30):
        large(tmp_path / f"a{number:02}.log", hours=1)
    output = output_of(tmp_path, paths="*.log", max_bytes=10_000)
    told = {one["subject"].rpartition("/")[2] for one in output["findings"] if one["check"] == "logs.source"}
    assert told == {f"a{number:02}.log" for number in range(30)}
    assert output["measurements"]["partly_read"] == 30
    assert output["measurements"]["findings_beyond"] == 0


def test_of_very_many_sources_the_rest_is_told_together(tmp_path: Path) -> None:
    for number in range(130):
        large(tmp_path / f"a{number:03}.log", hours=0.1)
    output = output_of(tmp_path, paths="*.log", max_bytes=1000)
    told = [one for one in output["findings"] if one["check"] == "logs.source"]
    assert len(told) == 101
    (rest,) = [one for one in told if one["subject"] == "30 more"]
    assert rest["why"].startswith("30 could only be read in part: ")
    assert "a100.log" in rest["why"]
    assert output["measurements"]["partly_read"] == 130


def test_nothing_is_said_of_an_end_that_was_not_read(tmp_path: Path) -> None:
    """The oldest part is all that can be read of a compressed file: that it has stopped there is not known."""
    text = "".join(lines(20, 5))
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(text.encode()))
    output = output_of(tmp_path, paths="a.log.gz", max_bytes=200_000)
    assert [one["check"] for one in output["findings"]] == ["logs.source"]
    (file,) = output["measurements"]["files"]
    assert (file["skipped_before_bytes"], file["skipped_after_bytes"]) == (0, None)
    assert output["measurements"]["partly_read"] == 1


def test_between_the_parts_that_were_read_of_a_log_is_no_silence(tmp_path: Path) -> None:
    old = "".join(lines(20, 20, end=NOW - 10 * 3600, last="app[1]: x"))
    (tmp_path / "a.log.1").write_text(old)
    (tmp_path / "a.log").write_text("".join(lines(10, 5, last="app[1]: x")))
    output = output_of(tmp_path, paths="a.log*", max_bytes=100_000)
    assert {one["check"] for one in output["findings"]} == {"logs.source"}
    assert output["measurements"]["gaps"] == []


def test_where_a_file_begins_to_be_read_is_no_burst(tmp_path: Path) -> None:
    (tmp_path / "busy.log").write_text("".join(lines(5, 0.5, last="app[1]: x")))
    (tmp_path / "calm.log").write_text("".join(lines(20, 60, last="app[1]: x")))
    output = output_of(tmp_path, paths="*.log", max_bytes=500_000)
    found = output["measurements"]
    assert found["bursts"] == []
    assert {one["check"] for one in output["findings"]} == {"logs.source"}
    assert NOW - 5 * 3600 < datetime.fromisoformat(found["complete_from"]).timestamp() < NOW
    assert found["entries_per_minute"] == pytest.approx(121, rel=0.05)


def test_a_log_whose_newest_file_was_not_read_has_not_stopped(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").write_text("".join(lines(20, 60, end=NOW - 10 * 3600, last="app[1]: x")))
    stopped: Any = [one["check"] for one in output_of(tmp_path, paths="a.log*")["findings"]]
    assert stopped == ["logs.stopped"]
    (tmp_path / "a.log").write_bytes(bytes(5000))
    assert [one["check"] for one in output_of(tmp_path, paths="a.log*")["findings"]] == ["logs.source"]


def test_a_last_line_that_is_larger_than_the_bound_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{stamp(NOW)} INFO a\n{stamp(NOW)} INFO {'x' * 5000}")
    output = output_of(tmp_path, paths="a.log", max_bytes=1000)
    assert (output["measurements"]["lines"], output["measurements"]["bytes"]) == (1, 1000)
