"""What a name of a node, or of an item as `probe[443]`, means: `deploy[eu].push` is of the node `deploy.push`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.subplans import members
from pipe_runner.text import LONGEST_KEY

_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Step(NamedTuple):
    """One node on the way that a name takes, and which of its items it is in."""

    node: PlannedNode
    name: str
    """The name up to here, without the key."""
    key: str | None


class Names:
    """The nodes of a pipeline and of all that it runs, by id. Anything may stand in a key, also what looks like the
    rest of a name, so only those who know the nodes can read one."""

    def __init__(self, plan: Plan) -> None:
        self.nodes = {node.id: node for node in members(plan.nodes, plan.subplans)}

    def node_of(self, name: str) -> str | None:
        """The id of the node; None where no node and no item could ever have this name."""
        if name in self.nodes:
            return name
        steps = self.steps(name)
        return steps[-1].node.id if steps else None

    def half_named(self, name: str) -> str | None:
        """The repeated node inside of which a name is, without saying in which item."""
        outer = (self.steps(name) or ())[:-1]
        return next((step.name for step in outer if step.key is None and step.node.fan_out is not None), None)

    def steps(self, name: str) -> tuple[Step, ...] | None:
        """The way of a name, from the outermost node; of keys that could be meant, the shortest."""
        return self._steps(name, 0, "", set())

    def _steps(self, name: str, at: int, owner: str, wrong: set[tuple[int, str]]) -> tuple[Step, ...] | None:
        found = _ID.match(name, at)
        node = self.nodes.get(owner + found[0]) if found is not None else None
        if found is None or node is None or (at, owner) in wrong:
            return None
        end, upto = found.end(), name[: found.end()]
        if end == len(name):
            return (Step(node, upto, None),)
        if name[end] == ".":
            rest = self._steps(name, end + 1, f"{node.id}.", wrong)
            if rest is not None:
                return (Step(node, upto, None), *rest)
        elif name[end] == "[" and node.fan_out is not None:
            shortest = 1 if node.fan_out.matrix else 2  # only the key of a combination may be empty
            close = name.find("]", end + shortest, end + LONGEST_KEY + 2)
            while close >= 0:
                step = Step(node, upto, name[end + 1 : close])
                if close + 1 == len(name):
                    return (step,)
                rest = self._steps(name, close + 2, f"{node.id}.", wrong) if name[close + 1] == "." else None
                if rest is not None:
                    return (step, *rest)
                close = name.find("]", close + 1, end + LONGEST_KEY + 2)
        wrong.add((at, owner))
        return None
