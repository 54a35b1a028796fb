"""What a run has on this machine, and what it was granted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pipe_runner.plan import NOTHING
from pipe_runner.runlog.faults import storage_fault

if TYPE_CHECKING:
    from pipe_runner.calls.seams import Recorder
    from pipe_runner.calls.services import Services
    from pipe_runner.executors.pool import Pool
    from pipe_runner.ports import Journal, Masker
    from pipe_runner.runlog import RunDir, RunLock
    from pipe_runner.tools.settings import ServerSettings

SCRATCH, WORK = "scratch", "workspaces"
"""Where attempts keep files, and have directories of their own, in the run's directory; removed with the run's end."""


class Place(NamedTuple):
    """What a run holds on this machine: directory, lock, log, and what starts its processes."""

    rundir: RunDir
    lock: RunLock | None
    """None: nobody else can know of the run, since nothing of it is kept."""
    journal: Journal
    processes: Pool

    def scratch(self) -> str:
        """The directory in which attempts keep files, made where it is missing; raises StorageError."""
        path = os.path.join(self.rundir.path, SCRATCH)
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise storage_fault("make the directory", path, error) from error
        return path

    def let_go(self) -> None:
        """Let the log go, and the run with it; again does nothing."""
        self.journal.close()
        if self.lock is not None:
            self.lock.release()


class Granted(NamedTuple):
    """The secrets of a run, what hides them, and what is to be said of them."""

    secrets: Mapping[str, str]
    masker: Masker
    warnings: tuple[str, ...]
    services: Services | None = None
    """The model services that its nodes ask; None: they ask none."""
    recorder: Recorder | None = None
    """What keeps calls that leave the machine, or answers them; None: nothing does."""
    servers: Mapping[str, ServerSettings] = NOTHING
    """The MCP servers whose tools its nodes list."""
    pins: Mapping[str, Any] = NOTHING
    """What pipe.lock pins the tools of servers to."""
    hidden: Mapping[str, str] = NOTHING
    """What the masker hides from the beginning, by name: secrets, and those of services (`provider NAME NUMBER`)."""
