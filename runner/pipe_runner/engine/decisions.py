"""Writes into a run's log what a person decides: under the run's lock, durable when it returns."""

from __future__ import annotations

import time
from os import PathLike
from shlex import quote
from typing import Any, Final, Literal, NamedTuple

from pipe_runner.deciding import acted_of, decided_as, ended_well_around, is_refused, undecided, undecided_of
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.engine.clock import SystemClock
from pipe_runner.engine.stream import EventStream
from pipe_runner.errors import RunBusy, UsageError
from pipe_runner.executors.leftovers import end_leftovers
from pipe_runner.ports import Clock
from pipe_runner.run import NodeState, Run
from pipe_runner.runlog import LogWriter, RunDir, RunLock, output_fields, repair
from pipe_runner.runlog.reader import opening_of
from pipe_runner.states import may_have_acted
from pipe_runner.types import Durability, ErrorKind, EventKind, Json, NodeStatus, RunStatus, standing

Word = Literal["done", "again", "approve", "reject"]
_PATIENCE: Final = 2.0
"""Seconds that a decision waits for another process to let the run go."""
_BUSY: Final = "a run that waits for a person ends by itself when nothing else can run; decide then"


class Decision(NamedTuple):
    """What a person says of a node: that it took effect, or may run again; that it may go on, or not."""

    word: Word
    by: str
    reason: str | None = None
    output: Json = None
    """Of `done`: what the node gives."""

    def to_json(self) -> dict[str, Json]:
        data: dict[str, Json] = {"by": self.by}
        if self.reason is not None:
            data["reason"] = self.reason
        return data


def decide(
    state_dir: str | PathLike[str],
    run_id: str,
    node: str,
    decision: Decision,
    *,
    durability: Durability = Durability.FULL,
    clock: Clock | None = None,
    where: str = "",
) -> Run:
    """Record the decision; gives the run as it is then. Nothing runs before a resume. `where` is what a command needs
    to find the run, as in `RunDir`.

    Raises UsageError where there is nothing to decide, RunBusy while a process works on the run, StorageError.
    """
    rundir = RunDir.open(state_dir, run_id, where)
    lock = _locked(rundir)
    try:
        opening_of(rundir.log_path, rundir.id)
        repaired = repair(rundir)
        run = repaired.run
        names = _names(run, rundir, node, decision.word)
        end_leftovers(rundir.id, rundir.warden_lock_path)
        journal = LogWriter.append_to(rundir, durability, repaired)
        try:
            stream = EventStream(run, journal, (), clock or SystemClock())
            for name in names:
                state = run.state(name)
                kind, data = _event(state, decision, journal, stream.now())
                stream.emit(kind, name, state.attempts or 1, data)
            journal.commit()
        finally:
            journal.close()
    finally:
        lock.release()
    return run


