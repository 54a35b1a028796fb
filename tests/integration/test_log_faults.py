"""D1, D5, D7: what a full disk, a failing one, and a kill at any system call leave of a log is all that was promised.

The faults are real: a file system of 64 KiB, a limit on file sizes, and system calls that strace makes fail, or in
which it kills the process.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from tests.integration.injecting import injecting

from pipe_runner.runlog import RunDir, fold_log, read_blob, read_log
from pipe_runner.types import EventKind, NodeStatus, RunStatus

WRITER = r"""
import os, sys
from pipe_runner.errors import StorageError
from pipe_runner.ports import Event
from pipe_runner.runlog import LogWriter, RunDir, repair
from pipe_runner.types import Durability

state, events, size, blob = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
try:
    if os.path.exists(os.path.join(state, "runs", "r1", "log.jsonl")):
        rundir = RunDir.open(state, "r1")
        repaired = repair(rundir)
        log, first = LogWriter.append_to(rundir, Durability.FULL, repaired), repaired.next_seq
    else:
        rundir = RunDir.create(state, "r1")
        log, first = LogWriter.create(rundir, Durability.FULL), 1
    os.write(1, b"ready\n")
    for seq in range(first, first + events):
        data = {"output": "x" * size}
        if blob:
            content = bytes([seq % 127]) * blob
            data = {"output_ref": {"sha256": log.put_blob(content), "bytes": blob, "type": "text", "excerpt": ""}}
        what = ("run.started", None, None) if seq == 1 else ("node.succeeded", f"n{seq}", 1)
        log.append(Event(seq, "2026-11-24T00:32:15.000000Z", "r1", *what, data))
        log.commit()
        os.write(1, b"%d\n" % seq)
except StorageError as error:
    for call in (log.commit, lambda: log.append(Event(seq, "t", "r1", "x"))) if "log" in globals() else ():
        try:
            call()
        except StorageError:
            continue
        os.write(1, b"a failed log pretended to work\n")
    sys.exit(f"{error.exit_code}: {error.message}")
