"""`pipe runs`, `pipe show`, `pipe logs` and `pipe cancel`: runs that are, or were. The first three only read."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.boundary import colours, say
from pipe_runner.cli.found import find_run
from pipe_runner.cli.settings import kept_elsewhere, state_dir, whole
from pipe_runner.cli.words import Given
from pipe_runner.console.words import counts, error_line, one_line, plural, reason_line, safe, seconds
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import StorageError, UsageError
from pipe_runner.runlog import RunDir, RunLock, fold_log
from pipe_runner.types import EventKind, NodeStatus, RunStatus

if TYPE_CHECKING:
    from pipe_runner.ports import Event, RunSummary
    from pipe_runner.run import NodeState, Run

_DEFAULT_LIMIT: Final = 20
_CANCEL_PATIENCE: Final = 600.0
_POLL: Final = 0.05
_ITEMS: Final = 20
"""Items of one repeated node that `show` names."""


def runs(given: Given) -> int:
    """`pipe runs`."""
    from pipe_runner.stores import open_store

    text = given.text("limit")
    limit = _DEFAULT_LIMIT if text is None else whole(text, "--limit")
    if limit < 0:
        raise UsageError(f"--limit: {limit} is negative")
    state = state_dir(given, None)
    found: list[RunSummary] = []
    if os.path.isdir(os.path.join(state, "runs")):
        store = open_store(state)
        try:
            found = list(store.runs(limit or None))
        finally:
            store.close()
    told = [_standing(one, state) for one in found]
    if given.text("output") == "json":
        sys.stdout.write(json.dumps(told, indent=2).replace("##", "#\\u0023") + "\n")
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
    sys.stdout.write(_table(rows))
    return 0


def _standing(one: RunSummary, state: str) -> dict[str, Any]:
    """The summary as JSON, and whether the run was interrupted: it has not ended, and nobody works on it."""
    open_still = one.status in (RunStatus.RUNNING, RunStatus.PENDING)
    held = open_still and RunLock.held(RunDir(one.run, os.path.join(state, "runs", one.run))) is not None
    return {**one._asdict(), "interrupted": open_still and not held}


def show(given: Given) -> int:
    """`pipe show RUN`."""
    state = state_dir(given, None)
    rundir = find_run(state, given.must("run"))
    run = fold_log(rundir.log_path, rundir.id)
    run.id = run.id or rundir.id
    junit = given.text("junit")
    if junit is not None:
        from pipe_runner.cli.results import write_junit

        write_junit(run, junit, under_way=RunLock.held(rundir) is not None)
    if given.text("output") == "json":
        from pipe_runner.cli.results import print_result

        print_result(run, rundir, "json")
        return 0
    from pipe_runner.cli.results import outputs_text

    holder = RunLock.held(rundir)
    sys.stdout.writelines(f"{line}\n" for line in _described(run, holder))
    if run.outputs or run.outputs_ref is not None:
        sys.stdout.write("\noutputs\n")
        sys.stdout.writelines(outputs_text(run, rundir, "  "))
    if not holder and run.status is not RunStatus.SUCCEEDED:
        from pipe_runner.console.questions import questions

        where = kept_elsewhere(given.text("state_dir"), state)
        asked = questions(run, where)
        sys.stdout.writelines(f"{line}\n" for line in ("", *asked) if asked)
        sys.stdout.write(f"\n{'then ' if asked else ''}go on with: pipe resume {run.id}{where}\n")
    return 0


def _described(run: Run, holder: int | None) -> Iterable[str]:
    status = str(run.status)
    if run.interrupted:
        status = f"running (process {holder})" if holder else "interrupted"
    yield f"run       {run.id}"
    yield f"status    {status}"
    yield f"pipeline  {safe(run.pipeline)} ({safe(run.path)})"
    if run.started_at:
        yield f"started   {run.started_at[:19].replace('T', ' ')} UTC" + (
            f", resumed {plural(run.attempt - 1, 'time')}" if run.attempt > 1 else ""
        )
    yield f"duration  {seconds(run.duration_s)}"
    if run.git_sha:
        yield f"commit    {run.git_sha}"
    for name, value in run.inputs.items():
        yield safe(f"input     {name} = {json.dumps(value, ensure_ascii=False)}")
    if run.error is not None:
        yield f"error     {error_line(run.error)}"
    yield ""
    rows = [("NODE", "STATUS", "ATTEMPTS", "DURATION", "")]
    for name, state in run.nodes.items():
        items = run.items.get(name, {})
        rows.append(_row(name, state, _about(state, items)))
        rows += [_row(f"  [{key}]", one, _about(one, {})) for key, one in islice(_remarkable(items), _ITEMS)]
    yield from _table(rows).splitlines()


def _row(name: str, state: NodeState, about: str) -> tuple[str, str, str, str, str]:
    return name, str(state.status), str(state.attempts), seconds(state.duration_s), about


def _remarkable(items: Mapping[str, NodeState]) -> Iterator[tuple[str, NodeState]]:
    """Those items of a repeated node that did not simply succeed."""
    return ((k, s) for k, s in items.items() if s.status is not NodeStatus.SUCCEEDED or s.attempts > 1)


def _about(state: NodeState, items: Mapping[str, NodeState]) -> str:
    """What else is to be said of a node: its error, or why it did not run, and how its items ended."""
    if items and state.status is not NodeStatus.FAILED:
        return f"{plural(len(items), 'item')}: {counts(str(one.status) for one in items.values())}"
    match state.status:
        case NodeStatus.FAILED:
            return error_line(state.error) + (" (tolerated)" if state.tolerated else "")
        case NodeStatus.SKIPPED | NodeStatus.BLOCKED | NodeStatus.CANCELLED:
            by = f"by {', '.join(state.by)}" if state.by else ""
            return reason_line({"when": state.when, "values": state.values}) if state.when else by
        case NodeStatus.UNKNOWN:
            return "nobody knows whether it took effect"
        case NodeStatus.WAITING:
            return one_line(state.message or "for a person")
        case _:
            return ""


def logs(given: Given) -> int:
    """`pipe logs RUN [NODE] [-f]`."""
    rundir = find_run(state_dir(given, None), given.must("run"))
    node = given.text("node")
    if node is not None:
        _check_node(rundir, node)
    stop = (lambda: RunLock.held(rundir) is None) if given.on("follow") else (lambda: True)
    if given.text("output") == "jsonl":
        return _log_lines(rundir, node, stop)
    return _printed(rundir, node, stop)


def _check_node(rundir: RunDir, node: str) -> None:
    run = fold_log(rundir.log_path, rundir.id)
    known = run.nodes
    if known and run.find(node) is None:
        near = did_you_mean(node, known)
        raise UsageError(
            f"run {rundir.id} has no node {node}",
            hint=f"did you mean {near}?" if near else f"its nodes: {', '.join(list(known)[:20])}",
        )


def _events(rundir: RunDir, node: str | None, stop: Callable[[], bool]) -> Iterable[Event]:
    from pipe_runner.runlog import follow

    items = f"{node}["
    events = follow(rundir.log_path, stop, run=rundir.id)
    return (e for e in events if node is None or e.node == node or (e.node or "").startswith(items))


def _log_lines(rundir: RunDir, node: str | None, stop: Callable[[], bool]) -> int:
    from pipe_runner.console import reads_commands
    from pipe_runner.console.jsonl import line_of

    harmless = reads_commands(os.environ)
    for event in _events(rundir, node, stop):
        sys.stdout.write(line_of(event, harmless=harmless))
        sys.stdout.flush()
    return 0


def _printed(rundir: RunDir, node: str | None, stop: Callable[[], bool]) -> int:
    """What nodes printed; of all nodes with the node's name before each line, and a line for each of its changes."""
    from pipe_runner.console.plain import OutputLines
    from pipe_runner.console.plain import line_of as told
    from pipe_runner.console.progress import Progress

    def give(name: str, line: str) -> None:
        sys.stdout.write(f"{line}\n" if name == node else f"{name} | {line}\n")

    lines, progress = OutputLines(give), Progress()
    for event in _events(rundir, node, stop):
        if event.event == EventKind.NODE_OUTPUT and event.node is not None:
            lines.feed(event.node, str(event.data.get("stream")), str(event.data.get("text")))
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
                sys.stdout.write(f"{event.ts[11:19]} {line.strip()}\n")
        sys.stdout.flush()
    lines.end_all()
    return 0


