"""D8: one process works on a run; the lock is gone with it, however it ends, and asking disturbs nobody."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe_runner.errors import RunBusy, StorageError
from pipe_runner.runlog import RunDir, RunLock

HOLDER = r"""
import os, sys, time
from pipe_runner.runlog import RunDir, RunLock
lock = RunLock.acquire(RunDir(sys.argv[1], sys.argv[2]))
if len(sys.argv) > 3 and os.fork() == 0:
    os.write(1, b"%d\n" % os.getpid())
    time.sleep(60)
os.write(1, b"held\n")
time.sleep(60)
"""


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / ".pipe", "r1")


@pytest.fixture
def holder(rundir: RunDir) -> Iterator[subprocess.Popen[str]]:
    process = start_holder(rundir)
    yield process
    process.kill()
    process.communicate()


def start_holder(rundir: RunDir, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, rundir.id, rundir.path, *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while process.stdout.readline().strip() not in ("held", ""):
        pass
    return process


def test_d8_the_second_is_refused_and_told_who_has_the_run(rundir: RunDir, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(RunBusy, match=rf"run r1 is being worked on by process {holder.pid}, since 20\d\d-.*Z"):
        RunLock.acquire(rundir)
    assert RunLock.held(rundir) == holder.pid


def test_d8_a_lock_is_gone_with_its_process(rundir: RunDir, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert RunLock.held(rundir) is None
    with RunLock.acquire(rundir):
        assert RunLock.held(rundir) == os.getpid()
    assert RunLock.held(rundir) is None


def test_d8_a_forked_child_that_outlives_the_holder_does_not_keep_the_run(rundir: RunDir) -> None:
    command = [sys.executable, "-c", HOLDER, rundir.id, rundir.path, "fork"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    words = {process.stdout.readline().strip() for _ in range(2)}
    child = int(next(iter(words - {"held"})))
    try:
        assert RunLock.held(rundir) == process.pid
        process.kill()
        process.wait()
        os.kill(child, 0)
        RunLock.acquire(rundir).release()
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_releasing_lets_the_next_one_in_and_again_does_nothing(rundir: RunDir) -> None:
    lock = RunLock.acquire(rundir)
    lock.release()
    lock.release()
    RunLock.acquire(rundir).release()


def test_asking_about_a_run_that_nobody_ever_worked_on_leaves_nothing(rundir: RunDir) -> None:
    assert RunLock.held(rundir) is None
    assert os.listdir(rundir.path) == []


def test_readers_that_ask_all_the_time_never_keep_a_starter_out(rundir: RunDir) -> None:
    RunLock.acquire(rundir).release()
    stop = threading.Event()
    wrong: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            pid = RunLock.held(rundir)
            if pid not in (None, os.getpid()):
                wrong.append(pid)

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(50):
            RunLock.acquire(rundir).release()
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_a_reader_that_was_stopped_while_it_asked_delays_a_starter_by_a_second_at_most(rundir: RunDir) -> None:
    RunLock.acquire(rundir).release()
    with open(rundir.live_path) as asked:
        fcntl.flock(asked, fcntl.LOCK_SH)
        RunLock.acquire(rundir).release()


def test_a_lock_file_that_says_nonsense_still_locks(rundir: RunDir, holder: subprocess.Popen[str]) -> None:
    Path(rundir.lock_path).write_bytes(b"\xff nonsense")
    with pytest.raises(RunBusy, match="by another process"):
        RunLock.acquire(rundir)
    assert RunLock.held(rundir) == 0


def test_s9_a_lock_that_is_a_link_is_not_followed(rundir: RunDir, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    Path(rundir.lock_path).symlink_to(precious)
    with pytest.raises(StorageError, match="ELOOP"):
        RunLock.acquire(rundir)
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_d8_a_file_system_without_locks_is_told_with_the_way_out(
    rundir: RunDir, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="cannot lock") as found:
        RunLock.acquire(rundir)
    assert found.value.hint is not None and "--state-dir" in found.value.hint
