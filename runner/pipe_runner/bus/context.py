"""What a bus has of its run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from pipe_runner.ports import Journal, Masker
from pipe_runner.run import Run
from pipe_runner.runlog import RunDir
from pipe_runner.stops import EmitEvent


class BusContext(NamedTuple):
    """Everything that the bus needs, put together by the engine."""

    run: Run
    emit: EmitEvent
    journal: Journal
    masker: Masker
    rundir: RunDir
    log: str
    """Where messages are read."""
    still: Callable[[Callable[[str], bool]], bool]
    """Whether nothing of the run goes on, where the attempts at those nodes wait for which it is true."""
    loop: asyncio.AbstractEventLoop
