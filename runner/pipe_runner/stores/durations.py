"""How long the nodes of a pipeline took in its last runs, from their logs; bounded, and read without an index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from statistics import median
from typing import Any, Final, NamedTuple

from pipe_runner.errors import PipeError
from pipe_runner.ports import Event
from pipe_runner.runlog.reader import LogReader
from pipe_runner.runlog.rundir import RUN_ID, RUNS
from pipe_runner.types import EventKind

_LAST: Final = 10
"""Runs of the pipeline that count."""
_LOOKED_AT: Final = 300
"""Logs whose first line is read to find them."""
MOST_BYTES: Final = 64 * 2**20
"""Of all logs that are read whole."""
_LONGEST: Final = 1e9


class Past(NamedTuple):
    """`seconds` has the median time of each node over the runs in which it succeeded, waits between attempts left out;
    of a repeated node also of the items, as `node[key]`, that its last run had. `runs` says how many runs of the
    pipeline have been read; those that recordings have answered don't count."""

    seconds: dict[str, float]
    runs: int


def past_durations(state_dir: str, path: str, within: str | None = None) -> Past:
    """The past of the pipeline file that logs call `path`; raises nothing: what can't be read says nothing.

    No link is followed to a log. `within`: a state directory that a link leads out of this folder is not looked at.
    """
    found: dict[str, list[float]] = {}
    runs = size = 0
    for log, length in logs(state_dir, within):
        reader = iter(LogReader(log))
        try:
            first = next(reader, None)
            if first is None or first.event != EventKind.RUN_STARTED or first.data.get("path") != path:
                continue
            size += length
            if size > MOST_BYTES and runs:
                break
            took = _durations(first, reader)
            if took is None:
                continue
            repeated = {node.partition("[")[0] for node in found if node[-1:] == "]"}
            for node, seconds in took.items():
                if node in found or node[-1:] != "]" or node.partition("[")[0] not in repeated:
                    found.setdefault(node, []).append(seconds)
        except (PipeError, TypeError):  # a log of another version, or a damaged one
            continue
        runs += 1
        if runs == _LAST:
            break
    return Past({node: median(times) for node, times in found.items()}, runs)


def logs(state_dir: str, within: str | None) -> Iterator[tuple[str, int]]:
    """The logs there, newest first, with their sizes."""
    runs = os.path.join(os.path.realpath(state_dir), RUNS)
    home = None if within is None else os.path.realpath(within)
    if os.path.islink(runs) or (home is not None and os.path.commonpath([home, runs]) != home):
        return
    found = []
    try:
        with os.scandir(runs) as entries:
            names = [e.name for e in entries if RUN_ID.match(e.name) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in names:
        log = os.path.join(runs, name, "log.jsonl")
        try:
            known = os.lstat(log)
        except OSError:
            continue
        if stat.S_ISREG(known.st_mode):
            found.append((known.st_mtime_ns, log, known.st_size))
    found.sort(reverse=True)
    yield from ((log, length) for _, log, length in found[:_LOOKED_AT])


def is_replayed(event: Event) -> bool:
    """Whether recordings answer from this event on: what a run takes then, and costs, says nothing of another."""
    return event.data.get("replay") is not None


def _durations(first: Event, events: Iterator[Event]) -> dict[str, float] | None:
    """Seconds of all attempts of each node that succeeded, or whose failure was tolerated; None of a run in which
    recordings have answered."""
    spent: dict[str, float] = {}
    done: dict[str, float] = {}
    if is_replayed(first):
        return None
    for event in events:
        if event.event == EventKind.RUN_RESUMED and is_replayed(event):
            return None
        node, took = event.node, _seconds(event.data.get("duration_s"))
        if event.event == EventKind.RUN_RESUMED:
            for again in event.data.get("rerun", ()):
                spent.pop(again, None)
                done.pop(again, None)
        if node is None or took is None:
            continue
        if event.event == EventKind.NODE_RETRYING:
            spent[node] = spent.get(node, 0.0) + took
        elif event.event == EventKind.NODE_SUCCEEDED or (
            event.event == EventKind.NODE_FAILED and event.data.get("tolerated") is True
        ):
            done[node] = spent.get(node, 0.0) + took
    return done


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 <= value <= _LONGEST else None
