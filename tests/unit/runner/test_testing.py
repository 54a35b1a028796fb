"""`run_pipeline` can be called from anywhere, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from pipe_runner.testing import run_pipeline

HELLO = "version: 1\nnodes: {a: {run: echo hello}}\n"


def test_a_test_that_is_async_can_run_a_pipeline() -> None:
    async def test() -> str:
        return str(run_pipeline(HELLO).output("a"))

    assert asyncio.run(test()) == "hello"


def test_the_directory_of_a_run_is_there_until_the_process_ends_whose_it_is(tmp_path: Path) -> None:
    code = f"""
import os, sys
from pipe_runner.testing import run_pipeline
root = run_pipeline({HELLO!r}).root
if os.fork() == 0:
    sys.exit()
os.wait()
assert root.is_dir()
"""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)
    assert list(tmp_path.iterdir()) == []
