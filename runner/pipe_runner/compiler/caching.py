"""`cache`: what a node's result is kept by, compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from glob import escape
from hashlib import sha256
from os.path import join, normpath, sep
from typing import Any, Final

from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.pruning import LEFT_OUT
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.values import Values
from pipe_runner.plan import CachePolicy, Value, files_of
from pipe_runner.types import Path_
from pipe_schemas.encoding import canonical_json
from pipe_schemas.nodes import PipelineNode

_NOT_OF_THE_OUTPUT: Final = frozenset(
    {
        "description", "needs", "when", "run_on", "continue_on_error", "retry", "timeout", "max_time", "effect",
        "cache", "for_each", "matrix", "min_success",
    }
)  # fmt: skip
"""Keys that say when and how often a node runs, not what it gives."""


def compile_cache(
    draft: Draft,
    content: Mapping[str, Any],
    values: Values,
    report: Report,
    inside: Callable[[str, Path_], None],
) -> None:
    """Set `draft.cache`; `content` is the node in the file, `inside` tells of a path that leaves the root."""
    spec, path = draft.spec.cache, (*draft.path, "cache")
    if draft.spec.effect == "once" and not isinstance(draft.spec, PipelineNode):
        message = "`effect: once` and `cache` contradict each other: what acts must not be taken from an earlier run"
        report.add("E212", message, path, at="key", hint="leave one of the two out")
    if draft.agent is not None and draft.agent.describe.asks_people:
        message = f"`cache` counts for nothing: what a person decides at `{short(draft.agent.name)}` is one run's only"
        report.add("E212", message, path, at="key", hint="leave it out; each run asks")
    files: list[str] = []
    key, ttl = Value(""), None
    if spec is not True:
        for number, glob in enumerate(spec.files):
            place = (*path, "files", number)
            if "{{" in glob or "{%" in glob:
                hint = "put what varies into `key`, and let the globs match all files that may count"
                report.add("E213", "which files count is no value's to say", place, hint=hint)
                continue
            inside(glob, place)
            files.append(glob)
        if spec.key is not None:
            key = Value(*values.leaf(spec.key, (*path, "key"), "key", draft.uses))
        if spec.ttl is not None:
            from pipe_schemas.durations import parse_duration

            ttl = parse_duration(spec.ttl)
    files += map(escape, _own_files(draft))
    kept = {name: value for name, value in content.items() if name not in _NOT_OF_THE_OUTPUT and name[:2] != "x-"}
    draft.cache = CachePolicy(sha256(canonical_json(kept).encode()).hexdigest(), key, tuple(files), ttl)


def _own_files(draft: Draft) -> list[str]:
    """Files of the project that count as the node does: the one with its function, those that go with its question."""
    if draft.agent is None or not isinstance(draft.options.data, dict):
        return []
    if draft.agent.name == "llm":
        return files_of(draft.options.data)
    call = draft.options.data.get("call")
    file = call.rpartition(":")[0] if draft.agent.name == "python" and isinstance(call, str) else ""
    return [file] if file.endswith(".py") else []


def compile_artifacts(draft: Draft, report: Report, inside: Callable[[str, Path_], None]) -> None:
    """Set `draft.artifacts`; their paths stay in the working directory, as far as is known here."""
    path = (*draft.path, "artifacts")
    names: set[str] = set()
    if draft.spec.cache and draft.spec.secrets:
        message = "`cache` and `artifacts` of a node that is granted secrets: files can't be masked, and would be kept"
        report.add("E212", message, path, at="key", hint="let another node, without secrets, make the files")
    for number, spec in enumerate(draft.spec.artifacts):
        if spec.path == LEFT_OUT:
            continue
        place = (*path, number, "path")
        if spec.name in names:
            report.add("E303", f"`{short(spec.name)}` stands here twice", (*path, number, "name"))
        names.add(spec.name)
        if "{{" in spec.path or "{%" in spec.path:
            report.add("E213", "where an artifact is is no value's to say", place, hint="name a folder that holds it")
        elif normpath(spec.path).split(sep)[0] in ("..", ""):
            hint = "paths of artifacts count from the node's working directory, and stay in it"
            report.add("E601", f"`{short(spec.path)}` leaves the node's working directory", place, hint=hint)
        elif not draft.own_workspace:
            cwd = draft.options.data.get("cwd") if isinstance(draft.options.data, dict) else None
            inside(join(cwd if isinstance(cwd, str) else "", spec.path), place)
    draft.artifacts = tuple((spec.name, spec.path) for spec in draft.spec.artifacts)
