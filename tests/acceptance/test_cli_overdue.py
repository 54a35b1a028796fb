"""Time limits hold although a function never gives the interpreter back (X3), also under a warden that was replaced."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

TOOLS = """
import asyncio, ctypes, itertools, os, re, time
def matches():
    re.match("(a+)+$", "a" * (40 if once() else 4) + "b")
def holds():
    ctypes.PyDLL(None).sleep(60 if once() else 0)
def counts(number):
    sum(itertools.repeat(1, number))
async def spins(number):
    while number > 30 and not os.path.exists("enough"):
        pass
async def awaits():
    await asyncio.sleep(0)
    matches()
def waits():
    time.sleep(60 if not os.path.exists("enough") else 0)
def once():
    try:
        os.mkdir("once")
    except FileExistsError:
        return False
    return True
def matches_when_told():
    open("began", "w").close()
    while not os.path.exists("now"):
        time.sleep(0.01)
    matches()
"""
PIPE = str(Path(sys.executable).with_name("pipe"))
SAID = "has not given the interpreter back"


def start(pipe: Any, text: str, *words: str) -> Any:
    pipe.write("f.yml", "version: 1\n" + text)
    pipe.write("tools.py", TOOLS)
    return pipe.start("run", "f.yml", *words)


def call(function: str, more: str = "") -> str:
    return f"{{agent: python, with: {{call: 'tools.py:{function}'{more}}}"


def events(pipe: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in pipe.log().splitlines()]


def wardens(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"executors.warden" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize("function", ["matches", "holds", "awaits"])
@pytest.mark.few(1)
def test_x3_a_limit_holds_although_a_function_never_gives_the_interpreter_back(pipe: Any, function: str) -> None:
    process = start(pipe, f"nodes:\n  stuck: {call(function)}, timeout: 1s}}\n  other: {{run: sleep 60}}\n")
    began = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == -signal.SIGKILL
    assert f"error: node stuck: its limit of 1 s has passed, and the function {SAID}" in stderr
    assert "argv: [python" in stderr
    assert f"pipe resume {pipe.run_id()}" in stderr
    assert "status    interrupted" in pipe("show", "latest").stdout
    pipe.write("f.yml", pipe.folder.joinpath("f.yml").read_text().replace("sleep 60", "sleep 0"))
    done = pipe("resume", "latest")
    assert done.returncode == 0, done.stderr
    assert "again      stuck: its time limit passed" in done.stderr
    failed, resumed = [e for e in events(pipe) if e["event"] in ("node.failed", "run.resumed")]
    assert (failed["node"], failed["attempt"], failed["error"]["kind"]) == ("stuck", 1, "timeout")
    assert "the runner was ended" in failed["error"]["message"]
    assert failed["duration_s"] > 1
    assert failed["seq"] < resumed["seq"]
    assert not list(pipe.folder.glob(".pipe/runs/*/overrun.json"))


def test_the_command_that_goes_on_finds_a_run_kept_elsewhere(pipe: Any) -> None:
    text = f"nodes:\n  stuck: {call('matches')}, timeout: 1s}}\n"
    _, stderr = start(pipe, text, "--run-id", "r", "--state-dir", "kept").communicate(timeout=30)
    assert "; `pipe resume r --state-dir kept` goes on with the run" in stderr
    assert pipe("resume", "r", "--state-dir", "kept").returncode == 0


@pytest.mark.slow
def test_the_function_at_fault_is_told_from_those_that_wait_for_it(pipe: Any) -> None:
    others = "".join(f"  w{number}: {call('waits')}, timeout: 300ms}}\n" for number in range(6))
    process = start(pipe, f"nodes:\n{others}  stuck: {call('matches')}, timeout: 300ms}}\n")
    _, stderr = process.communicate(timeout=30)
    assert "error: node stuck: " in stderr
    pipe.write("enough", "")
    assert pipe("resume", "latest").returncode == 0
    assert [e["node"] for e in events(pipe) if e["event"] == "node.failed"] == ["stuck"]


@pytest.mark.slow
def test_a_function_may_take_its_time_whatever_the_limits_of_others(pipe: Any) -> None:
    several = 600_000_000
    long = call("counts", f", args: [{several}]")
    began = time.monotonic()
    process = start(pipe, f"nodes:\n  long: {long}, timeout: 10m}}\n  short: {call('waits')}, timeout: 100ms}}\n")
    while process.poll() is None and time.monotonic() < began + 60:
        time.sleep(0.1)
    assert process.returncode == 1
    ended = {e["node"]: e["event"] for e in events(pipe) if e["event"] in ("node.failed", "node.succeeded")}
    assert ended == {"long": "node.succeeded", "short": "node.failed"}


@pytest.mark.parametrize("limit", ["", ", timeout: 10m"])
@pytest.mark.slow
def test_the_limit_of_the_run_holds_as_well(pipe: Any, limit: str) -> None:
    process = start(pipe, f"budget: {{max_time: 500ms}}\nnodes:\n  stuck: {call('matches')}{limit}}}\n")
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert f"error: node stuck: the run's max_time has passed, and the function {SAID}" in stderr
    assert pipe("resume", "latest").returncode == 0
    (failed,) = [e for e in events(pipe) if e["event"] == "node.failed"]
    assert failed["error"]["kind"] == "run_timeout"


def test_a_function_on_the_runners_own_loop_that_blocks_it_is_ended_at_its_limit(pipe: Any) -> None:
    process = start(
        pipe,
        "concurrency: 1\nnodes:\n  many:\n    for_each: {items: '{{ range(32) | list }}'}\n    timeout: 500ms\n"
        "    agent: python\n    with: {call: 'tools.py:spins', args: ['{{ item }}']}\n",
    )
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert "error: node many[31]: its limit of 0.5 s" in stderr
    pipe.write("enough", "")
    assert pipe("resume", "latest").returncode == 0
    (failed,) = [e for e in events(pipe) if e["event"] == "node.failed"]
    assert (failed["node"], failed["error"]["kind"]) == ("many[31]", "timeout")


@pytest.mark.slow
def test_a_runner_that_is_stopped_for_long_is_not_ended(pipe: Any) -> None:
    process = start(pipe, f"nodes:\n  waits: {call('waits')}, timeout: 1s}}\n")
    pipe.until(lambda: "node.started" in pipe.log())
    process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=30)
    assert process.returncode == 1
    (failed,) = [e for e in events(pipe) if e["event"] == "node.failed"]
    assert failed["error"]["kind"] == "timeout"


@pytest.mark.parametrize("how", ["limit", "signal"])
@pytest.mark.slow
def test_a_warden_that_takes_the_place_of_another_ends_a_stuck_runner_as_well(pipe: Any, how: str) -> None:
    limit = ", timeout: 3s" if how == "limit" else ""
    process = start(pipe, f"nodes:\n  stuck: {call('matches_when_told')}{limit}}}\n", "--grace", "500ms")
    pipe.until(lambda: (pipe.folder / "began").exists())
    (first,) = wardens(process.pid)
    os.kill(first, signal.SIGKILL)
    pipe.until(lambda: [pid for pid in wardens(process.pid) if pid != first])
    time.sleep(0.5)
    pipe.write("now", "")
    time.sleep(0.3)
    if how == "signal":
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode == -signal.SIGKILL


def test_what_a_function_started_ends_with_the_runner_also_after_its_warden_was_replaced(pipe: Any) -> None:
    pipe.write(
        "start.py",
        "import subprocess, time\ndef starts():\n    child = subprocess.Popen(['sleep', '60'], env={})\n"
        "    open('pid', 'w').write(str(child.pid))\n    time.sleep(60)\n",
    )
    process = start(pipe, "nodes:\n  a: {agent: python, with: {call: 'start.py:starts'}}\n")
    pipe.until(lambda: (pipe.folder / "pid").exists() and (pipe.folder / "pid").read_text())
    (first,) = wardens(process.pid)
    os.kill(first, signal.SIGKILL)
    pipe.until(lambda: [pid for pid in wardens(process.pid) if pid != first])
    time.sleep(1)
    process.kill()
    process.wait()
    stat = Path(f"/proc/{(pipe.folder / 'pid').read_text()}/stat")
    pipe.until(lambda: not stat.exists() or ") Z " in stat.read_text(), 5)


@pytest.mark.slow
def test_a_limit_holds_in_a_test_of_a_pipeline_as_well(pipe: Any) -> None:
    pipe.write("f.yml", f"version: 1\nnodes:\n  stuck: {call('matches')}, timeout: 300ms}}\n")
    pipe.write("tools.py", TOOLS)
    pipe.write("f.test.yml", "version: 1\ncases:\n  is stuck: {}\n")
    done = pipe("test")
    assert done.returncode == -signal.SIGKILL
    assert "error: node stuck: its limit of 0.3 s" in done.stderr
    assert "pipe resume" not in done.stderr


CONTAINER = ("unshare", "-rfp", "--mount-proc", "--kill-child")


@pytest.mark.parametrize("how", ["limit", "signal"])
@pytest.mark.slow
def test_a_runner_that_is_the_first_process_of_a_container_is_ended_as_well(pipe: Any, how: str) -> None:
    if shutil.which("unshare") is None or subprocess.run([*CONTAINER, "true"], capture_output=True).returncode:
        pytest.skip("no namespace of processes can be made here")
    limit = ", timeout: 1s" if how == "limit" else ""
    pipe.write("f.yml", f"version: 1\nnodes:\n  stuck: {call('matches_when_told')}{limit}}}\n")
    pipe.write("tools.py", TOOLS)
    command = [*CONTAINER, PIPE, "run", "f.yml", "--grace", "500ms"]
    process = subprocess.Popen(command, cwd=pipe.folder, env=pipe.env, stderr=subprocess.PIPE, text=True)
    pipe.started.append(process)
    pipe.until(lambda: (pipe.folder / "began").exists())
    pipe.write("now", "")
    time.sleep(0.3)
    if how == "signal":
        (inside,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(inside), signal.SIGINT)
    _, stderr = process.communicate(timeout=15)
    assert process.returncode == 64
    assert ("error: node stuck: its limit of 1 s" in stderr) is (how == "limit")
    assert pipe("resume", "latest").returncode == 0
