"""Puts what sees to the files of attempts around an executor."""

from __future__ import annotations

import os

from pipe_runner.engine.place import WORK, Granted
from pipe_runner.engine.settings import RunSettings
from pipe_runner.executors.reasons import COMMANDS
from pipe_runner.ports import Executor
from pipe_runner.run import NodeState, Run
from pipe_runner.runlog import RunDir, read_blob
from pipe_runner.subplans import Instances
from pipe_runner.types import Durability, Json


def with_files(
    executor: Executor, instances: Instances, run: Run, rundir: RunDir, settings: RunSettings, granted: Granted
) -> Executor:
    """The executor as nodes need it that leave files or ask for a directory of their own.

    Where no command can be started nothing is to be seen to: only cases of a test run there.
    """
    if not COMMANDS:
        return executor
    from pipe_runner.workspaces import Workspaces

    def output(state: NodeState) -> Json:
        return state.output if state.output_ref is None else read_blob(rundir, state.output_ref)

    return Workspaces(
        executor,
        instances,
        run,
        rundir.path,
        os.path.join(rundir.path, WORK),
        durable=settings.durability is Durability.FULL,
        masker=granted.masker,
        output=output,
    )
