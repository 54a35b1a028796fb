"""What handlers read of the run, by a fold of events."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from pipe_runner.engine.stream import EventStream
from pipe_runner.plan import Plan
from pipe_runner.run import Run
from pipe_runner.scope import Scope
from pipe_runner.testing import FakeClock, MemoryJournal
from pipe_runner.types import EventKind


@pytest.fixture
def run() -> Run:
    return Run(id="r")


@pytest.fixture
def stream(run: Run) -> EventStream:
    stream = EventStream(run, MemoryJournal(), (), FakeClock())
    stream.emit(EventKind.RUN_STARTED, data={"nodes": {f"n{number}": "d" for number in range(10_000)}})
    return stream


def read(scope: Scope) -> Any:
    names: dict[str, Any] = scope.names((), handler=True)
    return names["run"]["failed"]


@pytest.fixture
def scope(run: Run, stream: EventStream) -> Scope:
    plan = Plan(name="p", path="p.yml", root="/", digest="d", nodes=())
    return Scope(plan, run, lambda ref: None, random.Random(1).getrandbits)


def test_handlers_read_which_nodes_have_failed_until_now(stream: EventStream, scope: Scope) -> None:
    found = [read(scope)]
    for name in ("n7", "n3"):
        stream.emit(EventKind.NODE_FAILED, name, 1, {"error": {"kind": "exit", "message": "no"}})
        found += [read(scope), read(scope)]
    stream.emit(EventKind.NODE_FAILED, "n4", 1, {"error": {"kind": "exit", "message": "no"}, "tolerated": True})
    assert [*found, read(scope)] == [[], ["n7"], ["n7"], ["n3", "n7"], ["n3", "n7"], ["n3", "n7"]]


def test_ten_thousand_handlers_look_through_the_nodes_once(stream: EventStream, scope: Scope) -> None:
    stream.emit(EventKind.NODE_FAILED, "n7", 1, {"error": {"kind": "exit", "message": "no"}})
    began = time.process_time()
    for _ in range(10_000):
        read(scope)
    assert time.process_time() - began < 2
