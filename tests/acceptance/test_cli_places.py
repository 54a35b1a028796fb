"""Where functions run, and what a signal does while `finally` runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "pipe_runner"]


def test_functions_run_in_the_projects_root_from_wherever_pipe_was_called(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text("{}\n")
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "tools.py").write_text("import os\ndef where():\n    return os.getcwd()\n")
    (below / "p.yml").write_text('version: 1\nnodes:\n  a: {agent: python, with: {call: "tools.py:where"}}\n')
    done = subprocess.run(
        [*COMMAND, "run", "p.yml", "--output", "json", "--junit", "out.xml"], cwd=below, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["nodes"]["a"]["output"] == str(tmp_path.resolve())
    assert (below / "out.xml").exists()


def test_x1_a_first_signal_lets_finally_end_and_a_second_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        "version: 1\nnodes:\n  a: {run: echo a}\n"
        "finally:\n  f: {run: touch began; sleep 1}\n  g: {needs: [f], run: touch cleaned}\n"
    )
    for signals in (1, 2):
        for name in ("began", "cleaned"):
            (tmp_path / name).unlink(missing_ok=True)
        runner = subprocess.Popen([*COMMAND, "run", "p.yml"], cwd=tmp_path, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not (tmp_path / "began").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            for _ in range(signals):
                runner.send_signal(signal.SIGTERM)
                time.sleep(0.1)
            assert runner.wait(timeout=20) == (0 if signals == 1 else 143)
        finally:
            runner.kill()
        assert (tmp_path / "cleaned").exists() == (signals == 1)


def test_a_resume_takes_the_defaults_of_inputs_that_the_file_has_gained(tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    file.write_text("version: 1\nnodes:\n  z: {run: exit 1}\n")
    subprocess.run([*COMMAND, "run", "p.yml", "--run-id", "r"], cwd=tmp_path, check=False, capture_output=True)
    file.write_text('version: 1\ninputs: {q: {type: string}}\nnodes:\n  z: {run: "echo {{ inputs.q }}"}\n')
    refused = subprocess.run([*COMMAND, "resume", "r"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "q" in refused.stderr
    file.write_text('version: 1\ninputs: {q: {type: integer, default: 7}}\nnodes:\n  z: {run: "echo {{ inputs.q }}"}\n')
    done = subprocess.run(
        [*COMMAND, "resume", "r", "--output", "json"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["nodes"]["z"]["output"] == "7"
    shown = subprocess.run([*COMMAND, "show", "r"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "q = 7" in shown.stdout


def test_a_result_that_nobody_can_take_is_no_bug_of_ours(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes:\n  a: {run: echo a}\noutputs: {a: '{{ nodes.a.output }}'}\n")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "run", "p.yml"], cwd=tmp_path, check=False, stdout=full, stderr=subprocess.PIPE, env=environment
        )
    assert done.returncode == 74, done.stderr


def test_d8_a_run_that_was_ended_before_it_began_can_be_started_again_under_its_id(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes:\n  a: {run: echo x}\n")
    pipe.write(".pipe/runs/r1/request.json", '{"pipel')
    pipe.write(".pipe/runs/r1/warden.lock", "")
    refused = pipe("resume", "r1")
    assert refused.returncode == 2
    assert "run r1 never began" in refused.stderr
    assert "pipe run FILE --run-id r1" in refused.stderr
    assert pipe("run", "f.yml", "--run-id", "r1").returncode == 0
    again = pipe("run", "f.yml", "--run-id", "r1")
    assert again.returncode == 2
    assert "there is a run r1 already" in again.stderr
    assert pipe("resume", "r1").returncode == 0


def test_inputs_that_are_too_large_for_the_log_are_refused_before_anything_is_made(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\ninputs: {x: {type: string}}\nnodes:\n  a: {run: 'echo {{ inputs.x | length }}'}\n")
    pipe.write("in.json", json.dumps({"x": "é" * 6_000_000}, ensure_ascii=False))
    refused = pipe("run", "f.yml", "--inputs", "in.json")
    assert refused.returncode == 2
    assert "the run's inputs take 34 MiB in its log" in refused.stderr
    assert not (pipe.folder / ".pipe" / "runs").exists()


@pytest.mark.parametrize("form", ["github", "gitlab", "sarif"])
def test_services_are_told_paths_from_the_top_of_the_repository(pipe: Any, form: str) -> None:
    pipe.write("svc/x/bad.yml", "version: 1\nnodes: {a: {rum: echo hi}}\n")
    (pipe.folder / ".git").mkdir()
    done = pipe("check", "x/bad.yml", "--format", form, cwd=pipe.folder / "svc")
    assert "svc/x/bad.yml" in done.stdout
    assert pipe("check", "x/bad.yml", "--format", "json", cwd=pipe.folder / "svc").stdout.count("svc/x") == 0


@pytest.mark.parametrize("words", [["runs"], ["show", "latest"], ["resume", "r"], ["runs", "prune", "--keep", "0"]])
def test_runs_that_can_not_be_read_are_not_called_none(pipe: Any, words: list[str]) -> None:
    (pipe.folder / ".pipe").mkdir()
    (pipe.folder / ".pipe/runs").symlink_to("runs")  # an error that root meets, too
    done = pipe(*words)
    assert (done.returncode, done.stdout) == (74, "")
    assert done.stderr == f"error: cannot read {pipe.folder}/.pipe/runs: Too many levels of symbolic links (ELOOP)\n"


def test_a_run_whose_directory_can_not_be_read_is_listed_as_that(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo hi}}\n")
    assert pipe("run", "p.yml", "--run-id", "good").returncode == 0
    (pipe.folder / ".pipe/runs/bad").symlink_to("bad")
    rows = {row["run"]: row["status"] for row in json.loads(pipe("runs", "--output", "json").stdout)}
    assert rows == {"good": "succeeded", "bad": "unreadable"}
    done = pipe("show", "bad")
    assert (done.returncode, done.stdout) == (74, "")
    assert "runs/bad/log.jsonl: Too many levels of symbolic links" in done.stderr
