"""Where a run's directory has no place for a socket, its folder elsewhere doesn't stay for ever."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipe_runner.bus.door import _FOLDER, Door


def left(folder: Path, age: float) -> socket.socket:
    """A socket as a runner has it, made so many seconds ago."""
    folder.mkdir()
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(folder / "bus"))
    made.listen()
    then = (folder / "bus").stat().st_mtime - age
    os.utime(folder / "bus", (then, then))
    return made


def test_a_run_removes_the_sockets_of_killed_runners_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="t") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        left(Path(place, f"{_FOLDER}killed"), 100).close()
        left(Path(place, f"{_FOLDER}young"), 0).close()
        left(Path(place, "somebody-else"), 100).close()
        Path(place, f"{_FOLDER}empty").mkdir()
        left(Path(place, "pipe-bus-00000000-of-another-machine"), 100).close()
        with tempfile.TemporaryDirectory(prefix="t") as other, left(Path(place, f"{_FOLDER}alive"), 100):
            left(Path(other, "elsewhere"), 100).close()
            Path(place, f"{_FOLDER}link").symlink_to(Path(other, "elsewhere"))
            asyncio.run(_opened_and_closed(os.path.join(place, "x" * 120)))
            assert os.listdir(Path(other, "elsewhere")) == ["bus"]
        found = {name.removeprefix(_FOLDER) for name in os.listdir(place)}
    assert found == {"alive", "empty", "link", "pipe-bus-00000000-of-another-machine", "somebody-else", "young"}


async def _opened_and_closed(path: str) -> None:
    rundir: Any = SimpleNamespace(path=path)
    door = Door(rundir, asyncio.get_running_loop())
    assert door._folder is not None
    await door.close()
