"""Sub-pipelines in a plan: what an instance of one is made of, and the nodes and secrets of them all.

An instance is the subplan with the ids of its nodes under that of the node that runs it: `deploy.build`,
`deploy[eu].build`. Ids of a file are identifiers, so a dot is only ever found in those of inner nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipe_runner.plan import Plan, PlannedNode, SecretSource
from pipe_runner.types import Json


def instance(subplan: Plan, owner: str, priority: int = 1) -> Plan:
    """The subplan as `owner` runs it; `priority` is that of the node, which is as far from the end as what it runs."""
    more = priority - 1
    nodes = [node._replace(id=f"{owner}.{node.id}", priority=node.priority + more) for node in subplan.nodes]
    return subplan._replace(nodes=tuple(nodes))


def chosen(plan: Plan, owner: str, only: Sequence[str]) -> list[PlannedNode]:
    """The nodes of an instance that `--only` leaves: those that it names with all that they need; all of them where it
    names none of them, or the node that runs it, too."""
    named = [node for node in plan.nodes if any(_is_at(name, node.id) for name in only)]
    if not named or owner in only:
        return list(plan.nodes)
    found: set[int] = set()
    stack = [node.index for node in named]
    while stack:
        index = stack.pop()
        if index not in found:
            found.add(index)
            stack.extend(plan.nodes[index].needs)
    return [node for node in plan.nodes if node.index in found]


def _is_at(name: str, node: str) -> bool:
    """Whether a name is the node, or one inside it."""
    return name == node or name.startswith(f"{node}.")


def expanded(
    nodes: Iterable[PlannedNode], subplans: Mapping[str, Plan], only: Sequence[str] = (), *, repeated: bool = False
) -> list[PlannedNode]:
    """These nodes, and behind each those that it runs, by the ids that the log knows them by.

    What repeated ones run is known to the run alone; with `repeated` it is here once, under the node without a key.
    """
    if not subplans:
        return list(nodes)
    return [each for node in nodes for each in (node, *inner(node, subplans, only, repeated=repeated))]


def inner(
    node: PlannedNode, subplans: Mapping[str, Plan], only: Sequence[str] = (), *, repeated: bool = False
) -> list[PlannedNode]:
    """The nodes that a node runs, as `expanded` gives them."""
    if node.pipeline is None or (node.fan_out is not None and not repeated):
        return []
    own = chosen(instance(subplans[node.pipeline], node.id, node.priority), node.id, only)
    return expanded(own, subplans, only, repeated=repeated)


def members(nodes: Iterable[PlannedNode], subplans: Mapping[str, Plan], only: Sequence[str] = ()) -> list[PlannedNode]:
    """All that these nodes run, and they themselves; see `expanded`."""
    return expanded(nodes, subplans, only, repeated=True)


def secrets_of(plan: Plan) -> tuple[SecretSource, ...]:
    """The secrets of the plan and of its subplans; one name means one secret, which the compiler has seen to."""
    found = {source.name: source for source in plan.secrets}
    for subplan in plan.subplans.values():
        for source in subplan.secrets:
            found.setdefault(source.name, source)
    return tuple(found.values())


def versions_of(plan: Plan) -> dict[str, Json]:
    """The agents of the plan and of its subplans, with their versions."""
    found: dict[str, Json] = dict(plan.agent_versions)
    for subplan in plan.subplans.values():
        found.update(subplan.agent_versions)
    return found
