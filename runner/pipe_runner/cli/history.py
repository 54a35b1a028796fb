"""`pipe runs`, `pipe show`, `pipe logs` and `pipe cancel`: runs that are, or were. The first three only read."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.boundary import colours, say
from pipe_runner.cli.found import find_run, has_runs, refuse_missing
from pipe_runner.cli.settings import recorded_words, state_dir, whole
from pipe_runner.cli.words import Given
from pipe_runner.console.words import inked, safe, seconds
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import RunBusy, StorageError, UsageError
from pipe_runner.runlog import RunDir, RunLock, fold_log
from pipe_runner.text import json_text
from pipe_runner.types import EventKind, RunStatus, standing

if TYPE_CHECKING:
    from pipe_runner.ports import Event, RunSummary
    from pipe_runner.run import Run

_DEFAULT_LIMIT: Final = 20
_CANCEL_PATIENCE: Final = 600.0
_POLL: Final = 0.05
_LOOKED_AT: Final = 1000
"""Items of a repeated node that are held against a name that is none."""
_HEAD: Final = re.compile(r"[\[.]")
"""What begins the name of an item, or of a node in a sub-pipeline, behind that of the node it belongs to."""


def runs(given: Given) -> int:
    """`pipe runs [ACTION]`."""
    from pipe_runner.stores import open_store

    action = given.text("action") or "ls"
    pruning = given.on("dry_run") or given.text("older_than") is not None or given.text("keep") is not None
    if action not in ("ls", "prune"):
        raise UsageError(f"there is no `pipe runs {action}`", hint="`pipe runs` lists, `pipe runs prune` removes")
    state = state_dir(given, None)
    if action == "prune":
        from pipe_runner.cli.pruning import prune

        refuse_missing(given.text("state_dir"), state)
        return prune(given, state)
    if pruning:
        raise UsageError(
            "`pipe runs` removes nothing", hint="`pipe runs prune` takes --older-than, --keep and --dry-run"
        )
    text = given.text("limit")
    limit = _DEFAULT_LIMIT if text is None else whole(text, "--limit")
    if limit < 0:
        raise UsageError(f"--limit: {limit} is negative")
    refuse_missing(given.text("state_dir"), state)
    found: list[RunSummary] = []
    if has_runs(state):
        store = open_store(state)
        try:
            found = list(store.runs(limit or None))
        finally:
            store.close()
    told = [_standing(one, state) for one in found]
    if given.text("output") == "json":
        sys.stdout.write(json_text(told))
        return 0
    if not told:
        say(f"no runs in {safe(state)}")
        return 0
    rows = [("RUN", "STATUS", "PIPELINE", "NODES", "STARTED", "DURATION")]
    for one in told:
        nodes = f"{one['succeeded']}/{one['nodes']}" + (f", {one['failed']} failed" if one["failed"] else "")
        started = str(one["started_at"])[:19].replace("T", " ")
        status = "interrupted" if one["interrupted"] else one["status"]
        rows.append((one["run"], status, safe(one["pipeline"]), nodes, started, seconds(one["duration_s"])))
    sys.stdout.write(table(rows))
    return 0


def _standing(one: RunSummary, state: str) -> dict[str, Any]:
    """The summary as JSON, and whether the run was interrupted: it has not ended, and nobody works on it."""
    open_still = one.status in (RunStatus.RUNNING, RunStatus.PENDING)
    held = open_still and RunLock.held(RunDir(one.run, os.path.join(state, "runs", one.run))) is not None
    told = {**one._asdict(), "interrupted": open_still and not held}
    del told["order"]  # they stand in it
    return told


def logs(given: Given) -> int:
    """`pipe logs RUN [NODE] [-f]`."""
    rundir = find_run(given, state_dir(given, None), given.must("run"))
    node = given.text("node")
    if node is not None and not _begins_with(rundir, node):
        _check_node(rundir, node)
    stop = (lambda: RunLock.held(rundir) is None) if given.on("follow") else (lambda: True)
    told = _log_lines if given.text("output") == "jsonl" else _printed
    if told(rundir, node, stop) == 0 and node is not None:
        _check_node(rundir, node)
    return 0


def _begins_with(rundir: RunDir, node: str) -> bool:
    """Whether the run had this node when it began, or one that its items and the nodes inside it belong to."""
    from pipe_runner.runlog.reader import opening_of

    opening = opening_of(rundir.log_path, rundir.id)
    return opening is not None and _HEAD.split(node, 1)[0] in opening.data["nodes"]


def _check_node(rundir: RunDir, node: str) -> None:
    """Raises UsageError for a node, or an item, that the run has not: nothing was told of it."""
    run = fold_log(rundir.log_path, rundir.id)
    if run.nodes and run.find(node) is None:
        repeated = node.partition("[")[0]
        items = [f"{repeated}[{key}]" for key in islice(run.items.get(repeated, ()), _LOOKED_AT)]
        known = items or list(run.nodes)
        near = did_you_mean(node, known)
        raise UsageError(
            f"run {rundir.id} has no node {node}",
            hint=f"did you mean {near}?" if near else f"its {'items' if items else 'nodes'}: {', '.join(known[:20])}",
        )


def _events(rundir: RunDir, node: str | None, stop: Callable[[], bool]) -> Iterable[tuple[Event, bytes]]:
    """What the log tells of a node and what is inside it, or all that it tells; each event with its line."""
    from pipe_runner.runlog.watch import follow_lines

    inside = () if node is None else (f"{node}[", f"{node}.")
    for told in follow_lines(rundir.log_path, stop, run=rundir.id):
        whose = told[0].node or ""
        if node is None or whose == node or whose.startswith(inside):
            yield told


def _log_lines(rundir: RunDir, node: str | None, stop: Callable[[], bool]) -> int:
    """The log's own lines; gives how many."""
    from pipe_runner.console import reads_commands
    from pipe_runner.console.jsonl import shown_line

    harmless, count = reads_commands(os.environ), 0
    for _, line in _events(rundir, node, stop):
        sys.stdout.write(shown_line(line, harmless=harmless))
        sys.stdout.flush()
        count += 1
    return count


