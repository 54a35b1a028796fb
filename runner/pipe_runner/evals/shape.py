"""Which keys a map of an evaluation may have, and how much of it is left out where something is wrong."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.compiler.contexts import Context, keys_of
from pipe_runner.types import Path_
from pipe_schemas import evals
from pipe_schemas.fields import BudgetSpec

_TOP_OTHERS: Final = {
    "tests": "write `cases:`",
    "dataset": "write `file:`",
    "data": "write `file:`",
    "scorers": "write `graders:`",
    "asserts": "write `graders:`",
    "repeat": "write `samples:`",
    "runs": "write `samples:`",
    "nodes": "nodes stand in a pipeline file; an evaluation names it with `pipeline:`",
    "mock": "in an evaluation nothing stands in for nodes: `--replay DIR` answers from recordings",
}
_CASE_OTHERS: Final = {
    "input": "write `inputs:`",
    "vars": "write `inputs:`",
    "with": "write `inputs:`",
    "expect": "write `expected:`",
    "output": "write `expected:`",
}


def context_of(path: Path_, value: Any) -> Context:
    """The context of the map at `path` of an evaluation."""
    if not path:
        return Context("an evaluation", keys_of(evals.EvalSpec), _TOP_OTHERS)
    if path[0] == "cases":
        return Context("a case", keys_of(evals.EvalCaseSpec) if len(path) == 2 else (), _CASE_OTHERS)
    if path[0] == "graders":
        if len(path) == 2:
            return Context("a grader", keys_of(evals.GraderSpec), {"expr": "write `expression:`"})
        if len(path) == 3 and path[2] == "model":
            others = {"assert": "write `pass:`", "messages": "write `prompt:`"}
            return Context("a model that grades", keys_of(evals.ModelGraderSpec), others)
    models: dict[str, Any] = {"threshold": evals.ThresholdSpec, "budget": BudgetSpec}
    model = models.get(str(path[0])) if len(path) == 1 else None
    return Context(f"`{path[-1]}`", keys_of(model) if model else ())


def prunable(path: Path_) -> Path_:
    """The smallest thing around a path that can be left out: a grader, or a whole key."""
    return path[:2] if path[:1] == ("graders",) else path[:1]
