"""The folder of a recording: what is removed when one begins anew, what stays, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recording_case import attempt, record

from pipe_runner.errors import UsageError
from pipe_runner.masking import NoMasking
from pipe_runner.recordings.entry import Entry
from pipe_runner.recordings.folder import Folder
from pipe_runner.recordings.recorder import Recording


def test_a_new_recording_removes_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    record(tmp_path, [(attempt(), {"p": 1}, 1)])
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "data.json").write_text("{}")
    record(tmp_path, [(attempt(), {"p": 2}, 2)])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert {"README.md", "data.json"} < set(names)


def test_only_the_recordings_of_the_nodes_that_run_are_removed(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    nodes = ("a", "a[1]", "a.b", "a[x].b", "ab", "b", "b.a", "b[a]")
    for number, node in enumerate(nodes):
        folder.write(Entry("model", node, 1, 1, {"p": number}, 1))
    (tmp_path / "a-model-0123456789ab-1.json").write_text("<<<<<<<")
    (tmp_path / "a-model-0123456789ab-1.json.part").write_text("{")
    folder.clear(["a"])
    (tmp_path / "a-model-0123456789ab-1.json").unlink()
    assert {entry.node for entry in folder.read()} == {"ab", "b", "b.a", "b[a]"}
    assert len(list(tmp_path.iterdir())) == 4


def test_all_that_can_not_be_used_are_named_at_once(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"x{number:02}.json").write_text("<<<<<<< HEAD\n")
    with pytest.raises(UsageError) as caught:
        Folder(str(tmp_path)).read()
    assert "x00.json can't be used: line 1, column 1: git left a conflict" in caught.value.message
    assert "; others that can't be used: x01.json, x02.json, " in caught.value.message
    assert caught.value.message.endswith("x20.json, … (29 in all)")


def test_s1_a_link_out_of_the_project_is_not_read_where_files_are_only_checked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    record(tmp_path / "out", [(attempt(), {"p": 1}, 1)])
    (file,) = (tmp_path / "out").iterdir()
    (tmp_path / "in" / "x.json").symlink_to(file)
    assert len(Folder(str(tmp_path / "in")).read()) == 1
    with pytest.raises(UsageError, match="it is a link that leaves the project"):
        Folder(str(tmp_path / "in"), within=tmp_path / "in").read()


def test_a_folder_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Folder(str(tmp_path / "no")).read()
    assert "--record" in str(caught.value.hint)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="it is no folder") as caught:
        Folder(str(tmp_path / "file")).read()
    assert caught.value.hint is None  # nothing can be recorded there


def test_what_a_killed_runner_left_half_written_is_passed_over_and_removed(tmp_path: Path) -> None:
    folder, entry = Folder(str(tmp_path)), Entry("model", "n", 1, 1, {"p": 1}, 1)
    folder.write(entry)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f"{file.name}.part")
    folder.write(entry)
    assert [one.answer for one in folder.read()] == [1]
    folder.clear()
    assert list(tmp_path.iterdir()) == []


def test_who_goes_on_removes_what_was_begun_long_ago_and_nothing_that_is_being_written(tmp_path: Path) -> None:
    Folder(str(tmp_path)).write(Entry("model", "n", 1, 1, {"p": 1}, 1))
    (file,) = tmp_path.iterdir()
    kept = [file, tmp_path / f"{file.name}.part", tmp_path / "notes.part"]
    old = [tmp_path / f"{file.stem}0.json.part", tmp_path / f"12-probe-{'0' * 12}-0.json.part"]
    for path in (*kept[1:], *old):
        path.write_text("{")
    for path in (file, kept[2], *old):
        os.utime(path, (0, 0))
    Recording(Folder(str(tmp_path)), NoMasking(), anew=False)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_what_replaying_would_refuse_beside_recordings_is_known(tmp_path: Path) -> None:
    record(tmp_path, [(attempt(), {"q": 1}, {"text": "a"})])
    (mine,) = tmp_path.iterdir()
    (tmp_path / "renamed.json").write_bytes(mine.read_bytes())
    assert Folder(str(tmp_path)).others() == []
    (tmp_path / "theirs.json").write_text('{"theirs": 1}')
    assert Folder(str(tmp_path)).others() == ["theirs.json"]
    assert Folder(str(tmp_path / "none")).others() == []
    mine.write_text("<<<<<<< HEAD")
    assert Folder(str(tmp_path)).others() == ["theirs.json"], "a new recording removes it"
    assert Folder(str(tmp_path)).others(some=True) == [mine.name, "theirs.json"]
