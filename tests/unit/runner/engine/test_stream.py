"""What the stream of events says of time, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipe_runner.engine.stream import EventStream
from pipe_runner.run import Run
from pipe_runner.testing import FakeClock, MemoryJournal

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
