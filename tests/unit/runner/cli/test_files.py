"""Files that the user asked for: whole, or not there, and nothing beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipe_runner.cli import files
from pipe_runner.errors import StorageError

KILLED = """
import os, signal, sys
from pipe_runner.cli.files import write_whole

def pieces():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

write_whole(sys.argv[1], pieces())
"""


def test_who_is_killed_while_it_writes_leaves_nothing_beside_what_was_there(tmp_path: Path) -> None:
    probe = files._nameless(str(tmp_path))
    if probe is None:
        pytest.skip("this file system has no files without a name")
    os.close(probe)
    path = tmp_path / "report.html"
    path.write_text("before")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
    assert done.returncode == -9
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.html", "before")]


@pytest.mark.parametrize("named", [False, True], ids=["where files need no name", "where they do"])
def test_what_is_written_takes_the_place_of_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.setattr(files, "_nameless", lambda folder: None)
    path = tmp_path / "report.html"
    for text in (b"first", b"second"):
        files.write_whole(str(path), [text[:2], text[2:]])
        assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("report.html", text)]
    monkeypatch.chdir(tmp_path)
    files.write_whole("report.html", [b"third"])
    assert path.read_bytes() == b"third"
    with pytest.raises(StorageError, match="cannot write"):
        files.write_whole(str(tmp_path / "gone" / "x"), [b""])
