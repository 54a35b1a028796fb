"""A file of tests that has been read: frozen, checked against its pipeline, ready to be performed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipe_runner.diagnostics import Position
from pipe_runner.loader import Document
from pipe_runner.plan import Plan
from pipe_runner.ports import Outcome
from pipe_runner.types import Json, Path_

OTHERS = "*"
"""What stands under `mock:` for every node that nothing else is said of."""


def node_of(name: str) -> str:
    """The node that a name of a node, or of an item as `probe[443]`, belongs to."""
    return name.partition("[")[0]


@dataclass(frozen=True, slots=True)
class Case:
    """One run and what is expected of it, `defaults:` put in."""

    name: str
    path: Path_
    """Where it stands in its file."""
    inputs: Mapping[str, Json]
    secrets: Mapping[str, str]
    mocks: Mapping[str, tuple[Outcome, ...]]
    """How the attempts of a node end that isn't run, by its id; the last outcome repeats."""
    run: frozenset[str] | None
    """The nodes that may run for real; None: all that aren't mocked."""
    expect: Mapping[str, Any]

    def outcomes_for(self, node: str) -> tuple[Outcome, ...] | None:
        """What stands in for a node (`probe[443]` for an item); None where nothing does."""
        owner = node_of(node)
        found = self.mocks.get(node) or self.mocks.get(owner)
        if found is None and not (self.run is not None and owner in self.run):
            found = self.mocks.get(OTHERS)
        return found

    def runs(self, node: str) -> bool:
        """Whether a node may run for real."""
        if self.outcomes_for(node) is not None:
            return False
        return self.run is None or node_of(node) in self.run


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one file. `path` is the file as the user named it, `pipeline` that of its pipeline."""

    path: str
    document: Document
    pipeline: str
    plan: Plan
    cases: tuple[Case, ...]

    def place(self, case: Case) -> Position:
        """Where a case begins; looked up when somebody asks, since the first time costs a second parse."""
        return self.document.position(case.path, "key")
