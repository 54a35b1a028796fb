"""D8: a run in which a step of the event loop meets the end of memory ends, and can be resumed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
import sys
from pipe_runner.executors import {module}
def fails(*_): raise MemoryError
{module}.{name} = fails
from pipe_runner.cli import main
sys.exit(main(sys.argv[1:]))
"""
PIPELINE = "version: 1\nnodes:\n  a: {run: 'sleep 0.3; echo x; sleep 0.3'}\n  b: {needs: [a], run: echo b}\n"


@pytest.mark.parametrize(("module", "name"), [("flight", "Flight.read"), ("connection", "Connection.receive")])
def test_d8_s11_a_run_without_memory_ends_and_can_be_resumed(tmp_path: Path, module: str, name: str) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    command = [sys.executable, "-c", DRIVER.format(module=module, name=name), "run", "p.yml", "--run-id", "r"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 74, done.stderr
    assert "error: out of memory\nhint: raise the limit of it; then `pipe resume r` goes on" in done.stderr
    assert "Traceback" not in done.stderr
    command = [sys.executable, "-m", "pipe_runner", "resume", "r"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode == 0
