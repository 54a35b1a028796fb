"""Reads the logs themselves; what an index is compared with, and what serves where there can't be one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from pipe_runner.errors import LogDamaged, StorageError, UsageError
from pipe_runner.ports import RunSummary
from pipe_runner.run import Run
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.reader import LogReader, apply_to, fold_into
from pipe_runner.runlog.rundir import LATEST, RUN_ID, RUNS
from pipe_runner.types import NodeStatus

DAMAGED: Final = "damaged"
"""Status of a run whose log is damaged before its tail; the rest of the row is what stands before the damage."""
UNREADABLE: Final = "unreadable"
"""Status of a run whose log the system doesn't let us read."""


class ScanStore:
    """The RunStore that folds every log each time it is asked."""

    def __init__(self, state_dir: str | os.PathLike[str]) -> None:
        self.runs_dir = os.path.join(os.path.abspath(state_dir), RUNS)

    def runs(self, limit: int | None = None) -> Sequence[RunSummary]:
        """Newest first; raises StorageError where the state directory can't be read."""
        return newest_first(self.summaries())[:limit]

    def find(self, reference: str, where: str = "") -> str:
        """The id for an id, a unique prefix, or `latest`; raises UsageError with what was near."""
        logs = self.logs()
        if not logs:
            raise UsageError(
                f"there are no runs in {os.path.dirname(self.runs_dir)}", hint="`pipe run FILE` starts the first one"
            )
        if reference in logs:
            return reference
        if reference == LATEST:
            return self.runs(1)[0].run
        matching = sorted(run for run in logs if reference and run.startswith(reference))
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise UsageError(f"{reference!r} begins the id of {len(matching)} runs: {_some(matching)}")
        raise UsageError(f"there is no run {reference!r}", hint=_near(reference, logs, where))

    def close(self) -> None:
        """Nothing is open."""

    def summaries(self) -> list[RunSummary]:
        return [summarise(self.runs_dir, run) for run in self.logs()]

    def logs(self) -> dict[str, str]:
        """Ids of all runs, each with what tells whether its log has changed."""
        found: dict[str, str] = {}
        try:
            with os.scandir(self.runs_dir) as entries:
                names = [entry.name for entry in entries if RUN_ID.match(entry.name)]
        except FileNotFoundError:
            return found
        except OSError as error:
            raise storage_fault("read", self.runs_dir, error) from error
        for name in names:
            try:
                log = os.lstat(os.path.join(self.runs_dir, name, "log.jsonl"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                found[name] = ""  # `summarise` says what it is
                continue
            if stat.S_ISREG(log.st_mode):
                found[name] = f"{log.st_size}:{log.st_mtime_ns}:{log.st_ino}"
        return found


def summarise(runs_dir: str, run_id: str) -> RunSummary:
    """The row of one run, folded from its log; never raises for what is in the log."""
    return _row(runs_dir, run_id, fold_into)


def beginning(runs_dir: str, run_id: str) -> RunSummary:
    """The same of the first event alone, which says where it stands among the others."""
    return _row(runs_dir, run_id, _begin)


def _begin(run: Run, reader: LogReader) -> None:
    for event in islice(reader, 1):
        apply_to(run, event, reader)


def _row(runs_dir: str, run_id: str, fold: Callable[[Run, LogReader], object]) -> RunSummary:
    run = Run(id=run_id)
    status = None
    try:
        fold(run, LogReader(os.path.join(runs_dir, run_id, "log.jsonl"), run_id))
    except LogDamaged:
        status = DAMAGED
    except StorageError:
        status = UNREADABLE
    return RunSummary(
        run=run_id,
        pipeline=run.pipeline,
        path=run.path,
        status=status or str(run.status),
        started_at=run.started_at or _time_of(run_id),
        finished_at=run.finished_at,
        duration_s=run.duration_s,
        nodes=len(run.nodes),
        succeeded=run.count(NodeStatus.SUCCEEDED, NodeStatus.CACHED),
        failed=run.count(NodeStatus.FAILED),
        attempt=run.attempt,
        order=run.order,
    )


def newest_first(summaries: Iterable[RunSummary]) -> list[RunSummary]:
    return sorted(summaries, key=place, reverse=True)


def place(summary: RunSummary) -> tuple[str, str]:
    """Where a run stands in the order of runs."""
    return summary.order or summary.started_at, summary.run


def _time_of(run_id: str) -> str:
    """When a run began whose log doesn't say so yet, as far as its id tells; else nothing."""
    day, _, rest = run_id.partition("-")
    time = rest.partition("-")[0]
    if len(day) != 8 or len(time) != 6 or not (day + time).isdecimal():
        return ""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}.000000Z"


def _near(reference: str, runs: Iterable[str], where: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(reference, list(runs), n=3, cutoff=0.5)
    return f"did you mean {_some(near)}?" if near else f"`pipe runs{where}` lists those that exist"


def _some(runs: Sequence[str]) -> str:
    return ", ".join(runs[:5]) + (", …" if len(runs) > 5 else "")
