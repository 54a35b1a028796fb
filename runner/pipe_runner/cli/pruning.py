"""`pipe runs prune`: removes runs that nobody needs any more."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from math import inf

from pipe_runner.cli.boundary import say
from pipe_runner.cli.found import has_runs
from pipe_runner.cli.settings import duration, whole
from pipe_runner.cli.words import Given
from pipe_runner.console.words import plural, safe
from pipe_runner.errors import RunBusy, UsageError
from pipe_runner.ports import RunSummary
from pipe_runner.runlog import RunDir, RunLock
from pipe_runner.runlog.reader import last_event
from pipe_runner.runlog.removing import remove, remove_evaluations, remove_leftovers, size_of, to_remove
from pipe_runner.runlog.rundir import LOG
from pipe_runner.stores import open_store
from pipe_runner.stores.scan import summarise
from pipe_runner.types import EventKind, RunStatus


def prune(given: Given, state: str) -> int:
    """Remove runs by age, by number, or by both; what waits for a person and what goes on stays."""
    age, most = given.text("older_than"), given.text("keep")
    if age is None and most is None:
        raise UsageError("say which runs to remove", hint="--older-than 30d, --keep 100, or both")
    keep = 0 if most is None else whole(most, "--keep")
    if keep < 0:
        raise UsageError(f"--keep: {keep} is negative")
    before = None if age is None else time.time() - duration(age, "--older-than", inf)
    stamp = None if before is None else _stamp(before)
    dry = given.on("dry_run")
    found = to_remove(_newest_first(state), stamp, keep)
    runs = os.path.join(state, "runs")
    removed: list[str] = []
    freed = 0
    if not dry:
        remove_leftovers(runs)
    for one in found:
        rundir = RunDir(one.run, os.path.join(runs, one.run))
        try:
            size = _would_free(rundir) if dry else remove(rundir, partial(_still, runs, one.run, stamp))
        except RunBusy:
            say(f"  kept {safe(one.run)}: somebody works on it, or it waits for a person")
            continue
        if size is None:  # another `prune` was faster
            continue
        freed += size
        removed.append(one.run)
    evaluations = 0 if dry or before is None else remove_evaluations(state, before)
    if given.text("output") == "json":
        told = {"removed": removed, "bytes": freed, "evaluations": evaluations, "dry_run": dry}
        sys.stdout.write(json.dumps(told) + "\n")
        return 0
    if dry:
        for run in removed:
            sys.stdout.write(f"{safe(run)}\n")
        sys.stdout.write(f"would remove {plural(len(removed), 'run')}\n")
        return 0
    others = f" and {plural(evaluations, 'evaluation')}" if evaluations else ""
    sys.stdout.write(f"removed {plural(len(removed), 'run')}{others}, {freed} bytes\n")
    return 0


def _newest_first(state: str) -> list[RunSummary]:
    if not has_runs(state):
        return []
    store = open_store(state)
    try:
        return list(store.runs(None))
    finally:
        store.close()


def _still(runs: str, run: str, before: str | None) -> bool:
    """Whether a run is to go, by what its log says now: somebody may have gone on with it since they were listed."""
    end = last_event(os.path.join(runs, run, LOG), run)
    if end is not None and end.event == EventKind.RUN_FINISHED:
        return end.data.get("status") != RunStatus.WAITING and (before is None or end.ts < before)
    return bool(to_remove([summarise(runs, run)], before, 0))


def _would_free(rundir: RunDir) -> int:
    """The bytes that a run has; raises RunBusy while somebody works on it."""
    if RunLock.held(rundir) is not None:
        raise RunBusy(f"run {rundir.id} is being worked on")
    return size_of(rundir)


def _stamp(seconds: float) -> str:
    """As the times of events, which are compared as text; before all of them for what is before 1970."""
    if seconds < 0:
        return ""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1e6):06}Z"