def _locked(rundir: RunDir) -> RunLock:
    """The run's lock; another decision at the same moment holds it for milliseconds. Raises RunBusy."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return RunLock.acquire(rundir)
        except RunBusy as error:
            if time.monotonic() > until:
                raise RunBusy(error.message, hint=_BUSY) from None
        time.sleep(0.02)


def _names(run: Run, rundir: RunDir, node: str, word: Word) -> list[str]:
    """The nodes or items of which an event is to be written; raises UsageError where there is nothing to decide."""
    state = run.find(node)
    if state is None:
        near = did_you_mean(node, run.nodes)
        raise UsageError(
            f"run {run.id} has no node {node}",
            hint=f"did you mean {near}?" if near else f"its nodes: {', '.join(list(run.nodes)[:20])}",
        )
    if state.pipeline is not None or any(item.pipeline is not None for item in run.items.get(node, {}).values()):
        inside = [name for name in undecided(run) if name.startswith((f"{node}.", f"{node}["))]
        raise UsageError(
            f"{node} runs a sub-pipeline: a person decides on the nodes of that",
            hint=f"decide on {', '.join(inside[:20])}" if inside else f"`{rundir.command('show')}` says what waits",
        )
    if word in ("approve", "reject"):
        if node in run.nodes and run.items.get(node):
            asked = [name for name in undecided_of(run, node) if run.state(name).status is NodeStatus.WAITING]
            if asked:
                return asked
        elif state.status is NodeStatus.WAITING or (word == "approve" and _may_change(run, node, state)):
            return [node]
        _decided_already(run, rundir, node, state)
        raise UsageError(
            f"{node} {_standing(state)}: it does not wait for an approval",
            hint=f"`pipe settle` decides on it: `{rundir.command('settle', quote(node), '--done')}`, or `--again`"
            if may_have_acted(state)
            else f"`{rundir.command('show')}` says what waits",
        )
    open_ones = [node] if node not in run.nodes and may_have_acted(state) else acted_of(run, node)
    if state.status is NodeStatus.WAITING:
        raise UsageError(
            f"{node} waits for an approval",
            hint=f"`{rundir.command('approve', quote(node))}`, or `{rundir.command('reject', quote(node))}`",
        )
    if not open_ones:
        _decided_already(run, rundir, node, state)
        raise UsageError(
            f"{node} {_standing(state)}: there is nothing to settle",
            hint="what can be settled is a node with `effect: once` that began and did not succeed",
        )
    if run.status is RunStatus.SUCCEEDED:
        raise UsageError(
            f"run {run.id} has succeeded with {node} as it is: nothing goes on from it",
            hint="`pipe run` starts another run, in which it acts anew",
        )
    return [node] if word == "done" else open_ones


def _may_change(run: Run, node: str, state: NodeState) -> bool:
    """Whether a refusal can be changed: something still goes on from it."""
    return is_refused(state) and not ended_well_around(run, node)


def _decided_already(run: Run, rundir: RunDir, node: str, state: NodeState) -> None:
    """Raises UsageError where a person has decided on it, and nothing waits any more."""
    decided, again = state.decided, state.status is NodeStatus.QUEUED
    if decided is None or (state.ended_at is None and not again) or may_have_acted(state):
        return
    kind = EventKind.NODE_SUCCEEDED if state.status is NodeStatus.SUCCEEDED else EventKind.NODE_FAILED
    kind = EventKind.NODE_RETRYING if again else kind
    word = decided_as(kind, {"output": state.output, "decided": decided})
    # Of what may run again only the end before the decision is known.
    when = "" if again or state.ended_at is None else f", {state.ended_at[:19].replace('T', ' ')} UTC"
    why = f": {decided['reason']}" if decided.get("reason") else ""
    word, _, more = (word or "decided").partition(": ")
    raise UsageError(
        f"{node} was {word} already{f' ({more})' if more else ''}, by {decided.get('by')}{when}{why}",
        hint=f"nothing waits there; `{rundir.command('resume')}` goes on"
        if run.status is not RunStatus.SUCCEEDED
        else "nothing waits there, and the run has succeeded",
    )


def _standing(state: NodeState) -> str:
    by = f", decided by {state.decided.get('by')}" if state.decided else ""
    return f"{standing(state.status)}{by}"


def _event(state: NodeState, decision: Decision, journal: Any, now: str) -> tuple[EventKind, dict[str, Any]]:
    by: dict[str, Json] = decision.to_json()
    match decision.word:
        case "done":
            return EventKind.NODE_SUCCEEDED, {**output_fields(decision.output, journal), "decided": by}
        case "again":
            error = state.error or {"kind": str(ErrorKind.LOST), "message": "it was interrupted"}
            return EventKind.NODE_RETRYING, {"error": dict(error), "decided": by}
        case "approve":
            output: Json = {"approved": True, "by": decision.by, "at": now, "reason": decision.reason}
            return EventKind.NODE_SUCCEEDED, {**output_fields(output, journal), "decided": by}
        case "reject":
            why = f": {decision.reason}" if decision.reason else ""
            error = {"kind": str(ErrorKind.REFUSED), "message": f"refused by {decision.by}{why}"}
            tolerated = {"tolerated": True} if state.tolerated else {}
            return EventKind.NODE_FAILED, {"error": error, **tolerated, "decided": by}
