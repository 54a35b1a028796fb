"""What a Python function starts by itself ends with the run, however the run ends (X2)."""

from __future__ import annotations

import json
import multiprocessing
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


POOL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from .sizes import double
@dataclass
class Size:
    bytes: int
def larger(size):
    return Size(double(size.bytes))
def all_larger(method):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        return [size.bytes for size in pool.map(larger, [Size(1), Size(2)])]
"""


@pytest.mark.parametrize("method", sorted(set(multiprocessing.get_all_start_methods()) - {"fork"}))
@pytest.mark.parametrize("path", ["tools/my.pool.py", "./pool.py"])
@pytest.mark.few(3)
def test_processes_that_are_no_copies_find_the_functions_of_the_projects_files(
    tmp_path: Path, method: str, path: str
) -> None:
    """Python starts them so by itself from 3.14 on, and on macOS."""
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(POOL)
    (file.parent / "sizes.py").write_text("def double(size): return 2 * size\n")
    (tmp_path / "p.yml").write_text(
        "version: 1\nnodes:\n"
        f"  a: {{agent: python, timeout: 50s, with: {{call: '{path}:all_larger', args: [{method}]}}}}\n"
        'outputs: {sizes: "{{ nodes.a.output }}"}\n'
    )
    command = [sys.executable, "-m", "pipe_runner", "run", "p.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "sizes: [2, 4]\n"), done.stderr


SHARED = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
def nap(name, seconds):
    open(name, "w").write(str(os.getpid()))
    time.sleep(seconds)
    return name
def naps(name, seconds, after=""):
    while after and not os.path.exists(after):
        time.sleep(0.05)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        return pool.submit(nap, name, seconds).result()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("beside", [True, False])
def test_a_time_out_ends_no_process_that_the_server_of_forks_may_have_forked_for_another_node(
    tmp_path: Path, beside: bool
) -> None:
    (tmp_path / "tools.py").write_text(SHARED)
    needs, seconds = ("[]", 9) if beside else ("[late]", 0.1)
    (tmp_path / "p.yml").write_text(
        "version: 1\nnodes:\n"
        "  late: {agent: python, timeout: 6s, continue_on_error: true,\n"
        "    with: {call: './tools.py:naps', args: [l, 60]}}\n"
        f"  good: {{agent: python, needs: {needs}, with: {{call: './tools.py:naps', args: [g, {seconds}, l]}}}}\n"
    )
    command = [sys.executable, "-m", "pipe_runner", "run", "p.yml", "--output", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    nodes = json.loads(done.stdout)["nodes"]
    assert (nodes["late"]["error"]["kind"], nodes["good"]["output"]) == ("timeout", "g"), done.stderr
    assert ("still runs" in nodes["late"]["error"]["message"]) is beside
    assert not alive(int((tmp_path / "l").read_text()))
