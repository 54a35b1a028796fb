"""`pipe report RUN`: a run as one HTML file, from its log. It reads the run and changes nothing of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipe_runner.cli.boundary import say
from pipe_runner.cli.found import find_run, pipeline_at
from pipe_runner.cli.settings import state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.errors import InvalidPipeline, PipeError, UsageError
from pipe_runner.runlog import RunDir, RunLock
from pipe_runner.text import shown_path

if TYPE_CHECKING:
    from pipe_runner.plan import Plan
    from pipe_runner.run import Run


def report(given: Given) -> int:
    """`pipe report RUN [-o FILE]`."""
    from pipe_runner.cli.files import write_whole
    from pipe_runner.reports.page import page
    from pipe_runner.reports.story import Story
    from pipe_runner.runlog.reader import LogReader, fold_into

    state = state_dir(given, None)
    rundir = find_run(given, state, given.must("run"))
    story = fold_into(Story(rundir.id), LogReader(rundir.log_path, rundir.id))
    live = RunLock.held(rundir) is not None
    plan, missing = _plan(story.run, rundir, state)
    text = page(story, plan, missing=missing, live=live, blobs=shown_path(rundir.blobs))
    pieces = (piece.encode("utf-8") for piece in text)  # whatever the locale is: the page says that it is UTF-8
    out = given.text("out")
    if out == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return 0
    if out == "":
        raise UsageError("--out is empty", hint="`-o FILE`, or `-o -` for stdout")
    path = out if out is not None else f"report-{rundir.id}.html"
    write_whole(path, pieces)
    sys.stdout.write(f"{safe(path)}\n")
    return 0


def _plan(run: Run, rundir: RunDir, state: str) -> tuple[Plan | None, str]:
    """The plan of the run's file as it is now, for commands and edges; else why there is none. Keeps nothing."""
    if not run.path:
        return None, "The log does not say which file it was"
    from pathlib import Path

    from pipe_runner.compiler import compile_file
    from pipe_runner.registry import Registry

    try:
        path, root = pipeline_at(run.path, run.root, rundir, state)
        compilation = compile_file(path, root=Path(root), registry=Registry.installed())
    except InvalidPipeline:
        return None, "The pipeline file has faults now"
    except UsageError:
        return None, "The pipeline file is gone"
    except PipeError as error:
        say(f"note: {safe(error.message)}")
        return None, "The pipeline file can't be read"
    if compilation.plan is None:
        return None, "The pipeline file has faults now"
    return compilation.plan, ""
