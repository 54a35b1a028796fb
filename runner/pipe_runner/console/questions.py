"""What a run asks of people: which decision each node waits for, and the command that gives it."""

from __future__ import annotations

from itertools import islice
from shlex import quote
from typing import Final

from pipe_runner.console.words import error_line, one_line, plural
from pipe_runner.deciding import refused, undecided
from pipe_runner.run import NodeState, Run
from pipe_runner.types import NodeStatus, RunStatus

_SHOWN: Final = 10


def questions(run: Run, where: str = "") -> list[str]:
    """A few lines for each decision that is open, or keeps a run that failed from going on, safe to print; `where` is
    what commands need to find the run."""
    found = undecided(run)
    lines: list[str] = []
    for name in found[:_SHOWN]:
        lines += _question(run, name, run.state(name), where)
    if len(found) > _SHOWN:
        more = plural(len(found) - _SHOWN, "more decision")
        lines.append(f"… and {more}: `pipe show {run.id}{where}` names the nodes")
    if not found and run.status is RunStatus.FAILED:
        for name in islice(refused(run), _SHOWN):
            approve = f"    pipe approve {run.id} {quote(name)}{where}"
            lines += [f"{name} was rejected, and a resume doesn't ask again; to let it pass after all:", approve]
    return lines


def _question(run: Run, name: str, state: NodeState, where: str) -> list[str]:
    node = quote(name)
    if state.status is NodeStatus.WAITING:
        message = f": {one_line(state.message)}" if state.message else ""
        return [
            f"{name} waits for an approval{message}",
            f"    pipe approve {run.id} {node}{where}",
            f"    pipe reject {run.id} {node}{where}",
        ]
    how = f"failed ({error_line(state.error)})" if state.error is not None else "was interrupted"
    return [
        f"{name} acts once and {how}: nobody knows whether it took effect. Look, then say which it is:",
        f"    pipe settle {run.id} {node} --done{where}     it took effect, and is not run again",
        f"    pipe settle {run.id} {node} --again{where}    it did not, and may run again",
    ]
