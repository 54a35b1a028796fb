"""`pipe tools [SERVER]`: what models can be given here, and what an MCP server offers now, with what pins it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipe_runner.cli.boundary import write_out
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.errors import InvalidPipeline, NodeFault, PipeError, UsageError
from pipe_runner.text import json_text

if TYPE_CHECKING:
    from pipe_runner.engine.listing import Listed


def tools(given: Given) -> int:
    """Functions and servers by name, which connects nowhere; or the tools of one server, which is asked."""
    root, written, policy = _servers()
    name = given.text("server")
    as_json = given.text("output") == "json"
    if name is None:
        found = _here(written)
        write_out(json_text(found) if as_json else "".join(f"{safe(line)}\n" for line in _lines(found)))
        return 0
    if name not in written:
        raise _unknown(name, list(written))
    listed = _ask(name, root, written, policy)
    lines = _table(name, listed)
    write_out(json_text(_described(name, listed)) if as_json else "".join(f"{safe(line)}\n" for line in lines))
    return 0


def _servers() -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    from pathlib import Path

    from pipe_runner.cli.settings import here
    from pipe_runner.compiler.project import load_project

    project, faults = load_project(Path(here()))
    wrong = [fault for fault in faults if fault.is_error]
    if wrong:
        raise InvalidPipeline(wrong)
    return project.root, project.services.get("mcp_servers", {}), project.policy


def _here(written: Mapping[str, Any]) -> dict[str, Any]:
    from pipe_runner.registry import ToolFunctions
    from pipe_schemas.credentials import without_credentials

    servers = [
        {
            "name": name,
            "command": without_credentials(said.get("command")),
            "url": said.get("url"),
            "pinned": "digest" in said,
        }
        for name, said in written.items()
    ]
    return {"functions": list(ToolFunctions().names()), "servers": servers}


def _lines(found: Mapping[str, Any]) -> list[str]:
    lines = [f"function:{name}" for name in found["functions"]]
    for server in found["servers"]:
        what = server["url"] or " ".join(server["command"])
        lines.append(f"mcp:{server['name']}  {what}{'  (pinned)' if server['pinned'] else ''}")
    return lines or ["there are neither functions nor MCP servers; agents can be tools, `pipe agents` lists them"]


def _ask(name: str, root: str, written: Mapping[str, Any], policy: Mapping[str, Any]) -> Listed:
    import anyio

    from pipe_runner.engine.listing import list_tools

    found = anyio.run(list_tools, written, [name], os.environ, root, policy)[name]
    if isinstance(found, NodeFault):
        raise PipeError(found.message, hint=f"it wrote: {found.tail}" if found.tail else None)
    return found


def _described(name: str, listed: Listed) -> dict[str, Any]:
    tools = [{**tool, "digest": listed.digests[tool["name"]]} for tool in listed.tools]
    return {"server": name, "digest": listed.digest, "tools": tools}


def _table(name: str, listed: Listed) -> list[str]:
    lines = []
    for tool in listed.tools:
        said = " ".join(str(tool["description"]).split())
        lines.append(f"mcp:{name}/{tool['name']}  {said[:100]}{'…' if len(said) > 100 else ''}")
        lines.append(f"  {listed.digests[tool['name']]}")
    return [*lines, f"digest of all: {listed.digest}"]


def _unknown(name: str, known: list[str]) -> UsageError:
    from pipe_runner.diagnostics import did_you_mean

    near = did_you_mean(name, known)
    hint = f"did you mean {near!r}?" if near else f"pipe.yml has: {', '.join(known) or 'none'}"
    return UsageError(f"there is no MCP server {name!r}", hint=hint)
