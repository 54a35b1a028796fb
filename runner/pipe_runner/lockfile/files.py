"""Reads and writes `pipe.lock`: JSON, sorted, one value a line, so that a change can be read in a diff."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipe_runner import flags
from pipe_runner.errors import UsageError, strict_json
from pipe_runner.text import shown_path

if TYPE_CHECKING:
    from pipe_runner.compiler.contexts import Context
    from pipe_runner.diagnostics import Diagnostic
    from pipe_runner.loader import Document
    from pipe_runner.types import Path_

LOCK_FILE: Final = "pipe.lock"
VERSION: Final = 1
_MOST: Final = 16 * 2**20
_NEWER: Final = "a newer pipe has written it: use that one, or remove the file, and `pipe lock` makes it anew"


class Locked(NamedTuple):
    """A `pipe.lock` that was read. `data` is None where there is none, or where it can't be used."""

    document: Document | None
    data: Mapping[str, Any] | None
    faults: list[Diagnostic]


def lock_path(root: str) -> str:
    return os.path.join(root, LOCK_FILE)


def read_lock(root: str, *, shown_as: str | None = None) -> Locked:
    """The project's lock; what is wrong in it is told, never raised."""
    from pipe_runner.compiler.report import Report, TooManyFaults
    from pipe_runner.compiler.shape import Shape
    from pipe_runner.diagnostics import Diagnostic
    from pipe_runner.loader import load
    from pipe_schemas.lock import LockSpec

    path = lock_path(root)
    shown = shown_path(path) if shown_as is None else shown_as
    if not os.path.lexists(path):
        return Locked(None, None, [])
    if os.path.realpath(path) != os.path.join(os.path.realpath(root), LOCK_FILE):
        fault = Diagnostic(shown, 1, 1, "E602", "pipe.lock is a link; what it holds must stand in the project")
        return Locked(None, None, [fault])
    try:
        document, faults = load(path, shown_as=shown, max_bytes=_MOST)
    except UsageError as error:
        return Locked(None, None, [Diagnostic(shown, 1, 1, "E602", error.message, error.hint)])
    if not isinstance(document.data, dict):
        return Locked(document, None, faults)
    version: Any = document.data.get("version")
    if type(version) is int and version > VERSION:  # nobody knows what else may stand there
        message = f"{LOCK_FILE} is of version {version}, and this pipe knows version {VERSION}"
        return Locked(document, None, [document.diagnostic("E210", message, ("version",), hint=_NEWER)])
    report = Report(document, faults)
    shape = Shape(report, _context_of, lambda path: path[:1])
    with contextlib.suppress(TooManyFaults):
        shape.check(LockSpec, document.data)
    return Locked(document, None if report.failed else shape.data, report.found)


def tool_pins(root: str) -> dict[str, Any]:
    """MCP servers whose tools are pinned by `pipe.lock`: digests of the tools by name, or one of them all; empty where
    there is no lock. Raises UsageError for one that can't be read."""
    path = lock_path(root)
    try:
        with open(os.open(path, flags.READ), encoding="utf-8-sig") as file:
            data = strict_json(file.read(_MOST))
        if data.get("version") != VERSION:
            raise TypeError("another version")
        servers = data.get("mcp_servers", {})
        return {name: _pins(one["tools"]) for name, one in servers.items() if one.get("tools") is not None}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{shown_path(path)} can't be read, and it may pin the tools of MCP servers",
            hint="`pipe check .` says what is wrong in it; `pipe lock --tools` writes it anew, once it is gone",
        ) from error


def _pins(said: Any) -> Any:
    """Raises TypeError for what pins nothing."""
    each = list(said.values()) if isinstance(said, dict) else [said]
    if not all(isinstance(one, str) for one in each):
        raise TypeError("no digest")
    return said


def lock_text(data: Mapping[str, Any]) -> str:
    """The file's text: the same for the same content."""
    ordered = {key: data[key] for key in ("version", "providers", "mcp_servers", "pipelines") if key in data}
    return json.dumps({"version": ordered.pop("version"), **_sorted(ordered)}, indent=2, ensure_ascii=False) + "\n"


def merged(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says after these pipelines were locked: what it said of others stays.

    The tools of a server that nobody asked now are those that it was known for, while its definition is the same.
    """
    old = before or {}
    found = dict(now)
    for key in ("providers", "mcp_servers", "pipelines"):
        found[key] = {**old.get(key, {}), **now.get(key, {})}
    for name, one in found["mcp_servers"].items():
        was = old.get("mcp_servers", {}).get(name)
        if "tools" not in one and was and "tools" in was and was["definition"] == one["definition"]:
            found["mcp_servers"][name] = {**one, "tools": was["tools"]}
    return found


def _sorted(value: Any) -> Any:
    """Maps by their keys; of the parts of a node the order of the models is kept, since it is that of asking."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _context_of(path: Path_, value: Any) -> Context:
    from pipe_runner.compiler.contexts import Context, keys_of
    from pipe_schemas import lock

    if not path:
        return Context("pipe.lock", keys_of(lock.LockSpec))
    models = {"providers": lock.LockedProvider, "mcp_servers": lock.LockedServer, "pipelines": lock.LockedPipeline}
    model: Any = models.get(str(path[0])) if len(path) == 2 else None
    if path[0] == "pipelines" and len(path) == 4:
        model = lock.LockedNode
    elif "models" in path:
        return Context("a model", keys_of(lock.LockedModel))
    elif path[0] == "pipelines" and len(path) == 6:
        model = lock.LockedTool
    return Context(f"`{path[-1]}`", keys_of(model) if model else ())
