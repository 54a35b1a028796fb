"""Real processes, started as the runner starts them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.executors.leftovers import end_leftovers
from pipe_runner.executors.processes import Processes
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Command, Masker, ProcessEnd
from pipe_runner.types import EventKind

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER"""


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(autouse=True)
def _none_that_others_left() -> None:
    """Runs of other tests in this process have made it a subreaper: what their killed runners left has ended as its
    child, and would be counted with those of these tests. They begin as in a process of their own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 0, 0, 0, 0)
    us = os.getpid()
    with contextlib.suppress(OSError):
        for pid in Path(f"/proc/{us}/task/{us}/children").read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                    os.waitpid(int(pid), os.WNOHANG)


@dataclass
class Machine:
    """A run's launcher, in a folder of its own; `played` runs a coroutine beside it and closes it."""

    folder: Path
    run_id: str = "run-1"
    events: list[tuple[EventKind, Mapping[str, Any]]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"], "HOME": "/"})

    def __post_init__(self) -> None:
        self.lock = str(self.folder / "warden.lock")
        self.processes = Processes(self.run_id, self.lock)

    def play(self, scene: Coroutine[Any, Any, Any]) -> Any:
        async def whole() -> Any:
            try:
                return await asyncio.wait_for(scene, 60)
            finally:
                await self.processes.close()

        return asyncio.run(whole())

    def attempt(self, node: str = "n", **fields: Any) -> Attempt:
        values: dict[str, Any] = {"number": 1, "agent": "shell", "options": {}, "env": {}, "root": str(self.folder)}
        return Attempt(run=self.run_id, node=node, idempotency_key="k", **{**values, **fields})

    def emit(self, kind: EventKind, data: Mapping[str, Any]) -> None:
        self.events.append((kind, data))

    async def run(
        self,
        *argv: str,
        node: str = "n",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | None = None,
        masker: Masker | None = None,
        emit: Callable[[EventKind, Mapping[str, Any]], None] | None = None,
        **fields: Any,
    ) -> ProcessEnd:
        command = Command(argv, self.env if env is None else env, cwd or str(self.folder), stdin)
        return await self.processes.run(command, self.attempt(node, **fields), emit or self.emit, masker or NoMasking())

    async def sh(self, text: str, **fields: Any) -> ProcessEnd:
        return await self.run("/bin/sh", "-e", "-c", text, **fields)

    def alive(self, pid: int) -> bool:
        """Whether a process is there and no zombie."""
        try:
            state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            return False
        return state not in (b"Z", b"X")

    def ends(self, pid: int, seconds: float) -> bool:
        return wait_until(lambda: not self.alive(pid), seconds)

    def told(self, stream: str = "stdout") -> str:
        return "".join(data["text"] for _, data in self.events if data["stream"] == stream)

    def pid(self, name: str) -> int:
        """The pid that a command wrote to a file here, once it did."""
        path = self.folder / name
        assert wait_until(lambda: path.exists() and path.read_text().endswith("\n")), f"no {name} was written"
        return int(path.read_text())

    async def pid_soon(self, name: str) -> int:
        return await asyncio.to_thread(self.pid, name)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, run_id=f"run-{os.getpid()}-{tmp_path.name}")
    yield machine
    machine.processes.abandon()
    assert not end_leftovers(machine.run_id, machine.lock), "a test left processes behind"
