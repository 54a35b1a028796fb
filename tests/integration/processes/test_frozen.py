"""A warden that was stopped (SIGSTOP, a frozen container) keeps no run from ending (X1)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_x1_a_frozen_warden_does_not_keep_the_run_from_ending(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text('version: 1\nnodes:\n  a: {run: "echo $$ > pid; exec sleep 60"}\n')
    command = [sys.executable, "-m", "pipe_runner", "run", "p.yml", "--grace", "1s"]
    runner = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    warden = 0
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
        warden = int(children[0])
        os.kill(warden, signal.SIGSTOP)
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(timeout=25) == 143
    finally:
        runner.kill()
        if Path(f"/proc/{warden}").exists():
            os.kill(warden, signal.SIGCONT)
    (log,) = (tmp_path / ".pipe" / "runs").glob("*/log.jsonl")
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["status"]) == ("run.finished", "cancelled")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_warden_that_somebody_stops_goes_on(machine: Any) -> None:
    async def scene() -> None:
        began = time.monotonic()
        doing = asyncio.ensure_future(machine.sh("echo $$ > p; sleep 0.3; echo ok"))
        await machine.pid_soon("p")
        os.kill(machine.processes.warden, signal.SIGSTOP)
        assert (await doing).stdout == b"ok\n"
        assert time.monotonic() - began < 3
        os.kill(machine.processes.warden, signal.SIGSTOP)
        began = time.monotonic()
        await machine.processes.close()
        assert time.monotonic() - began < 2

    machine.play(scene())
