"""Kills, cancels, resumes and time-outs without /proc, pidfd, subreaper and fdatasync, as on macOS.

The kernel below is Linux's all the same: what is shown is that the ways which macOS has are taken, and suffice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="takes from Linux what macOS lacks"),
    pytest.mark.slow,
]

PIPE = str(Path(sys.executable).with_name("pipe"))
LIKE_MACOS = Path(__file__).parents[1] / "data" / "macos"

# What is started as the interpreter: wardens are given no site, so they are told here what they lack.
SHIM = """\
#!/bin/sh
if [ "$1" != -I ]; then exec {python} "$@"; fi
code="exec(open({site!r}).read()); $6"
shift 6
export PATH={bin}:$PATH
exec {python} -I -S -X utf8 -c "$code" "$@"
"""
PS = """\
#!{python} -IS
import os, sys
assert sys.argv[1:] == ["-axEww", "-o", "pid=,ppid=,command="], sys.argv
for name in os.listdir("/proc"):
    if name.isdigit():
        try:
            words = open(f"/proc/{{name}}/cmdline", "rb").read() + open(f"/proc/{{name}}/environ", "rb").read()
            parent = open(f"/proc/{{name}}/stat", "rb").read().rpartition(b")")[2].split()[1]
        except OSError:
            continue
        sys.stdout.buffer.write(b"%5d %5d " % (int(name), int(parent)) + words.replace(b"\\0", b" ") + b"\\n")
