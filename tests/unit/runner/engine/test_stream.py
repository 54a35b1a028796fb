"""What the stream of events says of time, whatever the clock does; and that it looks at a log between two events."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipe_runner.engine.stream import EventStream
from pipe_runner.ports import Event
from pipe_runner.run import Run
from pipe_runner.runlog import LogWriter, RunDir
from pipe_runner.testing import FakeClock, MemoryJournal
from pipe_runner.types import Durability, EventKind

START = 1_764_328_474_999_998_765


@pytest.mark.parametrize(
    "steps", [[0, 1000, 1000, 999_999_000], [0, -2_000_000_000, 1, 3_600_000_000_000], [235, 1000]]
)
def test_every_event_has_the_clock_s_time_in_microseconds_also_when_it_is_set_back(steps: list[int]) -> None:
    clock = FakeClock()
    stream = EventStream(Run(id="r"), MemoryJournal(), (), clock)
    clock.wall_ns = START
    for step in steps:
        clock.wall_ns += step
        seconds, rest = divmod(clock.wall_ns, 1_000_000_000)
        wanted = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
        assert stream.now() == wanted.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Halfway:
    """A log whose writer is a moment between the write and what it remembers of that, as a thread may be."""

    def __init__(self, rundir: RunDir) -> None:
        self._writer = LogWriter.create(rundir, Durability.OS)
        self.commit, self.check = self._writer.commit, self._writer.check
        self.written = threading.Event()

    def append(self, event: Event) -> None:
        length = self._writer._length
        self._writer.append(event)
        self._writer._length, length = length, self._writer._length
        self.written.set()
        time.sleep(0.05)
        self._writer._length = length


def test_d7_a_log_that_another_thread_just_writes_is_not_taken_for_one_that_somebody_changed(tmp_path: Path) -> None:
    journal = _Halfway(RunDir.create(tmp_path, "r"))
    stream = EventStream(Run(id="r"), journal, (), FakeClock())  # type: ignore[arg-type]
    started = {"pipeline": "p", "path": "p.yml", "nodes": {}}
    thread = threading.Thread(target=stream.emit, args=(EventKind.RUN_STARTED, None, None, started))
    thread.start()
    journal.written.wait()
    try:
        stream.check()
    finally:
        thread.join()
