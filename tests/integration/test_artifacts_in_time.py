"""Copying counts against the time of the node and of the run, and ends with a stop; nothing half done is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner import artifacts
from pipe_runner.artifacts import collect, kept, put_back
from pipe_runner.halts import Halt, Halted, Late
from pipe_runner.ports import Attempt
from pipe_runner.testing import FinishedRun, run_pipeline

HUGE = "truncate -s 100G out.bin"
"""Takes no room as it is, and minutes to copy."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path.resolve() / "root"
    top.mkdir()
    (top / "pipe.yml").write_text("version: 1\n")
    return top


def copies(root: Path) -> list[Path]:
    return [file for file in root.glob(".pipe/runs/*/artifacts/*") if file.is_file()]


def told(root: Path, text: str, **more: Any) -> tuple[FinishedRun, float]:
    began = time.monotonic()
    done = run_pipeline(f"version: 1\n{text}\n", root=root, **more)
    return done, time.monotonic() - began


def test_copying_counts_against_the_timeout(root: Path) -> None:
    done, took = told(root, f"nodes: {{n: {{run: {HUGE}, timeout: 500ms, artifacts: [{{name: x, path: out.bin}}]}}}}")
    error = done.node("n").error
    assert error == {"kind": "timeout", "message": "timed out after 0.5 s while its artifacts were copied"}
    assert took < 4, "seconds of the clock"
    assert copies(root) == []


def test_copying_counts_against_max_time_which_leaves_no_time_for_another_attempt(root: Path) -> None:
    node = f"{{run: {HUGE}, max_time: 500ms, retry: 3, artifacts: [{{name: x, path: out.bin}}]}}"
    done, took = told(root, f"nodes: {{n: {node}}}")
    assert done.node("n").error == {
        "kind": "timeout",
        "message": "timed out after 0.5 s while its artifacts were copied; its max_time of 0.5 s was over",
    }
    assert took < 4, "seconds of the clock"
    assert done.node("n").attempts == 1
    assert copies(root) == []


def test_an_attempt_that_was_late_copying_is_tried_again(root: Path) -> None:
    script = f"test $PIPE_ATTEMPT = 2 && echo 1 > out.bin || {HUGE}"
    node = f"{{run: '{script}', timeout: 500ms, retry: 2, artifacts: [{{name: x, path: out.bin}}]}}"
    done, _ = told(root, f"nodes: {{n: {node}}}")
    assert (done.node("n").status, done.node("n").attempts) == ("succeeded", 2)
    assert [item["bytes"] for item in done.node("n").artifacts] == [2]


def test_copying_ends_with_the_time_of_the_run(root: Path) -> None:
    text = f"budget: {{max_time: 500ms}}\nnodes: {{n: {{run: {HUGE}, artifacts: [{{name: x, path: out.bin}}]}}}}"
    done, took = told(root, text, grace=0.5)
    error = done.node("n").error
    assert error == {"kind": "run_timeout", "message": "the run's time was up"}
    assert took < 5, "seconds of the clock"
    assert copies(root) == []


def test_what_was_copied_before_the_one_that_took_too_long_does_not_stay(root: Path) -> None:
    more = "artifacts: [{name: small, path: a}, {name: x, path: out.bin}]"
    told(root, f"nodes: {{n: {{run: 'echo 1 > a; {HUGE}', timeout: 500ms, {more}}}}}")
    assert copies(root) == []


def test_putting_artifacts_into_a_directory_counts_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 0.05)
    nodes = (
        "nodes:\n  a: {run: truncate -s 5M f, artifacts: [{name: x, path: f}]}\n"
        "  b: {needs: [a], workspace: own, timeout: 300ms, run: touch ran}\n"
    )
    done, _ = told(root, nodes)
    error = done.node("b").error
    assert error == {
        "kind": "timeout",
        "message": "timed out after 0.3 s while the artifacts of what it needs were copied",
    }


def test_the_command_has_what_is_left_of_its_time_and_the_sentence_names_all_of_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 0.05)
    nodes = (
        "nodes:\n  a: {run: truncate -s 5M f, artifacts: [{name: x, path: f}]}\n"
        "  b: {needs: [a], workspace: own, timeout: 3s, run: sleep 2.5}\n"
    )
    done, _ = told(root, nodes)
    assert done.node("b").error == {"kind": "timeout", "message": "timed out after 3 s"}


def test_x1_an_interrupt_while_artifacts_are_copied_ends_it_within_the_grace(root: Path) -> None:
    (root / "f.yml").write_text(f"version: 1\nnodes: {{n: {{run: {HUGE}, artifacts: [{{name: x, path: out.bin}}]}}}}\n")
    command = [sys.executable, "-m", "pipe_runner", "run", "f.yml", "--grace", "500ms"]
    run = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until = time.monotonic() + 30
        while not copies(root) and time.monotonic() < until:
            time.sleep(0.05)
        assert copies(root)
        run.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, _ = run.communicate(timeout=30)
        assert time.monotonic() - began < 2.5
    finally:
        run.kill()
    assert run.returncode == 130, out
    assert "cancelled" in out
    assert copies(root) == []


