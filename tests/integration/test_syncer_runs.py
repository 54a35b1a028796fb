"""D1, D2, D7, X1, X2 of runs that have a process for making the log durable: two hundred calls within a budget."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.injecting import strace_works

from pipe_runner.executors.family import children_of, stat_words
from pipe_runner.runlog import fold_log, read_log
from pipe_runner.types import RunStatus

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
CALLS = 200
PIPELINE = f"""
version: 1
budget: {{max_tokens: 1000k}}
concurrency: 16
nodes:
  ask:
    for_each: {{items: "{{{{ range({CALLS}) | list }}}}"}}
    agent: llm
    provider: fake
    with: {{prompt: "seconds=0.1 n={{{{ item }}}}", max_tokens: 100}}
"""


class Asking:
    """A run whose process for the log is there; `pid` is that one's."""

    def __init__(self, root: Path, *, more: str = "", words: tuple[str, ...] = ()) -> None:
        self.root = root
        (root / "pipe.yml").write_text("version: 1\nproviders: {fake: {}}\n")
        (root / "p.yml").write_text(PIPELINE + more)
        self.runner = self.pipe("run", "p.yml", "--run-id", "r", *words)
        self.pid = 0

    def pipe(self, *words: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(MODELS), "FAKE_MODELS_BOOK": str(self.root / "book.jsonl")}
        command = [sys.executable, "-m", "pipe_runner", *words]
        return subprocess.Popen(command, cwd=self.root, env=env, stderr=subprocess.PIPE, text=True)

    def found(self) -> int:
        """Wait until it is there, and used."""
        give_up = time.monotonic() + 60
        while not self.pid and self.runner.poll() is None and time.monotonic() < give_up:
            self.pid = next(filter(is_syncer, children_of(self.runner.pid)), 0)
        assert self.pid, "a run with so many calls got no process"
        while not waits(self.pid) and self.runner.poll() is None and time.monotonic() < give_up:
            time.sleep(0.001)
        time.sleep(0.15)
        return self.pid

    def ended(self) -> tuple[int, str]:
        _, said = self.runner.communicate(timeout=100)
        return self.runner.returncode, said

    @property
    def log(self) -> str:
        return str(self.root / ".pipe" / "runs" / "r" / "log.jsonl")

    def book(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "book.jsonl").read_text().splitlines()]

    def check_all_asked_once(self) -> None:
        run = fold_log(self.log)
        assert run.status is RunStatus.SUCCEEDED
        assert Counter(call["prompt"] for call in self.book()).most_common(1)[0][1] == 1
        assert len(self.book()) == CALLS
        told = Counter((event.node, event.event) for event in read_log(self.log).events)
        assert max(count for (node, _), count in told.items() if node and node != "ask") == 1


def is_syncer(pid: int) -> bool:
    try:
        return b"pipe_runner.runlog.syncer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def waits(pid: int) -> bool:
    """Whether it has done all that it does before it is of use, which begins with being bound to its runner."""
    told = status(pid)
    return bool(int(told["SigIgn"], 16) & 1 << signal.SIGTSTP - 1) and told["State"].startswith("S")


