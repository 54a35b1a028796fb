"""What no warden watches over ends with the run all the same: of functions, and of a killed warden (X2, D4)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from looking import alive, until

from pipe_runner.testing import run_pipeline

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and a subreaper")

TOOLS = """
import os, subprocess, time
kept = []
EMPTY = ["env", "-i", "PATH=/usr/bin:/bin"]
def child(seconds, *words):
    script = "echo $$ > p.new; mv p.new p; trap '' TERM; while :; do sleep 0.1 || :; done"
    kept.append(subprocess.Popen([*words, "sh", "-c", script]))
    while not os.path.exists("p"):
        time.sleep(0.01)
    time.sleep(seconds)
def plain(seconds=0.2): child(seconds)
def emptied(seconds=0.2): child(seconds, *EMPTY)
def away(seconds=0.2): child(seconds, "setsid", "-f", *EMPTY)
def emptied60(): emptied(60)
def away60(): away(60)
def polite():
    script = "trap 'echo bye > bye; exit' TERM; echo $$ > p; while :; do sleep 0.05; done"
    kept.append(subprocess.Popen(["sh", "-c", script]))
    while not os.path.exists("p"):
        time.sleep(0.01)
def brief():
    subprocess.run(["true"], check=True)
def waits():
    subprocess.run(["sh", "-c", "echo $$ > p; sleep 60"])
async def awaits():
    import asyncio
    await (await asyncio.create_subprocess_exec("sh", "-c", "echo $$ > p; exec sleep 60")).wait()
def aside():
    subprocess.run([*EMPTY, "sh", "-c", "echo $$ > q; sleep 1; echo done > aside"])
"""
Start = Callable[..., "subprocess.Popen[str]"]


def pid_of(path: Path) -> int:
    assert until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []
    (tmp_path / "tools.py").write_text(TOOLS)

    def run(text: str, before: str = "") -> subprocess.Popen[str]:
        (tmp_path / "p.yml").write_text(text)
        script = f'{before}exec "$0" -m pipe_runner run p.yml --grace 400ms'
        started.append(
            subprocess.Popen(["sh", "-c", script, sys.executable], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        )
        return started[-1]

    yield run
    for runner in started:
        runner.kill()
    for name in ("p", "q", "before"):
        if (tmp_path / name).exists() and alive(pid := int((tmp_path / name).read_text())):
            os.kill(pid, signal.SIGKILL)
    for runner in started:
        runner.communicate()


def one(call: str, more: str = "") -> str:
    return f"version: 1\nnodes:\n  n:\n    agent: python\n    with: {{call: 'tools.py:{call}'}}\n{more}"


@pytest.mark.few(1)
@pytest.mark.parametrize("call", ["plain", "emptied", "away"])
def test_x2_what_a_function_left_ends_with_the_run(tmp_path: Path, start: Start, call: str) -> None:
    runner = start(one(call))
    assert runner.wait(timeout=20) == 0
    assert not alive(pid_of(tmp_path / "p"))


def test_x2_it_gets_term_and_time_to_end(tmp_path: Path, start: Start) -> None:
    assert start(one("polite")).wait(timeout=20) == 0
    assert (tmp_path / "bye").exists()


def test_x2_what_was_there_before_the_runner_is_left_alone(tmp_path: Path, start: Start) -> None:
    runner = start(one("plain"), before="sleep 60 & echo $! > before; ")
    assert runner.wait(timeout=20) == 0
    assert alive(pid_of(tmp_path / "before"))


@pytest.mark.parametrize("call", ["emptied", "away"])
def test_x2_a_killed_runners_go_and_what_was_there_before_it_stays(tmp_path: Path, start: Start, call: str) -> None:
    runner = start(one(f"{call}60"), before="sleep 60 & echo $! > before; ")
    pid = pid_of(tmp_path / "p")
    time.sleep(0.4)
    runner.kill()
    assert until(lambda: not alive(pid), 5)
    assert alive(pid_of(tmp_path / "before"))


def test_a_run_inside_of_another_program_ends_no_process_of_that_program(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(TOOLS)
    with subprocess.Popen(["env", "-i", "sleep", "60"]) as mine:
        done = run_pipeline(one("brief"), root=tmp_path)
        assert done.status == "succeeded"
        assert mine.poll() is None
        mine.kill()


@pytest.mark.parametrize("call", ["waits", "awaits"])
def test_x3_a_process_that_a_function_waits_for_ends_with_its_attempt(tmp_path: Path, start: Start, call: str) -> None:
    runner = start(one(call, "    timeout: 500ms\n  other: {run: 'while [ ! -e go ]; do sleep 0.05; done'}\n"))
    pid = pid_of(tmp_path / "p")
    assert until(lambda: not alive(pid), 1.8)
    assert runner.poll() is None
    (tmp_path / "go").touch()
    _, told = runner.communicate(timeout=20)
    assert "still runs" not in told


COMMANDS = """
version: 1
nodes:
  n: {run: "echo $$ > p; exec env -i sleep 60"}
  m: {agent: python, with: {call: "tools.py:aside"}}
  after: {run: echo went on > after, needs: [n], run_on: always}
"""


def test_x2_when_the_warden_is_killed_what_emptied_its_environment_ends_and_functions_go_on(
    tmp_path: Path, start: Start
) -> None:
    runner = start(COMMANDS)
    pid, aside = pid_of(tmp_path / "p"), pid_of(tmp_path / "q")
    time.sleep(0.2)
    children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
    for warden in map(int, children):
        if b"warden" in Path(f"/proc/{warden}/cmdline").read_bytes():
            os.kill(warden, signal.SIGKILL)
    assert until(lambda: not alive(pid), 5)
    assert alive(aside)
    assert runner.wait(timeout=20) == 1
    assert (tmp_path / "aside").exists()
    assert (tmp_path / "after").exists()
