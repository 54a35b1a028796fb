"""A plan with the nodes of its sub-pipelines among its own, for those who draw and tell it before a run.

A node that runs a sub-pipeline stands before what it runs, and what needs it behind that: so layers, waves and the
longest path come out as in a run. `own_needs` has the needs as the files say them.
"""

from __future__ import annotations

from pipe_runner.plan import Plan, PlannedNode, PlannedPart
from pipe_runner.subplans import expanded, secrets_of
from pipe_runner.types import Phase, RunOn


def flat(plan: Plan, *, repeated: bool = True) -> Plan:
    """All in one. With `repeated`, what a repeated node runs is there once; else such a node stands for all of it."""
    if not plan.subplans:
        return plan
    return _Flat(plan, repeated).made()


def own_needs(plan: Plan, node: PlannedNode) -> list[str]:
    """What a node of a flat plan needs, by id, as its file says it; of what begins a sub-pipeline, the node that runs
    it."""
    ids = [plan.nodes[need].id for need in node.needs]
    if not any("." in id for id in (node.id, *ids)):
        return ids
    owner = owner_of(node.id)
    return [id for id in ids if id == owner or owner_of(id) == owner]


def drawn_needs(plan: Plan, node: PlannedNode) -> list[int]:
    """The edges to a node that a drawing wants: around sub-pipelines, none that leads past another one."""
    if not any("." in plan.nodes[need].id for need in node.needs):
        return list(node.needs)
    passed = {far for need in node.needs for far in plan.nodes[need].needs}
    return [need for need in node.needs if need not in passed]


def own_phases(plan: Plan) -> dict[str, Phase]:
    """Of each node of a plan that is not flat, and of all that they run: the phase in its own file."""
    return {node.id: node.phase for node in expanded(plan.nodes, plan.subplans, repeated=True)}


def owner_of(id: str) -> str:
    """The node that runs this one; nothing for a node of the pipeline's own."""
    return id.rpartition(".")[0]


class _Flat:
    def __init__(self, plan: Plan, repeated: bool) -> None:
        self._plan, self._repeated = plan, repeated
        self._nodes: list[PlannedNode] = []
        self._leaves: dict[int, list[int]] = {}
        """Of nodes that run a sub-pipeline: what is done last in it."""
        self._parts: list[PlannedPart] = list(plan.parts)

    def made(self) -> Plan:
        self._add(self._plan, "", None, 0)
        nodes = self._with_priorities()
        plan = self._plan
        return plan._replace(nodes=nodes, subplans={}, parts=tuple(self._parts), secrets=secrets_of(plan))

    def _add(self, plan: Plan, prefix: str, owner: PlannedNode | None, files: int) -> list[int]:
        """Add the nodes of a file that `owner` runs; gives those that are done last. `files` is the first of its."""
        at: dict[int, int] = {}
        needed: set[int] = set()
        main: list[int] = []
        handlers: list[int] = []
        failing: list[int] = []
        """Those of `on_failure`, which come before `finally`."""
        for node in sorted(plan.nodes, key=lambda n: (list(Phase).index(n.phase), -n.priority, n.index)):
            needs: set[int] = {at[need] for need in node.needs}
            for need in list(needs):
                needs.update(self._leaves.get(need, ()))
            phase, run_on = node.phase, node.run_on
            if owner is not None:
                needed |= needs
                if phase is not Phase.NODES and not node.needs:
                    needs.update(self._ends(main, needed))
                    run_on = RunOn.FAILURE if phase is Phase.ON_FAILURE else RunOn.ALWAYS
                    needs.update(failing if phase is Phase.FINALLY else ())
                if not needs or phase is not Phase.NODES:
                    needs.add(owner.index)
                phase = owner.phase
            index = len(self._nodes)
            added = node._replace(
                id=prefix + node.id,
                index=index,
                phase=phase,
                run_on=run_on,
                needs=tuple(sorted(needs)),
                reads=(),
                part=files + node.part if owner is not None else node.part,
            )
            self._nodes.append(added)
            at[node.index] = index
            if node.phase is Phase.NODES:
                main.append(index)
            elif node.phase is Phase.FINALLY:
                handlers.append(index)
            else:
                failing.append(index)
            if node.pipeline is not None and (self._repeated or node.fan_out is None):
                self._leaves[index] = self._inside(added)
        return self._ends(main, needed) + handlers

    def _ends(self, nodes: list[int], needed: set[int]) -> list[int]:
        """Those that no other one needs, with what is done last in them."""
        return [each for index in nodes if index not in needed for each in (index, *self._leaves.get(index, ()))]

    def _inside(self, node: PlannedNode) -> list[int]:
        assert node.pipeline is not None
        plan = self._plan.subplans[node.pipeline]
        self._parts.append(PlannedPart(plan.path))
        number = len(self._parts)
        self._parts += plan.parts
        return self._add(plan, f"{node.id}.", node, number)

    def _with_priorities(self) -> tuple[PlannedNode, ...]:
        """Each node by the longest chain from it to an end; needs stand before what needs them."""
        longest = [1] * len(self._nodes)
        for node in reversed(self._nodes):
            for need in node.needs:
                longest[need] = max(longest[need], longest[node.index] + 1)
        return tuple(node._replace(priority=longest[node.index]) for node in self._nodes)