"""


def slow(*values: object) -> ParameterSet:
    return pytest.param(*values, marks=pytest.mark.slow)


ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
"""So that no system call is made but those of the log."""


class Written:
    """What a writing process said: the events whose commit returned, how it ended, what it complained of."""

    def __init__(self, state: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.state = state
        words = done.stdout.split()
        assert "pretended" not in words, done.stdout
        self.ready = "ready" in words
        self.committed = [int(word) for word in words if word.isdecimal()]
        self.exit_code = done.returncode
        self.said = done.stderr

    def check(self) -> int:
        """All that was committed is there, and the log goes on; gives the number of events that it held."""
        log = self.state / "runs" / "r1" / "log.jsonl"
        if not log.exists():
            assert self.committed == []
            return 0
        events = read_log(str(log), "r1").events
        assert len(events) >= max(self.committed, default=0)
        rundir = RunDir.open(self.state, "r1")
        for event in events:
            if "output_ref" in event.data:
                assert read_blob(rundir, event.data["output_ref"])
        writing(self.state, events=2)
        assert read_log(str(log), "r1").torn is None
        assert len(read_log(str(log), "r1").events) == len(events) + 2
        return len(events)


def writing(
    state: Path, *, events: int = 6, size: int = 10, blob: int = 0, before: tuple[str, ...] = (), limit: int = 0
) -> Written:
    command = [*before, sys.executable, "-c", WRITER, str(state), str(events), str(size), str(blob)]
    limits: Callable[[], None] | None = None
    if limit:

        def limits() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=limits, env=ENVIRONMENT)
    if not before and not limit:
        assert done.returncode == 0, done.stderr
    return Written(state, done)


def log_of(state: Path) -> Path:
    return state / "runs" / "r1" / "log.jsonl"


@pytest.mark.parametrize("when", [1, 5, slow(2)])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", slow("EDQUOT")])
def test_d7_a_write_of_the_log_that_fails_ends_it_and_loses_nothing_before_it(
    tmp_path: Path, when: int, error: str
) -> None:
    state = tmp_path / ".pipe"
    written = writing(state, before=injecting(tmp_path, f"write:error={error}:when={when}", log_of(state)))
    assert written.exit_code == 1
    assert re.search(rf"^74: cannot write .*log\.jsonl: .*\({error}\)", written.said)
    assert written.committed == list(range(1, when))
    assert written.check() == when - 1


@pytest.mark.parametrize("when", [1, 3])
def test_d7_a_failed_fdatasync_is_the_end_although_the_next_one_would_succeed(tmp_path: Path, when: int) -> None:
    state = tmp_path / ".pipe"
    written = writing(state, before=injecting(tmp_path, f"fdatasync:error=EIO:when={when}", log_of(state)))
    assert re.search(r"^74: cannot make durable .*log\.jsonl: .*\(EIO\)", written.said)
    assert written.committed == list(range(1, when))
    assert written.check() == when


@pytest.mark.parametrize("when", [1, 2, 3])
def test_d7_a_directory_that_can_not_be_made_durable_fails_the_first_commit(tmp_path: Path, when: int) -> None:
    written = writing(tmp_path / ".pipe", before=injecting(tmp_path, f"fsync:error=EIO:when={when}"))
    assert "(EIO)" in written.said
    assert written.committed == []
    assert written.check() == 1


@pytest.mark.parametrize("when", [1, 4, 7, slow(2), slow(3), slow(5), slow(6)])
def test_d1_d5_a_kill_at_any_write_of_the_log_loses_nothing_that_was_committed(tmp_path: Path, when: int) -> None:
    state = tmp_path / ".pipe"
    written = writing(state, before=injecting(tmp_path, f"write:signal=SIGKILL:when={when}", log_of(state)))
    assert (written.exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL)) == (when <= 6)
    assert written.check() >= min(when, 7) - 1


@pytest.mark.parametrize(
    ("call", "when"),
    # Of one event: the blob, the log and what is said of it are written; blob and log synced; directories beside it.
    [
        *[("write", 3), ("fdatasync", 1), ("rename", 1), ("fsync", 1)],
        *[slow("write", 6), slow("fdatasync", 3), slow("rename", 2), slow("fsync", 2)],
    ],
)
@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=ENOSPC"])
def test_d1_a_blob_is_whole_or_was_never_spoken_of(tmp_path: Path, call: str, when: int, fault: str) -> None:
    state = tmp_path / ".pipe"
    written = writing(state, events=4, blob=70_000, before=injecting(tmp_path, f"{call}:{fault}:when={when}"))
    assert written.exit_code != 0
    assert (fault == "error=ENOSPC") == ("(ENOSPC)" in written.said)
    written.check()
    assert not list((state / "runs" / "r1" / "blobs").glob("*.part"))


@pytest.mark.parametrize(
    ("call", "when"),
    [("openat", 1), ("write", 1), ("write", 3), ("ftruncate", 1), ("pwrite64", 1), ("fsync", 1), ("fsync", 2)],
)
@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=EIO"])
@pytest.mark.few(3)
def test_d5_a_repair_that_ends_at_any_system_call_can_be_done_again(
    tmp_path: Path, call: str, when: int, fault: str
) -> None:
    state = tmp_path / ".pipe"
    writing(state)
    log, torn = log_of(state), log_of(state).with_name("log.torn")
    whole = log.read_bytes()
    log.write_bytes(whole[:-1] + b"\0" * 3_000_000)
    written = writing(state, before=injecting(tmp_path, f"{call}:{fault}:when={when}", log, torn))
    if (call, when) not in (("openat", 1), ("fsync", 2)):
        assert not written.ready
    assert written.check() == 6 + len(written.committed)
    assert b"\0" * 3_000_000 in torn.read_bytes()
    assert log.read_bytes().startswith(whole)


def test_d7_a_write_that_the_system_cuts_short_is_gone_on_with_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    state = tmp_path / ".pipe"
    written = writing(state, events=50, size=1000, limit=20_000)
    assert re.search(r"^74: cannot write .*log\.jsonl: File too large \(EFBIG\)", written.said)
    assert log_of(state).stat().st_size == 20_000, "the short write before the error did happen"
    assert len(written.committed) == 20_000 // 1180 or 15 < len(written.committed) < 20
    assert written.check() == len(written.committed)


def test_d7_a_full_disk_stops_the_log_and_room_on_it_lets_it_go_on(tmp_path: Path) -> None:
    script = tmp_path / "in-a-small-room.sh"
    script.write_text(
        'mount -t tmpfs -o size=192k none "$1" || exit 99\n'
        'dd if=/dev/zero of="$1/ballast" bs=1k count=96 2>/dev/null\n'
        '"$2" -c "$3" "$1/.pipe" 1000 500 0\n'
        'echo "exit $?"\n'
        'rm "$1/ballast"\n'
        '"$2" -c "$3" "$1/.pipe" 10 500 0 || exit 98\n'
        'cp -r "$1/.pipe" "$1.kept"\n'
    )
    room = tmp_path / "room"
    room.mkdir()
    command = ["unshare", "-Urm", "sh", str(script), str(room), sys.executable, WRITER]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()[-100:]}")
    assert done.returncode == 0, done.stderr
    assert "exit 1\n" in done.stdout
    assert re.search(r"74: cannot (write|make durable) .*\(ENOSPC\)", done.stderr)
    committed = [int(word) for word in done.stdout.replace("exit 1\n", "").split() if word.isdecimal()]
    events = read_log(str(tmp_path / "room.kept" / "runs" / "r1" / "log.jsonl")).events
    assert [event.seq for event in events] == list(range(1, max(committed) + 1))
    assert len(events) > 50


@pytest.mark.parametrize("seed", [*range(3), *map(slow, range(3, 40))])
def test_d1_a_kill_at_a_random_instant_loses_nothing_that_was_committed(tmp_path: Path, seed: int) -> None:
    state = tmp_path / ".pipe"
    command = [sys.executable, "-c", WRITER, str(state), "100000", "200", "70000" if seed % 3 == 0 else "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, 0.15))
    process.kill()
    out, err = process.communicate()
    written = Written(state, subprocess.CompletedProcess(command, process.returncode, "ready\n" + out, err))
    whole_lines = out.rpartition("\n")[0].split()
    written.committed = [int(word) for word in whole_lines]
    written.check()


# ---------------------------------------------------------------- the whole command

PIPELINE = """
version: 1
nodes:
  a: {run: 'echo a >> trace'}
  b: {needs: [a], run: 'echo b >> trace; echo out-b'}
  c: {run: 'echo c >> trace; echo "{{ nodes.b.output }}"'}