def test_copying_that_begins_after_a_stop_has_what_is_left_of_the_grace(root: Path) -> None:
    script = f"trap : TERM; {HUGE}; sleep 1.5 & wait || true; wait || true"
    node = f"{{run: '{script}', artifacts: [{{name: x, path: out.bin}}]}}"
    done, took = told(root, f"budget: {{max_time: 1s}}\nnodes: {{n: {node}}}", grace=1.5)
    error = done.node("n").error
    assert error == {"kind": "run_timeout", "message": "the run's time was up"}
    assert took < 5, "seconds of the clock"
    assert copies(root) == []


def test_copies_that_are_whole_within_the_grace_are_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 0.05)
    text = "budget: {max_time: 600ms}\nnodes: {n: {run: truncate -s 5M f, artifacts: [{name: x, path: f}]}}"
    done, _ = told(root, text, grace=10)
    message = "the run's time was up before it had ended"
    assert done.node("n").error == {"kind": "run_timeout", "message": message, "exit_code": 0}
    assert len(copies(root)) == 1


def test_artifacts_of_a_cached_result_are_put_back_no_longer_than_the_run_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = "nodes: {n: {run: truncate -s 50M f, cache: true, artifacts: [{name: x, path: f}]}}"
    assert told(root, nodes)[0].status == "succeeded"
    (root / "f").unlink()
    slow(monkeypatch, 0.05)
    done, took = told(root, f"budget: {{max_time: 300ms}}\n{nodes}")
    assert took < 4, "seconds of the clock"
    assert (done.node("n").status, done.node("n").attempts) == ("cancelled", 0)
    assert [one for one in copies(root) if done.run.id in str(one)] == []
    assert not list(root.glob("*.part"))


def attempt(root: Path) -> Attempt:
    return Attempt("r", "n", 1, "shell", {}, {}, str(root), "k")


def after(times: int) -> Any:
    left = [times]

    def halted() -> bool:
        left[0] -= 1
        return left[0] < 0

    return halted


def test_who_is_told_to_end_leaves_nothing_half_done(root: Path, tmp_path: Path) -> None:
    (root / "f").write_bytes(bytes(2**20))
    there = str(tmp_path / "there")
    (found,) = collect(attempt(root), [("x", "f")], there, durable=True)
    with pytest.raises(Halted):
        collect(attempt(root), [("x", "f")], str(tmp_path / "kept"), durable=False, halted=after(2))
    with pytest.raises(Halted):
        kept(f"{there}/{found.sha256}", found.sha256, str(tmp_path / "kept"), durable=False, halted=after(2))
    (root / "f").unlink()
    with pytest.raises(Halted):
        put_back(attempt(root), [found.to_json()], there, halted=after(2))
    assert (os.listdir(tmp_path / "kept"), os.listdir(root)) == ([], ["pipe.yml"])


def test_d1_the_folder_of_artifacts_is_durable_in_its_run_before_they_are_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(artifacts, "sync_file", lambda fd: done.append("file"))
    monkeypatch.setattr(artifacts, "sync_directory", lambda path: done.append(os.path.basename(path)))
    (root / "f").write_bytes(b"x")
    (tmp_path / "run").mkdir()
    for _ in range(2):
        collect(attempt(root), [("x", "f")], str(tmp_path / "run/kept"), durable=True)
    assert done == ["run", "file", "kept", "file", "kept"]


def test_a_tree_of_empty_folders_ends_too(root: Path, tmp_path: Path) -> None:
    (root / "d/e/f/g").mkdir(parents=True)
    with pytest.raises(Halted):
        collect(attempt(root), [("x", "d")], str(tmp_path / "kept"), durable=False, halted=after(2))


def test_work_that_never_looks_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_runner.halts._LINGER", 0.05)

    async def late() -> float:
        began = time.monotonic()
        with pytest.raises(Late):
            await Halt(0.1).run(lambda: time.sleep(2))
        return time.monotonic() - began

    assert anyio.run(late) < 1


def test_what_is_done_in_time_is_given_and_its_faults_are_raised() -> None:
    async def both() -> None:
        assert await Halt(10).run(lambda: 7) == 7
        with pytest.raises(ValueError, match="told"):
            await Halt(None).run(lambda: int("told"))

    anyio.run(both)


def slow(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let each piece that is copied take that long."""
    read = artifacts._chunks

    def slowly(file: Any, halted: Any) -> Any:
        for chunk in read(file, halted):
            time.sleep(seconds)
            yield chunk

    monkeypatch.setattr(artifacts, "_chunks", slowly)
