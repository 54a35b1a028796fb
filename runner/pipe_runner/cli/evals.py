"""`pipe eval`: how often a pipeline's answers are good."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, cast

from pipe_runner.cli.boundary import colours, say, write_out
from pipe_runner.cli.files import check_can_be_written
from pipe_runner.cli.settings import duration, folders, said, state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.diagnostics import in_order
from pipe_runner.engine.clock import SystemClock
from pipe_runner.engine.settings import DEFAULT_GRACE
from pipe_runner.errors import InvalidPipeline, StorageError, UsageError
from pipe_runner.evals import SUFFIXES
from pipe_runner.evals.deciding import Verdict
from pipe_runner.evals.performing import Performing, Result, Surroundings
from pipe_runner.evals.reading import read_evaluation
from pipe_runner.evals.suite import Evaluation
from pipe_runner.evals.telling import Text, as_json
from pipe_runner.registry import Registry
from pipe_runner.runlog import new_run_id

if TYPE_CHECKING:
    from pipe_runner.engine import ActiveRun
    from pipe_runner.telemetry.opening import Telemetry

UNDECIDED: Final = 4
"""The exit code where the samples can't tell: a grader failed, a service didn't answer, the budget is used up."""
_CODES: Final = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNDECIDED: UNDECIDED}


def evaluate(given: Given) -> int:
    """Make the samples; 0 where enough passed."""
    junit, quiet = given.text("junit"), given.on("quiet")
    if junit is not None:
        check_can_be_written(junit)
    registry = Registry.installed()
    if given.text("replay") is not None:
        registry.tools.recorded = set()
    evaluation = _read(given.must("file"), registry, quiet=quiet)
    record, replay = folders(given)
    if replay is not None and not os.path.isdir(replay):
        said_ = given.text("replay") or ""
        hint = f"make them with `{shlex.join(('pipe', 'eval', given.must('file'), '--record', said_))}`"
        raise UsageError(f"there are no recordings in {said_}", hint=hint)
    home = _home(state_dir(given, evaluation.plan.root))
    grace = said(given, "grace", os.environ)
    settings = evaluation.plan.settings.get("grace", DEFAULT_GRACE)
    with ExitStack() as closing:
        telemetry = _telemetry(quiet=quiet)
        if telemetry is not None:
            closing.callback(telemetry.close)
        around = Surroundings(
            home, duration(*grace) if grace else float(settings), record, replay, os.environ, telemetry
        )
        as_text = given.text("output") != "json"
        text = Text(write_out, quiet=quiet, colour=colours(sys.stdout)) if as_text else None
        result, interrupted = _perform(evaluation, registry, around, text)
        kept = os.path.relpath(home)
        told = as_json(result, kept)
        if text is not None:
            text.end(result, kept)
        else:
            write_out(told)
        if junit is not None:
            from pipe_runner.cli.files import write_whole
            from pipe_runner.evals.junit import junit as document

            write_whole(junit, [document(result)])
        lost = result.lost
        try:
            _keep(os.path.join(home, "result.json"), told)
        except StorageError as error:
            lost = lost or error
        if lost is not None:
            raise StorageError(lost.message, hint="what was graded until then is told; nothing goes on from it")
        if interrupted:
            say("interrupted; the samples that were left were not made")
        return interrupted or _CODES[result.verdict]


def _read(file: str, registry: Registry, *, quiet: bool) -> Evaluation:
    """The evaluation that a path names; raises InvalidPipeline with all that is wrong with it and its pipeline."""
    stem, suffix = os.path.splitext(file)
    if not file.endswith(SUFFIXES) and os.path.lexists(file) and os.path.lexists(f"{stem}.eval{suffix}"):
        file = f"{stem}.eval{suffix}"
    reading = read_evaluation(file, registry)
    if reading.evaluation is None:
        raise InvalidPipeline(in_order([*reading.diagnostics, *reading.pipeline]))
    if reading.diagnostics and not quiet:
        from pipe_runner.reports.diagnostics import render

        say(render(reading.diagnostics, "text", colour=colours(sys.stderr)))
    return reading.evaluation


def _telemetry(*, quiet: bool) -> Telemetry | None:
    """Where spans of the runs go, if anywhere. What the SDK doesn't like in its variables fails no evaluation."""
    from pipe_runner.telemetry.wanted import unusable, wanted

    if not wanted(os.environ):
        return None

    stderr = sys.stderr

    def warn(line: str) -> None:
        if not quiet:
            say(safe(f"warning: {line}"), stderr)

    try:
        from pipe_runner.telemetry.opening import Telemetry

        return Telemetry(os.environ, warn)
    except Exception as error:
        warn(unusable(error))
        return None


def _perform(evaluation: Evaluation, registry: Registry, around: Surroundings, text: Text | None) -> tuple[Result, int]:
    """Perform in an event loop, under signals; gives the exit code of a signal, or 0, too."""
    import asyncio
    import gc

    import anyio

    from pipe_runner.cli.signals import Signals

    signals = Signals()
    performing = Performing(evaluation, registry, around, text.sample if text is not None else lambda sample: None)

    async def perform() -> Result:
        signals.attach(asyncio.get_running_loop(), cast("ActiveRun", performing))
        before = os.getcwd()
        os.chdir(evaluation.plan.root)  # functions start in the project's root, as in a run
        try:
            return await performing.perform()
        finally:
            os.chdir(before)
            signals.detach()

    gc.freeze()  # the plan lives until the end
    signals.install()
    try:
        try:
            result = anyio.run(perform)
        except BaseExceptionGroup as group:  # one worker's fault ends the others
            raise _first(group) from group
    finally:
        signals.restore()
    return result, signals.exit_code if signals.any() else 0


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _home(state: str) -> str:
    """A state directory for the runs of this evaluation, apart from those of the project."""
    home = os.path.join(state, "evals", new_run_id(SystemClock().now_ns()))
    try:
        os.makedirs(home)
    except OSError as error:
        raise StorageError(f"cannot make {home}: {error.strerror}") from error
    return home


def _keep(path: str, text: str) -> None:
    from pipe_runner.cli.files import write_whole

    write_whole(path, [text.encode("ascii")])
