"""Which branches of a pipeline its cases have taken: conditions both ways, every node, every retry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipe_runner.cases.names import Names
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import Event
from pipe_runner.types import ErrorKind, EventKind, Phase

_TRUE, _FALSE, _RAN, _RETRIED = "had no true condition", "had no false condition", "never ran", "was never retried"
_HANDLED = "never handled a failure"


class Missed(NamedTuple):
    """A branch that no case has taken."""

    node: str
    line: int
    branch: str


class Coverage(NamedTuple):
    """The branches of one pipeline: how many there are, and which nobody took."""

    pipeline: str
    total: int
    missed: tuple[Missed, ...]

    @property
    def covered(self) -> int:
        return self.total - len(self.missed)


class Collector:
    """Sees the events of all cases of one pipeline."""

    def __init__(self, pipeline: str, plan: Plan) -> None:
        self._pipeline, self._plan, self._names = pipeline, plan, Names(plan)
        self._taken: set[tuple[str, str]] = set()
        self._conditional = {node.id for node in plan.nodes if node.when is not None}

    def see(self, events: Sequence[Event]) -> None:
        """Note which branches a run took."""
        for event in events:
            if event.node is None:
                continue
            node = self._names.node_of(event.node) or event.node
            if event.event == EventKind.NODE_STARTED:
                self._taken |= {(node, _RAN), (node, _TRUE), (node, _HANDLED)}
            elif event.event == EventKind.NODE_RETRYING:
                self._taken.add((node, _RETRIED))
            elif event.event == EventKind.NODE_SKIPPED and event.data.get("when") is not None:
                self._taken.add((node, _FALSE))
            elif _could_not_be_rendered(event):  # its turn had come
                self._taken |= {(node, _RAN), (node, _TRUE), (node, _HANDLED)}

    def coverage(self) -> Coverage:
        branches = [(node, branch) for node in self._plan.nodes for branch in self._branches(node)]
        missed = [Missed(n.id, n.line, branch) for n, branch in branches if (n.id, branch) not in self._taken]
        return Coverage(self._pipeline, len(branches), tuple(sorted(missed, key=lambda one: one.line)))

    def _branches(self, node: PlannedNode) -> list[str]:
        if node.id in self._conditional:
            found = [_TRUE, _FALSE]
        else:
            found = [_HANDLED if node.phase is Phase.ON_FAILURE else _RAN]
        return found + ([_RETRIED] if node.retry.max_attempts > 1 else [])


def _could_not_be_rendered(event: Event) -> bool:
    if event.event != EventKind.NODE_FAILED or event.attempt is not None:
        return False
    kind: str = event.data["error"]["kind"]
    return kind == ErrorKind.TEMPLATE


def percent(found: Iterable[Coverage]) -> float:
    """Of all branches together; 100 where there are none."""
    all_ = list(found)
    total = sum(one.total for one in all_)
    return 100.0 if not total else 100.0 * sum(one.covered for one in all_) / total
