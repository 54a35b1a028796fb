"""How a run is stopped, watched and looked at from outside while it goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PIPE = str(Path(sys.executable).with_name("pipe"))
SLOW = """
version: 1
nodes:
  a: {run: "echo began; sleep 60"}
  b: {run: "echo {{ nodes.a.output }}"}
finally:
  clean: {run: echo cleaned > cleaned}
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_x1_a_signal_stops_the_run_with_a_whole_log_finally_and_its_exit_code(
    pipe: Any, number: signal.Signals, code: int
) -> None:
    pipe.write("slow.yml", SLOW)
    process = pipe.start("run", "slow.yml", "--grace", "2s")
    pipe.until(lambda: "began" in pipe.log())
    process.send_signal(number)
    _, stderr = process.communicate(timeout=15)
    assert process.returncode == code
    last = json.loads(pipe.log().splitlines()[-1])
    assert (last["event"], last["status"]) == ("run.finished", "cancelled")
    assert (pipe.folder / "cleaned").exists()
    assert f"go on with: pipe resume {pipe.run_id()}" in stderr


def test_x1_a_second_signal_kills_at_once_and_without_finally(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW.replace("sleep 60", "trap '' TERM; while :; do sleep 1; done"))
    process = pipe.start("run", "slow.yml", "--grace", "50s")
    pipe.until(lambda: "began" in pipe.log())
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert time.monotonic() - began < 2.5
    assert process.returncode == 143
    assert not (pipe.folder / "cleaned").exists()


def test_under_nohup_a_hangup_is_ignored(pipe: Any) -> None:
    pipe.write("two.yml", "version: 1\nnodes:\n  a: {run: 'echo began; sleep 1'}\n")
    process = pipe.start("run", "two.yml")
    process.kill()
    process.communicate()
    for path in (pipe.folder / ".pipe" / "runs").glob("*"):
        path.rename(pipe.folder / f"old-{path.name}")
    process = subprocess.Popen(
        ["nohup", PIPE, "run", "two.yml"],
        cwd=pipe.folder,
        env=pipe.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pipe.started.append(process)
    pipe.until(lambda: "began" in pipe.log())
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=15)
    assert process.returncode == 0


def test_what_ended_in_time_while_the_runner_was_stopped_is_not_timed_out(pipe: Any) -> None:
    pipe.write(
        "pay.yml", "version: 1\nnodes: {pay: {effect: once, timeout: 1s, run: 'echo began; sleep 0.5; echo paid'}}\n"
    )
    process = pipe.start("run", "pay.yml")
    pipe.until(lambda: "began" in pipe.log())
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    process.send_signal(signal.SIGCONT)
    _, told = process.communicate(timeout=15)
    assert process.returncode == 0, told
    assert '"event":"node.succeeded"' in pipe.log()


def test_cancel_from_another_terminal_waits_for_the_end_and_the_process_exits_with_130(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW)
    process = pipe.start("run", "slow.yml", "--grace", "2s")
    pipe.until(lambda: "began" in pipe.log())
    done = pipe("cancel", "latest")
    assert (done.returncode, done.stdout) == (0, f"run {pipe.run_id()} cancelled\n")
    process.communicate(timeout=15)
    assert process.returncode == 130
    again = pipe("cancel", "latest")
    assert again.returncode == 2
    assert "is not running: it is cancelled" in again.stderr


def test_a_run_that_is_worked_on_is_refused_to_a_second_resume_and_told_as_running(pipe: Any) -> None:
    pipe.write("slow.yml", SLOW)
    process = pipe.start("run", "slow.yml")
    pipe.until(lambda: "began" in pipe.log())
    refused = pipe("resume", "latest")
    assert refused.returncode == 2
    assert "is being worked on by" in refused.stderr
    assert f"running (process {process.pid})" in pipe("show", "latest").stdout
    process.kill()
    process.communicate()
    assert "status    interrupted" in pipe("show", "latest").stdout
    assert "interrupted" in pipe("runs").stdout
    told = json.loads(pipe("runs", "--output", "json").stdout)[0]
    assert (told["status"], told["interrupted"]) == ("running", True)
    assert "it was interrupted" in pipe("cancel", "latest").stderr


def test_logs_follow_a_run_until_it_ends(pipe: Any) -> None:
    pipe.write("two.yml", "version: 1\nnodes:\n  a: {run: 'echo began; sleep 1; echo ended'}\n")
    process = pipe.start("run", "two.yml")
    pipe.until(lambda: "began" in pipe.log())
    assert pipe("logs", "latest", "a", "-f").stdout == "began\nended\n"
    process.communicate(timeout=15)
    text = pipe("logs", "latest").stdout
    assert "a | began" in text and "succeeded  a" in text
