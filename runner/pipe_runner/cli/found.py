"""Runs of the past, found by id, by the start of one, or as `latest`."""

from __future__ import annotations

import os
import stat

from pipe_runner.cli.settings import kept_elsewhere
from pipe_runner.cli.words import Given
from pipe_runner.errors import UsageError
from pipe_runner.runlog import RunDir
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.rundir import RUN_ID


def find_run(given: Given, state: str, reference: str) -> RunDir:
    """The directory of the run that a user means, which knows how commands find it; raises UsageError with what was
    near."""
    from pipe_runner.stores import open_store

    if not has_runs(state):
        raise UsageError(
            f"there are no runs in {state}",
            hint="`pipe run FILE` makes one; --state-dir or PIPE_STATE_DIR says where others are kept",
        )
    where = kept_elsewhere(given.text("state_dir"), state)
    if RUN_ID.match(reference) and os.path.isdir(os.path.join(state, "runs", reference)):
        return RunDir.open(state, reference, where)
    store = open_store(state)
    try:
        return RunDir.open(state, store.find(reference, where), where)
    finally:
        store.close()


def has_runs(state: str) -> bool:
    """Whether runs were ever kept in a state directory; raises StorageError where that can't be seen."""
    path = os.path.join(state, "runs")
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise storage_fault("read", path, error) from error


def refuse_missing(named: str | None, state: str) -> None:
    """Raises UsageError where `--state-dir` names a directory that isn't there, or something else."""
    if named is not None and not os.path.isdir(state):
        if os.path.lexists(state):
            raise UsageError(f"--state-dir: {state} is no directory", hint="name another place, or leave it out")
        raise UsageError(f"--state-dir: there is no directory {state}", hint="`pipe run FILE` makes one")


def task_of(rundir: RunDir) -> str | None:
    """The task of which `pipe ask` made the run; None for every other, and where its log has no whole line."""
    from pipe_runner.runlog import LogReader

    for event in LogReader(rundir.log_path, rundir.id):
        task = event.data.get("task")
        return task if isinstance(task, str) else None
    return None


def pipeline_of(rundir: RunDir, state: str) -> tuple[str, str]:
    """The pipeline file of a run, as a path for the working directory, and its project's root; raises UsageError where
    the file is gone."""
    from pipe_runner.engine import request_of

    path, root, _ = request_of(rundir)
    return pipeline_at(path, root, rundir, state)


def pipeline_at(path: str, root: str, rundir: RunDir, state: str) -> tuple[str, str]:
    """The same for the path and the root that the run's log names.

    A project that was moved or copied is found around its state directory: a run goes on in the project that it lies
    in, not in the one it was copied from. Raises UsageError where the file is gone.
    """
    tried = []
    around = os.path.dirname(os.path.realpath(state))
    for folder in dict.fromkeys((around, root) if os.path.basename(state) == ".pipe" else (root, around)):
        full = os.path.join(folder, path)
        tried.append(full)
        if os.path.lexists(full):
            return os.path.relpath(full), folder
    raise UsageError(
        f"the pipeline file of run {rundir.id} is gone: {tried[0]}",
        hint=f"put it back where it was; `{rundir.command('show')}` shows the run without it",
    )
