"""What the calls of models cost in a pipeline's last runs, from their logs; bounded, and read without an index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pipe_runner.errors import PipeError
from pipe_runner.ports import Event
from pipe_runner.run import Run
from pipe_runner.runlog.reader import LogReader
from pipe_runner.stores.durations import MOST_BYTES, is_replayed, logs
from pipe_runner.types import EventKind, RunStatus

_LAST: Final = 50
"""Runs of the pipeline that count."""
_KINDS: Final = frozenset(
    {
        EventKind.RUN_RESUMED,
        EventKind.RUN_FINISHED,
        EventKind.MODEL_RESERVED,
        EventKind.MODEL_CALLED,
    }
)


class PastCosts(NamedTuple):
    """Of the runs that succeeded and asked models: what each cost in all, and each node in each of them; 1e-9 dollars.
    Runs with a call of which no price is known are left out."""

    runs: tuple[int, ...]
    nodes: Mapping[str, tuple[int, ...]]


def past_costs(state_dir: str, path: str, within: str | None = None) -> PastCosts:
    """The past of the pipeline file that logs call `path`; raises nothing: what can't be read says nothing."""
    runs: list[int] = []
    nodes: dict[str, list[int]] = {}
    size = 0
    for log, length in logs(state_dir, within):
        try:
            run = _folded(iter(LogReader(log)), path)
        except (PipeError, KeyError, TypeError, ValueError, AttributeError):
            continue
        if run is None:
            continue
        size += length
        if size > MOST_BYTES and runs:
            break
        if run.status is not RunStatus.SUCCEEDED or run.ledger is None or run.ledger.total.unpriced:
            continue
        runs.append(run.ledger.total.all_cost)
        for node, spent in run.ledger.by_node(run.nodes).items():
            nodes.setdefault(node, []).append(spent.all_cost)
        if len(runs) == _LAST:
            break
    return PastCosts(tuple(runs), {node: tuple(costs) for node, costs in nodes.items()})


def _folded(events: Iterator[Event], path: str) -> Run | None:
    """The calls of a run, and how it ended; None where it is one of another file, or recordings have answered."""
    run = Run()
    first = next(events, None)
    if first is None or first.event != EventKind.RUN_STARTED or first.data.get("path") != path or is_replayed(first):
        return None
    run.apply(first)
    for event in events:
        if event.event == EventKind.RUN_RESUMED and is_replayed(event):
            return None
        if event.event in _KINDS:
            run.apply(event)
    return run


def share(costs: tuple[int, ...], part: float) -> int:
    """The smallest of the costs that `part` of them, from 0 to 1, don't exceed."""
    ordered = sorted(costs)
    return ordered[max(0, -(-int(part * 100) * len(ordered) // 100) - 1)]
