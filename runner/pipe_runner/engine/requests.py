"""What a new run is to do, kept beside its log: a run killed before its first event was whole can still be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.errors import StorageError, UsageError
from pipe_runner.runlog import RunDir
from pipe_runner.runlog.lines import MAX_LINE
from pipe_runner.runlog.reader import opening_of
from pipe_runner.types import Json

REQUEST: Final = "request.json"
"""The file's name; it holds what `run.started` says."""
MAX_REQUEST: Final = MAX_LINE // 2
"""Bytes of what `run.started` says; half of a line, so that a resume has room to say what it changes."""
_REQUESTED: Final = {"pipeline": str, "path": str, "root": str, "inputs": dict, "only": list, "durability": str}


def request_of(rundir: RunDir) -> tuple[str, str, Mapping[str, Json]]:
    """Path of the pipeline file, the project's root and the inputs of a run; from its log, or from what stands beside
    it where the log was cut before the end of its first line. Reads only; raises StorageError, LogDamaged."""
    opening = opening_of(rundir.log_path, rundir.id)
    data = kept_request(rundir) if opening is None else opening.data
    return data["path"], data["root"], data["inputs"]


def request_text(data: Mapping[str, Any]) -> str:
    """What `run.started` will say, as JSON; raises UsageError where that is too much for a line of the log."""
    text = json.dumps(data)
    if len(text) > MAX_REQUEST:
        raise UsageError(
            f"the run's inputs take {len(json.dumps(data['inputs'])) >> 20} MiB in its log, which writes what is not "
            f"ASCII as escapes; its first line has room for {MAX_REQUEST >> 20} MiB",
            hint="write the data to a file, and give the file's path as the input",
        )
    return text


def keep_request(rundir: RunDir, text: str) -> None:
    path = os.path.join(rundir.path, REQUEST)
    try:
        with open(path, "x", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def kept_request(rundir: RunDir) -> dict[str, Any]:
    path = os.path.join(rundir.path, REQUEST)
    try:
        with open(path, encoding="ascii") as file:
            data: dict[str, Any] = json.load(file)
        if not {"path", "root", "inputs"} <= data.keys():
            raise ValueError("it is not whole")
        if not all(isinstance(data.get(key, kind()), kind) for key, kind in _REQUESTED.items()):
            raise ValueError("it holds something else")
        return data
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise StorageError(
            f"run {rundir.id} never began: its log holds no whole run.started, and {path} can't be read ({error})",
            hint="nothing of it had started; start it anew with `pipe run`",
        ) from error
