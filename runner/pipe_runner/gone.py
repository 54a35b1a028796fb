"""What a repeated node has no more: items that its list has lost, and nodes that the file that it runs has lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipe_runner.run import Run


def gone(run: Run, node: str, keys: Iterable[str], inside: Collection[str] | None) -> list[str]:
    """The names by which the run knows them; `inside` are the nodes that an instance of what it runs has now, None
    where it runs nothing any more."""
    known, there = run.items[node], frozenset(keys)
    found = [f"{node}[{key}]" for key in known if key not in there]
    if inside is None:
        if not any(item.pipeline is not None for item in known.values()):
            return found
        inside = ()
    start = f"{node}["
    for name in dict.fromkeys((*run.nodes, *run.items)):
        if name.startswith(start):
            key, below = _parted(name[len(start) :], known)
            if key is not None and (key not in there or below.partition("[")[0] not in inside):
                found.append(name)
    return found


def _parted(name: str, known: Mapping[str, Any]) -> tuple[str | None, str]:
    """The key of an instance, in which anything may stand, and the name in it."""
    end = name.find("].")
    while end >= 0:
        if name[:end] in known:
            return name[:end], name[end + 2 :]
        end = name.find("].", end + 1)
    return None, ""
