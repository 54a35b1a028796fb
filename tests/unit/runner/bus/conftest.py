"""A bus with a log on disk, and attempts that a test lets begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.bus.attempts import AttemptBus
from pipe_runner.bus.context import BusContext
from pipe_runner.bus.hub import Hub
from pipe_runner.engine.stream import EventStream
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.run import Run
from pipe_runner.runlog import LogReader, LogWriter, RunDir
from pipe_runner.runlog.reader import fold_into
from pipe_runner.testing import FakeClock
from pipe_runner.types import Durability, EventKind


class World:
    """A run with nothing but a bus: nodes are on it from `begin` to `end`, and the run is still when all wait."""

    def __init__(self, folder: Path, secrets: dict[str, str] | None = None) -> None:
        self.rundir = RunDir.create(folder, "r")
        self.run = Run(id="r")
        self.journal = LogWriter.create(self.rundir, Durability.OS)
        self.stream = EventStream(self.run, self.journal, (), FakeClock())
        self.masker: Any = SecretMasker(secrets) if secrets else NoMasking()
        self.running: dict[str, AttemptBus] = {}
        self.stream.emit(EventKind.RUN_STARTED, data={"pipeline": "p", "path": "p.yml", "nodes": {}})

    def open(self) -> Hub:
        loop = asyncio.get_running_loop()
        context = BusContext(
            self.run, self.stream.emit, self.journal, self.masker, self.rundir, self.rundir.log_path, self.still, loop
        )
        self.hub = Hub(context)
        return self.hub

    def still(self, waits: Callable[[str], bool]) -> bool:
        return all(waits(node) for node in self.running)

    def begin(self, node: str, attempt: int = 1) -> AttemptBus:
        bus = self.running[node] = AttemptBus(self.hub, node, attempt)
        return bus

    def end(self, node: str) -> None:
        self.running.pop(node).close()

    def logged(self) -> Run:
        return fold_into(Run(), LogReader(self.rundir.log_path, "r"))


async def soon(times: int = 20) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


async def read(bus: AttemptBus, pattern: str = "#", since: int = 0) -> list[Any]:
    return [message.message async for message in bus.subscribe(pattern, since=since)]


def in_loop(world: World, main: Any) -> None:
    async def run() -> None:
        with anyio.fail_after(30):
            hub = world.open()
            try:
                await main()
            finally:
                hub.close()

    anyio.run(run)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
