"""Runs on disk for the tests of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pipe_runner.ports import Event
from pipe_runner.runlog import LogWriter, RunDir
from pipe_runner.types import Durability, EventKind

WriteRun: TypeAlias = Callable[..., RunDir]


def ten_events(run: str) -> list[Event]:
    """A small run with one of nearly everything that a line can hold."""
    told: Sequence[tuple[EventKind, str | None, int | None, dict[str, Any]]] = [
        (EventKind.RUN_STARTED, None, None, {"pipeline": "p", "path": "p.yml", "nodes": {"a": "1", "b": "2"}}),
        (EventKind.NODE_STARTED, "a", 1, {}),
        (EventKind.NODE_OUTPUT, "a", 1, {"stream": "stdout", "text": 'x\n"\\,"crc":"00000000"}\u2028\ud800é'}),
        (EventKind.NODE_RETRYING, "a", 1, {"error": {"kind": "exit", "message": "exit 1"}, "delay_s": 0.5}),
        (EventKind.NODE_STARTED, "a", 2, {}),
        (EventKind.NODE_SUCCEEDED, "a", 2, {"output": {"v": 1, "crc": "x", "n": [1.5, None, True]}, "duration_s": 0.1}),
        (EventKind.NODE_STARTED, "b", 1, {}),
        (EventKind.NODE_FAILED, "b", 1, {"error": {"kind": "exit", "message": "exit 2"}, "duration_s": 1e-06}),
        (EventKind.MESSAGE_PUBLISHED, "probe[{4},é]", 1, {"x": [{"v": 1, "seq": 2}]}),
        (EventKind.RUN_FINISHED, None, None, {"status": "failed", "outputs": {}}),
    ]
    return [
        Event(seq, f"2026-11-24T00:32:15.{seq:06}Z", run, kind, node, attempt, data)
        for seq, (kind, node, attempt, data) in enumerate(told, 1)
    ]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes a run of ten events, by its id, and gives its directory."""

    def write(run: str = "r1", events: Sequence[Event] | None = None) -> RunDir:
        rundir = RunDir.create(tmp_path / ".pipe", run)
        log = LogWriter.create(rundir, Durability.OS)
        for event in ten_events(run) if events is None else events:
            log.append(event)
        log.close()
        return rundir

    return write


@pytest.fixture
def ten() -> list[Event]:
    return ten_events("r1")
