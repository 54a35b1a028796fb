"""Several may remove runs at the same time: each run goes once, and nobody stumbles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipe_runner.errors import RunBusy, StorageError
from pipe_runner.runlog import RunDir
from pipe_runner.runlog.removing import remove, size_of


def made(home: Path, name: str) -> RunDir:
    folder = home / name
    (folder / "blobs").mkdir(parents=True)
    for number in range(20):
        (folder / "blobs" / str(number)).write_bytes(b"x" * 10)
    return RunDir(name, str(folder))


def test_one_that_somebody_else_has_removed_is_no_fault(tmp_path: Path) -> None:
    one = made(tmp_path, "r1")
    assert size_of(one) == 200
    assert remove(one) is not None
    assert remove(one) is None
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_there_and_can_not_be_locked_is(tmp_path: Path) -> None:
    one = made(tmp_path, "r1")
    (tmp_path / "r1" / "run.lock").symlink_to("elsewhere")
    with pytest.raises(StorageError):
        remove(one)


def test_one_that_is_to_stay_after_all_stays(tmp_path: Path) -> None:
    one = made(tmp_path, "r1")
    with pytest.raises(RunBusy, match="has changed meanwhile"):
        remove(one, still=lambda: False)
    assert size_of(one) >= 200
    assert remove(one) is not None


def test_many_at_the_same_time(tmp_path: Path) -> None:
    runs = [made(tmp_path, f"r{number}") for number in range(40)]

    def all_of_them(_: int) -> int:
        count = 0
        for one in runs:
            try:
                count += remove(one) is not None
            except RunBusy:  # another removes it right now
                continue
        return count

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(all_of_them, range(4))) == 40
    assert list(tmp_path.iterdir()) == []
