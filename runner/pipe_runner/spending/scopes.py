"""Which budgets hold for a node: the run's, its own, and those of every sub-pipeline that it stands in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pipe_runner.plan import Budget, Plan
from pipe_runner.run import Run

RUN: Final = ""
"""The scope of the whole run."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Scope(NamedTuple):
    """A budget, and what it is of."""

    key: str
    title: str
    """For people: `the run`, `node explain`, `sub-pipeline deploy[eu]`."""
    budget: Budget


class Scopes:
    """The budgets of a plan, by the names that nodes have in the log."""

    def __init__(self, plan: Plan, run: Run, title: str = "the run") -> None:
        """`title`: how the whole is called that the plan's own budget is of."""
        self._plan, self._run = plan, run
        self._nodes = {"": plan.by_id(), **{path: sub.by_id() for path, sub in plan.subplans.items()}}
        self._known: dict[str, tuple[Scope, ...]] = {}
        self._outermost = (Scope(RUN, title, plan.budget),) if plan.budget is not None else ()
        plans = (plan, *plan.subplans.values())
        self.any = any(one.budget is not None or any(node.budget for node in one.nodes) for one in plans)
        """There is a budget at all."""

    def of(self, node: str) -> tuple[Scope, ...]:
        """The budgets that hold for a node or an item, from the outside to the inside."""
        if not self.any:
            return ()
        if not self._plan.subplans:
            node = node.partition("[")[0]  # all items are within the same ones
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = tuple(self._find(node))
        return found

    def keys_of(self, node: str) -> Sequence[str]:
        return [scope[0] for scope in self.of(node)]

    def _find(self, node: str) -> Sequence[Scope]:
        found = list(self._outermost)
        plan, nodes, begun = self._plan, self._nodes[""], 0
        while True:
            name = _IDENTIFIER.match(node, begun)
            planned = nodes.get(name[0]) if name is not None else None
            if name is None or planned is None:  # a node that the file has no more
                return found
            full = node[: name.end()]
            if planned.budget is not None:
                found.append(Scope(full, f"node {full}", planned.budget))
            if planned.pipeline is None:
                return found
            end = self._instance(node, full, self._run.items)
            if end is None:
                return found
            instance, plan = node[:end], self._plan.subplans[planned.pipeline]
            if plan.budget is not None:
                found.append(Scope(f"{instance}.", f"sub-pipeline {instance}", plan.budget))
            nodes, begun = self._nodes[planned.pipeline], end + 1

    @staticmethod
    def _instance(node: str, owner: str, items: Mapping[str, Mapping[str, object]]) -> int | None:
        """Where the name of the instance ends in which `node` stands; None: it is the owner or an item of it."""
        if node[len(owner) : len(owner) + 1] != "[":
            return len(owner) if len(node) > len(owner) else None
        end = node.find("].", len(owner))
        while end >= 0:
            if node[len(owner) + 1 : end] in items.get(owner, {}):
                return end + 1
            end = node.find("].", end + 1)
        return None
