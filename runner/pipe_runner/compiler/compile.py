"""The way from a file to its plan: read, hold against the schema, draft the nodes, draw the edges, freeze."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipe_runner.collecting import uncollected
from pipe_runner.compiler.compilation import Compilation
from pipe_runner.compiler.report import Report, short
from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.loader import Document, load_text
from pipe_runner.loader.source import read_bytes
from pipe_runner.text import shown_path

if TYPE_CHECKING:
    from pipe_runner.project import Project
    from pipe_runner.registry import Registry

_NO_EXPRESSION: Final = frozenset({"E204", "E207", "E213", "E301", "E408", "E501"})
"""What is told of an expression where none can stand."""


def compile_file(
    path: Path | str,
    *,
    root: Path | None = None,
    registry: Registry,
    shown_as: str | None = None,
    only_faults: bool = False,
) -> Compilation:
    """Compile a pipeline file. What is wrong in it is told, never raised; a file that can't be opened: UsageError.

    `only_faults`: there is no plan, since nobody wants it, but where a budget bounds costs, which are then looked at.
    """
    from pipe_runner.compiler.project import load_project
    from pipe_runner.project import PROJECT_FILE, find_root, link_out

    absolute = os.path.abspath(path)
    root = find_root(Path(absolute)) if root is None else root
    home = os.path.realpath(root)
    shown = shown_path(absolute) if shown_as is None else shown_as
    real = os.path.realpath(absolute)
    inside = real == home or real.startswith(home.rstrip(os.sep) + os.sep)
    if not inside and os.path.abspath(os.path.dirname(absolute)) == os.path.abspath(os.path.dirname(real)):
        inside = True  # no link: the caller chose a root that the file isn't in
    if not inside and os.path.exists(real):
        return Compilation(None, [link_out(shown, home)], Document(shown, "", None))
    project, faults = load_project(Path(home), registry)
    limit = project.file_limit
    content = read_bytes(real if os.path.exists(real) else absolute, limit)  # no link is followed after the check
    if len(content) > limit:
        hint = f"`limits: {{file: …}}` in {PROJECT_FILE} raises the limit"
        fault = Diagnostic(shown, 1, 1, "E118", f"the file is larger than {limit} bytes", hint)
        return Compilation(None, [fault], Document(shown, "", None))
    return _compile(content, absolute, shown, home, registry, project, faults, only_faults=only_faults)


def compile_text(text: str, *, path: str = "<text>", root: Path, registry: Registry) -> Compilation:
    """Compile a text as if it stood in a file at `path`, which need not exist."""
    from pipe_runner.compiler.project import load_project

    home = os.path.realpath(root)
    project, faults = load_project(Path(home), registry)
    content = text.encode("utf-8", "surrogatepass")
    return _compile(content, path, path, home, registry, project, faults)


def _compile(
    content: bytes,
    path: str,
    shown: str,
    root: str,
    registry: Registry,
    project: Project,
    project_faults: list[Diagnostic],
    *,
    only_faults: bool = False,
) -> Compilation:
    with uncollected():
        document, faults = load_text(content, shown)
        if not isinstance(document.data, dict):
            return Compilation(None, in_order([*project_faults, *faults]), document, content=content)
        if os.path.realpath(path) == project.path and document.data.keys().isdisjoint(("nodes", "include")):
            hint = f"write the pipeline into a file of its own; `pipe check {short(shown)}` checks this one"
            fault = Diagnostic(shown, 1, 1, "E209", "this is the project's file, which holds no pipeline", hint)
            return Compilation(None, in_order([*project_faults, fault]), document, content=content)
        report = Report(document, [*project_faults, *faults])
        if report.crowded():
            return Compilation(None, in_order(report.found), document, content=content)
        from pipe_runner.compiler.build import Build

        build = Build(report, root, registry, project)
        plan = build.plan(os.path.join(root, path), _inside(path, root), content, only_faults=only_faults)
        family = build.family
        if plan is not None:
            plan = plan._replace(subplans=family.plans, warnings=(*plan.warnings, *family.warnings))
        return Compilation(
            plan,
            in_order(_said_once([*report.found, *family.faults])),
            document,
            {**family.targets, **build.agents.targets()},
            tuple(sorted({*build.watched(), *family.watched})),
            build.neighbours.states(),
            content,
        )


def _said_once(found: list[Diagnostic]) -> list[Diagnostic]:
    """Without the advice to quote an expression, where quotes are not what is missing."""
    if not any(one.code == "E117" for one in found):
        return found
    places = {
        one[:3] for one in found if one.code in _NO_EXPRESSION or (one.code == "E203" and '"{{' in (one.hint or ""))
    }
    return [one for one in found if one.code != "E117" or one[:3] not in places]


def _inside(path: str, root: str) -> str:
    """The path as a plan shows it: relative to the root where it lies inside."""
    if not os.path.isabs(path):
        return path
    for candidate in (path, os.path.realpath(path)):
        if candidate.startswith(root.rstrip(os.sep) + os.sep):
            return os.path.relpath(candidate, root)
    return path
