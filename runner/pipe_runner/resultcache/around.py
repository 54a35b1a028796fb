"""What pipe.yml and pipe.lock say of the tools that a node may use: its key counts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipe_runner.plan import Plan
from pipe_runner.ports import Attempt
from pipe_runner.types import Json


def tools_around(attempt: Attempt, plan: Plan, pins: Mapping[str, Any]) -> dict[str, Json]:
    """By what `--explain` calls it; nothing where no tools are listed. `pins` are those of pipe.lock, by server.

    Secrets of servers stand in it as pipe.yml has them: by where they are.
    """
    tools = attempt.options.get("tools")
    if not tools or not isinstance(tools, list):
        return {}
    from pipe_runner.tools.wanted import ALL, agents_in, used_of_servers

    found: dict[str, Json] = {}
    written = plan.services.get("mcp_servers", {})
    for server, names in used_of_servers(tools).items():
        said = written.get(server) or {}
        found[f"MCP server {server}"] = {key: value for key, value in said.items() if key != "digest"}
        pinned: Any = said.get("digest") or pins.get(server)
        if isinstance(pinned, Mapping) and ALL not in names:
            pinned = {name: pinned.get(name) for name in names}
        if pinned is not None:
            found[f"what pins the tools of {server}"] = pinned
    for agent in agents_in(tools):
        found[f"the version of {agent}"] = plan.agent_versions.get(agent, "")
    return found
