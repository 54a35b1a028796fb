"""What `run` and `resume` say, and where: results on stdout, progress and the end on stderr."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from pipe_runner.cli.boundary import colours, say
from pipe_runner.cli.exits import IO_ERROR
from pipe_runner.cli.plans import Planned
from pipe_runner.cli.settings import recording_words
from pipe_runner.cli.suspending import Display, Suspending
from pipe_runner.cli.words import Given
from pipe_runner.console import Console, open_console, reads_commands
from pipe_runner.console.words import safe
from pipe_runner.errors import PipeError, UsageError
from pipe_runner.types import RunStatus

if TYPE_CHECKING:
    from pipe_runner.console.jsonl import JsonlConsole
    from pipe_runner.engine import ActiveRun
    from pipe_runner.plan import Plan
    from pipe_runner.ports import EventSink
    from pipe_runner.run import Run
    from pipe_runner.runlog import RunDir
    from pipe_runner.traces import Trace

PATIENCE: Final = 1.0
"""Seconds that a reader has after a signal to take what there is."""
_POLL: Final = 0.05


class Telling:
    """Made from the flags before anything starts, so that a wrong one is told before anything runs."""

    def __init__(self, given: Given) -> None:
        self._output = given.text("output") or "text"
        self._quiet = given.on("quiet")
        self._verbose = given.on("verbose")
        self._junit = given.text("junit")
        self._recording = recording_words(given)
        self._console: Console | None = None
        self._jsonl: JsonlConsole | None = None
        self._sinks: list[EventSink] = []
        self._suspending: Suspending | None = None
        self.trace: Trace | None = _trace(os.environ)
        """The trace of the run, where somebody wants spans or metrics, or has started us within one."""
        if self._quiet and self._verbose:
            raise UsageError("--quiet and --verbose say opposite things", hint="give one of them")
        if self._junit is not None:
            from pipe_runner.cli.files import check_can_be_written

            check_can_be_written(self._junit)

    def sinks(self, notes: list[str], state_dir: str, *, explain: bool = False) -> list[EventSink]:
        """What is to be told every event: a console, unless quiet, and for jsonl the log's lines on stdout.

        `notes` may grow until the first event; the console has them after its first line.
        """
        if not self._quiet:
            live = not (self._output == "jsonl" and sys.stdout.isatty())
            self._console = open_console(sys.stderr, verbose=self._verbose, live=live, notes=notes, explain=explain)
            self._sinks.append(self._console)
            if isinstance(self._console, Display):
                self._suspending = Suspending(self._console)
                self._suspending.install()
        if self._output == "jsonl":
            from pipe_runner.console.jsonl import JsonlConsole

            self._jsonl = JsonlConsole(sys.stdout, state_dir, commands_matter=reads_commands(os.environ))
            self._sinks.append(self._jsonl)
        if self.trace is not None and self.trace.made:
            stderr = sys.stderr
            self._listen(self.trace, lambda line: self.say(f"warning: {line}", stderr))
        return self._sinks

    def _listen(self, trace: Trace, warn: Callable[[str], None]) -> None:
        """Have spans made of the run. What the SDK doesn't like in its variables fails no run."""
        try:
            from pipe_runner.telemetry.opening import open_telemetry

            self._sinks.append(open_telemetry(trace, os.environ, warn))
        except Exception as error:
            from pipe_runner.telemetry.wanted import unusable

            trace.made = False
            warn(unusable(error))

    def note(self, line: str) -> None:
        """A line beside the progress, unless quiet; data in it is made safe."""
        if self._console is not None:
            self._console.note(safe(line))

    def close(self, enough: Callable[[], bool] = lambda: False) -> bool:
        """Give the terminal back, once readers have what there is; again does nothing.

        False where a reader still did not read when somebody had `enough` of waiting.
        """
        sinks, self._sinks = self._sinks, []
        if self._suspending is not None:
            self._suspending.restore()
        if not sinks:
            return True
        closing = threading.Thread(target=_close, args=(sinks,), name="closing", daemon=True)
        try:
            closing.start()
        except RuntimeError:  # the system has no thread for it
            _close(sinks)
            return True
        closing.join(PATIENCE)
        while closing.is_alive() and not enough():
            closing.join(_POLL)
        return not closing.is_alive()

    def say(self, line: str, stderr: TextIO | None = None) -> None:
        """A line on stderr, unless quiet; data in it is made safe."""
        if not self._quiet:
            say(safe(line), stderr)

    def nothing_to_do(self, run: Run, rundir: RunDir, plan: Plan | None) -> int:
        """The run has succeeded already: say so, and give its results again; also without a plan, where its file can't
        be read any more."""
        self.close()
        changed = plan is not None and run.digest != plan.digest
        more = "; the file has changed since: `pipe run` runs it as it is now" if changed else ""
        self.say(f"run {run.id} has succeeded already; nothing to do{more}")
        return self._results(run, rundir)

    def go_on(self, rundir: RunDir) -> str:
        """The command that goes on with the run, from and into the recording that it had."""
        return rundir.command("resume", *self._recording)

    def end(self, run: Run, active: ActiveRun, planned: Planned) -> int:
        """Results on stdout, the end on stderr; gives 74 where something that was asked for could not be written."""
        self.close()
        code = self._results(run, active.rundir)
        colour = colours(sys.stderr)
        from pipe_runner.console.ending import ending, last_line

        text = ""
        if run.status is not RunStatus.SUCCEEDED:
            from pipe_runner.cli.plans import shown_place

            plan = planned.plan
            if plan.subplans:
                from pipe_runner.reports.flat import flat

                plan = flat(plan)
            places = {node.id: shown_place(plan, node, planned.shown) for node in plan.nodes}
            tails = self._console.progress.tails if self._console is not None else {}
            go_on, where = self.go_on(active.rundir), active.rundir.where
            text = ending(run, places=places, tails=tails, go_on=go_on, where=where, colour=colour)
        elif active.desk is not None and active.desk.misses:
            nodes = ", ".join(dict.fromkeys(node for node, _ in active.desk.misses))
            self.say(f"warning: nobody recorded what {nodes} asked; the run succeeded since that failure is tolerated")
        if text or not self._quiet:
            say(text + last_line(run, colour=colour))
        return code

    def _results(self, run: Run, rundir: RunDir) -> int:
        from pipe_runner.cli.boundary import forget
        from pipe_runner.cli.results import write_junit

        code = 0
        if self._junit is not None:
            try:
                write_junit(run, self._junit)
            except PipeError as error:
                say(f"error: {safe(error.message)}")
                code = IO_ERROR
        try:
            self._print(run, rundir)
            if self._jsonl is not None and self._jsonl.error is not None:
                raise self._jsonl.error
        except BrokenPipeError:
            forget(sys.stdout)
        except OSError as error:
            say(f"error: cannot write to stdout: {error.strerror}")
            forget(sys.stdout)
            code = IO_ERROR
        return code

    def _print(self, run: Run, rundir: RunDir) -> None:
        """Results on stdout; raises OSError."""
        from pipe_runner.cli.results import print_result

        print_result(run, rundir, self._output)


def _close(sinks: Sequence[EventSink]) -> None:
    for sink in sinks:
        sink.close()


def _trace(environ: Mapping[str, str]) -> Trace | None:
    if not any(name.startswith(("OTEL_", "TRACEPARENT")) for name in environ):
        return None
    from random import SystemRandom

    from pipe_runner.telemetry.wanted import wanted
    from pipe_runner.traces import trace_around, trace_from

    return trace_from(environ, SystemRandom().getrandbits) if wanted(environ) else trace_around(environ)
