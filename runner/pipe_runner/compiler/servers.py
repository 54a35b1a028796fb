"""Checks `mcp_servers:` of pipe.yml beyond its shape, and gives them as plain data for the plan."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.providers import hide
from pipe_runner.compiler.report import Report, short
from pipe_schemas.mcp import SERVER_NAME

if TYPE_CHECKING:
    from pipe_schemas.mcp import ServerSpec

_OF_COMMAND: Final = ("env", "cwd")
_OF_URL: Final = ("headers",)
_LIKE_SECRET: Final = re.compile(r"(^|[_-])(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)\Z", re.IGNORECASE)
_SHORTEST: Final = 8
_KNOWN: Final = frozenset({"env", "cwd", "headers", "digest"})
_SECRET_HEADERS: Final = re.compile(r"authorization|cookie|(^|-)(key|token|secret)\Z", re.IGNORECASE)


def read_servers(
    specs: Mapping[str, ServerSpec], written: Any, report: Report, root: str, *, deep: bool = False
) -> dict[str, Any]:
    """The servers that are right, as data. `deep`: what is there now counts, too, which a kept plan couldn't know."""
    found: dict[str, Any] = {}
    hidden = _secrets_in(written)
    for name, spec in specs.items():
        path = ("mcp_servers", name)
        faults = len(report.found)
        if not re.match(SERVER_NAME, name):
            hint = "use letters, digits, `_`, `-` and `.`"
            report.add("E505", f"`{short(name)}` can't be the name of an MCP server", path, at="key", hint=hint)
        _one_of(spec, written[name], path, report)
        for key, value in (spec.env or {}).items():
            if isinstance(value, str) and _LIKE_SECRET.search(key) and len(value) >= _SHORTEST:
                message = f"`{key}`: a secret never stands in pipe.yml"
                hint = f"write `{key}: {{from: env, key: {key}}}` or `{{from: file, key: PATH}}`"
                report.add("E605", message, (*path, "env", key), at="key", hint=hint)
        if spec.cwd is not None and not _inside(root, spec.cwd):
            report.add("E601", f"`cwd` leaves the project: {short(spec.cwd)}", (*path, "cwd"))
        if len(report.found) == faults:
            found[name] = {key: value for key, value in written[name].items() if not key.startswith("x-")}
            if deep and spec.cwd is not None and not os.path.isdir(os.path.join(root, spec.cwd)):
                hint = "it counts from the project's root"
                report.add("W606", f"`cwd` is no directory: {short(spec.cwd)}", (*path, "cwd"), hint=hint)
    hide(report, hidden)
    return found


def _one_of(spec: ServerSpec, written: Mapping[str, Any], path: tuple[str, ...], report: Report) -> None:
    if spec.command is None and spec.url is None:
        if all(key in _KNOWN or key.startswith("x-") for key in written):  # else it has been told what is wrong
            hint = "write `command: [PROGRAM, …]`, or `url: https://…`"
            report.add(
                "E504", f"the MCP server `{short(path[1])}` has neither `command` nor `url`", path, at="key", hint=hint
            )
        return
    if spec.command is not None and spec.url is not None:
        report.add("E505", "an MCP server has a `command` or a `url`", (*path, "url"), at="key", hint="leave one out")
        return
    key, others = ("command", _OF_URL) if spec.command is not None else ("url", _OF_COMMAND)
    for other in others:
        if other in written:
            report.add("E503", f"an MCP server with `{key}` has no `{other}`", (*path, other), at="key")


def _inside(root: str, cwd: str) -> bool:
    home = os.path.realpath(root)
    return os.path.commonpath((home, os.path.realpath(os.path.join(home, cwd)))) == home


def _secrets_in(written: Any) -> set[str]:
    found: set[str] = set()
    for spec in written.values() if isinstance(written, dict) else ():
        for key, pattern in (("env", _LIKE_SECRET), ("headers", _SECRET_HEADERS)):
            values = spec.get(key) if isinstance(spec, dict) else None
            for name, value in values.items() if isinstance(values, dict) else ():
                if isinstance(value, str) and pattern.search(str(name)) and len(value) >= _SHORTEST:
                    found.add(value)
    return found
