"""An entry is whole or a miss, whatever was done to its file."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import time
import zlib
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe_runner.resultcache.bound import Bound
from pipe_runner.resultcache.entries import INLINE, Entries, Entry
from pipe_runner.resultcache.key import Parts

PARTS = Parts("", "r", "n", "shell 1", "", {"`run`": "1"}, {}, {})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def entry(output: Any = "kept", made: float = 100.0, **parts: Any) -> Entry:
    own = PARTS._replace(**parts)
    return Entry(own.digest(), own, "p.yml", "n", "run1", made, output, None, 0)


@given(JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_an_entry_is_read_as_it_was_written(tmp_path: Path, output: Any) -> None:
    entries = Entries(tmp_path)
    entries.write(entry(output))
    assert entries.read(PARTS.digest()) == entry(output)


def test_a_large_output_has_a_file_of_its_own(tmp_path: Path) -> None:
    entries, large = Entries(tmp_path), "ü" * INLINE
    entries.write(entry(large))
    found = entries.read(PARTS.digest())
    assert found is not None
    assert found.output == large
    (blob,) = (tmp_path / "cache/blobs").iterdir()
    blob.write_bytes(blob.read_bytes()[:-2] + b'x"')
    assert entries.read(PARTS.digest()) is None
    blob.unlink()
    assert entries.read(PARTS.digest()) is None


def test_damage_anywhere_makes_a_miss(tmp_path: Path) -> None:
    entries = Entries(tmp_path)
    entries.write(entry())
    path = tmp_path / "cache/results" / PARTS.digest()
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert entries.read(PARTS.digest()) is None, at
        path.write_bytes(whole[:at])
        assert entries.read(PARTS.digest()) is None, at
    path.write_bytes(whole)
    assert entries.read(PARTS.digest()) is not None


@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "other name"])
def test_what_is_no_entry_is_a_miss(tmp_path: Path, kind: str) -> None:
    entries = Entries(tmp_path)
    entries.write(entry())
    path = tmp_path / "cache/results" / PARTS.digest()
    if kind == "other name":
        path = path.rename(path.with_name(PARTS._replace(key="x").digest()))
        assert entries.read(path.name) is None
        return
    path.rename(tmp_path / "real")
    {"link": lambda: path.symlink_to(tmp_path / "real"), "folder": path.mkdir, "fifo": lambda: os.mkfifo(path)}[kind]()
    assert entries.read(PARTS.digest()) is None


def test_pruning_removes_old_entries_damaged_ones_and_outputs_that_nobody_names(tmp_path: Path) -> None:
    entries = Entries(tmp_path)
    entries.write(entry("a" * INLINE + "a", made=100))
    entries.write(entry("b" * INLINE + "b", made=200, key="2"))
    (tmp_path / "cache/results/damaged").write_text("{}")
    assert sorted(one.made for one, _ in entries.all()) == [100, 200]
    gone, freed = entries.remove(older_than=150)
    assert gone == 2
    assert freed > INLINE
    assert [one.made for one, _ in entries.all()] == [200]
    assert len(list((tmp_path / "cache/blobs").iterdir())) == 1
    assert entries.remove()[0] == 1
    assert list((tmp_path / "cache/blobs").iterdir()) == []
    assert entries.remove() == (0, 0)


def test_what_a_killed_writer_had_begun_goes_at_the_end_of_a_run_that_finds_nobody_at_work(tmp_path: Path) -> None:
    entries, bound = Entries(tmp_path), Bound(Entries(tmp_path), 2**20)
    entries.write(entry("a" * INLINE + "a"))
    for folder in ("results", "blobs"):
        (tmp_path / "cache" / folder / "abc.0123456789ab.part").write_text("half")
    with entries.room.hold():
        asyncio.run(bound.end())
    assert len(list(tmp_path.rglob("*.part"))) == 2, "somebody may be writing them"
    asyncio.run(bound.end())
    assert list(tmp_path.rglob("*.part")) == []
    assert len(list(entries.all())) == 1


def test_the_salt_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    salt = Entries(tmp_path).salt()
    assert len(salt) == 32
    assert Entries(tmp_path).salt() == salt
    path = tmp_path / "cache/salt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short")
    again = Entries(tmp_path).salt()
    assert len(again) == 32
    assert Entries(tmp_path).salt() == again
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["salt"]


def test_a_file_without_room_leaves_no_part_and_the_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    (tmp_path / "source").write_text("content")
    entries = Entries(tmp_path)
    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(shutil, "copyfile", refused)
    monkeypatch.setattr(shutil, "copyfileobj", refused)
    with pytest.raises(OSError, match="No space") as caught:
        entries.take_file(str(tmp_path / "source"), "a" * 64)
    assert caught.value.filename == str(tmp_path / "cache/blobs")
    assert not list((tmp_path / "cache/blobs").iterdir())
    monkeypatch.setattr(os, "write", refused)
    with pytest.raises(OSError, match="No space"):
        entries.salt()
    assert not list((tmp_path / "cache").glob("*.part"))


@pytest.mark.parametrize(
    "change",
    [
        {"made": "x"},
        {"made": None},
        {"made": float("-inf")},
        {"exit_code": "abc"},
        {"run": 5},
        {"output": {"a": [float("nan")]}},
        {"artifacts": [{"name": "a", "path": "a", "sha256": "a" * 64, "bytes": float("inf")}]},
        {"artifacts": [{"name": "a", "path": "a", "sha256": "a" * 64, "bytes": -1}]},
        {"artifacts": [{"name": "a", "path": "a", "sha256": "../../x", "bytes": 1}]},
        {"artifacts": [{"path": "a", "sha256": "a" * 64, "bytes": 1}]},
        {"blob": {"sha256": "../salt", "bytes": 1}},
    ],
)
def test_an_entry_with_fields_that_no_run_writes_is_a_miss(tmp_path: Path, change: dict[str, Any]) -> None:
    entries = Entries(tmp_path)
    entries.write(entry())
    path = tmp_path / "cache/results" / PARTS.digest()
    data = {**json.loads(path.read_bytes()), **change}
    del data["crc"]
    line = json.dumps(data, separators=(",", ":"))[:-1].encode()
    path.write_bytes(b'%s,"crc":"%08x"}\n' % (line, zlib.crc32(line)))
    assert entries.read(PARTS.digest()) is None
    assert list(entries.all()) == []


def test_what_was_used_last_stays_after_the_clock_was_set_back(tmp_path: Path) -> None:
    entries = Entries(tmp_path)
    ahead = time.time() + 86400
    for number in range(3):
        entries.write(entry(key=str(number)))
    for path in (tmp_path / "cache/results").iterdir():
        os.utime(path, (ahead, ahead))
    (tmp_path / "cache/used").unlink()  # as of a version that did not keep it
    entries.write(entry(key="new"))
    entries.used(PARTS._replace(key="1").digest())
    size = max(size for _, size in entries.all())
    entries.shrink(2 * size)
    assert {one.parts.key for one, _ in entries.all()} == {"new", "1"}
