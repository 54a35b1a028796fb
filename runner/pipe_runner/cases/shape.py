"""Which keys a map of a file of tests may have, and how much of it is left out where something is wrong."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.compiler.contexts import Context, keys_of
from pipe_runner.types import Path_
from pipe_schemas import cases

_NODE_OTHERS: Final = {
    "cmd": "write `command:`",
    "stdout": "write `output:`",
    "skipped_because": "write `when:`, `by:` or `reason:`",
    "with": "write `options:`",
    "environment": "write `env:`",
}
_TOP_OTHERS: Final = {
    "tests": "write `cases:`",
    "file": "write `pipeline:`",
    "nodes": "nodes stand in a pipeline file; a file of tests has `cases:`",
    "mock": "write it under `defaults:`, or in a case",
    "inputs": "write it under `defaults:`, or in a case",
}
_CASE_OTHERS: Final = {
    "with": "write `inputs:`",
    "mocks": "write `mock:`",
    "env": "variables of the environment are the pipeline's; give it `inputs:` or `secrets:`",
    "mock_all": "write `run: none`: nothing runs that isn't mocked",
    "real": "write `run:`",
    "outputs": "write it under `expect:`",
    "status": "write it under `expect:`",
    "nodes": "write it under `expect:`",
    "name": "a case is called by its key",
}


def context_of(path: Path_, value: Any) -> Context:
    """The context of the map at `path` of a file of tests."""
    if not path:
        return Context("a file of tests", keys_of(cases.CasesSpec), _TOP_OTHERS)
    depth = 2 if path[0] == "cases" else 1
    if len(path) == depth:
        if path[0] == "cases":
            return Context("a case", keys_of(cases.CaseSpec), _CASE_OTHERS)
        return Context("`defaults`", keys_of(cases.CaseDefaultsSpec), _CASE_OTHERS)
    inner = path[depth:]
    if inner[0] == "mock":
        if inner[-1] == "error":
            return Context("`error`", keys_of(cases.MockErrorSpec))
        others = {"status": "write `error: {kind: exit}` for a failure, `output:` for a success"}
        return Context("a mock", keys_of(cases.MockSpec), {**others, "outputs": "write `output:`"})
    if inner[-1] == "error":
        return Context("`error`", keys_of(cases.ErrorExpectSpec))
    if inner[:2] == ("expect", "nodes"):
        return Context("what is expected of a node", keys_of(cases.NodeExpectSpec), _NODE_OTHERS)
    return Context(f"`{inner[0]}`", keys_of(cases.ExpectSpec) if inner == ("expect",) else ())


def prunable(path: Path_) -> Path_:
    """The smallest thing around a path that can be left out."""
    depth = {"cases": 2, "defaults": 1}.get(str(path[0]) if path else "")
    if depth is None or len(path) <= depth:
        return path[: depth or 1]
    inner = path[depth:]
    keep = 1
    if inner[0] in ("mock", "secrets", "inputs"):
        keep = 2
    elif inner[0] == "expect":
        keep = 4 if inner[1:2] == ("nodes",) else 2
    return path[: depth + keep]
