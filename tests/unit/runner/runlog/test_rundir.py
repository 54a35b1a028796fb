"""A run's directory: who may be called what, and what is made on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.errors import StorageError, UsageError
from pipe_runner.runlog import RunDir, new_run_id
from pipe_runner.runlog.rundir import RUN_ID


def test_new_ids_are_valid_sort_by_time_and_differ() -> None:
    assert new_run_id(1_795_480_335 * 10**9, lambda n: bytes(range(n))) == "20261124-003215-abcde"
    ids = [new_run_id(second * 10**9) for second in range(0, 4 * 10**9, 10**8)]
    assert ids == sorted(ids)
    assert all(RUN_ID.match(run) for run in ids)
    assert len({new_run_id(0) for _ in range(100)}) == 100


def test_a_new_run_has_its_directory_and_the_state_ignores_itself_in_git(tmp_path: Path) -> None:
    rundir = RunDir.create(tmp_path / ".pipe", "r1")
    assert os.listdir(rundir.path) == []
    assert (tmp_path / ".pipe" / ".gitignore").read_text() == "*\n"
    assert rundir.log_path == str(tmp_path / ".pipe" / "runs" / "r1" / "log.jsonl")
    RunDir.create(tmp_path / ".pipe", "r2")


def test_paths_are_absolute_wherever_the_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RunDir.create(".pipe", "r1").path == str(tmp_path / ".pipe" / "runs" / "r1")


def test_a_gitignore_that_is_there_stays_and_a_link_is_not_followed(tmp_path: Path) -> None:
    state = tmp_path / ".pipe"
    state.mkdir()
    (state / ".gitignore").symlink_to(tmp_path / "elsewhere")
    RunDir.create(state, "r1")
    assert not (tmp_path / "elsewhere").exists()


def test_d7_a_gitignore_that_a_full_disk_left_empty_is_written_again(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").touch()
    RunDir.create(tmp_path, "r1")
    assert (tmp_path / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    "run", ["", ".", "..", ".a", "-a", "a/b", "../a", "a b", "a\n", "ä", "a\0", "a" * 81, "latest", "%41"]
)
def test_s9_what_can_not_be_an_id_is_refused(tmp_path: Path, run: str) -> None:
    for make in (RunDir.create, RunDir.open):
        with pytest.raises(UsageError, match="can't be a run's id"):
            make(tmp_path, run)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("run", ["a", "A-1._", "_", "9", "a" * 80, "20261124-003215-k3f9x"])
def test_what_can_be_an_id_is_taken(tmp_path: Path, run: str) -> None:
    assert RunDir.create(tmp_path, run).id == run


def test_an_id_that_is_taken_is_refused(tmp_path: Path) -> None:
    Path(RunDir.create(tmp_path, "r1").log_path).touch()
    with pytest.raises(UsageError, match="there is a run r1 already"):
        RunDir.create(tmp_path, "r1")


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_is_no_directory_is_not_taken_for_a_run(tmp_path: Path, what: str) -> None:
    (tmp_path / "runs").mkdir()
    place = tmp_path / "runs" / "r1"
    place.touch() if what == "file" else place.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="there is a run r1 already"):
        RunDir.create(tmp_path, "r1")


def test_d8_a_run_that_never_began_is_taken_over_and_can_not_be_opened(tmp_path: Path) -> None:
    first = RunDir.create(tmp_path, "r1")
    assert not first.taken_over
    with pytest.raises(UsageError, match="run r1 never began"):
        RunDir.open(tmp_path, "r1")
    again = RunDir.create(tmp_path, "r1")
    assert again.taken_over
    Path(again.log_path).touch()
    with pytest.raises(UsageError, match="there is a run r1 already"):
        first.refuse_begun()


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run r1"):
        RunDir.open(tmp_path, "r1")


def test_d7_a_state_directory_that_can_not_be_made_says_what_and_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot make the directory .*file.*\(ENOTDIR\)"):
        RunDir.create(tmp_path / "file" / ".pipe", "r1")
    with pytest.raises(StorageError, match=r"cannot make the directory .*\(EEXIST\)|ENOTDIR"):
        RunDir.create(tmp_path / "file", "r1")
