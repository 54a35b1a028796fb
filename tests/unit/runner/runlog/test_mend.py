"""D5: repair sets a torn tail aside and nothing else; ended anywhere, or done twice, it comes to the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipe_runner.errors import LogDamaged, StorageError
from pipe_runner.ports import Event
from pipe_runner.run import fold
from pipe_runner.runlog import LogWriter, RunDir, repair
from pipe_runner.runlog.lines import encode_line
from pipe_runner.types import Durability

WriteRun = Callable[..., RunDir]


def state_of(rundir: RunDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(rundir.path).iterdir() if path.is_file()}


def test_d5_a_log_cut_at_any_byte_is_repaired_and_goes_on_on_a_fresh_line(
    write_run: WriteRun, ten: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fsync", "fdatasync"):  # sixteen thousand of them, and it is about bytes
        monkeypatch.setattr(os, name, lambda fd: None)
    rundir = write_run()
    log, torn = Path(rundir.log_path), Path(rundir.torn_path)
    whole = log.read_bytes()
    for cut in range(len(whole) + 1):
        log.write_bytes(whole[:cut])
        torn.unlink(missing_ok=True)
        repaired = repair(rundir)
        good = log.read_bytes()
        events = ten[: repaired.next_seq - 1]
        assert good == b"".join(encode_line(event) for event in events)
        assert repaired.length == len(good)
        assert repaired.run == fold(events)
        moved = torn.read_bytes() if torn.exists() else b""
        assert len(moved) == repaired.moved
        assert good.startswith(whole[:cut]) or good + moved == whole[:cut]
        before = state_of(rundir)
        again = repair(rundir)
        assert (again.length, again.next_seq, again.moved) == (repaired.length, repaired.next_seq, 0)
        assert state_of(rundir) == before
        if cut % 7 == 0:
            writer = LogWriter.append_to(rundir, Durability.OS, repaired)
            for event in ten[repaired.next_seq - 1 :]:
                writer.append(event)
            writer.close()
            assert log.read_bytes() == whole


def test_torn_tails_of_several_crashes_are_kept_one_behind_the_other(write_run: WriteRun) -> None:
    rundir = write_run()
    for tail in (b"first\n", b"\0" * 3000, b"third"):
        with open(rundir.log_path, "ab") as log:
            log.write(tail)
        assert repair(rundir).moved == len(tail)
    assert Path(rundir.torn_path).read_bytes() == b"first\n" + b"\0" * 3000 + b"third"


def test_d5_a_repair_that_was_ended_before_it_cut_the_log_does_not_set_the_tail_aside_twice(
    write_run: WriteRun,
) -> None:
    rundir = write_run()
    with open(rundir.log_path, "ab") as log:
        log.write(b"torn")
    Path(rundir.torn_path).write_bytes(b"older torn")
    repair(rundir)
    assert Path(rundir.torn_path).read_bytes() == b"older torn"


def test_d5_a_repair_that_was_ended_while_it_set_the_tail_aside_is_done_again(write_run: WriteRun) -> None:
    rundir = write_run()
    with open(rundir.log_path, "ab") as log:
        log.write(b"torn tail")
    Path(rundir.torn_path).write_bytes(b"torn")
    repair(rundir)
    assert Path(rundir.torn_path).read_bytes() == b"torntorn tail"


def test_d6_a_damaged_log_is_refused_and_not_touched(write_run: WriteRun) -> None:
    rundir = write_run()
    log = Path(rundir.log_path)
    log.write_bytes(log.read_bytes().replace(b"node.retrying", b"node.retryinG") + b"torn")
    before = state_of(rundir)
    with pytest.raises(LogDamaged):
        repair(rundir)
    assert state_of(rundir) == before


@pytest.mark.parametrize("folder", ["blobs", "artifacts"])
def test_unfinished_files_are_removed_and_finished_ones_stay(write_run: WriteRun, folder: str) -> None:
    rundir = write_run()
    home = Path(rundir.path) / folder
    home.mkdir()
    for name in ("ab" * 32, "ab" * 32 + ".17.0.part"):
        (home / name).touch()
    repair(rundir)
    assert os.listdir(home) == ["ab" * 32]


def test_a_log_that_changed_after_its_repair_is_not_appended_to(write_run: WriteRun) -> None:
    rundir = write_run()
    repaired = repair(rundir)
    with open(rundir.log_path, "ab") as log:
        log.write(b"x")
    with pytest.raises(StorageError, match="has changed"):
        LogWriter.append_to(rundir, Durability.OS, repaired)


def test_s9_a_log_or_a_torn_file_that_is_a_link_is_not_followed(write_run: WriteRun, tmp_path: Path) -> None:
    rundir = write_run()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    Path(rundir.torn_path).symlink_to(precious)
    with open(rundir.log_path, "ab") as log:
        log.write(b"torn")
    with pytest.raises(StorageError, match="ELOOP"):
        repair(rundir)
    assert precious.read_text() == "precious"
