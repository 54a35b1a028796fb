"""Puts what sees to the files of attempts around an executor."""

from __future__ import annotations

import os

from pipe_runner.engine.place import WORK, Granted
from pipe_runner.engine.settings import RunSettings
from pipe_runner.executors.reasons import COMMANDS
from pipe_runner.ports import Executor
from pipe_runner.runlog import RunDir
from pipe_runner.types import Durability


def with_files(executor: Executor, rundir: RunDir, settings: RunSettings, granted: Granted) -> Executor:
    """The executor as attempts need it that have files.

    Where no command can be started nothing is to be seen to: only cases of a test run there.
    """
    if not COMMANDS:
        return executor
    from pipe_runner.workspaces import Workspaces

    work, durable = os.path.join(rundir.path, WORK), settings.durability is Durability.FULL
    return Workspaces(executor, rundir.path, work, durable=durable, masker=granted.masker)
