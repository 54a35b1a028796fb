"""A run's result where the user wants it: stdout as text or JSON, a file as JUnit."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pipe_runner.errors import StorageError

if TYPE_CHECKING:
    from pipe_runner.run import Run
    from pipe_runner.runlog import RunDir
    from pipe_runner.types import Json


def print_result(run: Run, rundir: RunDir, output: str) -> None:
    """The outputs as `name: value`, or the whole result as JSON; nothing for jsonl, which has said it all.

    A reader who has gone away is no fault of the run."""
    if output == "jsonl" or (output == "text" and not run.outputs and run.outputs_ref is None):
        return
    try:
        if output == "json":
            from pipe_runner.reports.result import result_text
            from pipe_runner.runlog import read_blob

            for piece in result_text(run, lambda ref: read_blob(rundir, ref)):
                sys.stdout.write(piece)
        else:
            sys.stdout.write(outputs_text(run, rundir))
        sys.stdout.flush()
    except BrokenPipeError:
        from pipe_runner.cli.boundary import forget

        forget(sys.stdout)


def outputs_text(run: Run, rundir: RunDir) -> str:
    """`name: value` for every output; further lines of a value are indented. Safe to print."""
    from pipe_runner.console.words import safe
    from pipe_runner.reports.result import outputs
    from pipe_runner.runlog import read_blob

    lines = []
    for name, value in outputs(run, lambda ref: read_blob(rundir, ref)).items():
        first, *more = _shown(value).split("\n")
        lines.append(f"{name}: {safe(first)}".rstrip())
        lines += [f"  {safe(line)}" for line in more]
    return "".join(f"{line}\n" for line in lines)


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)


def write_junit(run: Run, path: str) -> None:
    """Write the JUnit document of a run; raises StorageError."""
    from pipe_runner.reports.junit import junit

    write_whole(junit(run), path)


def write_whole(data: bytes, path: str) -> None:
    """Write a file, whole or not at all where the system gives the means; raises StorageError."""
    part = f"{path}.{os.getpid()}.part"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            part = ""  # a pipe, or a device
        with open(part or path, "wb") as file:
            file.write(data)
        if part:
            os.replace(part, path)
    except OSError as error:
        if part and os.path.lexists(part):
            os.unlink(part)
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
