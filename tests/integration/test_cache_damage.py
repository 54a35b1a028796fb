"""What stands in the cache's directory in place of its files costs a result, never a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipe_runner.resultcache import keeper
from pipe_runner.resultcache.room import Room
from pipe_runner.testing import run_pipeline


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path.resolve()
    (top / "p.yml").write_text("version: 1\nnodes: {n: {run: echo done, cache: true}}\n")
    return top


def pipe(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipe_runner", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("words", [("run", "p.yml", "--explain"), ("cache", "ls"), ("cache", "prune", "--all")])
def test_a_cache_that_is_a_file_holds_nothing(root: Path, words: tuple[str, ...]) -> None:
    (root / ".pipe").mkdir()
    (root / ".pipe/cache").write_text("")
    done = pipe(root, *words)
    assert done.returncode == 0, done.stderr


def test_a_size_that_is_no_file_is_not_known(root: Path) -> None:
    (root / ".pipe/cache").mkdir(parents=True)
    os.mkfifo(root / ".pipe/cache/size")
    done = pipe(root, "run", "p.yml")
    assert done.returncode == 0, done.stderr


def test_a_plan_that_is_no_file_is_made_again(root: Path) -> None:
    assert pipe(root, "run", "p.yml").returncode == 0
    plans = list((root / ".pipe/cache/plans").iterdir())
    assert plans
    for plan in plans:
        plan.unlink()
        os.mkfifo(plan)
    assert pipe(root, "run", "p.yml").returncode == 0
    assert all(plan.is_file() for plan in plans)


def test_a_folder_among_results_is_removed(root: Path) -> None:
    (root / f".pipe/cache/results/{'a' * 64}/in").mkdir(parents=True)
    done = pipe(root, "cache", "prune", "--all")
    assert done.returncode == 0, done.stderr
    assert not list((root / ".pipe/cache/results").iterdir())


def test_a_cache_that_somebody_holds_for_long_is_done_without(root: Path) -> None:
    (root / ".pipe").mkdir()
    code = (
        "from pipe_runner.resultcache import keeper; keeper.PATIENCE = 0.2\n"
        "from pipe_runner.cli import main; raise SystemExit(main())"
    )
    with Room(str(root / ".pipe/cache")).hold(alone=True):
        command = [sys.executable, "-c", code, "run", "p.yml"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "n is not cached: " in done.stderr and "n is not kept" not in done.stderr


def test_who_waits_for_the_cache_ends_when_the_run_is_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PATIENCE", 60.0)
    (root / ".pipe").mkdir()
    with Room(str(root / ".pipe/cache")).hold(alone=True):
        ran = run_pipeline((root / "p.yml").read_text() + "budget: {max_time: 500ms}\n", root=root)
    assert ran.statuses == {"n": "cancelled"}
