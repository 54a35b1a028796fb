"""A process of ours beside this one has what it is given and nothing else, and is counted until its end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipe_runner import companions
from pipe_runner.executors.connection import Connection
from pipe_runner.executors.family import is_companion, stat_words

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

TELLS = """
import json, os, signal, sys
def main(first, second, argv):
    fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))
    blocked = sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    told = {"fds": fds, "argv": argv, "env": sorted(os.environ), "blocked": blocked, "sid": os.getsid(0)}
    os.write(first, json.dumps(told).encode())
    os.read(second, 1)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(companions, "_folder", lambda: str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    fds = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) == len(fds)


def ends(pid: int) -> bool:
    give_up = time.monotonic() + 20
    while not companions.ended(pid) and time.monotonic() < give_up:
        time.sleep(0.01)
    return companions.ended(pid) and pid not in companions.alive


def test_it_has_its_descriptors_its_words_and_no_signal_yet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "tells.py").write_text(TELLS)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("SECRET", "x")
    for fd in map(int, os.listdir("/proc/self/fd")):  # of what started these tests
        if fd > 2:
            with suppress(OSError):
                os.set_inheritable(fd, False)
    reads, writes = os.pipe()
    holds, lets_go = os.pipe()
    pid = companions.start("tells", [writes, holds], ["one", "two words"])
    assert pid in companions.alive
    told = json.loads(os.read(reads, 4096))
    assert told["fds"][:5] == [0, 1, 2, 3, 4]
    assert len(told["fds"]) == 5
    assert told["argv"] == ["one", "two words"]
    assert "SECRET" not in told["env"]
    assert "PYTHONPATH" not in told["env"]
    assert set(told["blocked"]) >= {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
    assert told["sid"] == pid
    assert not companions.ended(pid)
    os.close(lets_go)
    os.close(reads)
    assert ends(pid)


def test_descriptors_are_closed_where_none_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = set(companions.alive)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FileNotFoundError):
        companions.start("tells", list(os.pipe()))
    assert companions.alive == alive


@pytest.mark.parametrize("stopped", [False, True])
def test_one_that_is_killed_is_gone_with_its_exit_status(folder: Path, stopped: bool) -> None:
    (folder / "tells.py").write_text(TELLS)
    reads, writes = os.pipe()
    holds, lets_go = os.pipe()
    pid = companions.start("tells", [writes, holds])
    os.read(reads, 4096)
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    companions.kill(pid)
    assert not Path(f"/proc/{pid}").exists()
    assert pid not in companions.alive
    companions.kill(pid)
    os.close(lets_go)
    os.close(reads)


def test_one_whose_exit_status_somebody_else_took_has_ended(folder: Path) -> None:
    (folder / "quick.py").write_text("def main(fd, argv): pass\n")
    pid = companions.start("quick", [os.open(os.devnull, os.O_RDONLY)])
    os.waitpid(pid, 0)
    assert companions.ended(pid)
    assert pid not in companions.alive


STARTS = """
import os, signal, sys, time
from pipe_runner import companions
from pipe_runner.executors.connection import Connection
from pipe_runner.runlog.syncer import Syncer
class Loop:
    add_reader = lambda *_: None
log = os.open("log", os.O_WRONLY | os.O_CREAT)
kept = Syncer("log", log, Loop()) if sys.argv[1] == "syncer" else Connection("warden.lock", {})
[pid] = companions.alive
os.kill(pid, signal.SIGSTOP)
print(pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("which", ["syncer", "warden"])
def test_x2_one_ends_with_us_also_where_it_is_stopped_before_its_program_begins(tmp_path: Path, which: str) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS, which], cwd=tmp_path, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        pid = int(runner.stdout.readline())
        while (state := stat_words(f"/proc/{pid}/stat")[:1]) not in ([], [b"T"]):
            time.sleep(0.001)
        runner.kill()
        assert state
    give_up = time.monotonic() + 20
    while (left := stat_words(f"/proc/{pid}/stat")[:1] not in ([], [b"Z"], [b"X"])) and time.monotonic() < give_up:
        time.sleep(0.01)
    if left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def test_one_whose_program_has_begun_is_not_woken_by_what_comes(tmp_path: Path) -> None:
    connection = Connection(str(tmp_path / "warden.lock"), {})
    wait = select.poll()
    wait.register(connection._socket, select.POLLIN)
    assert wait.poll(20_000)  # it is there
    os.kill(connection.pid, signal.SIGSTOP)
    connection._socket.send(b"x")
    time.sleep(0.05)
    state = stat_words(f"/proc/{connection.pid}/stat")[0]
    connection.close()
    companions.kill(connection.pid)
    assert state == b"T"


@pytest.mark.parametrize("module", ["pipe_runner.executors.warden", "pipe_runner.runlog.syncer"])
def test_it_is_known_by_its_command_line(module: str) -> None:
    ours, theirs = socket.socketpair()
    fds = [theirs.detach(), os.open(os.devnull, os.O_WRONLY)]
    pid = companions.start(module, fds if module.endswith("warden") else fds[::-1])
    give_up = time.monotonic() + 20
    while not (known := is_companion(Path(f"/proc/{pid}/cmdline").read_bytes())) and time.monotonic() < give_up:
        time.sleep(0.001)
    companions.kill(pid)
    ours.close()
    assert known
