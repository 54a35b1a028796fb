"""A time-out that is too short for all logs costs the oldest of each, and not the result."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from logs_reading import NOW

from pipe_agents.logs import analysis, pacing
from pipe_agents.logs.analysis import Read, analyse, options_of
from pipe_agents.logs.journal import asked
from pipe_agents.logs.measured import measured
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Context
from pipe_runner.testing import FakeClock


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "SMALL", 10_000)
    monkeypatch.setattr(pacing, "LEAST", 1_000)
    monkeypatch.setattr(analysis, "SAMPLE", 10_000)


def write(path: Path, size: int = 500_000) -> None:
    line = "2026-05-01 12:{:02}:{:02} INFO served\n"
    rows = size // len(line.format(0, 0))
    text = "".join(line.format(number * 60 // rows, number % 60) for number in range(rows))
    path.write_text(text + "2026-05-01 13:00:00 ERROR the last one\n")


def read(root: Path, step: float, seconds: float | None) -> tuple[Read, dict[str, Any]]:
    """With a clock that goes on by `step` each time that it is asked."""
    clock = count(0.0, step)
    asked = options_of({"paths": "*.log", "timezone": "UTC"}, str(root), NOW, pacing.deadline(0.0, seconds))
    found = analyse(asked, lambda text: None, lambda: next(clock))
    return found, measured(found, asked, 1000)


def test_all_files_have_their_share_and_the_newest_part_is_read(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.log")
    found, measurements = read(tmp_path, 0.1, 20)
    assert measurements["levels"]["error"] == 3
    assert measurements["partly_read"] >= 2
    assert all(20_000 < one["bytes"] < 490_000 for one in measurements["files"][:2])
    assert {one.needs for one in found.unread} == {"a longer `timeout` of the node, or a later `since`"}


def test_with_time_enough_all_is_read(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.log")
    for step, seconds in ((0.001, 20), (0.1, None), (0.1, 4)):
        found, measurements = read(tmp_path, step, seconds)
        assert found.unread == []
        assert measurements["partly_read"] == 0


def test_where_no_time_is_left_the_rest_is_told(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.log", 5_000)
    found, measurements = read(tmp_path, 5, 20)
    assert measurements["files_total"] == 1
    assert [one.subject[-5:] for one in found.unread] == ["b.log", "c.log"]
    assert {one.why for one in found.unread} == {"there was no time left to read it"}


def test_a_file_that_takes_longer_than_its_sample_is_read_as_far_as_there_is_time(tmp_path: Path) -> None:
    write(tmp_path / "a.log", 3 << 20)
    clock = iter([0.0, 0.0, 0.0, 0.0, 0.0, 99.0])
    asked = options_of({"paths": "*.log", "timezone": "UTC"}, str(tmp_path), NOW, 12.0)
    found = analyse(asked, lambda text: None, lambda: next(clock, 99.0))
    (reader,) = found.readers
    assert reader.cut_after
    assert reader.bytes < 3 << 20
    (told,) = found.unread
    assert told.why == f"there was no time left to read it beyond {reader.bytes:,} bytes"


class Hangs:
    """A journalctl that never ends."""

    async def run(self, command: Any, attempt: Any, emit: Any, masker: Any) -> Any:
        await asyncio.Event().wait()


def test_a_journal_that_does_not_come_costs_its_own_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    attempt = Attempt("r", "n", 1, "log_analysis", {}, {}, str(tmp_path), "key")
    context = Context(lambda kind, data: None, Hangs(), FakeClock(), NoMasking(), {}, {}, str(tmp_path))  # type: ignore[arg-type]
    found = asyncio.run(asked(attempt, context, True, None, None, NOW, 1000, 0.1))
    assert (found.why, found.needs) == (
        "journalctl had not ended within 0.1 s", "a longer `timeout` of the node, or a later `since`",
    )  # fmt: skip
