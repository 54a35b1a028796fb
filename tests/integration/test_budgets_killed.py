"""V1 with real processes: fifty calls at once that fail, are retried, and lose their runner to kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipe_runner.runlog import fold_log
from pipe_runner.types import RunStatus

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
DOLLARS, TOKENS, ONE_CALL = 5.00, 6000, 260
PROJECT = """
version: 1
providers: {fake: {prices: {fake-1: {input: 1000, output: 1000}}}}
"""
PIPELINE = f"""
version: 1
budget: {{max_cost: {DOLLARS}, max_tokens: {TOKENS}}}
concurrency: 50
inputs: {{prompts: {{type: array}}}}
nodes:
  ask:
    for_each: {{items: "{{{{ inputs.prompts }}}}"}}
    agent: llm
    provider: fake
    retry: {{max_attempts: 3, delay: 50ms}}
    with: {{prompt: "{{{{ item }}}}", max_tokens: 100}}
  other: {{run: echo done}}
"""


def prompts() -> list[str]:
    """Most are answered; some fail at first, of some nobody knows what became."""
    kinds = ["", "", "", " status=503 times=1", " lost=1"]
    return [f"seconds=0.{3 + n % 4} input=20 output={40 + n % 60} n={n}{kinds[n % 5]}" for n in range(50)]


def pipe(root: Path, *words: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(MODELS), "FAKE_MODELS_BOOK": str(root / "book.jsonl")}
    command = [sys.executable, "-m", "pipe_runner", *words]
    return subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def book(root: Path) -> list[dict[str, Any]]:
    path = root / "book.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def paid(root: Path) -> int:
    return sum(call["input"] + call["output"] for call in book(root))


def killed_amid_calls(root: Path, *words: str) -> None:
    """Start the command, and kill -9 it once some of its calls have arrived."""
    before = len(book(root))
    process = pipe(root, *words)
    end = time.monotonic() + 60
    while len(book(root)) < before + 5 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)


def test_v1_a_budget_holds_over_fifty_calls_at_once_failures_retries_kills_and_resumes(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text(PROJECT)
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "inputs.json").write_text(json.dumps({"prompts": prompts()}))
    killed_amid_calls(tmp_path, "run", "p.yml", "--inputs", "inputs.json", "--run-id", "r")
    log = tmp_path / ".pipe" / "runs" / "r" / "log.jsonl"
    for _ in range(3):
        assert paid(tmp_path) <= TOKENS
        killed_amid_calls(tmp_path, "resume", "r")
    last = pipe(tmp_path, "resume", "r")
    assert last.wait(timeout=90) == 1

    run = fold_log(str(log))
    assert run.status is RunStatus.FAILED
    assert run.nodes["other"].output == "done"
    ledger = run.ledger
    assert ledger is not None
    assert ledger.open == {}
    spent = paid(tmp_path)
    assert spent <= TOKENS
    assert spent / 1000 <= DOLLARS
    assert ledger.total.tokens >= spent, "the log knows of all that was paid"
    assert ledger.total.whole > 0, "calls were out at a kill"
    assert ledger.total.cost == ledger.total.tokens * 10**6
    # It was used as far as it goes: less is left than one call may take.
    assert ledger.total.cost > (DOLLARS - ONE_CALL / 1000) * 10**9
    kinds = {state.error["kind"] for state in run.items["ask"].values() if state.error}
    assert "budget" in kinds
    assert all(state.attempts <= 3 + run.attempt for state in run.items["ask"].values())
