"""D7: a run whose log is removed or changed while it goes on has not succeeded, and says so."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

END = "version: 1\nnodes:\n  a: {run: rm -rf .pipe}\n  b: {needs: [a], run: echo b >> done}\n"
NODES = {
    "plain": "version: 1\nnodes:\n  a: {run: 'rm -rf .pipe; echo a >> done; sleep 20'}\n"
    "  b: {needs: [a], run: echo b >> done}\n",
    "inside": "version: 1\nnodes:\n  d: {pipeline: sub.yml}\n  b: {needs: [d], run: echo b >> done}\n",
}


def test_d7_a_run_whose_log_was_removed_ends_with_74(pipe: Any) -> None:
    pipe.write("p.yml", END)
    done = pipe("run", "p.yml")
    assert done.returncode == 74, done.stderr
    assert "log.jsonl was removed while the run went on" in done.stderr
    assert "git clean -e .pipe" in done.stderr
    assert not re.search(r"^run \S+ succeeded", done.stderr, re.MULTILINE)
    assert "pipe resume" not in done.stderr


@pytest.mark.parametrize("kind", list(NODES))
def test_d7_no_new_work_starts_when_the_log_was_removed(pipe: Any, kind: str) -> None:
    pipe.write("sub.yml", NODES["plain"])
    pipe.write("p.yml", NODES[kind])
    began = time.monotonic()
    done = pipe("run", "p.yml")
    assert done.returncode == 74, done.stderr
    assert (pipe.folder / "done").read_text() == "a\n"
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("change", [": >", "echo x >>"])
def test_d6_d7_a_run_whose_log_somebody_else_changed_ends_with_74(pipe: Any, change: str) -> None:
    pipe.write("p.yml", f"version: 1\nnodes:\n  a: {{run: '{change} .pipe/runs/r/log.jsonl; sleep 20'}}\n")
    done = pipe("run", "p.yml", "--run-id", "r")
    assert done.returncode == 74, done.stderr
    assert "log.jsonl was changed by somebody else while the run went on: it has " in done.stderr
    assert not re.search(r"^run \S+ succeeded", done.stderr, re.MULTILINE)
    assert "pipe resume" not in done.stderr
