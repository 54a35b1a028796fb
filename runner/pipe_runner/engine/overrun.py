"""What a warden left word of when it ended a runner that could not hold a time limit: the attempt gets its end."""

from __future__ import annotations

import json
import os
from typing import Any

from pipe_runner.engine.stream import EventStream
from pipe_runner.executors.overdue import OVERRUN
from pipe_runner.ports import Clock, Journal
from pipe_runner.run import Run
from pipe_runner.runlog import RunDir
from pipe_runner.types import ErrorKind, EventKind, NodeStatus

_KINDS = (ErrorKind.TIMEOUT, ErrorKind.RUN_TIMEOUT)
REASON = "its time limit passed"


def tell_overrun(rundir: RunDir, run: Run, journal: Journal, clock: Clock, reasons: dict[str, str]) -> None:
    """Log that end, and say in `reasons` why the node runs again; nothing where the log tells of another one since."""
    path = os.path.join(rundir.path, OVERRUN)
    try:
        with open(path, encoding="ascii") as file:
            word: dict[str, Any] = json.load(file)
        node, attempt, kind = str(word["node"]), int(word["attempt"]), ErrorKind(word["kind"])
        data: dict[str, Any] = {"error": {"kind": str(kind), "message": str(word["message"])}}
        if "duration_s" in word:
            data["duration_s"] = float(word["duration_s"])
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return  # it stays interrupted
    state = run.find(node)
    if state is not None and state.status is NodeStatus.RUNNING and state.attempts == attempt and kind in _KINDS:
        EventStream(run, journal, (), clock).emit(EventKind.NODE_FAILED, node, attempt, data)
        if node in reasons:
            reasons[node] = REASON
    os.unlink(path)
