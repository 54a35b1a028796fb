"""What becomes of a command where the system gives it few files, few threads, or no large file."""

from __future__ import annotations

import errno
import json
import resource
import selectors
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.cli import main
from pipe_runner.cli.boundary import guarded

PIPE = str(Path(sys.executable).with_name("pipe"))
ONE = "version: 1\nnodes: {a: {run: echo hi}}\noutputs: {said: '{{ nodes.a.output }}'}\n"
FUNCTION = "version: 1\nnodes: {a: {agent: python, with: {call: 'f.py:f'}}}\n"


def limited(pipe: Any, which: int, limits: tuple[int, int], *words: str) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(which, limits)

    env = {**pipe.env, "PYTHONDONTWRITEBYTECODE": "1"}  # Python 3.11 keeps what it could only write half of
    return subprocess.run(
        [PIPE, *words], cwd=pipe.folder, env=env, capture_output=True, text=True, timeout=60, preexec_fn=limit
    )


@pytest.mark.parametrize("most", [5, 14, 22, 63])
def test_a_run_that_can_not_have_the_files_that_it_needs_is_refused(pipe: Any, most: int) -> None:
    pipe.write("p.yml", ONE)
    done = limited(pipe, resource.RLIMIT_NOFILE, (most, most), "run", "p.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"error: only {most} files may be open at a time here (`ulimit -Hn`), and a run needs 64"
    )
    assert not (pipe.folder / ".pipe/runs").exists()


@pytest.mark.parametrize("soft", [8, 22])
def test_a_limit_of_open_files_that_may_be_raised_is(pipe: Any, soft: int) -> None:
    pipe.write("p.yml", ONE)
    done = limited(pipe, resource.RLIMIT_NOFILE, (soft, 64), "run", "p.yml")
    assert (done.returncode, done.stdout) == (0, "said: hi\n")


def test_too_many_open_files_are_no_bug_of_ours(pipe: Any) -> None:
    pipe.write("p.yml", ONE)
    assert pipe("run", "p.yml").returncode == 0
    done = limited(pipe, resource.RLIMIT_NOFILE, (5, 5), "show", "latest")
    assert (done.returncode, done.stderr.splitlines()[0]) == (74, "error: too many files are open")


def test_a_run_of_functions_that_may_write_no_large_file_says_so(pipe: Any) -> None:
    pipe.write("f.py", "def f(): return 1\n")
    pipe.write("p.yml", FUNCTION)
    done = limited(pipe, resource.RLIMIT_FSIZE, (8192, 8192), "run", "p.yml")
    assert done.returncode == 74
    assert done.stderr.startswith("error: no room for the table of functions that are under way: File too large\n")
    assert limited(pipe, resource.RLIMIT_FSIZE, (1 << 30, 1 << 30), "resume", "latest").returncode == 0


def test_what_watches_over_processes_keeps_no_compiled_files_where_python_is_told_to_keep_none(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: cat /proc/$PPID/cmdline}}\n")
    env = {**pipe.env, "PYTHONDONTWRITEBYTECODE": "1"}
    told = [PIPE, "run", "p.yml", "--output", "json"]
    done = subprocess.run(told, cwd=pipe.folder, env=env, capture_output=True, text=True, timeout=60)
    assert "\0-IB\0-S\0" in json.loads(done.stdout)["nodes"]["a"]["output"], done.stderr


@pytest.mark.parametrize("output", ["text", "json"])
def test_results_come_although_there_is_no_thread_for_what_is_shown(
    pipe: Any, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe.write("p.yml", ONE)
    _no_threads(monkeypatch)
    monkeypatch.chdir(pipe.folder)
    assert main(["run", "p.yml", "--output", output]) == 0
    out, err = capsys.readouterr()
    assert "hi" in out
    assert "succeeded  a" in err
    assert "Traceback" not in err


def test_lines_of_the_log_for_which_there_is_no_thread_are_told_as_missing(
    pipe: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe.write("p.yml", ONE)
    _no_threads(monkeypatch)
    monkeypatch.chdir(pipe.folder)
    assert main(["run", "p.yml", "--output", "jsonl"]) == 74
    assert "error: cannot write to stdout: can't start new thread" in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_a_lack_of_memory_is_no_bug_of_ours(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def lacks(words: list[str]) -> int:
        raise error

    assert guarded(lacks, []) == 74
    assert capsys.readouterr().err.startswith("error: out of memory\nhint: ")


def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)


def test_no_room_for_another_watch_is_not_taken_for_a_full_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    class Poll:
        def register(self, fd: int, events: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    class Full(selectors.EpollSelector):
        _selector_cls = Poll

    def wait(words: list[str]) -> int:
        Full().register(0, selectors.EVENT_READ)
        return 0

    assert guarded(wait, []) == 74
    said = capsys.readouterr().err
    assert said.startswith("error: the system watches over no other file or socket\nhint: fs.epoll.max_user_watches")
