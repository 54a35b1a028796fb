"""What the cache holds for the nodes that `pipe plan` shows, and what that means for their times."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.reports.fates import Fate
    from pipe_runner.reports.prospects import Prospect

_CACHE: Final = ("cache", "cache/results", "cache/blobs")


def looked_up(
    plan: Plan,
    shown: Sequence[PlannedNode],
    inputs: Mapping[str, Json],
    fates: Mapping[int, Fate],
    *,
    only: Sequence[str],
    state: str,
    within: str | None,
    domain: str,
) -> Mapping[int, Prospect]:
    """Of each node with `cache:`, by its index in `shown`, where those of sub-pipelines stand among the others; a cache
    that a link leads out of `within` is not looked at (S1)."""
    if not any(node.cache is not None for node in shown):
        return {}
    from pipe_runner.engine.selection import select
    from pipe_runner.reports.prospects import prospects

    home = None if within is None else os.path.realpath(within)
    for name in _CACHE:
        real = os.path.realpath(os.path.join(state, name))
        if home is not None and os.path.commonpath([home, real]) != home:
            state = os.path.join(home, ".pipe", "nowhere")
    git_sha = _git_sha(plan.root)
    found = prospects(
        plan,
        select(plan, only),
        inputs,
        {node.id: fates[node.index] for node in shown},
        only=only,
        state_dir=state,
        domain=domain,
        git_sha=git_sha,
        environ=os.environ,
    )
    return {node.index: found[node.id] for node in shown if node.id in found}


def _git_sha(root: str) -> str | None:
    """Of a repository that lies in the project itself: others are not looked into for a plan."""
    from pipe_runner.engine.checkout import git_sha

    git = os.path.join(root, ".git")
    if os.path.islink(git) or not os.path.isdir(git) or os.path.lexists(os.path.join(git, "commondir")):
        return None
    links = [os.path.islink(os.path.join(git, name)) for name in ("HEAD", "packed-refs", "refs", "refs/heads")]
    return None if any(links) else git_sha(root)


def with_hits(plan: Plan, seconds: Mapping[str, float], found: Mapping[int, Prospect]) -> Mapping[str, float]:
    """The times by node, where what is cached takes none; as they are where none are known."""
    if not seconds:
        return seconds
    hits = {plan.nodes[index].id for index, one in found.items() if one.found == "hit"}
    others = {name: time for name, time in seconds.items() if name.partition("[")[0] not in hits}
    return {**others, **dict.fromkeys(hits, 0.0)}