def _printed(rundir: RunDir, node: str | None, stop: Callable[[], bool]) -> int:
    """What nodes printed; of all nodes with the node's name before each line, and a line for each of its changes. Gives
    how many events it tells of."""
    from pipe_runner.console.plain import OutputLines, message_line
    from pipe_runner.console.plain import line_of as told
    from pipe_runner.console.progress import Progress

    def give(name: str, printed: list[str]) -> None:
        before = "" if name == node else f"{safe(name)} | "
        sys.stdout.write(before + f"\n{before}".join(printed) + "\n")

    lines, progress, count = OutputLines(give), Progress(), 0
    for event, _ in _events(rundir, node, stop):
        count += 1
        if event.event == EventKind.NODE_OUTPUT and event.node is not None:
            lines.feed(event.node, str(event.data.get("stream")), str(event.data.get("text")))
        elif event.event == EventKind.MESSAGE_PUBLISHED:
            if node is None:
                sys.stdout.write(f"{event.ts[11:19]} {message_line(event).strip()}\n")
        else:
            if event.node is not None:
                lines.end(event.node)
            progress.accept(event)
            line = told(event, progress)
            if event.event == EventKind.NODE_STARTED:
                line = f"  started    {event.node} (attempt {event.attempt})"
            elif event.event == EventKind.RUN_FINISHED:
                line = f"run {event.run} {safe(str(event.data.get('status')))}"
            if line is not None and node is None:
                sys.stdout.write(safe(f"{event.ts[11:19]} {line.strip()}") + "\n")
        sys.stdout.flush()
    lines.end_all()
    return count


def cancel(given: Given) -> int:
    """`pipe cancel RUN`: ask the process that works on it to stop, and wait until it has; end it where it waits for a
    person."""
    rundir = find_run(given, state_dir(given, None), given.must("run"))
    if RunLock.held(rundir) is None:
        run = fold_log(rundir.log_path, rundir.id)
        if run.interrupted:
            hint = f"`{rundir.command('resume', *recorded_words(run))}` goes on with it"
            raise UsageError(f"run {rundir.id} is not running: it was interrupted", hint=hint)
        if run.status is not RunStatus.WAITING:
            raise UsageError(f"run {rundir.id} is not running: it {standing(run.status)}")
    run = _cancelled(rundir)
    sys.stdout.write(f"run {rundir.id} {run.status if run.status.final else 'interrupted'}\n")
    return 0


def _cancelled(rundir: RunDir) -> Run:
    """The run as it has ended. One that waits for a person when nobody works on it any more is cancelled, too: it has
    just come to that, or somebody has only decided on it."""
    from pipe_runner.engine.cancelling import cancel_waiting

    asked = False
    began = time.monotonic()
    while True:
        holder = RunLock.held(rundir)
        if holder is None:
            run = fold_log(rundir.log_path, rundir.id)
            if run.status is RunStatus.WAITING:
                with suppress(RunBusy):
                    return cancel_waiting(rundir)
            elif RunLock.held(rundir) is None:
                return run
        elif not asked:
            _ask_to_stop(rundir)
            asked = True
            say(f"cancelling run {rundir.id} (process {holder}) …")
        else:
            with suppress(StorageError):  # it may just have ended, and been removed
                _ask_to_stop(rundir)
        if time.monotonic() - began > _CANCEL_PATIENCE:
            raise UsageError(
                f"run {rundir.id} has not ended within {seconds(_CANCEL_PATIENCE)}",
                hint=f"process {holder} works on it",
            )
        time.sleep(_POLL)


def _ask_to_stop(rundir: RunDir) -> None:
    """Raises StorageError. Once is not enough: who begins a resume removes what was asked of the last runner."""
    try:
        with open(rundir.cancel_path, "a", encoding="ascii"):
            pass
    except OSError as error:
        raise StorageError(f"cannot write {rundir.cancel_path}: {error.strerror}") from None


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns side by side; the first row is the heading. Safe to print when the cells are."""
    from pipe_runner.text import width

    columns = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    bold = colours(sys.stdout)
    lines = []
    for number, row in enumerate(rows):
        cells = [cell + " " * (columns[at] - width(cell)) for at, cell in enumerate(row)]
        line = "  ".join(cells).rstrip()
        lines.append(inked(line, "1", number == 0 and bold))
    return "".join(f"{line}\n" for line in lines)
