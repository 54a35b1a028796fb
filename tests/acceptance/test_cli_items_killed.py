"""Ten thousand items over a list that another node makes: killed midway, again and again, and gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shell

ITEMS = 10_000
KILLS = 4

FUNCTIONS = f"""
import os

def numbers():
    return list(range({ITEMS}))

def note(number):
    fd = os.open("begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, b"%d\\n" % number)
    os.close(fd)
    return number * 2
"""

PIPELINE = """\
version: 1
nodes:
  list: {agent: python, with: {call: "work.py:numbers"}}
  each:
    for_each: {items: "{{ nodes.list.output }}"}
    agent: python
    with: {call: "work.py:note", args: ["{{ item }}"]}
outputs: {doubled: "{{ nodes.each.output | map(attribute='output') | list }}"}
"""


def begun(folder: Path) -> Counter[str]:
    """How often each item was begun."""
    path = folder / "begun"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def succeeded(log: Path) -> set[str]:
    """Keys of the items whose success is in the log; its last line may be torn."""
    found = set()
    for line in log.read_bytes().split(b"\n")[:-1]:
        event = json.loads(line)
        if event["event"] == "node.succeeded" and event["node"].startswith("each["):
            found.add(event["node"][5:-1])
    return found


@pytest.mark.timeout(300)
def test_d1_d3_no_item_of_ten_thousand_that_had_succeeded_is_done_again(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(FUNCTIONS)
    (tmp_path / "each.yml").write_text(PIPELINE)
    (tmp_path / "pipe.yml").write_text("{}\n")
    log = tmp_path / ".pipe" / "runs" / "killed" / "log.jsonl"
    chance = random.Random(time.time_ns())
    words = ["run", "each.yml", "--run-id", "killed", "-q"]
    killed, before, done = 0, Counter[str](), set[str]()
    for _ in range(KILLS):
        target = len(begun(tmp_path)) + chance.randrange(200, ITEMS // (KILLS + 1))
        process = pipe.start(*words)
        while process.poll() is None and len(begun(tmp_path)) < target:
            time.sleep(0.01)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
        now = begun(tmp_path)
        assert [key for key in done if now[key] != before[key]] == [], "items that had succeeded were begun again"
        before, done = now, succeeded(log)
        words = ["resume", "killed", "-q"]
    assert killed == KILLS
    assert len(done) > 500

    last = pipe.alone("resume", "killed", "--output", "json")

    assert last.returncode == 0, last.stderr
    after = begun(tmp_path)
    assert len(after) == ITEMS
    assert [key for key in done if after[key] != before[key]] == [], "items that had succeeded were begun again"
    result = json.loads(last.stdout)
    items = result["nodes"]["each"]["output"]
    assert [item["key"] for item in items] == [str(number) for number in range(ITEMS)]
    assert result["outputs"]["doubled"] == [number * 2 for number in range(ITEMS)]
