"""A run whose functions don't let go: signals and time limits hold all the same (X1, X3)."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """
version: 1
nodes:
  blocks: {agent: python, with: {call: "tools.py:FUNCTION"}}
  other: {run: "sleep 60", timeout: 500ms}
finally:
  clean: {run: echo cleaned > cleaned}
"""
TOOLS = """
import asyncio, re, time
async def sleeps():
    open("began", "w").close()
    time.sleep(60)
async def swallows():
    open("began", "w").close()
    while True:
        try:
            await asyncio.sleep(1)
        except BaseException:
            pass
def starts():
    import subprocess
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 0.1 || :; done"])
    open("pid", "w").write(str(child.pid))
    open("began", "w").close()
    time.sleep(60)
def holds():
    import ctypes
    open("began", "w").close()
    ctypes.PyDLL(None).sleep(60 if once() else 0)
def matches():
    open("began", "w").close()
    re.match("(a+)+$", "a" * (40 if once() else 4) + "b")
def once():
    import os
    try:
        os.mkdir("once")
    except FileExistsError:
        return False
    return True
def ignores():
    open("began", "w").close()
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""


def start(pipe: Any, function: str, *words: str) -> Any:
    pipe.write("blocked.yml", PIPELINE.replace("FUNCTION", function))
    pipe.write("tools.py", TOOLS)
    process = pipe.start("run", "blocked.yml", *words)
    pipe.until(lambda: (pipe.folder / "began").exists())
    return process


@pytest.mark.parametrize("function", ["sleeps", "swallows", "ignores"])
@pytest.mark.few(1)
def test_x1_a_function_that_does_not_end_holds_up_neither_the_stop_nor_another_nodes_timeout(
    pipe: Any, function: str
) -> None:
    process = start(pipe, function, "--grace", "400ms")
    pipe.until(lambda: '"event":"node.failed"' in pipe.log())
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 143
    events = [json.loads(line) for line in pipe.log().splitlines()]
    assert (events[-1]["event"], events[-1]["status"]) == ("run.finished", "cancelled")
    assert [e["error"]["kind"] for e in events if e["event"] == "node.failed"] == ["timeout"]
    assert (pipe.folder / "cleaned").exists()


@pytest.mark.parametrize("function", ["holds", "matches"])
@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.few(1)
def test_x1_a_function_that_never_lets_python_go_on_is_killed_with_the_runner(
    pipe: Any, function: str, signals: int
) -> None:
    process = start(pipe, function, "--grace", "400ms" if signals == 1 else "50s")
    time.sleep(0.3)
    began = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # the system makes one signal of two that come at once
    process.communicate(timeout=20)
    assert time.monotonic() - began < 3.5
    assert process.returncode == -signal.SIGKILL
    pipe.write("blocked.yml", PIPELINE.replace("FUNCTION", function).replace("sleep 60", "sleep 0"))
    done = pipe("resume", "latest")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("signals", [1, 2])
def test_x1_signals_that_are_heard_in_time_kill_no_runner(pipe: Any, signals: int) -> None:
    process = start(pipe, "ignores", "--grace", "200ms")
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    process.communicate(timeout=20)
    assert process.returncode == 130


@pytest.mark.parametrize("function", ["starts", "sleeps", "swallows"])
@pytest.mark.few(1)
def test_x1_a_second_signal_ends_all_at_once_with_a_whole_log(pipe: Any, function: str) -> None:
    process = start(pipe, function, "--grace", "50s")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert time.monotonic() - began < 2.3
    assert process.returncode == 143
    assert json.loads(pipe.log().splitlines()[-1])["event"] == "run.finished"
    if function == "starts":
        stat = Path(f"/proc/{(pipe.folder / 'pid').read_text()}/stat")
        assert not stat.exists() or ") Z " in stat.read_text()
