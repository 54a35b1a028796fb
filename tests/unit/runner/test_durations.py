"""How long nodes took before: medians over the last runs of the same file, from logs that may be anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipe_runner.ports import Event
from pipe_runner.runlog import LogWriter, RunDir
from pipe_runner.stores.durations import past_durations
from pipe_runner.types import Durability, EventKind

Told = tuple[EventKind, str | None, dict[str, Any]]


def write_run(state: Path, run: str, *told: Told, path: str = "p.yml", age: int = 0, **more: Any) -> Path:
    rundir = RunDir.create(state, run)
    log = LogWriter.create(rundir, Durability.OS)
    first: Told = (EventKind.RUN_STARTED, None, {"pipeline": "p", "path": path, "nodes": {}, **more})
    for seq, (kind, node, data) in enumerate((first, *told), 1):
        log.append(Event(seq, "2026-11-24T00:00:00.000000Z", run, kind, node, 1 if node else None, data))
    log.close()
    found = Path(rundir.log_path)
    at = found.stat().st_mtime_ns - age * 10**9
    os.utime(found, ns=(at, at))
    return found


def took(node: str, seconds: Any, kind: EventKind = EventKind.NODE_SUCCEEDED, **more: Any) -> Told:
    return kind, node, {"duration_s": seconds, **more}


def test_the_median_of_the_runs_of_the_same_file_counts(tmp_path: Path) -> None:
    for age, seconds in enumerate((1.0, 2.0, 9.0)):
        write_run(tmp_path, f"r{age}", took("a", seconds), age=age)
    write_run(tmp_path, "other", took("a", 100.0), path="q.yml")
    assert past_durations(str(tmp_path), "p.yml") == ({"a": 2.0}, 3)
    assert past_durations(str(tmp_path), "none.yml") == ({}, 0)


def test_a_run_that_recordings_have_answered_says_nothing_of_others(tmp_path: Path) -> None:
    write_run(tmp_path, "real", took("a", 60.0), age=9)
    write_run(tmp_path, "replayed", took("a", 0.1), replay="rec")
    resumed = (EventKind.RUN_RESUMED, None, {"rerun": [], "replay": "rec"})
    write_run(tmp_path, "resumed", resumed, took("a", 0.1))
    assert past_durations(str(tmp_path), "p.yml") == ({"a": 60.0}, 1)


def test_only_the_last_ten_runs_count(tmp_path: Path) -> None:
    for age in range(15):
        write_run(tmp_path, f"r{age}", took("a", float(age)), age=age)
    assert past_durations(str(tmp_path), "p.yml") == ({"a": 4.5}, 10)


def test_all_attempts_of_a_node_that_succeeded_count_and_failures_do_not(tmp_path: Path) -> None:
    write_run(
        tmp_path,
        "r",
        took("a", 1.0, EventKind.NODE_RETRYING),
        took("a", 2.0),
        took("b", 5.0, EventKind.NODE_FAILED),
        took("c", 3.0, EventKind.NODE_FAILED, tolerated=True),
        took("d", 4.0, EventKind.NODE_FAILED),
        (EventKind.RUN_RESUMED, None, {"rerun": ["d"]}),
        took("d", 0.5),
    )
    assert past_durations(str(tmp_path), "p.yml").seconds == {"a": 3.0, "c": 3.0, "d": 0.5}


def test_s11_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert past_durations(str(tmp_path / "nowhere"), "p.yml") == ({}, 0)
    log = write_run(tmp_path, "damaged", took("a", 1.0), took("a", 2.0), took("a", 3.0))
    log.write_bytes(log.read_bytes().replace(b"1.0", b"7.0"))
    write_run(tmp_path, "odd", took("a", "long"), took("b", -1), (EventKind.RUN_RESUMED, None, {"rerun": 3}))
    write_run(tmp_path, "empty").write_bytes(b"")
    (tmp_path / "runs" / "file").write_text("x")
    write_run(tmp_path, "good", took("a", 1.0), took("b", float(10**12)))
    assert past_durations(str(tmp_path), "p.yml") == ({"a": 1.0}, 1)


def test_s1_no_link_is_followed_to_a_log(tmp_path: Path) -> None:
    outside, project = tmp_path / "outside", tmp_path / "project"
    log = write_run(outside, "r", took("a", 1.0))
    (project / ".pipe" / "runs" / "x").mkdir(parents=True)
    (project / ".pipe" / "runs" / "r").symlink_to(log.parent)
    (project / ".pipe" / "runs" / "x" / "log.jsonl").symlink_to(log)
    assert past_durations(str(project / ".pipe"), "p.yml", str(project)) == ({}, 0)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".pipe").symlink_to(outside)
    assert past_durations(str(tmp_path / "other" / ".pipe"), "p.yml", str(tmp_path / "other")) == ({}, 0)
    assert past_durations(str(tmp_path / "other" / ".pipe"), "p.yml").runs == 1  # somebody named it


def test_of_a_repeated_node_the_items_of_its_last_run_count(tmp_path: Path) -> None:
    write_run(tmp_path, "new", took("n[a]", 1.0), took("n[b]", 2.0), took("n", 2.5), age=0)
    write_run(tmp_path, "old", took("n[a]", 3.0), took("n[gone]", 9.0), took("n", 9.5), age=1)
    assert past_durations(str(tmp_path), "p.yml").seconds == {"n[a]": 2.0, "n[b]": 2.0, "n": 6.0}