"""
STUBBORN = "trap '' TERM HUP INT; echo $$ > $1.new; mv $1.new $1; while :; do sleep 0.1 || :; done"


class Mac:
    """A folder with a space in its name, and the command in it."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        kept = ("HOME", "TMPDIR", "VIRTUAL_ENV", "PYTHONPYCACHEPREFIX")
        self.env = {name: os.environ[name] for name in kept if name in os.environ} | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "LIKE_MACOS": str(tools / "like_macos"),
            "PYTHONPATH": str(LIKE_MACOS),
            "LANG": "C.UTF-8",
        }
        self.started: list[subprocess.Popen[str]] = []

    def write(self, text: str) -> None:
        (self.folder / "left.sh").write_text(STUBBORN)
        (self.folder / "f.yml").write_text("version: 1\n" + dedent(text))

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PIPE, *words], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PIPE, *words], cwd=self.folder, env=self.env, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.started.append(process)
        return process

    def pid(self, name: str) -> int:
        path = self.folder / name
        until(lambda: path.exists() and path.read_text().endswith("\n"))
        return int(path.read_text())

    def left(self) -> list[int]:
        """Processes that work in the folder."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/cwd") == str(self.folder) and alive(int(name)):
                    found.append(int(name))
            except OSError:
                continue
        return found


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.fixture
def mac(tmp_path: Path) -> Iterator[Mac]:
    tools = tmp_path / "tools"
    tools.mkdir()
    site = str(LIKE_MACOS / "sitecustomize.py")
    for name, text in (("like_macos", SHIM), ("ps", PS)):
        (tools / name).write_text(text.format(python=sys.executable, site=site, bin=tools))
        (tools / name).chmod(0o755)
    folder = tmp_path / "My Project"
    folder.mkdir()
    mac = Mac(folder, tools)
    yield mac
    for process in mac.started:
        process.kill()
        process.communicate()
    for pid in mac.left():
        os.kill(pid, signal.SIGKILL)


WAYS = {
    "a command": "exec sh left.sh p0",
    "in the background": "sh left.sh p0 & sh left.sh p1",
    "after its command": "sh left.sh p0 & while [ ! -e p0 ]; do sleep 0.01; done",
    "in a session of its own": "setsid sh left.sh p0 & sleep 60",
    "forked twice": "setsid sh -c '(setsid sh left.sh p0 &) &'; sleep 60",
}


def nodes(first: str) -> str:
    """A pipeline whose first node hangs once, and whose second one has to run."""
    return f"""
    nodes:
      a: {{run: "[ -e done ] || {{ touch done; {first}; sleep 60; }}"}}
      b: {{run: echo ok, needs: [a]}}
    """


def test_the_interpreter_lacks_what_macos_lacks(mac: Mac) -> None:
    code = (
        "import os, sys, time; print(sys.platform, os.path.exists('/proc/self'), hasattr(os, 'pidfd_open'),"
        " hasattr(os, 'fdatasync'), hasattr(time, 'CLOCK_BOOTTIME'))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=mac.env, capture_output=True, text=True, check=True)
    assert done.stdout == "darwin False False False False\n"
    shim = [mac.env["LIKE_MACOS"], "-I", "-S", "-X", "utf8", "-c", code]
    done = subprocess.run(shim, env={}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("darwin False False False")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.few(1)
def test_x2_nothing_lives_five_seconds_after_kill_9_of_the_runner_on_macos(mac: Mac, way: str) -> None:
    mac.write(nodes(way))
    runner = mac.start("run", "f.yml", "--run-id", "r")
    pids = [mac.pid("p0"), *([mac.pid("p1")] if "p1" in way else [])]
    runner.kill()
    runner.wait()
    until(lambda: mac.left() == [], 5)
    assert not any(map(alive, pids))
    done = mac("resume", "r")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.few(1)
def test_d4_resume_ends_what_runner_and_warden_left_on_macos_when_both_were_killed(mac: Mac, way: str) -> None:
    mac.write(nodes(way))
    runner = mac.start("run", "f.yml", "--run-id", "r")
    pid = mac.pid("p0")
    wardens = children(runner.pid)
    for warden in wardens:
        os.kill(warden, signal.SIGSTOP)
    runner.kill()
    for warden in wardens:
        os.kill(warden, signal.SIGKILL)
    runner.wait()
    assert alive(pid)
    done = mac("resume", "r")
    assert done.returncode == 0, done.stderr
    assert not alive(pid)
    assert mac.left() == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.few(1)
def test_x1_a_cancelled_run_leaves_nothing_on_macos(mac: Mac, way: str) -> None:
    mac.write(nodes(way))
    runner = mac.start("run", "f.yml", "--run-id", "r", "--grace", "300ms")
    pid = mac.pid("p0")
    assert mac("cancel", "r").returncode == 0
    assert runner.wait(10) == 130
    assert not alive(pid)
    assert mac.left() == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.few(1)
def test_x3_what_timed_out_is_ended_before_the_next_attempt_on_macos(mac: Mac, way: str) -> None:
    mac.write(
        f"""
        nodes:
          a:
            run: "if [ -e done ]; then cat p0; exit; fi; touch done; {WAYS[way]}; sleep 60"
            timeout: 2s
            retry: {{max_attempts: 2, delay: 1ms}}
          b: {{run: "grep -qs 'State:.[^ZX]' /proc/{{{{ nodes.a.output }}}}/status && echo alive || echo gone"}}
        outputs: {{b: "{{{{ nodes.b.output }}}}"}}
        """
    )
    done = mac("run", "f.yml")
    assert done.stdout == "b: gone\n", done.stderr
    assert mac.left() == []


def test_what_a_command_that_succeeded_left_is_gone_when_the_run_is_on_macos(mac: Mac) -> None:
    mac.write(f'nodes: {{a: {{run: "{WAYS["forked twice"].replace("sleep 60", "sleep 1")}"}}}}')
    assert mac("run", "f.yml").returncode == 0
    assert (mac.folder / "p0").exists()
    assert mac.left() == []


def test_attempts_of_a_dead_warden_are_lost_ended_and_the_run_goes_on_on_macos(mac: Mac) -> None:
    mac.write(
        """
        nodes:
          a: {run: "[ -e p0 ] || { setsid sh left.sh p0 & sleep 60; }", retry: {max_attempts: 2, delay: 1ms}}
          b: {run: "grep -qs 'State:.[^ZX]' /proc/$(cat p0)/status && echo alive || echo gone", needs: [a]}
        outputs: {b: "{{ nodes.b.output }}"}
        """
    )
    runner = mac.start("run", "f.yml", "--run-id", "r")
    mac.pid("p0")
    for warden in children(runner.pid):
        os.kill(warden, signal.SIGKILL)
    assert runner.wait(20) == 0
    assert '"b": "gone"' in mac("show", "r", "--output", "json").stdout
    assert mac.left() == []


FUNCTIONS = """
import subprocess, time

def leave(name):
    subprocess.Popen(["setsid", "sh", "left.sh", name])
    while True:
        try:
            return open(name).read()
        except FileNotFoundError:
            time.sleep(0.01)

def hang(name):
    leave(name)
    time.sleep(60)
"""


@pytest.mark.parametrize("function", ["leave", "hang"])
def test_what_functions_start_ends_with_the_run_or_the_runner_on_macos(mac: Mac, function: str) -> None:
    (mac.folder / "f.py").write_text(FUNCTIONS)
    mac.write(f"nodes: {{a: {{agent: python, with: {{call: 'f.py:{function}', args: [p0]}}}}}}")
    runner = mac.start("run", "f.yml")
    pid = mac.pid("p0")
    if function == "hang":
        runner.kill()
    runner.wait(20)
    until(lambda: mac.left() == [], 5)
    assert not alive(pid)


def test_the_run_is_durable_and_doctor_says_what_there_is_on_macos(mac: Mac) -> None:
    mac.write("nodes: {a: {run: cat, stdin: much}}\noutputs: {a: '{{ nodes.a.output }}'}")
    assert mac("run", "f.yml").stdout == "a: much\n"
    done: Any = mac("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mount proc" not in done.stdout
    assert "unless they empty their environment" in done.stdout
