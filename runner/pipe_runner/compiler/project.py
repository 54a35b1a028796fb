"""Reads pipe.yml: what it sets for every pipeline of a project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.project import PROJECT_FILE, Project
from pipe_runner.text import shown_path

if TYPE_CHECKING:
    from pathlib import Path

    from pipe_runner.compiler.report import Report
    from pipe_runner.diagnostics import Diagnostic
    from pipe_runner.loader import Document
    from pipe_runner.registry import Registry
    from pipe_runner.types import Path_
    from pipe_schemas.project import ProjectSpec

LOCAL: Final = "local"
"""The executor that this version has."""
_LATER: Final = ("store",)


def load_project(
    root: Path, registry: Registry | None = None, *, deep: bool = False
) -> tuple[Project, list[Diagnostic]]:
    """What the project's pipe.yml says, and what is wrong in it; a project without one has our defaults.

    `registry`: the agents that there are. `deep` loads those of all presets, to check their options.
    """
    home = os.path.realpath(root)
    path = os.path.join(home, PROJECT_FILE)
    plain = Project(home, path)
    if not os.path.lexists(path):
        return plain, []
    from pipe_runner.diagnostics import Diagnostic
    from pipe_runner.errors import UsageError
    from pipe_runner.loader import load

    shown = shown_path(path)
    if os.path.realpath(path) != path:
        return plain, [Diagnostic(shown, 1, 1, "E602", "pipe.yml is a link; what it sets must stand in the project")]
    try:
        document, faults = load(path, shown_as=shown, max_bytes=2**20)
    except UsageError as error:
        return plain, [Diagnostic(shown, 1, 1, "E602", error.message, error.hint)]
    if document.data is None and [fault.code for fault in faults] == ["E105"]:
        return plain, []  # an empty pipe.yml marks the root and sets nothing
    if not isinstance(document.data, dict) or not (document.data or faults):
        return plain, [_starred(fault) for fault in faults]
    from pipe_runner.compiler.report import Report, TooManyFaults

    report = Report(document, faults)
    try:
        plain = _read(report, plain, registry, deep=deep)
    except TooManyFaults:
        pass
    if report.found:
        from pipe_runner.compiler.providers import hide
        from pipe_schemas.credentials import credentials

        hide(report, [*credentials(document.data), *_as_written(document)])
    return plain, report.found


def _read(report: Report, plain: Project, registry: Registry | None, *, deep: bool) -> Project:
    from pipe_runner.compiler.contexts_project import of_project
    from pipe_runner.compiler.shape import Shape
    from pipe_schemas.project import ProjectSpec

    data = report.data()
    shape = Shape(report, of_project, _prunable, entries=ProjectSpec, maps={"agents": "agents"})
    spec = shape.check(ProjectSpec, data)
    for key in _LATER:
        if data.get(key):
            report.add("E901", f"`{key}` is not available in this version", (key,), at="key")
    names = {key: tuple(data[key]) for key in ("providers", "mcp_servers") if isinstance(data.get(key), dict)}
    plain = plain._replace(written=names)
    if spec is None:
        return plain
    if spec.executor not in (None, LOCAL):
        hint = f"`{LOCAL}` is the one that there is"
        report.add("E901", f"there is no executor `{spec.executor[:60]}` in this version", ("executor",), hint=hint)
    project, written = _project(plain, spec), data.get("agents")
    if spec.providers:
        from pipe_runner.compiler.providers import read_providers

        types = None if registry is None else registry.providers
        found = read_providers(spec.providers, data["providers"], report, plain.root, types)
        project = project._replace(services={**project.services, "providers": found})
    if isinstance(data.get("mcp_servers"), dict):
        from pipe_runner.compiler.servers import read_servers

        servers = read_servers(spec.mcp_servers, data["mcp_servers"], report, plain.root, deep=deep)
        project = project._replace(services={**project.services, "mcp_servers": servers})
    if project.providers and registry is not None:
        from pipe_runner.compiler.models import Models

        Models(project, registry).providers(list(project.providers), ("defaults", "provider"), report)
    if not isinstance(written, dict) or not written:
        return project
    from pipe_runner.compiler.presets import read_presets

    kept = shape.data.get("agents", {})
    written = {name: kept.get(name, one) for name, one in written.items()}  # without what is wrong in them
    project = project._replace(presets=read_presets(spec.agents, written, report, registry))
    if deep and registry is not None:
        from pipe_runner.compiler.presets_options import check_presets

        check_presets(project, report, registry)
    return project


def _prunable(path: Path_) -> Path_:
    """What is left out of pipe.yml where something is wrong: a key of a preset or a provider, one preset, provider or
    server, or a whole key."""
    if path[:1] == ("providers",) and path[2:3] in (("model",), ("limits",), ("prices",)):
        return path[:3]
    if path[:1] == ("agents",) and len(path) > 2 and path[2] not in ("agent", "with"):
        return path[:3]
    return path[:2] if path[:1] in (("agents",), ("providers",), ("mcp_servers",)) else path[:1]


def _project(plain: Project, spec: ProjectSpec) -> Project:
    from pipe_schemas.durations import parse_duration

    limits, defaults = spec.limits, spec.defaults
    changes: dict[str, Any] = {}
    if limits is not None:
        changes["concurrency_limit"] = limits.concurrency
        changes["max_time"] = parse_duration(limits.max_time) if limits.max_time else None
        if limits.output:
            changes["output_limit"] = limits.output
        if limits.cache:
            changes["cache_limit"] = limits.cache
        if limits.file:
            changes["file_limit"] = limits.file
    settings: dict[str, Any] = {}
    if spec.executor:
        settings["executor"] = spec.executor
    if defaults is not None:
        changes["concurrency"] = defaults.concurrency
        changes["timeout"] = parse_duration(defaults.timeout) if defaults.timeout else None
        if defaults.provider is not None:
            changes["providers"] = (
                (defaults.provider,) if isinstance(defaults.provider, str) else tuple(defaults.provider)
            )
        if defaults.durability:
            settings["durability"] = defaults.durability
        if defaults.grace:
            settings["grace"] = parse_duration(defaults.grace, zero=True)
    if spec.policy is not None:
        changes["policy"] = spec.policy.model_dump(exclude_unset=True)
    return plain._replace(settings=settings, **changes)


def _as_written(document: Document) -> Iterator[str]:
    """The lines of credentials that are written in another way than they read: with escapes, or folded."""
    from pipe_schemas.credentials import credentials, where_written

    for path in where_written(document.data):
        value: Any = document.data
        for step in path:
            value = value[step]
        text = document.written(path) or ""
        found = list(credentials(value, str(path[-1])))
        if not found or not all(one in text for one in found):
            yield from (line.strip(" \"'") for line in text.splitlines())


def _starred(fault: Diagnostic) -> Diagnostic:
    """A fault of a file of which nobody knows what in it is a key."""
    from pipe_schemas.credentials import starred

    return fault._replace(source=starred(fault.source), message=starred(fault.message)) if fault.source else fault