def lives(pid: int) -> bool:
    return stat_words(f"/proc/{pid}/stat")[:1] not in ([], [b"Z"], [b"X"])


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Callable[..., Asking]]:
    made: list[Asking] = []

    def ask(**how: Any) -> Asking:
        made.append(Asking(tmp_path, **how))
        return made[-1]

    yield ask
    for each in made:
        each.runner.kill()
        each.runner.communicate()
        if each.pid and lives(each.pid) and is_syncer(each.pid):
            os.kill(each.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_d1_a_run_goes_on_without_the_process_and_does_nothing_twice(
    asking: Callable[..., Asking], number: signal.Signals
) -> None:
    run = asking()
    os.kill(run.found(), number)
    code, said = run.ended()
    assert code == 0, said
    assert not lives(run.pid)
    run.check_all_asked_once()


def test_x2_nothing_is_left_of_a_runner_that_is_killed_while_the_process_is_stopped(
    asking: Callable[..., Asking],
) -> None:
    run = asking()
    os.kill(run.found(), signal.SIGSTOP)
    run.runner.kill()
    run.ended()
    give_up = time.monotonic() + 5
    while lives(run.pid) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not lives(run.pid)


def test_x1_a_stop_ends_the_run_while_the_process_is_stopped(asking: Callable[..., Asking]) -> None:
    run = asking(words=("--grace", "1s"))
    os.kill(run.found(), signal.SIGSTOP)
    run.runner.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert run.ended()[0] == 143
    assert time.monotonic() - began < 1 + 2, "the grace, and two seconds more"
    assert not lives(run.pid)
    assert fold_log(run.log).status is RunStatus.CANCELLED


def test_d7_an_fdatasync_that_fails_there_ends_the_run_and_a_resume_goes_on(asking: Callable[..., Asking]) -> None:
    why = strace_works()
    if why:
        pytest.skip(why)
    run = asking()
    command = ["strace", "-qq", "-o", str(run.root / "strace"), "-e", "inject=fdatasync:error=EIO"]
    run.found()
    run.runner.send_signal(signal.SIGSTOP)  # however long the other takes to begin
    with subprocess.Popen([*command, "-p", str(run.pid)], stderr=subprocess.PIPE) as injects:
        while status(run.pid)["TracerPid"] == "0" and injects.poll() is None:
            time.sleep(0.001)
        run.runner.send_signal(signal.SIGCONT)
        code, said = run.ended()
        injects.terminate()
    assert code == 74, said
    assert f"cannot make durable {run.log}: " in said
    assert "(EIO)" in said
    asked = len(run.book())
    assert asked < CALLS
    durable = {event.node for event in read_log(run.log).events if event.event == "node.succeeded"}
    run.runner = run.pipe("resume", "r")
    assert run.ended()[0] == 0
    starts = Counter(event.node for event in read_log(run.log).events if event.event == "node.started")
    assert all(starts[node] == 1 for node in durable if node != "ask")
    assert len(run.book()) <= CALLS + 16, "those that flew are asked again"


BESIDE = """
  forks: {for_each: {items: "{{ range(10) | list }}", max_parallel: 2}, agent: python, with: {call: "own.py:forks"}}
  leaves: {agent: python, with: {call: "own.py:leaves"}}
  command: {for_each: {items: "{{ range(20) | list }}", max_parallel: 2}, run: "sleep 0.05 & echo {{ item }}"}
"""
OWN = """
import os, subprocess, time
def forks():
    child = os.fork()
    if child == 0:
        time.sleep(0.2)
        os._exit(0)
    os.waitpid(child, 0)
def leaves():
    with open("left", "w") as file:
        file.write(str(subprocess.Popen(["sleep", "300"], start_new_session=True).pid))
"""


def test_functions_that_fork_and_commands_beside_it_leave_it_alone_and_all_end_with_the_run(
    asking: Callable[..., Asking], tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    run = asking(more=BESIDE)
    pid = run.found()
    while len(run.book()) < CALLS and run.runner.poll() is None:
        seen = lives(pid)
        assert seen or run.runner.poll() is not None
        time.sleep(0.01)
    code, said = run.ended()
    assert code == 0, said
    assert not lives(pid)
    assert not lives(int((tmp_path / "left").read_text()))
    assert len(run.book()) == CALLS


SICK = r"""
set -e
cd "$1"
mkdir small disk
mount -t tmpfs -o size=3m none small || exit 99
truncate -s 30M small/image
mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 small/image || exit 99
mount -o loop small/image disk || exit 99
"$2" -c "$3"
"""
DIES_WITH_WHAT_IT_WAS_TOLD = r"""
import asyncio, os
from pipe_runner import companions
from pipe_runner.errors import StorageError
from pipe_runner.ports import Event
from pipe_runner.runlog import LogWriter, RunDir
from pipe_runner.types import Durability

companions._START = '''import os, sys
sys.path.append(sys.argv[1])
from pipe_runner.runlog import syncer
def sync(fd):
    told = 0
    while True:
        try:
            os.fdatasync(fd)
            break
        except OSError:
            told += 1
    if told:
        os._exit(0)
syncer.sync_file = sync
''' + companions._START

async def main():
    log = LogWriter.create(RunDir.create("disk/.pipe", "r1"), Durability.FULL)
    told = asyncio.Queue()
    tell = lambda took, error: told.put_nowait((took, error))
    log.append(Event(1, "t", "r1", "node.output"))
    log.commit()
    while not log.commit_beside(tell):
        await asyncio.sleep(0.01)
    await told.get()
    for seq in range(2, 10):
        log.append(Event(seq, "t", "r1", "node.output", "a", 1, {"text": "x" * 1_000_000}))
    log.commit_beside(tell)
    print(await told.get())
    try:
        log.commit()
        print("it pretended to work")
    except StorageError as error:
        print(error.message)

asyncio.run(main())
"""


def test_d7_a_process_that_dies_with_the_news_of_a_sick_disk_takes_it_from_nobody(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    script = ["sh", "-c", SICK, "sh", str(tmp_path), sys.executable, DIES_WITH_WHAT_IT_WAS_TOLD]
    done = subprocess.run(["unshare", "-m", *script], capture_output=True, text=True, timeout=60)
    if done.returncode == 99 or "unshare" in done.stderr or "not found" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()[-100:]}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(None, None)\ncannot make durable "), done.stdout
