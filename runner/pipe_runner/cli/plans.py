"""From the name of a pipeline file to its plan: the kept one where nothing has changed, else a new one."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from pipe_runner import flags
from pipe_runner.cli.settings import state_dir
from pipe_runner.cli.words import Given
from pipe_runner.errors import InvalidPipeline
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.plancache import load_plan, store_plan
from pipe_runner.project import root_of
from pipe_runner.registry import Registry

_MOST_KEPT: int = 64 * 2**20


class Planned(NamedTuple):
    """A plan with what a run of it needs. `shown` is the file as the user named it."""

    plan: Plan
    registry: Registry
    root: str
    state_dir: str
    shown: str


def plan_for(file: str, given: Given, *, state: str | None = None, root: str | None = None) -> Planned:
    """The plan of a file; raises UsageError where it can't be read and InvalidPipeline where it has faults.

    `state` and `root` are known already when a run goes on.
    """
    path = os.path.abspath(file)
    root = root_of(path) if root is None else root
    state = state_dir(given, root) if state is None else state
    content = _content(path)
    inside = os.path.relpath(path, root)
    if content is not None:
        kept = load_plan(inside, content, root, state)
        if kept is not None:
            return Planned(kept.plan, Registry.from_targets(kept.targets), root, state, os.path.normpath(file))
    from pathlib import Path

    from pipe_runner.compiler import compile_file

    registry = Registry.installed()
    if given.has("replay"):
        registry.tools.recorded = set()
    compilation = compile_file(path, root=Path(root), registry=registry)
    if compilation.plan is None:
        raise InvalidPipeline(compilation.diagnostics)
    if content is not None and not registry.tools.recorded:
        found = compilation
        store_plan(inside, content, root, state, compilation.plan, found.targets, found.watched, found.files)
    return Planned(compilation.plan, registry, root, state, os.path.normpath(file))


def shown_file(plan: Plan, file: str, shown: str) -> str:
    """A file of a pipeline as the user would name it; `file` counts from the root, `shown` is the pipeline's own."""
    if file == plan.path:
        return shown
    beside = os.path.relpath(os.path.join(plan.root, file), os.path.dirname(os.path.join(plan.root, plan.path)))
    return os.path.normpath(os.path.join(os.path.dirname(shown), beside))


def shown_place(plan: Plan, node: PlannedNode, shown: str) -> str:
    """`file:line` of a node."""
    return f"{shown_file(plan, plan.file_of(node.part), shown)}:{node.line}"


def shown_warnings(plan: Plan, shown: str) -> list[str]:
    """The warnings that a plan has, a line each; once, also where several nodes bring one in."""
    lines: dict[str, None] = {}
    for one in plan.warnings:
        file = shown_file(plan, one.get("from", plan.path), shown)
        lines[f"{file}:{one.get('line')}:{one.get('column')}: {one.get('code')} {one.get('message')}"] = None
    return list(lines)


def _content(path: str) -> bytes | None:
    """The file's bytes, None where a kept plan can't be used and the compiler has to look, and to say what is wrong."""
    try:
        fd = os.open(path, flags.READ)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_KEPT:
                return None
            return file.read()
    except OSError:
        return None
