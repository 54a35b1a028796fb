"""A run's result where the user wants it: stdout as text or JSON, a file as JUnit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe_runner.run import Run
    from pipe_runner.runlog import RunDir


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
            sys.stdout.writelines(outputs_text(run, rundir))
        sys.stdout.flush()
    except BrokenPipeError:
        from pipe_runner.cli.boundary import forget

        forget(sys.stdout)


def outputs_text(run: Run, rundir: RunDir, indent: str = "") -> Iterator[str]:
    """`name: value` for every output, in pieces; further lines of a value are indented. Safe to print."""
    from pipe_runner.console.words import as_written, safe
    from pipe_runner.reports.pieces import gathered, line_pieces
    from pipe_runner.reports.result import outputs
    from pipe_runner.runlog import read_blob

    for name, value in outputs(run, lambda ref: read_blob(rundir, ref)).items():
        shown = as_written(value)
        yield f"{indent}{name}:" + (" " if shown[:1] not in ("", "\n") else "")
        yield from gathered(line_pieces(shown, safe, f"{indent}  "))
        yield "\n"


def write_junit(run: Run, path: str, *, under_way: bool = False) -> None:
    """Write the JUnit document; raises StorageError."""
    from pipe_runner.cli.files import write_whole
    from pipe_runner.reports.junit import junit

    write_whole(path, [junit(run, under_way=under_way)])