"""


def pipe(project: Path, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    code = "import sys; from pipe_runner.cli import main; sys.exit(main())"
    command = [*before, sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "p.yml").write_text(PIPELINE)
    return folder


def check_resumed(project: Path, faults: int = 1) -> None:
    """A resume makes the run good: nothing that was durable ran again, nothing more often than the faults explain."""
    log = str(log_of(project / ".pipe"))
    durable = {e.node for e in read_log(log).events if e.event == EventKind.NODE_SUCCEEDED}
    before = (project / "trace").read_text().split() if (project / "trace").exists() else []
    resumed = pipe(project, "resume", "r1")
    assert resumed.returncode == 0, resumed.stderr
    run = fold_log(log)
    assert run.status is RunStatus.SUCCEEDED
    assert {node: state.status for node, state in run.nodes.items()} == dict.fromkeys("abc", NodeStatus.SUCCEEDED)
    assert run.nodes["c"].output == "out-b"
    after = (project / "trace").read_text().split()
    assert not durable & set(after[len(before) :])
    for node in "abc":
        assert 1 <= after.count(node) <= 1 + faults


@pytest.mark.parametrize("when", [1, 2, 5, *map(slow, (3, 4, 6, 7, 8, 9))])
@pytest.mark.parametrize("fault", ["error=ENOSPC", "error=EIO", "signal=SIGKILL"])
@pytest.mark.few(1)
def test_d7_a_run_whose_log_can_not_be_written_stops_and_is_resumed_with_one_command(
    tmp_path: Path, project: Path, when: int, fault: str
) -> None:
    before = injecting(tmp_path, f"write:{fault}:when={when}", log_of(project / ".pipe"))
    done = pipe(project, "run", "p.yml", "--run-id", "r1", before=before)
    if fault == "signal=SIGKILL":
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    else:
        assert done.returncode == 74
        assert fault.removeprefix("error=") in done.stderr
        assert "log.jsonl" in done.stderr
        assert "Traceback" not in done.stderr
    check_resumed(project)


@pytest.mark.few(1)
@pytest.mark.parametrize("when", [1, 2, slow(3)])
def test_d7_a_run_whose_log_can_not_be_made_durable_starts_nothing_that_depends_on_it(
    tmp_path: Path, project: Path, when: int
) -> None:
    before = injecting(tmp_path, f"fdatasync:error=EIO:when={when}", log_of(project / ".pipe"))
    done = pipe(project, "run", "p.yml", "--run-id", "r1", before=before)
    assert done.returncode == 74
    assert "EIO" in done.stderr
    check_resumed(project)


def test_d7_a_storage_error_starts_nothing_more_and_ends_what_is_running(tmp_path: Path, project: Path) -> None:
    nodes = "".join(f"  n{n}: {{run: 'echo n{n} >> trace; sleep {30 if n == 1 else 0.2}'}}\n" for n in range(30))
    (project / "p.yml").write_text(f"version: 1\nconcurrency: 2\nnodes:\n{nodes}")
    # The run and two nodes have started; the end of the quick one, or the start of the next, can't be written.
    before = injecting(tmp_path, "write:error=ENOSPC:when=4", log_of(project / ".pipe"))
    began = time.monotonic()
    done = pipe(project, "run", "p.yml", "--run-id", "r1", before=before)
    assert done.returncode == 74
    assert time.monotonic() - began < 10
    assert len((project / "trace").read_text().split()) <= 3


def test_d6_a_damaged_log_is_refused_with_its_place_and_nothing_runs(project: Path) -> None:
    assert pipe(project, "run", "p.yml", "--run-id", "r1").returncode == 0
    log = log_of(project / ".pipe")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:3], lines[3].replace(b"node", b"nodE", 1), *lines[4:]]))
    damaged = log.read_bytes()
    trace = (project / "trace").read_text()
    for command in (["resume", "r1"], ["show", "r1"], ["logs", "r1"]):
        done = pipe(project, *command)
        assert done.returncode == 74
        assert f"log damaged at byte {len(b''.join(lines[:3]))} (line 4): " in done.stderr
    assert (log.read_bytes(), (project / "trace").read_text()) == (damaged, trace)


def test_d8_the_second_of_two_resumes_is_refused(project: Path) -> None:
    from pipe_runner.runlog import RunLock

    assert pipe(project, "run", "p.yml", "--run-id", "r1").returncode == 0
    with RunLock.acquire(RunDir.open(project / ".pipe", "r1")):
        done = pipe(project, "resume", "r1")
    assert done.returncode == 2
    assert f"process {os.getpid()}" in done.stderr
