"""`pipe run` and `pipe resume`: from the words of the user to a run, and from its end to an exit code."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from pipe_runner.cli.plans import Planned, plan_for, shown_warnings
from pipe_runner.cli.settings import check_executor, recorded_words, run_settings, state_dir
from pipe_runner.cli.telling import Telling
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.engine import ActiveRun, RunSettings, open_resume, open_run
from pipe_runner.errors import InvalidPipeline, StorageError, UsageError
from pipe_runner.runlog import fold_log
from pipe_runner.types import RunStatus

if TYPE_CHECKING:
    import asyncio

    from pipe_runner.cli.signals import Signals
    from pipe_runner.ports import EventSink
    from pipe_runner.run import Run


def run(given: Given) -> int:
    """`pipe run FILE`."""
    telling = Telling(given)
    if given.text("run_id") == "":
        raise UsageError("--run-id is empty", hint="leave it out, and the run gets an id of its own")
    planned = plan_for(given.must("file"), given)
    check_executor(given, os.environ, planned.plan.settings.get("executor"))
    _refuse_changes(given, planned)
    settings = run_settings(
        given, planned.state_dir, planned.plan.settings, run_id=given.text("run_id"), only=tuple(given.many("only"))
    )._replace(trace=telling.trace)
    inputs = _inputs(given, planned)
    if given.on("dry_run"):
        from pipe_runner.cli.preview import preview

        return preview(planned, inputs, settings, given.text("output") or "text")
    return perform_new(telling, planned, settings, inputs)


def perform_new(telling: Telling, planned: Planned, settings: RunSettings, inputs: Mapping[str, Any]) -> int:
    """A new run, to its end; gives the exit code."""
    return _perform(
        telling,
        planned,
        lambda sinks: open_run(
            planned.plan, inputs, settings, registry=planned.registry, sinks=sinks, environ=os.environ
        ),
    )


def resume(given: Given) -> int:
    """`pipe resume RUN`."""
    from pipe_runner.cli.found import find_run, pipeline_of, task_of

    telling = Telling(given)
    state = state_dir(given, None)
    rundir = find_run(given, state, given.must("run"))
    if task_of(rundir) is not None:
        from pipe_runner.cli.asked import AskTelling

        telling = AskTelling(given)
    try:
        path, root = pipeline_of(rundir, state)
        planned = plan_for(path, given, state=state, root=root)
    except (UsageError, InvalidPipeline):
        finished = fold_log(rundir.log_path, rundir.id)
        if finished.status is not RunStatus.SUCCEEDED:
            raise
        return telling.nothing_to_do(finished, rundir, None)
    _refuse_changes(given, planned)
    settings = run_settings(given, state, planned.plan.settings)._replace(trace=telling.trace)

    def open_it(sinks: Sequence[EventSink]) -> ActiveRun:
        return open_resume(
            rundir.id, planned.plan, settings, registry=planned.registry, sinks=sinks, environ=os.environ
        )

    return _perform(telling, planned, open_it, explain=given.on("explain"))


def _refuse_changes(given: Given, planned: Planned) -> None:
    """Where `--frozen` or PIPE_FROZEN says so: raises InvalidPipeline where anything isn't as pipe.lock has it."""
    if given.on("frozen") or os.environ.get("PIPE_FROZEN"):
        from pipe_runner.cli.locking import refuse_changes

        refuse_changes(given, planned)


def _perform(
    telling: Telling, planned: Planned, open_it: Callable[[Sequence[EventSink]], ActiveRun], *, explain: bool = False
) -> int:
    """Open the run, perform it under signals, tell its end."""
    from pipe_runner.cli.signals import Signals

    notes = [safe(f"  warning    {one}") for one in shown_warnings(planned.plan, planned.shown)]
    signals = Signals()
    signals.install()
    try:
        active = open_it(telling.sinks(notes, planned.state_dir, explain=explain))
        active.note = telling.note
        notes += [f"  warning    {safe(warning)}" for warning in active.warnings]
        if active.nothing_to_do:
            active.close()
            return telling.nothing_to_do(active.run, active.rundir, active.plan)
        try:
            finished = _in_loop(active, signals)
        except StorageError as error:
            if not error.message.startswith("cannot read"):
                error.hint = error.hint or f"`{telling.go_on(active.rundir)}` goes on when it can be written again"
            raise
    finally:
        if not telling.close(enough=signals.any):
            signals.leave()
        signals.restore()
    written = telling.end(finished, active, planned)
    return _exit_code(finished, signals.exit_code) or written


def _in_loop(active: ActiveRun, signals: Signals) -> Run:
    """Perform in an event loop; the only one that a command starts."""
    import gc

    import anyio

    gc.freeze()  # the plan lives until the end: each collection would walk through it in vain
    gc.set_threshold(50_000, 20, 50)  # what nodes leave is freed by counting; a few megabytes of cycles may wait
    active.opened = gc.freeze  # so do the modules of clients: to walk through them stops all calls for 30 ms

    async def perform() -> Run:
        import asyncio

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(partial(_missed, active))
        signals.attach(loop, active)
        active.processes.adopt(loop)
        before = _enter(active.plan.root)
        try:
            return await active.perform()
        finally:
            _enter(before)
            signals.detach()

    return anyio.run(perform)


def _missed(active: ActiveRun, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Something went wrong that nobody waits for. Without memory that may be any step of the run, which then would wait
    for it for ever."""
    if isinstance(context.get("exception"), MemoryError):
        go_on = active.rundir.command("resume", *recorded_words(active.run))
        active.fail(StorageError("out of memory", hint=f"raise the limit of it; then `{go_on}` goes on"))
    else:
        loop.default_exception_handler(context)


def _enter(folder: str | None) -> str | None:
    """Go to a folder, where that is possible; gives the one before. Functions start in the project's root, as commands
    do, from wherever `pipe` was called."""
    try:
        before = os.getcwd()
    except OSError:
        before = None
    if folder is not None:
        with contextlib.suppress(OSError):
            os.chdir(folder)
    return before


def _exit_code(run: Run, cancelled: int) -> int:
    match run.status:
        case RunStatus.SUCCEEDED:
            return 0
        case RunStatus.FAILED | RunStatus.PENDING | RunStatus.RUNNING:
            return 1
        case RunStatus.CANCELLED:
            return cancelled
        case RunStatus.WAITING:
            return 75
        case _:
            assert_never(run.status)


def _inputs(given: Given, planned: Planned) -> Mapping[str, Any]:
    said = given.many("input") or given.text("inputs") is not None
    if not said and not planned.plan.inputs:
        return {}
    if not said:
        from pipe_runner.compiler import check_inputs

        return check_inputs(planned.plan, {})
    from pipe_runner.cli.inputs import read_inputs

    return read_inputs(planned.plan, given)
