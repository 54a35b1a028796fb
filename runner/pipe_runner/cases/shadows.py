"""What a file of tests says for nothing: of nodes in a sub-pipeline that is mocked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from pipe_runner.cases.names import Names
from pipe_runner.compiler.report import Report, short
from pipe_runner.types import Path_

_MOST: Final = 30
"""Names under `defaults:` that are looked for in each case."""


class Shadows:
    """Sees the cases of a file, and tells what stands under `mock:` and `run:` and counts in none of them."""

    def __init__(self, names: Names, defaults: Mapping[str, Any]) -> None:
        self._names = names
        self._mocked = frozenset(defaults.get("mock") or ())
        every = ((name, where, self._around(name)) for name, where in _said(defaults, ("defaults",)))
        self._inside = list(islice((one for one in every if one[2]), _MOST))
        self._useful: set[Path_] = set()
        self._useless: dict[Path_, tuple[str, str]] = {}
        """By its place: a name, and what is mocked around it."""

    def see(self, path: Path_, case: Mapping[str, Any]) -> None:
        """A case; of names that the pipeline doesn't have it is told elsewhere."""
        own, run = case.get("mock") or {}, _listed(case)
        said = [(name, where, self._around(name)) for name, where in _said(case, path)]
        for name, where, around in (*self._inside, *said):
            if where[0] == "defaults" and (name in own or name in run or (where[1] == "run" and "run" in case)):
                continue  # the case says something else of it
            whole = next((one for one in around if one in own or (one in self._mocked and one not in run)), None)
            if whole is None:
                self._useful.add(where)
            else:
                self._useless.setdefault(where, (name, whole))

    def tell(self, report: Report) -> None:
        """Warn of each."""
        for place, (name, around) in self._useless.items():
            if place in self._useful:
                continue
            mocked = place[-2] == "mock"
            said = "is mocked" if mocked else "is listed"
            message = f"`{short(name)}` {said} for nothing: `{short(around)}`, which runs it, is mocked as a whole"
            hint = f"leave out one of the two: without the mock of `{short(around)}` its nodes run"
            report.add("W702", message, place, at="key" if mocked else "value", hint=hint)

    def _around(self, name: str) -> tuple[str, ...]:
        """What may stand under `mock:` for a node, or an item, that has this one inside."""
        found: dict[str, None] = {}
        for step in (self._names.steps(name) or ())[:-1] if "." in name else ():
            if step.key is not None:
                found[f"{step.name}[{step.key}]"] = None
            found.update({step.name: None, step.node.id: None})
        return tuple(found)


def _listed(said: Mapping[str, Any]) -> set[str]:
    run = said.get("run")
    return set(run) if isinstance(run, list) else set()


def _said(given: Mapping[str, Any], path: Path_) -> Iterator[tuple[str, Path_]]:
    """The names under `mock:` and `run:`, with their places."""
    for name in given.get("mock") or ():
        yield name, (*path, "mock", name)
    run = given.get("run")
    for number, name in enumerate(run if isinstance(run, list) else ()):
        yield name, (*path, "run", number)
