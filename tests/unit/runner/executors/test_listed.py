"""What is read of `ps`: pids, parents, and variables, whatever is in their values."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from pipe_runner.executors import leftovers
from pipe_runner.executors.listed import Listed, ancestors, listed


def ps(folder: Path, monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    program = folder / "ps"
    program.write_text(f"#!/bin/sh\ncat <<'X'\n{printed}\nX\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_lines_become_processes_and_what_is_none_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ps(tmp_path, monkeypatch, "    1     0 /sbin/launchd\n  200     1 sleep 60 PIPE_NODE=n\n\n  x y z\n  7")
    assert listed() == [Listed(1, 0, b" /sbin/launchd "), Listed(200, 1, b" sleep 60 PIPE_NODE=n ")]


def test_without_ps_there_are_no_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert listed() == []


def test_a_variable_with_blanks_in_it_is_found_and_the_beginning_of_another_is_not() -> None:
    one = Listed(2, 1, b" sh -c x PIPE_RUN_DIR=/My Project/.pipe/runs/a PIPE_NODE=probe[1] ")
    assert one.shows([b"PIPE_RUN_DIR=/My Project/.pipe/runs/a", b"PIPE_NODE=probe[1]"])
    assert not one.shows([b"PIPE_RUN_DIR=/My Project/.pipe/runs/"])
    assert not one.shows([b"PE_NODE=probe[1]"])
    assert one.value("PIPE_NODE") == b"probe[1]"
    assert one.value("PIPE_ATTEMPT") == b""


def test_a_warden_is_told_marks_and_is_none_of_what_it_looks_for() -> None:
    assert not Listed(2, 1, b" python -c from pipe_runner.executors.warden import main PIPE_RUN_ID=r ").shows(
        [b"PIPE_RUN_ID=r"]
    )


def test_a_program_that_has_to_do_with_a_file_of_ours_is_none_of_ours() -> None:
    for command in ("tail -f pipe_runner.executors.warden.log", "grep -rn pipe_runner.runlog.syncer ."):
        assert Listed(2, 1, f" {command} PIPE_RUN_ID=r ".encode()).shows([b"PIPE_RUN_ID=r"])


def test_ancestors_go_up_to_the_first_process_and_survive_a_circle() -> None:
    processes = [Listed(9, 8, b""), Listed(8, 1, b""), Listed(1, 0, b""), Listed(5, 6, b""), Listed(6, 5, b"")]
    assert ancestors(9, processes) == {9, 8, 1}
    assert ancestors(5, processes) == {5, 6}


@pytest.mark.parametrize("lack", ["no name", "an old kernel"])
def test_d4_leftovers_are_ended_without_pidfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str) -> None:
    def refuse(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    if lack == "no name":
        monkeypatch.delattr(os, "pidfd_open")
    else:
        monkeypatch.setattr(os, "pidfd_open", refuse)
    lock = str(tmp_path / "warden.lock")
    marked = {**os.environ, **leftovers.marks("r", lock), "PIPE_NODE": "n", "PIPE_ATTEMPT": "2"}
    with subprocess.Popen(["sleep", "60"], env=marked) as process, subprocess.Popen(["sleep", "60"]) as other:
        assert leftovers.end_leftovers("r", lock) == [leftovers.Leftover(process.pid, "n", "2")]
        assert process.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()
