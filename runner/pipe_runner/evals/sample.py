"""One sample: a run of the pipeline for one case, and what the graders say of what it gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipe_runner.evals.graders import Grade
from pipe_runner.reports.result import outputs
from pipe_runner.run import Run
from pipe_runner.runlog import RunDir, read_blob
from pipe_runner.types import ENDED_WELL, ErrorKind, Json, RunStatus, standing

NOT_MEASURED: Final = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.CREDENTIALS,
        ErrorKind.NOT_FOUND,
        ErrorKind.STORAGE,
        ErrorKind.LOST,
        ErrorKind.CANCELLED,
    }
)
"""After these nothing is known of the pipeline: it was its surroundings that failed."""
HOPELESS: Final = frozenset({ErrorKind.CREDENTIALS})
"""The next sample would end the same."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How one sample went. `passed` is None where it could not be graded; `why` says why it didn't pass."""

    case: str
    number: int
    run: str
    """The id of its run."""
    passed: bool | None
    why: str = ""
    grades: tuple[Grade, ...] = ()
    output: Json = None
    seconds: float = 0.0
    tokens: int = 0
    cost: float | None = 0.0
    """US dollars; None: not known. Without what graders spent."""
    hopeless: bool = False
    """No other sample need be tried."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a run gave, or why there is nothing to grade."""

    output: Json = None
    fault: str | None = None
    measured: bool = True
    """False: the fault says nothing of the pipeline."""
    hopeless: bool = False


def given_by(run: Run, rundir: RunDir, node: str | None, *, used_up: bool, unpriced: Callable[[str], bool]) -> Given:
    """What is to be graded. `used_up`: the budget of the evaluation is, so what failed for want of money wasn't
    the pipeline's fault; nor was it where a budget let no model be asked at all. `unpriced`: whether a model that a
    node was to ask was refused, since nobody knows its price."""
    if run.status is RunStatus.WAITING:
        return Given(fault="the run waits for a person", measured=False, hopeless=True)
    if run.status is RunStatus.CANCELLED:
        return Given(fault="the run was stopped", measured=False)
    state = run.nodes.get(node) if node is not None else None
    if node is not None and state is not None and state.status in ENDED_WELL:
        return Given(read_blob(rundir, state.output_ref) if state.output_ref is not None else state.output)
    if node is None and run.status is RunStatus.SUCCEEDED:
        return Given(outputs(run, lambda ref: read_blob(rundir, ref)))
    errors = {id: run.nodes[id].error or {} for id in run.failed}
    nothing_asked = run.ledger is None or not run.ledger.total.calls
    not_measured = NOT_MEASURED | ({ErrorKind.BUDGET} if used_up or nothing_asked else frozenset())
    for id, error in errors.items():
        if error.get("kind") in not_measured or (error.get("kind") == ErrorKind.REFUSED and unpriced(id)):
            return Given(fault=_sentence(id, error), measured=False, hopeless=error["kind"] in HOPELESS)
    if errors:
        return Given(fault="; ".join(_sentence(id, error) for id, error in errors.items()))
    if run.error is not None:
        return Given(fault=str(run.error.get("message")))
    return Given(fault=f"node {node} {'was not run' if state is None else standing(state.status)}")


def spent_by(run: Run) -> tuple[int, float | None]:
    """Tokens and US dollars of the models that a run asked."""
    if run.ledger is None:
        return 0, 0.0
    data = run.ledger.total.to_json()
    return data["tokens"], None if data.get("unpriced") else data.get("cost", 0.0)


def _sentence(node: str, error: Mapping[str, Any]) -> str:
    return f"{node}: {error.get('kind')}: {error.get('message')}"
