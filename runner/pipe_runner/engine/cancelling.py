"""Ends a run that waits for a person: nobody works on it, so it is written into its log, under its lock."""

from __future__ import annotations

from typing import Final

from pipe_runner.engine.clock import SystemClock
from pipe_runner.engine.stream import EventStream
from pipe_runner.errors import UsageError
from pipe_runner.executors.leftovers import end_leftovers
from pipe_runner.run import Run, is_final
from pipe_runner.runlog import LogWriter, RunDir, RunLock, repair
from pipe_runner.runlog.reader import opening_of
from pipe_runner.types import Durability, EventKind, RunStatus, standing

_REASON: Final = "the run was cancelled while it waited for a person"


def cancel_waiting(rundir: RunDir) -> Run:
    """Cancel what has not ended of a run, and the run; gives it as it is then. Nothing is run, not `finally` either.

    Raises RunBusy while a process works on it, UsageError where it doesn't wait, StorageError.
    """
    with RunLock.acquire(rundir):
        opening_of(rundir.log_path, rundir.id)
        repaired = repair(rundir)
        run = repaired.run
        if run.status is not RunStatus.WAITING:
            raise UsageError(f"run {run.id} does not wait: it {standing(run.status)}")
        end_leftovers(rundir.id, rundir.warden_lock_path)
        journal = LogWriter.append_to(rundir, Durability.FULL, repaired)
        try:
            stream = EventStream(run, journal, (), SystemClock())
            for node in _open(run):
                stream.emit(EventKind.NODE_CANCELLED, node, run.state(node).attempts or None, {"reason": _REASON})
            end = {"status": str(RunStatus.CANCELLED), "outputs": {}, "totals": run.totals()}
            stream.emit(
                EventKind.RUN_FINISHED, data=end if run.duration_s is None else {**end, "duration_s": run.duration_s}
            )
            journal.commit()
        finally:
            journal.close()
    return run


def _open(run: Run) -> list[str]:
    """Nodes and items that have not ended; those in a sub-pipeline, and items, before the node that they are of."""
    found: list[str] = []
    for node in reversed(list(run.nodes)):
        found += [f"{node}[{key}]" for key, item in run.items.get(node, {}).items() if not is_final(item.status)]
        if not is_final(run.nodes[node].status):
            found.append(node)
    return found
