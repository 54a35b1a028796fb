"""A file of tests that has been read: frozen, checked against its pipeline, ready to be performed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipe_runner.cases.names import Names
from pipe_runner.diagnostics import Position
from pipe_runner.loader import Document
from pipe_runner.plan import Plan
from pipe_runner.ports import Outcome
from pipe_runner.types import Json, Path_

OTHERS = "*"
"""What stands under `mock:` for every node that nothing else is said of."""


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
    own: frozenset[str]
    """The mocks that it says itself, those of the defaults apart."""
    names: Names
    replay: str | None = None
    """A folder of recordings, absolute, that answers what would leave the machine."""

    def outcomes_for(self, node: str) -> tuple[Outcome, ...] | None:
        """What stands in for a node (`probe[443]` for an item); None where nothing does."""
        return self.whole(node) or (None if self._listed(node) else self.mocks.get(OTHERS))

    def whole(self, node: str) -> tuple[Outcome, ...] | None:
        """What is said to stand in for this very node. Of a sub-pipeline that is all: where nothing is said, it is what
        stands in for its nodes."""
        if node in self.mocks:
            return self.mocks[node]
        steps = self.names.steps(node) or ()
        if not steps:
            return None
        return self.mocks.get(steps[-1].name) or self.mocks.get(steps[-1].node.id)

    def runs(self, node: str) -> bool:
        """Whether a node may run for real."""
        if self.outcomes_for(node) is not None:
            return False
        return self.run is None or self._listed(node)

    def _listed(self, node: str) -> bool:
        """Whether `run:` names it, or a node that runs it."""
        name = self.names.node_of(node)
        return (
            name is not None
            and self.run is not None
            and any(name == one or name.startswith(f"{one}.") for one in self.run)
        )


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
