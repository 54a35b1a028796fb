"""`pipe test`: runs the cases of files of tests, and says which passed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pipe_runner.cases import SUFFIXES
from pipe_runner.cases.coverage import Collector, Coverage, percent
from pipe_runner.cases.performing import CaseResult, perform
from pipe_runner.cases.reading import Reader
from pipe_runner.cases.suite import Case, Suite
from pipe_runner.cases.telling import Text, as_json
from pipe_runner.cases.words import Failure, failures, left_over, tolerated
from pipe_runner.cli.boundary import colours, say, write_out
from pipe_runner.cli.files import check_can_be_written
from pipe_runner.cli.reading import files_below, near
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.diagnostics import in_order
from pipe_runner.errors import InvalidPipeline, UsageError
from pipe_runner.registry import Registry

if TYPE_CHECKING:
    from pipe_runner.engine import ActiveRun

Results = list[tuple[CaseResult, Sequence[Failure]]]


def test(given: Given) -> int:
    """Run the cases; 0 where all passed and enough was covered."""
    junit, least = given.text("junit"), _percent(given.text("min_coverage"))
    if junit is not None:
        check_can_be_written(junit)
    registry = Registry.installed()
    suites = _read(test_files(given.many("path") or (".",)), registry, quiet=given.on("quiet"))
    chosen = _chosen(suites, given.text("choose"))
    as_text = given.text("output") != "json"
    text = Text(write_out, quiet=given.on("quiet"), colour=colours(sys.stdout)) if as_text else None
    began = time.perf_counter()
    results, found, interrupted = _perform(chosen, registry, text)
    total = time.perf_counter() - began
    if interrupted:
        say("interrupted; the cases after this one were not run")
        return interrupted
    failed = sum(not result.passed for result, _ in results)
    performed = [result for result, _ in results]
    for one in (*left_over(performed), *tolerated(performed)):
        say(f"warning: {safe(one)}")
    if text is not None:
        files = len({result.suite.path for result, _ in results})
        text.end(len(results) - failed, failed, files, total, found)
    else:
        write_out(as_json(results, found, total))
    if junit is not None:
        from pipe_runner.cases.junit import junit as document
        from pipe_runner.cli.files import write_whole

        write_whole(junit, [document(results)])
    if least is not None and percent(found) < least:
        say(f"error: {percent(found):.1f}% of the branches were taken, and --min-coverage asks for {least:g}%")
        return 1
    return 1 if failed else 0


def _perform(
    chosen: Sequence[tuple[Suite, Case]], registry: Registry, text: Text | None
) -> tuple[Results, list[Coverage], int]:
    """Perform in an event loop, under signals: results, coverage by pipeline, and the exit code of a signal or 0."""
    import asyncio
    import gc

    import anyio

    from pipe_runner.cli.signals import Signals

    results: Results = []
    collectors: dict[str, Collector] = {}
    signals = Signals()

    def opened(active: ActiveRun) -> None:
        if active.processes.marks:  # functions are called: what they leave behind ends with their case
            active.processes.adopt(asyncio.get_running_loop(), kept=False)
        signals.attach(asyncio.get_running_loop(), active)

    def ended(result: CaseResult) -> bool:
        signals.detach()
        signals.let_start()
        suite = result.suite
        collectors.setdefault(suite.pipeline, Collector(suite.pipeline, suite.plan)).see(result.events)
        if signals.any():
            return False
        reasons = list(failures(result))
        results.append((replace(result, events=()), reasons))
        if text is not None:
            text.case(result, reasons)
        return True

    async def all_of_them() -> None:
        await perform(chosen, registry, opened=opened, ended=ended)

    gc.freeze()  # the plans live until the end
    signals.install()
    try:
        anyio.run(all_of_them)
    finally:
        signals.restore()
    code = signals.exit_code if signals.any() else 0
    return results, [collector.coverage() for collector in collectors.values()], code


def _read(files: Sequence[str], registry: Registry, *, quiet: bool) -> list[Suite]:
    """The suites of all files; raises InvalidPipeline with the faults of all of them, and of their pipelines."""
    reader = Reader(registry)
    readings = [reader.read(file) for file in files]
    if any(reading.suite is None for reading in readings):
        told = [one for reading in readings for one in (*reading.diagnostics, *reading.pipeline)]
        raise InvalidPipeline(in_order(told))
    warnings = [one for reading in readings for one in reading.diagnostics]
    if warnings and not quiet:
        from pipe_runner.reports.diagnostics import render

        say(render(warnings, "text", colour=colours(sys.stderr)))
    return [reading.suite for reading in readings if reading.suite is not None]


def _chosen(suites: Sequence[Suite], pattern: str | None) -> list[tuple[Suite, Case]]:
    every = [(suite, case) for suite in suites for case in suite.cases]
    if pattern is None:
        return every
    wanted = pattern.lower()
    if not any(char in wanted for char in "*?"):
        wanted = f"*{wanted}*"
    wanted = wanted.replace("[", "[[]")
    found = [(suite, case) for suite, case in every if fnmatchcase(case.name.lower(), wanted)]
    if not found:
        raise UsageError(f"-k {pattern}: no case has such a name", hint=f"there are {len(every)} cases")
    return found


def test_files(paths: Sequence[str]) -> list[str]:
    """The files of tests that the paths name, each once; raises UsageError for a path that names none."""
    files: dict[str, None] = {}
    for path in paths:
        if os.path.isdir(path):
            found = [os.path.normpath(file) for file in files_below(path) if file.endswith(SUFFIXES)]
            if not found:
                hint = "of a directory, *.test.yml with `cases:` count"
                raise UsageError(f"there is no file of tests in {path}", hint=hint)
            files.update(dict.fromkeys(found))
            continue
        if not os.path.lexists(path):
            raise UsageError(f"there is no file {path}", hint=near(path))
        stem, suffix = os.path.splitext(path)
        if not path.endswith(SUFFIXES):
            beside = f"{stem}.test{suffix}"
            if not os.path.lexists(beside):
                raise UsageError(f"{path} is no file of tests, and there is no {beside}")
            path = beside
        files[os.path.normpath(path)] = None
    return list(files)


def _percent(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise UsageError(f"--min-coverage {text}: a number of percent from 0 to 100 is wanted")
    return value
