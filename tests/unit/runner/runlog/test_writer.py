"""The writer writes what it is given, in order, durable when it says so; after a failure it never pretends."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipe_runner.errors import StorageError
from pipe_runner.ports import Event
from pipe_runner.runlog import LogWriter, RunDir, read_log, repair
from pipe_runner.runlog import writer as writing
from pipe_runner.runlog.lines import encode_line
from pipe_runner.types import Durability


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / ".pipe", "r1")


@pytest.fixture
def log(rundir: RunDir) -> Iterator[LogWriter]:
    made = LogWriter.create(rundir, Durability.FULL)
    yield made
    made.close()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made durable, in order: `file` or a directory's name."""
    done: list[str] = []
    monkeypatch.setattr(writing, "sync_file", lambda fd: done.append("file"))
    monkeypatch.setattr(writing, "sync_directory", lambda path: done.append(os.path.basename(path)))
    return done


def append(log: LogWriter, events: list[Event]) -> None:
    for event in events:
        log.append(event)


def test_events_are_in_the_file_when_append_returns(log: LogWriter, rundir: RunDir, ten: list[Event]) -> None:
    for event in ten:
        log.append(event)
        assert read_log(rundir.log_path).events[-1] == event
    assert Path(rundir.log_path).read_bytes() == b"".join(map(encode_line, ten))


def test_an_event_out_of_order_or_of_another_run_is_refused_before_it_is_written(
    log: LogWriter, rundir: RunDir, ten: list[Event]
) -> None:
    log.append(ten[0])
    wrong = [ten[0], ten[2], Event(2, "t", "r2", "node.started", "a", 1)]
    for event in wrong:
        with pytest.raises(ValueError, match="can't follow"):
            log.append(event)
    assert read_log(rundir.log_path).events == ten[:1]
    log.append(ten[1])
    assert read_log(rundir.log_path).events == ten[:2]


def test_an_event_that_is_no_json_is_refused_and_the_next_one_takes_its_place(
    log: LogWriter, rundir: RunDir, ten: list[Event]
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        log.append(Event(1, "t", "r1", "x", data={"x": float("nan")}))
    append(log, ten)
    assert read_log(rundir.log_path).events == ten


def test_a_log_is_created_once(log: LogWriter, rundir: RunDir) -> None:
    with pytest.raises(StorageError, match="EEXIST"):
        LogWriter.create(rundir, Durability.FULL)


def test_d2_the_first_commit_makes_the_new_directories_durable_too_and_the_next_only_the_log(
    log: LogWriter, ten: list[Event], synced: list[str], tmp_path: Path
) -> None:
    log.commit()
    assert synced == [], "nothing was written yet"
    log.append(ten[0])
    log.commit()
    assert synced == ["file", "r1", "runs", ".pipe", tmp_path.name]
    log.commit()
    append(log, ten[1:3])
    log.commit()
    log.commit()
    assert synced[5:] == ["file"]


def test_with_durability_os_nothing_is_synced(rundir: RunDir, ten: list[Event], synced: list[str]) -> None:
    log = LogWriter.create(rundir, Durability.OS)
    append(log, ten)
    log.commit()
    log.put_blob(b"x")
    log.close()
    assert synced == []


def test_d2_no_commit_returns_before_its_events_are_durable_whoever_else_commits(
    log: LogWriter, ten: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def slow_sync(fd: int) -> None:
        syncing.set()
        assert go_on.wait(10)

    def commit(name: str) -> None:
        log.commit()
        done.append(name)

    monkeypatch.setattr(writing, "sync_file", slow_sync)
    log.append(ten[0])
    threads = [threading.Thread(target=commit, args=("first",))]
    threads[0].start()
    assert syncing.wait(10)
    threads.append(threading.Thread(target=commit, args=("same events",)))
    log.append(ten[1])
    threads.append(threading.Thread(target=commit, args=("later event",)))
    for thread in threads[1:]:
        thread.start()
        thread.join(0.05)
    assert done == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert sorted(done) == ["first", "later event", "same events"]


def test_d7_a_short_write_is_continued(
    log: LogWriter, rundir: RunDir, ten: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data[:7])))
    append(log, ten)
    monkeypatch.undo()
    assert read_log(rundir.log_path).events == ten


def test_d7_a_failed_write_fails_every_later_call_and_leaves_a_log_that_can_be_repaired(
    log: LogWriter, rundir: RunDir, ten: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    calls = iter(range(100))

    def failing(fd: int, data: bytes) -> int:
        if next(calls) < 1:
            return write(fd, bytes(data[:40]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log.append(ten[0])
    log.commit()
    monkeypatch.setattr(os, "write", failing)
    with pytest.raises(StorageError, match=r"cannot write .*log\.jsonl: No space left on device \(ENOSPC\)") as first:
        log.append(ten[1])
    assert "pipe resume" in str(first.value.hint)
    monkeypatch.undo()
    for call in (lambda: log.append(ten[1]), log.commit, lambda: log.put_blob(b"x")):
        with pytest.raises(StorageError, match="ENOSPC"):
            call()
    repaired = repair(rundir)
    assert (repaired.next_seq, repaired.moved) == (2, 40)


def test_d7_a_failed_fdatasync_is_never_retried_as_if_it_had_worked(
    log: LogWriter, ten: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log.append(ten[0])
    monkeypatch.setattr(writing, "sync_file", failing)
    with pytest.raises(StorageError, match=r"cannot make durable .*EIO"):
        log.commit()
    monkeypatch.undo()
    with pytest.raises(StorageError, match="EIO"):
        log.commit()
    with pytest.raises(StorageError, match="EIO"):
        log.append(ten[1])


def test_d7_a_blob_that_can_not_be_written_fails_the_log_too(log: LogWriter, rundir: RunDir, ten: list[Event]) -> None:
    Path(rundir.blobs).touch()
    with pytest.raises(StorageError, match="blobs"):
        log.put_blob(b"x")
    with pytest.raises(StorageError, match="blobs"):
        log.append(ten[0])


def test_a_closed_log_takes_nothing_more(log: LogWriter, ten: list[Event]) -> None:
    log.close()
    log.close()
    with pytest.raises(StorageError, match="is closed"):
        log.append(ten[0])


def test_appending_goes_on_with_number_and_run(rundir: RunDir, log: LogWriter, ten: list[Event]) -> None:
    append(log, ten[:5])
    log.close()
    again = LogWriter.append_to(rundir, Durability.FULL, repair(rundir))
    append(again, ten[5:])
    again.commit()
    again.close()
    assert read_log(rundir.log_path).events == ten


@pytest.mark.parametrize("number", [None, errno.ENOTSUP, errno.ENOTTY, errno.EIO])
def test_where_there_is_no_fdatasync_the_drive_is_told_and_fsync_does_where_it_does_not_know_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    import fcntl

    from pipe_runner.sync import sync_directory, sync_file

    done: list[str] = []

    def fully(fd: int, what: int) -> int:
        done.append("fully")
        if number is not None:
            raise OSError(number, "no")
        return 0

    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", fully)
    monkeypatch.setattr(os, "fsync", lambda fd: done.append("fsync"))
    file = tmp_path / "log"
    with file.open("wb") as opened, pytest.raises(OSError) if number == errno.EIO else nullcontext():
        sync_file(opened.fileno())
    assert done == (["fully"] if number in (None, errno.EIO) else ["fully", "fsync"])
    if number is None:
        sync_directory(str(tmp_path))
        assert done == ["fully", "fully"]
