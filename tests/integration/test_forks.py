"""Children that functions fork keep neither the runner nor anything of the run alive (X1, X2, D4, D8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from looking import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TOOLS = """
import multiprocessing, os, signal, subprocess, sys, threading, time
def mark(name):
    open(name, "a").close()
def work(n):
    mark(f"w{n}")
    time.sleep(60)
def pool():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(work, [1, 2])
def slowly():
    time.sleep(60)
def again(name):
    if os.path.exists(name):
        return True
    mark(name)
def forks():
    if again("forks"): return
    if os.fork() == 0:
        time.sleep(25)
        os._exit(0)
    time.sleep(60)
def starts():
    if again("starts"): return
    subprocess.Popen(["sleep", "61"])
    time.sleep(60)
def hides():
    if again("hides"): return
    subprocess.Popen(["env", "-i", "setsid", "sleep", "62"])
    time.sleep(60)
def ends():
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.1)
    os.kill(pid, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGTERM
def thread():
    threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
def returns():
    pid = os.fork()
    if pid == 0:
        print("said by", end=" ")
        return print("the child", end="")
    assert os.waitpid(pid, 0)[1] == 0
def leaves():
    pid = os.fork()
    if pid == 0:
        raise SystemExit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
def raises():
    pid = os.fork()
    if pid == 0:
        raise ValueError("of the child")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
def says():
    pid = os.fork()
    if pid == 0:
        sys.exit("why it ended")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
async def awaits():
    returns()
async def quick():
    mark("quick")
    if os.path.getsize("quick") < 30:
        open("quick", "a").write(".")
    else:
        returns()
def starter():
    def go():
        while True:
            subprocess.Popen(["sleep", "63"])
            time.sleep(0.005)
    threading.Thread(target=go, daemon=False).start()
    time.sleep(0.3)
"""
Start = Callable[[str], "subprocess.Popen[str]"]


def within(folder: Path) -> list[int]:
    """The processes that work in a folder: all of a run that is started there."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/cwd") == str(folder):
                    found.append(int(name))
            except OSError:
                continue
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []
    (tmp_path / "tools.py").write_text(TOOLS)

    def run(words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipe_runner", *words.split(), "--grace", "1s"]
        started.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for pid in within(tmp_path):
        os.kill(pid, signal.SIGKILL)
    for runner in started:
        runner.communicate()


def nodes(folder: Path, *calls: str, more: str = "") -> str:
    text = "".join(f"  {call}: {{agent: python, with: {{call: 'tools.py:{call}'}}}}\n" for call in calls)
    (folder / "p.yml").write_text(f"version: 1\nname: p\nnodes:\n{text}{more}")
    return "run p.yml --run-id r"


def test_x1_a_pool_of_processes_that_a_function_waits_for_does_not_keep_the_runner(
    tmp_path: Path, start: Start
) -> None:
    runner = start(nodes(tmp_path, "pool"))
    assert until(lambda: (tmp_path / "w2").exists(), 15)
    began = time.monotonic()
    runner.terminate()
    assert runner.wait(timeout=10) == 143
    assert time.monotonic() - began < 3.5
    assert within(tmp_path) == []


def test_x2_nothing_is_left_when_a_second_signal_ends_the_runner(tmp_path: Path, start: Start) -> None:
    more = "  late: {agent: python, timeout: 500ms, with: {call: 'tools.py:pool'}}\n  command: {run: sleep 64}\n"
    runner = start(nodes(tmp_path, "pool", more=more))
    assert until(lambda: (tmp_path / "w2").exists(), 15)
    time.sleep(0.8)
    runner.terminate()
    time.sleep(0.1)
    runner.terminate()
    assert runner.wait(timeout=4) == 143
    assert until(lambda: not within(tmp_path), 1)


def test_x2_d4_d8_with_a_killed_runner_all_ends_that_functions_forked_and_started(tmp_path: Path, start: Start) -> None:
    runner = start(
        nodes(tmp_path, "forks", "starts", "hides", more="  command: {run: '[ -e c ] || { >c; sleep 65; }'}\n")
    )
    assert until(lambda: all((tmp_path / name).exists() for name in ("forks", "starts", "hides", "c")), 15)
    time.sleep(0.5)
    assert len(within(tmp_path)) >= 6
    runner.kill()
    resumed = start("resume r")
    assert resumed.wait(timeout=10) == 0
    assert within(tmp_path) == []


def test_a_signal_to_a_forked_child_is_the_childs_alone(tmp_path: Path, start: Start) -> None:
    runner = start(nodes(tmp_path, "ends"))
    _, told = runner.communicate(timeout=15)
    assert runner.returncode == 0
    assert "SIGTERM" not in told


@pytest.mark.parametrize("call", ["thread", "starter"])
@pytest.mark.few(1)
def test_x2_a_thread_that_a_function_left_keeps_nothing_alive(tmp_path: Path, start: Start, call: str) -> None:
    runner = start(nodes(tmp_path, call))
    assert runner.wait(timeout=8) == 0
    assert until(lambda: not within(tmp_path), 0.5)


def test_a_forked_child_ends_where_it_would_go_on_as_the_runner(tmp_path: Path, start: Start) -> None:
    calls = ("returns", "leaves", "raises", "says", "awaits")
    more = "  quick: {agent: python, for_each: {items: '{{ range(40) | list }}'}, with: {call: 'tools.py:quick'}}\n"
    more += "concurrency: 1\n"
    runner = start(nodes(tmp_path, *calls, more=more))
    try:
        assert runner.wait(timeout=15) == 0
    finally:
        runner.kill()
    log = (tmp_path / ".pipe" / "runs" / "r" / "log.jsonl").read_text()
    assert log.count('"run.finished"') == 1
    assert "said by the child" in log
    assert "ValueError: of the child" in log
    assert '"why it ended\\n"' in log, "as Python says it, without a traceback"
    assert within(tmp_path) == []


def test_a_forked_child_ends_also_where_it_can_not_say_why() -> None:
    code = (
        "import os, sys; from pipe_agents.threads import leave\n"
        "sys.stderr.close()\n"
        "try: leave(ValueError('of the child'))\n"
        "finally: os._exit(42)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 1
