"""C3: a clock that is set while a run goes on makes no false times and no false concurrency in its report."""

from __future__ import annotations

import re

import pytest

from pipe_runner.ports import Event
from pipe_runner.reports.page import page
from pipe_runner.reports.story import Story
from pipe_runner.reports.timeline import bars_of, most_at_once, timeline
from pipe_runner.types import EventKind


def told(*times: tuple[str, str, float | None]) -> Story:
    """Of `(hour:minute:second, event and node, duration)`."""
    story = Story("r1")
    for seq, (at, what, took) in enumerate(times, 1):
        kind, _, node = what.partition(" ")
        data = {} if took is None else {"duration_s": took}
        if kind == EventKind.RUN_STARTED:
            data = {"nodes": {"a": "1", "b": "2", "c": "3"}}
        if kind == EventKind.RUN_FINISHED:
            data["status"] = "succeeded"
        story.apply(Event(seq, f"2026-11-24T{at}.000000Z", "r1", kind, node or None, 1 if node else None, data))
    return story


@pytest.mark.parametrize("jumped", ["10:00", "12:00"])
def test_c3_nodes_one_after_the_other_stay_so_in_the_report(jumped: str) -> None:
    story = told(
        ("11:00:00", "run.started", None),
        ("11:00:00", "node.started a", None),
        ("11:00:02", "node.succeeded a", 2.0),
        ("11:00:02", "node.started b", None),
        (f"{jumped}:04", "node.succeeded b", 2.0),
        (f"{jumped}:04", "node.started c", None),
        (f"{jumped}:07", "node.succeeded c", 3.0),
        (f"{jumped}:07", "run.finished", 7.0),
    )
    (bars,) = bars_of(story, lambda attempt: str(attempt.status))
    assert [(bar.node, bar.begin, bar.end) for bar in bars] == [("a", 0, 2), ("b", 2, 4), ("c", 4, 7)]
    assert most_at_once(bars) == 1
    assert "3 attempts of 3 nodes in 7.00s, one after the other" in re.sub("<.*?>", "", "".join(timeline(bars, str)))


def test_c3_nodes_side_by_side_stay_so_in_the_report() -> None:
    story = told(
        ("11:00:00", "run.started", None),
        ("11:00:00", "node.started a", None),
        ("11:00:01", "node.started b", None),
        ("12:00:04", "node.succeeded a", 4.0),
        ("12:00:04", "node.started c", None),
        ("12:00:05", "node.succeeded b", 4.0),
        ("12:00:06", "node.succeeded c", 2.0),
    )
    (bars,) = bars_of(story, lambda attempt: str(attempt.status))
    assert [(bar.node, bar.begin, bar.end) for bar in bars] == [("a", 0, 4), ("b", 1, 5), ("c", 4, 6)]


def test_s11_a_time_at_the_end_of_all_dates_is_told() -> None:
    last = "9999-12-31T23:59:59.999999Z"
    story = Story("r1")
    story.apply(Event(1, last, "r1", EventKind.RUN_STARTED, None, None, {"nodes": {"a": "1"}}))
    for seq, kind in enumerate((EventKind.NODE_STARTED, EventKind.NODE_RETRYING, EventKind.NODE_STARTED), 2):
        story.apply(Event(seq, last, "r1", kind, "a", seq // 2, {}))
    story.apply(Event(5, last, "r1", EventKind.RUN_RESUMED, None, None, {"rerun": ["a"]}))
    assert "9999-12-31 23:59:59" in "".join(page(story, None))
