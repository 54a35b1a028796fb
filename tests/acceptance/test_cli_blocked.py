"""A run whose functions don't let go: signals and time limits hold all the same (X1, X3)."""

from __future__ import annotations

import json
import signal
import time
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
def test_x1_a_function_that_does_not_end_holds_up_neither_the_stop_nor_another_nodes_timeout(
    pipe: Any, function: str
) -> None:
    process = start(pipe, function, "--grace", "1s")
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