def cancel(given: Given) -> int:
    """`pipe cancel RUN`: ask the process that works on it to stop, and wait until it has."""
    rundir = find_run(state_dir(given, None), given.must("run"))
    holder = RunLock.held(rundir)
    if holder is None:
        run = fold_log(rundir.log_path, rundir.id)
        if run.interrupted:
            raise UsageError(
                f"run {rundir.id} is not running: it was interrupted", hint=f"`pipe resume {rundir.id}` goes on with it"
            )
        raise UsageError(f"run {rundir.id} is not running: it is {run.status}")
    try:
        with open(rundir.cancel_path, "a", encoding="ascii"):
            pass
    except OSError as error:
        raise StorageError(f"cannot write {rundir.cancel_path}: {error.strerror}") from None
    say(f"cancelling run {rundir.id} (process {holder}) …")
    began = time.monotonic()
    while RunLock.held(rundir) is not None:
        if time.monotonic() - began > _CANCEL_PATIENCE:
            raise UsageError(
                f"run {rundir.id} has not ended within {seconds(_CANCEL_PATIENCE)}",
                hint=f"process {holder} works on it",
            )
        time.sleep(_POLL)
    run = fold_log(rundir.log_path, rundir.id)
    sys.stdout.write(f"run {rundir.id} {run.status if run.status.final else 'interrupted'}\n")
    return 0


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns side by side; the first row is the heading. Safe to print when the cells are."""
    from pipe_runner.text import width

    columns = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    bold = colours(sys.stdout)
    lines = []
    for number, row in enumerate(rows):
        cells = [cell + " " * (columns[at] - width(cell)) for at, cell in enumerate(row)]
        line = "  ".join(cells).rstrip()
        lines.append(f"\x1b[1m{line}\x1b[0m" if number == 0 and bold else line)
    return "".join(f"{line}\n" for line in lines)
