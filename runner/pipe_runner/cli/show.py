"""`pipe show`: a run that is, or was, told whole. Reads only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from pipe_runner.cli.files import check_can_be_written
from pipe_runner.cli.found import find_run
from pipe_runner.cli.history import table
from pipe_runner.cli.settings import recorded_words, state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import (
    counts,
    error_line,
    moment,
    one_line,
    plural,
    reason_line,
    safe,
    seconds,
    used,
)
from pipe_runner.runlog import RunLock, fold_log
from pipe_runner.types import ENDED_WELL, NodeStatus, RunStatus

if TYPE_CHECKING:
    from pipe_runner.reports.story import Story
    from pipe_runner.run import NodeState, Run

_MOST_TRIES: Final = 100
_ARTIFACTS: Final = 100
_MODELS: Final = 50
_FEW: Final = 6
"""Items of one repeated node that are named however they ended."""
_ITEMS: Final = 20
"""Items of one with more that are named, of those that did not simply succeed."""


def show(given: Given) -> int:
    """`pipe show RUN`."""
    from pipe_runner.cli.results import outputs_text, print_result, write_junit

    junit = given.text("junit")
    if junit is not None:
        check_can_be_written(junit)
    state = state_dir(given, None)
    rundir = find_run(given, state, given.must("run"))
    as_json = given.text("output") == "json"
    holder = RunLock.held(rundir)
    if junit is not None or as_json:
        run = fold_log(rundir.log_path, rundir.id)
        run.id = run.id or rundir.id
        if junit is not None:
            write_junit(run, junit, under_way=holder is not None)
        if as_json:
            print_result(run, rundir, "json")
            return 0
    from pipe_runner.reports.story import Story
    from pipe_runner.runlog.reader import LogReader, fold_into

    story = fold_into(Story(rundir.id, whole=True), LogReader(rundir.log_path, rundir.id))
    run = story.run
    sys.stdout.writelines(f"{line}\n" for line in _described(story, holder))
    if run.outputs or run.outputs_ref is not None:
        sys.stdout.write("\noutputs\n")
        sys.stdout.writelines(outputs_text(run, rundir, "  "))
    if not holder and run.status is not RunStatus.SUCCEEDED:
        from pipe_runner.console.questions import questions

        asked = questions(run, rundir.where)
        sys.stdout.writelines(f"{line}\n" for line in ("", *asked) if asked)
        go_on = rundir.command("resume", *recorded_words(run))
        sys.stdout.write(f"\n{'then ' if asked else ''}go on with: {safe(go_on)}\n")
    return 0


def _described(story: Story, holder: int | None) -> Iterable[str]:
    run = story.run
    status = str(run.status)
    if run.interrupted:
        status = f"running (process {holder})" if holder else "interrupted"
    yield f"run       {run.id}"
    yield f"status    {status}"
    yield f"pipeline  {safe(run.pipeline)} ({safe(run.path)})"
    if run.started_at:
        again = f", resumed {plural(run.attempt - 1, 'time')}" if run.attempt > 1 else ""
        yield f"started   {run.started_at[:19].replace('T', ' ')} UTC{again}"
    yield f"duration  {seconds(run.duration_s)}"
    if run.ledger is not None:
        total = run.ledger.total
        yield f"models    {plural(total.calls + total.aside, 'call')}, {used(total)}"
    for word, folder in (("recorded  into", run.record), ("replayed  from", run.replay)):
        if folder is not None:
            yield safe(f"{word} {folder}")
    if run.messages:
        yield f"messages  {run.messages} (`pipe messages --run {run.id}` shows them)"
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
        named = items.items() if len(items) <= _FEW else islice(_remarkable(items), _ITEMS)
        rows += [_row(f"  [{key}]", one, _about(one, {})) for key, one in named]
    yield from table(rows).splitlines()
    yield from _decisions(story)
    yield from _artifacts(run)
    yield from _models(run)
    yield from _attempts(story, live=holder is not None)


def _decisions(story: Story) -> Iterable[str]:
    """What persons decided, in the order in which they did."""
    if not story.decisions:
        return
    rows = [("DECISION", "NODE", "BY", "WHEN", "")]
    for ts, node, word, decided in story.decisions:
        why = one_line(str(decided.get("reason") or ""))
        rows.append((word, safe(node), one_line(str(decided.get("by") or "-")), moment(ts), why))
    yield ""
    yield from table(rows).splitlines()


def _artifacts(run: Run) -> Iterable[str]:
    units = [*run.nodes.items(), *((f"{n}[{k}]", one) for n, items in run.items.items() for k, one in items.items())]
    kept = [(name, item) for name, state in units for item in state.artifacts]
    if not kept:
        return
    rows = [("ARTIFACT", "NODE", "FILE", "BYTES", "SHA256")]
    rows += [
        (safe(str(i["name"])), safe(name), safe(str(i["path"])), str(i["bytes"]), str(i["sha256"]))
        for name, i in kept[:_ARTIFACTS]
    ]
    yield ""
    yield from table(rows).splitlines()
    if len(kept) > _ARTIFACTS:
        yield f"… and {len(kept) - _ARTIFACTS} more"


def _models(run: Run) -> Iterable[str]:
    """What each node's calls of models used, the dearest first."""
    if run.ledger is None:
        return
    spent = sorted(run.ledger.by_node(run.nodes).items(), key=lambda item: (-item[1].all_cost, -item[1].all_tokens))
    rows = [("MODELS", "CALLS", "TOKENS", "COST")]
    for name, one in spent[:_MODELS]:
        tokens, _, cost = used(one).partition(" tokens, ")
        rows.append((safe(name), str(one.calls + one.aside), tokens, cost))
    yield ""
    yield from table(rows).splitlines()
    if len(spent) > _MODELS:
        yield f"… and {len(spent) - _MODELS} more"


