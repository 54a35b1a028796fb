"""`pipe runs prune`: runs go by age and by number; those that are needed stay."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from typing import Any

import pytest

PIPELINE = "version: 1\nnodes: {a: {run: echo hi}}\n"
ASKING = "version: 1\nnodes: {ask: {agent: approval, with: {message: well?}}}\n"


@pytest.fixture
def runs(pipe: Any) -> Any:
    pipe.write("f.yml", PIPELINE)
    for run in ("one", "two", "three"):
        assert pipe("run", "f.yml", "--run-id", run, "-q").returncode == 0
    return lambda: sorted(entry for entry in os.listdir(pipe.folder / ".pipe" / "runs"))


def test_the_newest_stay(pipe: Any, runs: Any) -> None:
    told = pipe("runs", "prune", "--keep", "1")
    assert (told.returncode, runs()) == (0, ["three"])
    assert told.stdout.startswith("removed 2 runs, ")
    assert [one["run"] for one in json.loads(pipe("runs", "--output", "json").stdout)] == ["three"]


def test_what_is_young_stays(pipe: Any, runs: Any) -> None:
    assert json.loads(pipe("runs", "prune", "--older-than", "1h", "--output", "json").stdout)["removed"] == []
    time.sleep(1.1)
    told = json.loads(pipe("runs", "prune", "--older-than", "1s", "--keep", "2", "--output", "json").stdout)
    assert told["removed"] == ["one"] and told["bytes"] > 300
    assert runs() == ["three", "two"]


def test_a_dry_run_removes_nothing(pipe: Any, runs: Any) -> None:
    told = pipe("runs", "prune", "--keep", "1", "--dry-run")
    assert told.stdout == "two\none\nwould remove 2 runs\n"
    assert json.loads(pipe("runs", "prune", "--keep", "1", "--dry-run", "--output", "json").stdout)["bytes"] > 600
    assert runs() == ["one", "three", "two"]


def test_a_run_that_waits_for_a_person_stays(pipe: Any) -> None:
    pipe.write("f.yml", ASKING)
    assert pipe("run", "f.yml", "--run-id", "w", "-q").returncode == 75
    assert json.loads(pipe("runs", "prune", "--keep", "0", "--output", "json").stdout)["removed"] == []
    assert pipe("approve", "w", "ask").returncode == 0
    assert pipe("resume", "w", "-q").returncode == 0
    assert json.loads(pipe("runs", "prune", "--keep", "0", "--output", "json").stdout)["removed"] == ["w"]
    assert pipe("show", "w").returncode == 2


def test_a_run_that_goes_on_stays(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {a: {run: 'until [ -e go ]; do sleep 0.02; done'}}\n")
    running = pipe.start("run", "f.yml", "--run-id", "on", "-q")
    while not (pipe.folder / ".pipe" / "runs" / "on" / "log.jsonl").exists():
        time.sleep(0.02)
    told = pipe("runs", "prune", "--keep", "0")
    assert told.stdout == "removed 0 runs, 0 bytes\n" and "kept on: somebody works on it" in told.stderr
    assert pipe("runs", "prune", "--keep", "0", "--dry-run").stdout == "would remove 0 runs\n"
    (pipe.folder / "go").touch()
    assert running.wait(30) == 0


def test_several_at_the_same_time_are_no_fault(pipe: Any) -> None:
    pipe.write("f.yml", PIPELINE)
    for number in range(8):
        assert pipe("run", "f.yml", "--run-id", f"r{number}", "-q").returncode == 0
    at_once = [pipe.start("runs", "prune", "--keep", "1") for _ in range(4)]
    assert [one.wait(60) for one in at_once] == [0] * 4
    assert os.listdir(pipe.folder / ".pipe" / "runs") == ["r7"]


def test_what_a_killed_prune_has_left_goes_with_the_next(pipe: Any, runs: Any) -> None:
    folder = pipe.folder / ".pipe" / "runs"
    os.rename(folder / "one", folder / ".gone-one")
    assert pipe("runs", "prune", "--keep", "5").returncode == 0
    assert runs() == ["three", "two"]


def test_old_evaluations_go_with_old_runs(pipe: Any, runs: Any) -> None:
    for name, age in (("old", 7200), ("new", 0)):
        made = pipe.folder / ".pipe" / "evals" / name / "runs" / "a.1"
        made.mkdir(parents=True)
        for path in (made, made.parent.parent):
            os.utime(path, (time.time() - age,) * 2)
    told = json.loads(pipe("runs", "prune", "--older-than", "1h", "--output", "json").stdout)
    assert told["evaluations"] == 1 and os.listdir(pipe.folder / ".pipe" / "evals") == ["new"]


def test_an_age_before_there_were_calendars_is_older_than_every_run(pipe: Any, runs: Any) -> None:
    for age in ("25000d", "380000d", "999999999d"):
        told = json.loads(pipe("runs", "prune", "--older-than", age, "--output", "json").stdout)
        assert told["removed"] == []


def test_what_waits_stays_whatever_the_index_says(pipe: Any) -> None:
    pipe.write("f.yml", ASKING)
    assert pipe("run", "f.yml", "--run-id", "w", "-q").returncode == 75
    assert "waiting" in pipe("runs").stdout
    with sqlite3.connect(pipe.folder / ".pipe" / "index.db") as index:  # as it was before somebody went on with it
        index.execute("UPDATE runs SET summary = replace(summary, '\"waiting\"', '\"failed\"')")
    index.close()
    told = pipe("runs", "prune", "--keep", "0")
    assert told.stdout == "removed 0 runs, 0 bytes\n" and "kept w: " in told.stderr
    assert pipe("show", "w").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prune",), "say which runs to remove"),
        (("prune", "--keep", "-1"), "--keep: -1 is negative"),
        (("--keep", "1"), "`pipe runs` removes nothing"),
        (("purge",), "there is no `pipe runs purge`"),
    ],
)
def test_wrong_words_are_refused(pipe: Any, words: tuple[str, ...], said: str) -> None:
    told = pipe("runs", *words)
    assert told.returncode == 2 and said in told.stderr


@pytest.mark.parametrize("words", [(), ("prune", "--keep", "1")])
def test_a_state_directory_that_is_named_and_is_not_there_is_refused(pipe: Any, words: tuple[str, ...]) -> None:
    told = pipe("runs", *words, "--state-dir", "nowhere")
    assert told.returncode == 2 and "--state-dir: there is no directory " in told.stderr
    assert pipe("runs", *words).returncode == 0  # nothing has run here yet
