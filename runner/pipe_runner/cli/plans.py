"""From the name of a pipeline file to its plan: the kept one where nothing has changed, else a new one."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from pipe_runner.cli.settings import state_dir
from pipe_runner.cli.words import Given
from pipe_runner.errors import InvalidPipeline
from pipe_runner.plan import Plan
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
    compilation = compile_file(path, root=Path(root), registry=registry)
    if compilation.plan is None:
        raise InvalidPipeline(compilation.diagnostics)
    if content is not None:
        store_plan(inside, content, root, state, compilation.plan, compilation.targets, compilation.watched)
    return Planned(compilation.plan, registry, root, state, os.path.normpath(file))


def _content(path: str) -> bytes | None:
    """The file's bytes, None where a kept plan can't be used and the compiler has to look, and to say what is wrong."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_KEPT:
                return None
            return file.read()
    except OSError:
        return None
