"""What a Python function starts by itself ends with the run, however the run ends (X2)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from looking import alive

PIPELINE = """
version: 1
nodes:
  starts: {agent: python, with: {call: "tools.py:starts"}}
"""
TOOLS = """
import subprocess, time
def starts():
    child = subprocess.Popen(["setsid", "sleep", "60"])
    open("pid", "w").write(str(child.pid))
    time.sleep(WAIT)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("killed", [False, True])
def test_x2_what_a_function_starts_ends_with_the_run(tmp_path: Path, killed: bool) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "tools.py").write_text(TOOLS.replace("WAIT", "30" if killed else "0"))
    runner = subprocess.Popen(
        [sys.executable, "-m", "pipe_runner", "run", "p.yml"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    pid_file = tmp_path / "pid"
    try:
        deadline = time.monotonic() + 20
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        pid = int(pid_file.read_text())
        if killed:
            assert alive(pid)
            os.kill(runner.pid, signal.SIGKILL)
    finally:
        if killed:
            runner.kill()
        runner.wait(timeout=30)
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "how", ["subprocess.Popen(['sleep', '60'], env={}).pid", "os.posix_spawn(SLEEP, [SLEEP, '60'], {})", "forked()"]
)
@pytest.mark.few(1)
def test_x2_what_a_function_started_a_moment_ago_without_an_environment_ends_with_a_killed_runner(
    tmp_path: Path, how: str
) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "tools.py").write_text(
        "import os, shutil, signal, subprocess, time\nSLEEP = shutil.which('sleep')\n"
        "def forked():\n    pid = os.fork()\n    if not pid:\n        time.sleep(60)\n        os._exit(0)\n"
        "    return pid\n"
        f"def starts():\n    time.sleep(0.3)\n    open('pid', 'w').write(str({how}))\n    time.sleep(0.09)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for _ in range(4):
        runner = subprocess.run(
            [sys.executable, "-m", "pipe_runner", "run", "p.yml"], cwd=tmp_path, stderr=subprocess.DEVNULL, check=False
        )
        assert runner.returncode == -signal.SIGKILL
        pid = int((tmp_path / "pid").read_text())
        deadline = time.monotonic() + 5
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(pid)
