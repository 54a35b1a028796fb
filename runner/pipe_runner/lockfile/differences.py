"""What of a plan isn't as `pipe.lock` has it, each difference at the place of the file that makes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipe_runner.compiler.nodeplaces import NodePlaces
from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.lockfile.files import LOCK_FILE, Locked
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.project import PROJECT_FILE
from pipe_runner.text import shown_path
from pipe_runner.types import Path_

_MEND: Final = f"`pipe lock` writes {LOCK_FILE} anew, once the change is meant"
_MEND_PINS: Final = (
    f"`pipe lock --tools` writes their pins into {LOCK_FILE} anew, once the change is meant; `pipe lock` keeps them"
)
_DIFFERS, _MISSING = "E611", "E612"
_LEFT_OVER: Final[Mapping[str, tuple[str, str]]] = {
    "pipelines": ("", "no pipeline of the project"),
    "providers": ("the provider ", "no node asks it"),
    "mcp_servers": ("the MCP server ", "no node uses it"),
}


class Differences:
    """Compares plans with a lock."""

    def __init__(self, locked: Locked) -> None:
        self._locked = locked
        self._places = NodePlaces()

    def of(self, plan: Plan, now: Mapping[str, Any]) -> list[Diagnostic]:
        """What differs; `now` is what the lock of this plan would be (`Contents.of`)."""
        if self._locked.faults:
            return list(self._locked.faults)
        found: list[Diagnostic] = []
        was = self._locked.data
        plans = {one.path: one for one in (plan, *plan.subplans.values())}
        for path, pipeline in now["pipelines"].items():
            one = plans[path]
            if was is None:
                if path == plan.path:
                    message = f"the project has no {LOCK_FILE}"
                    hint = f"`pipe lock {shown_path(os.path.join(plan.root, path))}` writes it"
                    found.append(self._places.at(one, one.path, (), _MISSING, message, hint))
            elif path not in was.get("pipelines", {}):
                hint = f"`pipe lock {shown_path(os.path.join(plan.root, path))}` adds it"
                found.append(self._places.at(one, one.path, (), _MISSING, f"{path} is not in {LOCK_FILE}", hint))
            else:
                nodes = was["pipelines"][path].get("nodes", {})
                found += self._nodes(one, pipeline["nodes"], nodes)
        if was is not None:
            found += self._of_project(plan, now, was, alone=not found)
        return in_order(found)

    def left_over(self, each: Sequence[Mapping[str, Any]], *, alone: bool) -> Iterator[Diagnostic]:
        """What the lock has, and the project doesn't. `each`: what the lock of each of its pipelines would be.

        `alone`: nothing else differs; a provider that no node asks any more is told with that node, otherwise.
        """
        document, was = self._locked.document, self._locked.data
        if document is None or was is None:
            return
        for key, (what, why) in _LEFT_OVER.items():
            there = {name for one in each for name in one[key]}
            gone = [name for name in was.get(key, {}) if name not in there]
            if key == "pipelines":
                alone = alone and not gone
            elif not alone:
                continue
            for name in gone:
                message = f"{what}{name} is in {LOCK_FILE}, and {why}"
                yield document.diagnostic(_DIFFERS, message, (key, name), at="key", hint=_MEND)

    # ------------------------------------------------------------ nodes

    def _nodes(self, plan: Plan, now: Mapping[str, Any], was: Mapping[str, Any]) -> Iterator[Diagnostic]:
        by_id = plan.by_id()
        for id, node in now.items():
            planned = by_id[id]
            if id not in was:
                yield self._of_node(plan, planned, ("agent",), f"node {id} is not in {LOCK_FILE}")
            else:
                yield from self._node(plan, planned, node, was[id])
        for id in was:
            if id not in now and self._locked.document is not None:
                message = f"node {id} of {plan.path} asks no model any more"
                path = ("pipelines", plan.path, "nodes", id)
                yield self._locked.document.diagnostic(_DIFFERS, message, path, at="key", hint=_MEND)

    def _node(
        self, plan: Plan, planned: PlannedNode, now: Mapping[str, Any], was: Mapping[str, Any]
    ) -> Iterator[Diagnostic]:
        id = planned.id
        if now["agent"] != was["agent"]:
            message = f"the agent of {id} is {now['agent']}, and {was['agent']} in {LOCK_FILE}"
            yield self._of_node(plan, planned, ("agent",), message)
        if now["models"] != was.get("models", []):
            before = was.get("models", [])
            asks, asked = _told_apart(now["models"], before)
            message = f"{id} asks {asks}, and {asked} in {LOCK_FILE}"
            yield self._of_node(plan, planned, _place_of_models(now["models"], before), message)
        options = was.get("options", {})
        for name in {**now["options"], **options}:
            if now["options"].get(name) != options.get(name):
                yield self._of_node(plan, planned, ("with", name), _changed(name, id, now["options"], options))
        tools, used = now["tools"], was.get("tools", {})
        for number, name in enumerate(tools):
            if tools[name] != used.get(name):
                yield self._of_node(plan, planned, ("with", "tools", number), _changed_tool(name, id, used))
        for name in used:
            if name not in tools:
                yield self._of_node(plan, planned, ("with", "tools"), f"{id} may not use {name} any more")

    def _of_project(
        self, plan: Plan, now: Mapping[str, Any], was: Mapping[str, Any], *, alone: bool
    ) -> Iterator[Diagnostic]:
        """`alone`: nothing else differs; what is new is told with the node that is new, otherwise."""
        for key, what in (("providers", "provider"), ("mcp_servers", "MCP server")):
            for name, one in now[key].items():
                before, mend = was.get(key, {}).get(name), _MEND
                if before is None and not alone:
                    continue
                if before is None:
                    message = f"the {what} {name} is not in {LOCK_FILE}"
                elif one.get("tools") != before.get("tools") and "tools" in one:
                    message = _changed_list(name, one["tools"], before.get("tools"))
                    mend = _MEND if "digest" in plan.services.get(key, {}).get(name, {}) else _MEND_PINS
                elif any(before.get(field) != value for field, value in one.items()):
                    message = f"the {what} {name} is not what it was when {LOCK_FILE} was written"
                else:
                    continue
                file = PROJECT_FILE if os.path.exists(os.path.join(plan.root, PROJECT_FILE)) else plan.path
                yield self._places.at(plan, file, (key, name), _DIFFERS, message, mend)

    def _of_node(self, plan: Plan, node: PlannedNode, place: Path_, message: str) -> Diagnostic:
        return self._places.of_node(plan, node, place, _DIFFERS, message, _MEND)


def _place_of_models(now: list[Mapping[str, Any]], was: list[Mapping[str, Any]]) -> Path_:
    asked = [[(one["provider"], one.get("type")) for one in models] for models in (now, was)]
    return ("provider",) if asked[0] != asked[1] else ("with", "model")


def _told_apart(now: list[Mapping[str, Any]], was: list[Mapping[str, Any]]) -> tuple[str, str]:
    """Both in words; with what is known of the models, where the names are the same."""
    told = _sentence(now), _sentence(was)
    return told if told[0] != told[1] else (_sentence(now, whole=True), _sentence(was, whole=True))


def _sentence(models: list[Mapping[str, Any]], *, whole: bool = False) -> str:
    return ", ".join(_model(one, whole=whole) for one in models) or "nobody"


def _model(one: Mapping[str, Any], *, whole: bool) -> str:
    name = f"{one.get('model', 'no model')} of {one['provider']}"
    kind = one.get("type")
    said = [f"of type {kind}" if kind else "of a type that nobody knows"]
    said += [word for key, word in (("alias", "an alias"), ("template", "a template")) if one.get(key)]
    return f"{name} ({', '.join(said)})" if whole else name


def _changed(name: str, id: str, now: Mapping[str, Any], was: Mapping[str, Any]) -> str:
    if name not in was:
        return f"`{name}` of {id} is not in {LOCK_FILE}"
    if name not in now:
        return f"`{name}` of {id} is in {LOCK_FILE}, and not in the file"
    return f"`{name}` of {id} has changed since {LOCK_FILE} was written"


def _changed_list(server: str, now: Any, was: Any) -> str:
    """Of the tools of a server: which of them aren't what they were, where that is known."""
    if was is None:
        return f"the tools of the MCP server {server} are not in {LOCK_FILE}"
    if isinstance(now, Mapping) and isinstance(was, Mapping):
        for word, names in (
            ("changed", [name for name in now if name in was and now[name] != was[name]]),
            ("new", [name for name in now if name not in was]),
            ("gone", [name for name in was if name not in now]),
        ):
            if names:
                said = ", ".join(sorted(names))
                return f"the tools of the MCP server {server} are not those of {LOCK_FILE}: {said} ({word})"
    return f"the tools of the MCP server {server} have changed since {LOCK_FILE} was written"


def _changed_tool(name: str, id: str, was: Mapping[str, Any]) -> str:
    if name not in was:
        return f"the tool {name} of {id} is not in {LOCK_FILE}"
    return f"the tool {name} of {id} has changed since {LOCK_FILE} was written"
