"""A pipeline file from chosen agents: one node for each, and one that merges what they found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipe_runner.routing.choices import Choice, Routing

MERGES: Final = "findings"
"""The agent that merges what others found; there may be none."""
_NAME: Final = re.compile(r"[^A-Za-z0-9_]+")
_TEMPLATE: Final = re.compile(r"\{\{|\{%|\{#")
_ENDS: Final = re.compile(r"\{%[-+]?\s*endraw")
_BEGIN, _END = "{% raw %}", "{% endraw %}"
_DESCRIBED: Final = 1000
_TITLE: Final = 120


def draft(
    routing: Routing,
    chosen: Sequence[Choice],
    outputs: Mapping[str, Mapping[str, Any]],
    *,
    merges: bool = True,
    provider: str | None = None,
) -> str:
    """The text of a pipeline file. `outputs`: the schema of what each agent gives; `merges`: whether there is an agent
    that merges; `provider`: whom those that explain ask."""
    from pipe_runner.loader.dumping import comment, dumped

    how = "named by the user" if routing.by == "name" else f"chosen by {routing.by}"
    lines = [*comment(f"The task: {routing.task[:_DESCRIBED]}"), f"# Agents {how}; `pipe run` runs it."]
    for note in routing.notes:
        lines += comment(note)
    head: dict[str, Any] = {"version": 1, "description": described(routing.task)}
    lines += [*dumped(head).splitlines(), "nodes:"]
    ids = names_for([one.agent for one in chosen])
    for one, id in zip(chosen, ids, strict=True):
        lines += comment(f"Score {one.score:g}: {one.why}." if routing.by == "words" else one.why, "  ")
        node: dict[str, Any] = {"agent": one.agent}
        options = literal(one.options)
        if provider is not None and explains(one):
            node["provider"] = provider
        if options:
            node["with"] = options
        lines += _indented(dumped({id: node}))
    last = ids[0]
    if len(chosen) > 1 and merges:
        results = {id: f"{{{{ nodes.{id}.output }}}}" for id in ids}
        last = _free("findings", ids)
        given: dict[str, Any] = {"title": literal(_title(routing.task)), "results": results}
        left = [one for each in chosen if each.tells is None for one in each.unseen]
        if left:
            given["not_looked_at"] = literal([{"what": one.what, "why": one.why} for one in left[:64]])
        merging = {"agent": MERGES, "run_on": "always", "with": given}
        lines += comment("Merges what they found; also where one of them could not do its work.", "  ")
        lines += _indented(dumped({last: merging}))
        read = {name: f"{{{{ nodes.{last}.output.{name} }}}}" for name in ("severity", "summary")}
    elif len(chosen) > 1:
        read = {id: f"{{{{ nodes.{id}.output }}}}" for id in ids}
    else:
        known = outputs.get(chosen[0].agent, {}).get("properties", {})
        told = [name for name in ("severity", "summary") if name in known]
        read = {name: f"{{{{ nodes.{last}.output.{name} }}}}" for name in told}
        read = read or {"result": f"{{{{ nodes.{last}.output }}}}"}
    lines += dumped({"outputs": read}).splitlines()
    return "\n".join(lines) + "\n"


def explains(choice: Choice) -> bool:
    """Whether a model explains what the agent finds."""
    return choice.options.get("explain") is True


def described(task: str) -> str:
    """The task as the file's description; it is no template there."""
    return task if len(task) <= _DESCRIBED else f"{task[:_DESCRIBED]}…"


def _title(task: str) -> str:
    one = " ".join(task.split())
    return (one if len(one) <= _TITLE else f"{one[:_TITLE]}…") or "Findings"


def literal(value: Any) -> Any:
    """The value so that no text in it is a template."""
    if isinstance(value, str):
        if _TEMPLATE.search(value) is None:
            return value
        apart = _ENDS.sub(
            lambda match: f"{{{_END}{_BEGIN}{match[0][1:]}", value
        )  # its brace in one block, the rest in another
        return f"{_BEGIN}{apart}{_END}"
    if isinstance(value, dict):
        return {key: literal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [literal(item) for item in value]
    return value


def names_for(agents: Sequence[str]) -> list[str]:
    """A node's id for each agent."""
    found: list[str] = []
    for agent in agents:
        found.append(_free(_NAME.sub("_", agent).strip("_") or "agent", found))
    return found


def _free(name: str, taken: Sequence[str]) -> str:
    name = f"_{name}" if name[0].isdigit() else name
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
