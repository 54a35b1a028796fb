"""How the process of a command ends: at once, unless somebody's code could count on Python's own end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WATCHED = """
import atexit
import sys
import threading

class Freed:
    def __del__(self):
        print("freed", flush=True)

sys.modules["__main__"].__dict__["freed"] = Freed()
atexit.register(print, "registered")
if "PIPE_TEST_THREAD" in __import__("os").environ:
    threading.Thread(target=threading.main_thread().join).start()
"""
PIPE = str(Path(sys.executable).with_name("pipe"))
COMMAND = "version: 1\nnodes:\n  a: {run: echo hello}\n"
FUNCTION = 'version: 1\nnodes:\n  a: {agent: python, with: {call: "f.py:f"}}\n'


@pytest.fixture
def watched(pipe: Any, tmp_path: Path) -> dict[str, str]:
    """What has Python tell of its end."""
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCHED)
    pipe.write("pipe.yml", "{}\n")
    pipe.write("f.py", "def f():\n    return 1\n")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("words", [("run", "p.yml"), ("check", "p.yml"), ("plan", "p.yml")])
def test_a_command_without_code_of_others_ends_at_once_after_what_is_registered_for_its_exit(
    pipe: Any, watched: dict[str, str], words: tuple[str, ...]
) -> None:
    pipe.write("p.yml", COMMAND)
    done = pipe.alone(*words, env=watched)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("registered\n")


def test_a_failed_run_that_ends_at_once_keeps_its_exit_code(pipe: Any, watched: dict[str, str]) -> None:
    pipe.write("p.yml", "version: 1\nnodes:\n  a: {run: exit 3}\n")
    done = pipe.alone("run", "p.yml", env=watched)
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith("registered\n")


def test_a_run_with_functions_ends_as_python_does(pipe: Any, watched: dict[str, str]) -> None:
    pipe.write("p.yml", FUNCTION)
    pipe.write("f.py", "import sys\n\ndef f():\n    sys.here = open('kept', 'w')\n    sys.here.write('all')\n")
    done = pipe.alone("run", "p.yml", env=watched)
    assert done.returncode == 0, done.stderr
    assert (pipe.folder / "kept").read_text() == "all"


def test_a_command_beside_a_thread_ends_as_python_does(pipe: Any, watched: dict[str, str]) -> None:
    pipe.write("p.yml", COMMAND)
    done = pipe.alone("check", "p.yml", env={**watched, "PIPE_TEST_THREAD": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("registered\nfreed\n")


@pytest.mark.parametrize("start", ["run_path(sys.argv[0]", "run_module('pipe_runner', alter_sys=True"])
def test_a_program_that_runs_the_command_goes_on_behind_it(pipe: Any, start: str) -> None:
    pipe.write("p.yml", COMMAND)
    run = f"try:\n    runpy.{start}, run_name='__main__')\nfinally:\n    print('goes on')\n"
    done = _python(pipe, "-c", f"import runpy, sys\n\nsys.argv = [{PIPE!r}, 'check', 'p.yml']\n{run}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("goes on\n")


def test_a_debugger_sees_the_end_of_the_command(pipe: Any) -> None:
    pipe.write("p.yml", COMMAND)
    done = _python(pipe, "-m", "pdb", "-c", "continue", PIPE, "check", "p.yml", stdin="quit\n")
    assert "The program exited via sys.exit(). Exit status: 0" in done.stdout, done.stderr


def _python(pipe: Any, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=pipe.folder,
        env=pipe.env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
