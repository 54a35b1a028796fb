"""`limits.cache`: the cache of results stays within its bound, whoever writes to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.resultcache.entries import Entries
from pipe_runner.testing import run_pipeline

BOUND = 40_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path.resolve()
    (top / "pipe.yml").write_text(f"limits: {{cache: {BOUND}}}\n")
    (top / "p.yml").write_text(
        "version: 1\ninputs: {x: {type: integer, default: 0}, of: {type: integer, default: 50}}\n"
        "nodes:\n  n: {for_each: {items: \"{{ range(inputs.x, inputs.x + inputs.of) | list }}\", key: '{{ item }}'},\n"
        "    run: \"printf '%02000d' {{ item }}\", cache: true}\n"
    )
    return top


def pipe(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipe_runner", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def test_a_run_that_gives_more_than_the_bound_leaves_the_last_results(root: Path) -> None:
    pipe(root, "run", "p.yml", "--concurrency", "1")
    entries = Entries(root / ".pipe")
    assert BOUND * 0.7 < entries.total() <= BOUND
    kept = {entry.node for entry, _ in entries.all()}
    assert "n[49]" in kept and "n[0]" not in kept
    again = json.loads(
        pipe(root, "run", "p.yml", "--concurrency", "1", "-i", "x=45", "-i", "of=5", "--output", "json").stdout
    )
    assert {item["status"] for item in again["nodes"]["n"]["output"]} == {"cached"}


def test_processes_side_by_side_stay_within_it_together(root: Path) -> None:
    command = [sys.executable, "-m", "pipe_runner", "run", "p.yml", "-q", "-i"]
    runs = [subprocess.Popen([*command, f"x={100 * number}"], cwd=root) for number in range(3)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    entries = Entries(root / ".pipe")
    assert entries.total() <= BOUND
    for entry, _ in entries.all():
        assert entries.read(entry.key) == entry


def test_most_stores_count_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    shrink = Entries.shrink

    def noted(self: Entries, *given: Any, **named: Any) -> Any:
        counted.append(given)
        return shrink(self, *given, **named)

    monkeypatch.setattr(Entries, "shrink", noted)
    run_pipeline((root / "p.yml").read_text().replace("%02000d", "%d"), inputs={"of": 200}, root=root)
    assert Entries(root / ".pipe").total() > BOUND / 2
    assert 1 <= len(counted) <= 40


def test_a_result_that_is_larger_than_the_bound_is_not_kept_and_nothing_goes_for_it(root: Path) -> None:
    pipe(root, "run", "p.yml", "-i", "of=3")
    (root / "q.yml").write_text("version: 1\nnodes: {n: {run: seq 20000, cache: true}}\n")
    done = pipe(root, "run", "q.yml")
    assert "n is not kept in the cache: it has 1" in done.stderr and f"and limits.cache is {BOUND}" in done.stderr
    assert len(list(Entries(root / ".pipe").all())) == 3


def test_ls_tells_the_sum_and_the_bound_and_prune_takes_one(root: Path) -> None:
    pipe(root, "run", "p.yml", "-i", "of=5", "--concurrency", "1")
    entries = Entries(root / ".pipe")
    assert f"5 results, {entries.total()} bytes, at most {BOUND} (limits.cache)\n" in pipe(root, "cache", "ls").stdout
    assert pipe(root, "cache", "prune", "--max-size", "6kB").stdout.startswith("removed ")
    assert 0 < entries.total() <= 6000
    pipe(root, "cache", "prune", "--max-size", "0")
    assert pipe(root, "cache", "ls").stdout == "no cached results\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prune", "--max-size", "much"], "--max-size: `much` is not a size"),
        (["prune", "--max-size", "1kB", "--all"], "say which results to remove"),
        (["ls", "--max-size", "1kB"], "`pipe cache ls` removes nothing"),
    ],
)
def test_what_can_t_be_meant_is_told(root: Path, words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "pipe_runner", "cache", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_hit_makes_a_result_one_of_the_last_that_go(root: Path) -> None:
    pipe(root, "run", "p.yml", "-i", "of=3", "--concurrency", "1")
    results = root / ".pipe/cache/results"
    for path in results.iterdir():
        os.utime(path, (1, 1))
    pipe(root, "run", "p.yml", "-i", "of=1", "--concurrency", "1")
    (used,) = [path for path in results.iterdir() if path.stat().st_mtime > 1]
    size = used.stat().st_size
    pipe(root, "cache", "prune", "--max-size", str(size))
    assert list(results.iterdir()) == [used]


def test_where_nothing_ever_ran_pruning_makes_nothing(root: Path) -> None:
    assert pipe(root, "cache", "prune", "--all").stdout == "removed 0 results, 0 bytes\n"
    assert not (root / ".pipe").exists()
