"""X2, S11: a run ends, and in words, whichever system call fails between it and what watches over its commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.injecting import injecting

PIPELINE = """\
version: 1
nodes:
  first: {run: echo one}
  much: {run: "head -c 200000 /dev/zero; sleep 0.05"}
  last: {run: 'echo "{{ nodes.first.output }} two"', needs: [much]}
outputs: {said: "{{ nodes.last.output }}"}
"""


def running(project: Path, *before: str) -> subprocess.CompletedProcess[str]:
    (project / "p.yml").write_text(PIPELINE)
    command = [*before, sys.executable, "-m", "pipe_runner", "run", "p.yml", "--run-id", "r1"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("call", "when"), [("sendto", 1), ("sendto", 3), ("sendmsg", 1)])
def test_what_the_system_has_no_room_to_send_is_sent_when_it_has(tmp_path: Path, call: str, when: int) -> None:
    done = running(tmp_path, *injecting(tmp_path, f"{call}:error=ENOBUFS:when={when}"))
    assert (done.returncode, done.stdout) == (0, "said: one two\n"), done.stderr


@pytest.mark.parametrize("when", [2, 3])
def test_x2_a_message_to_or_from_a_warden_that_is_lost_ends_what_waits_for_it(tmp_path: Path, when: int) -> None:
    done = running(tmp_path, *injecting(tmp_path, f"sendto:error=EIO:when={when}"))
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert "nobody knows how it ended" in done.stderr


@pytest.mark.parametrize("when", [1, 3, 5])  # the loop itself, the warden's socket, a pipe
def test_s11_output_that_the_loop_can_not_watch_fails_its_command_in_words(tmp_path: Path, when: int) -> None:
    done = running(tmp_path, *injecting(tmp_path, f"epoll_ctl:error=ENOSPC:when={when}"))
    assert "Traceback" not in done.stderr
    assert "a bug in pipe-runner" not in done.stderr


def test_a_sandbox_that_forbids_signals_costs_no_run_its_result(tmp_path: Path) -> None:
    done = running(tmp_path, *injecting(tmp_path, "kill:error=EPERM:when=1"))
    assert (done.returncode, done.stdout) == (0, "said: one two\n"), done.stderr


WAITS = "version: 1\nnodes:\n  ok: {agent: approval, with: {message: go?}}\n"


@pytest.mark.parametrize("command", [["approve", "r1", "ok"], ["cancel", "r1"]])
def test_s11_a_decision_on_a_run_whose_folder_can_not_be_read_says_so(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "p.yml").write_text(WAITS)
    pipe = [sys.executable, "-m", "pipe_runner"]
    subprocess.run([*pipe, "run", "p.yml", "--run-id", "r1"], cwd=tmp_path, capture_output=True, timeout=60)
    folder = tmp_path / ".pipe" / "runs" / "r1"
    forbidden = injecting(tmp_path, "openat:error=EACCES:when=1+", folder)
    done = subprocess.run([*forbidden, *pipe, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (74, f"error: cannot look into {folder}: Permission denied\n")


ELSEWHERE = ("unshare", "-rfp", "--kill-child")
"""A namespace of processes that still sees the /proc of those outside."""


def test_x2_no_process_is_ended_by_the_number_that_another_namespace_gives_it(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*ELSEWHERE, "true"], capture_output=True).returncode:
        pytest.skip("no namespace of processes can be made here")
    sees = "from pipe_runner.executors.family import below, children_of, stat_words;"
    asks = f"{sees} print(children_of(1), below(1), stat_words('/proc/1/stat'))"
    told = subprocess.run([*ELSEWHERE, sys.executable, "-c", asks], capture_output=True, text=True, timeout=60)
    assert told.stdout == "[] [] []\n", told.stderr
    done = running(tmp_path, *ELSEWHERE)
    assert (done.returncode, done.stdout) == (0, "said: one two\n"), done.stderr
