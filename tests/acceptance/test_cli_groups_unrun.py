"""Runs that wait for their group, or never get it: what becomes of them and of their nodes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

FILE = """version: 1
inputs: {hold: {type: boolean, default: false}}
concurrency: {group: g}
nodes:
  work: {effect: once, run: "echo act >> acts; if test {{ inputs.hold }} = true; then sleep 60; fi"}
"""
NEVER = """version: 1
inputs: {x: {type: string, default: ""}}
TOP
nodes:
  a: {run: echo a >> ran}
  b: {needs: a, run: echo b >> ran}
  s: {pipeline: sub.yml}
on_failure: {h: {run: echo h >> ran}}
finally: {f: {run: echo f >> ran}}
"""


def log(pipe: Any, run: str) -> list[dict[str, Any]]:
    path = pipe.folder / ".pipe" / "runs" / run / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def waiting(pipe: Any) -> tuple[Any, Any]:
    """A run that has the group, and one that waits for it."""
    pipe.write("p.yml", FILE)
    one = pipe.start("run", "p.yml", "--run-id", "one", "-i", "hold=true")
    pipe.until(lambda: (pipe.folder / "acts").exists())
    two = pipe.start("run", "p.yml", "--run-id", "two")
    pipe.until(lambda: log(pipe, "two"))
    time.sleep(0.5)
    return one, two


def test_d10_a_warden_that_dies_while_its_run_waits_takes_no_node_with_it(pipe: Any) -> None:
    one, two = waiting(pipe)
    wardens = [int(p) for path in Path(f"/proc/{two.pid}/task").glob("*/children") for p in path.read_text().split()]
    assert wardens
    for pid in wardens:
        os.kill(pid, signal.SIGKILL)
    one.send_signal(signal.SIGINT)
    _, told = two.communicate(timeout=20)
    assert two.returncode == 0, told
    assert (pipe.folder / "acts").read_text() == "act\nact\n"


def test_d7_a_run_whose_log_is_removed_while_it_waits_ends_with_74(pipe: Any) -> None:
    _, two = waiting(pipe)
    shutil.rmtree(pipe.folder / ".pipe" / "runs" / "two")
    _, told = two.communicate(timeout=20)
    assert two.returncode == 74, told
    assert "log.jsonl was removed while the run went on" in told
    assert (pipe.folder / "acts").read_text() == "act\n"


@pytest.mark.parametrize(
    ("top", "said", "handlers"),
    [
        ("concurrency: {group: '{{ inputs.x }}'}", "concurrency.group: its name is empty (in p.yml:3:22)", False),
        (
            "concurrency: {group: 'g{{ inputs.x[5] }}'}",
            "5] is not there: inputs.x has 0 characters (in p.yml:3:22)",
            False,
        ),
        (
            "env: {A: '{{ 1 / (inputs.x | length) }}'}\nconcurrency: {group: g}",
            "env.A: division by zero (in p.yml:3:10)",
            False,
        ),
        ("env: {B: b, A: '{{ 1 / (inputs.x | length) }}'}", "env.A: division by zero (in p.yml:3:16)", True),
    ],
)
def test_nodes_of_a_run_that_can_not_begin_are_told_of(pipe: Any, top: str, said: str, handlers: bool) -> None:
    pipe.write("p.yml", NEVER.replace("TOP", top))
    pipe.write("sub.yml", "version: 1\nnodes: {c: {run: echo c >> ran}}\n")
    done = pipe("run", "p.yml", "--run-id", "r")
    assert done.returncode == 1
    assert said in done.stderr
    ends = {event["node"]: event["event"] for event in log(pipe, "r") if event.get("node")}
    assert ends == {
        **dict.fromkeys(["a", "b", "s", "s.c"], "node.blocked"),
        **dict.fromkeys(["h", "f"], "node.succeeded" if handlers else "node.skipped"),
    }
    assert (pipe.folder / "ran").exists() == handlers
    assert "blocked    a: the run could not begin" in done.stderr
    pipe.write("p.yml", NEVER.replace("TOP", "").replace("exit", "true"))
    assert pipe("resume", "r").returncode == 0
    assert "a\nb\n" in (pipe.folder / "ran").read_text().replace("c\n", "")
