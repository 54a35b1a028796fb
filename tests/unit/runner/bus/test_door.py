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

from pipe_runner.bus.door import Door


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
        left(Path(place, "pipe-bus-killed"), 100).close()
        left(Path(place, "pipe-bus-young"), 0).close()
        left(Path(place, "somebody-else"), 100).close()
        Path(place, "pipe-bus-empty").mkdir()
        with left(Path(place, "pipe-bus-alive"), 100):
            asyncio.run(_opened_and_closed(os.path.join(place, "x" * 120)))
        found = sorted(os.listdir(place))
    assert found == ["pipe-bus-alive", "pipe-bus-empty", "pipe-bus-young", "somebody-else"]


async def _opened_and_closed(path: str) -> None:
    rundir: Any = SimpleNamespace(path=path)
    door = Door(rundir, asyncio.get_running_loop())
    assert door._folder is not None
    await door.close()