def _row(name: str, state: NodeState, about: str) -> tuple[str, str, str, str, str]:
    return safe(name), str(state.status), str(state.attempts), seconds(state.duration_s), about


def _remarkable(items: Mapping[str, NodeState]) -> Iterator[tuple[str, NodeState]]:
    """Those items of a repeated node that did not simply succeed."""
    return ((k, s) for k, s in items.items() if s.status not in ENDED_WELL or s.attempts > 1)


def _about(state: NodeState, items: Mapping[str, NodeState]) -> str:
    """What else is to be said of a node: its error, or why it did not run, and how its items ended."""
    if items and state.status is not NodeStatus.FAILED:
        return f"{plural(len(items), 'item')}: {counts(str(one.status) for one in items.values())}"
    match state.status:
        case NodeStatus.FAILED:
            return error_line(state.error) + (" (tolerated)" if state.tolerated else "")
        case NodeStatus.SKIPPED | NodeStatus.BLOCKED | NodeStatus.CANCELLED:
            return f"{'by ' if state.by and not state.reason else ''}{reason_line(vars(state))}"
        case NodeStatus.UNKNOWN:
            return "nobody knows whether it took effect"
        case NodeStatus.WAITING:
            return one_line(state.message or "for a person")
        case _:
            return ""


def _attempts(story: Story, *, live: bool) -> Iterable[str]:
    """The attempts of the nodes that took several."""
    rows = []
    for node in story.run.nodes:
        tries = story.told(node).tries
        for attempt in tries if len(tries) > 1 else ():
            about = error_line(attempt.error) if attempt.error else ""
            number, time = str(attempt.number), seconds(attempt.duration)
            rows.append((safe(node), number, story.word(attempt, live=live), time, about))
    if rows:
        yield ""
        yield from table([("NODE", "ATTEMPT", "STATUS", "DURATION", ""), *rows[:_MOST_TRIES]]).splitlines()
    if len(rows) > _MOST_TRIES:
        yield f"and {len(rows) - _MOST_TRIES} more; `pipe report` has them by node"
