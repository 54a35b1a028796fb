"""The bound of the cache: what was used least recently goes first, and nothing that is being taken."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.resultcache.entries import INLINE, Entries, Entry
from pipe_runner.resultcache.key import Parts
from pipe_runner.resultcache.room import Room

PARTS = Parts("", "r", "n", "shell 1", "", {}, {}, {})


def keep(entries: Entries, name: str, output: Any = "x", used: int = 0) -> int:
    parts = PARTS._replace(key=name)
    size = entries.write(Entry(parts.digest(), parts, "p.yml", name, "run1", 100.0, output))
    entries.room.add(size)
    if used:
        os.utime(Path(entries.file("x")).parents[1] / "results" / parts.digest(), ns=(used, used))
    return size


def names(entries: Entries) -> list[str]:
    return sorted(entry.node for entry, _ in entries.all())


def counted(home: Path) -> int:
    return int((home / "cache/size").read_text())


@pytest.fixture
def entries(tmp_path: Path) -> Entries:
    found = Entries(tmp_path)
    found.remove()
    return found


def test_the_sum_is_what_is_there(entries: Entries, tmp_path: Path) -> None:
    keep(entries, "a")
    keep(entries, "b", "b" * INLINE + "b")
    on_disk = sum(p.stat().st_size for folder in ("results", "blobs") for p in (tmp_path / "cache" / folder).iterdir())
    assert (entries.total(), counted(tmp_path)) == (on_disk, on_disk)
    entries.remove()
    assert (entries.total(), counted(tmp_path)) == (0, 0)


def test_what_was_used_least_recently_goes_first(entries: Entries, tmp_path: Path) -> None:
    sizes = [keep(entries, name, used=at) for at, name in enumerate("abcd", 10**9)]
    entries.used(PARTS._replace(key="a").digest())
    assert entries.shrink(3 * max(sizes))[0] == 1
    assert names(entries) == ["a", "c", "d"]
    assert counted(tmp_path) == entries.total()


def test_what_is_within_the_bound_stays(entries: Entries) -> None:
    size = sum(keep(entries, name) for name in "abc")
    assert entries.shrink(size, down_to=1) == (0, 0)
    assert entries.shrink(size - 1, down_to=size // 2)[0] == 2


def test_content_that_two_have_counts_once_and_goes_with_the_last(entries: Entries, tmp_path: Path) -> None:
    large = "y" * INLINE
    keep(entries, "a", large, used=1)
    keep(entries, "b", large, used=2)
    entries.shrink(INLINE + 2000)
    assert names(entries) == ["a", "b"]
    entries.shrink(INLINE + 500)
    assert names(entries) == ["b"]
    assert len(list((tmp_path / "cache/blobs").iterdir())) == 1


def test_one_that_is_too_large_by_itself_drives_nothing_else_out(entries: Entries) -> None:
    keep(entries, "small", used=1)
    keep(entries, "large", "z" * INLINE, used=2)
    entries.shrink(INLINE // 2)
    assert names(entries) == ["small"]


@pytest.mark.parametrize("content", ["", "a lot", "-"])
def test_a_sum_that_is_not_known_is_said_to_be_so(tmp_path: Path, content: str) -> None:
    room = Room(str(tmp_path / "cache"))
    assert room.add(5) is None
    (tmp_path / "cache/size").write_text(content)
    assert room.add(5) is None
    room.set(10)
    assert room.add(5) == 15


def test_nothing_goes_while_somebody_takes_something(entries: Entries) -> None:
    keep(entries, "a")
    with entries.room.hold(), entries.room.hold():
        with pytest.raises(BlockingIOError, match="in use"):
            entries.shrink(0, patience=0.1)
        with pytest.raises(BlockingIOError):
            entries.remove(patience=0.1)
    assert entries.shrink(0, patience=0.1)[0] == 1


def test_whoever_waits_to_be_alone_comes_before_those_that_come_later(entries: Entries) -> None:
    keep(entries, "a")
    first = entries.room.hold()
    removed: list[tuple[int, int]] = []
    waiting = threading.Thread(target=lambda: removed.append(entries.shrink(0, patience=30)))
    waiting.start()
    late = None
    until = time.monotonic() + 20
    while late is None and time.monotonic() < until:  # until the other waits, others still begin
        try:
            entries.room.hold(patience=0).close()
        except BlockingIOError as error:
            late = error
    assert late is not None and not removed
    first.close()
    waiting.join(30)
    assert removed and removed[0][0] == 1
    entries.room.hold(patience=0).close()


def test_that_holds_between_processes_too_and_ends_with_them(entries: Entries, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pipe_runner.resultcache.entries import Entries\n"
        "hold = Entries(sys.argv[1]).room.hold()\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(BlockingIOError):
        entries.shrink(0, patience=0.1)
    process.kill()
    process.communicate()
    entries.shrink(0, patience=5)


def test_a_directory_that_can_t_be_written_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    room = Room(str(tmp_path / "cache"))
    with room.hold(), room.hold(alone=True):
        assert room.add(1) is None
        room.set(1)


def test_a_file_that_has_gone_stale_on_a_network_disk_is_a_number_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(fd: int) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    room = Room(str(tmp_path / "cache"))
    room.set(1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", stale)
        added, used = room.add(1), room.next_use(7, lambda: 0)
        room.set(1)
    assert (added, used) == (None, 7)
