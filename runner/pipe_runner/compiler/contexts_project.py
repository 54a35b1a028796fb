"""The same for `pipe.yml`, whose models cost time to make: most checks of a pipeline need none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pipe_runner.compiler import aliases_project as aliases
from pipe_runner.compiler.contexts import UNDER_NODE, Context, keys_of
from pipe_runner.types import Path_
from pipe_schemas import mcp, project, providers
from pipe_schemas.http import HttpPolicy

_UNDER_PROJECT: dict[str, tuple[type[BaseModel], Mapping[str, str]]] = {
    "limits": (project.LimitsSpec, aliases.LIMITS),
    "policy": (project.PolicySpec, {}),
    "defaults": (project.ProjectDefaultsSpec, aliases.PROJECT_DEFAULTS),
}
_UNDER_PROVIDER: dict[str, type[BaseModel]] = {"limits": providers.ServiceLimits, "prices": providers.Price}


def of_project(path: Path_, value: Any) -> Context:
    """The context of the map at `path` of a project file."""
    if not path:
        return Context("pipe.yml", keys_of(project.ProjectSpec), aliases.PROJECT)
    model: type[BaseModel] | None
    model, others = _UNDER_PROJECT.get(str(path[0]), (None, {}))
    if path[:2] == ("policy", "http"):
        model = HttpPolicy
    if path[0] == "providers" and len(path) > 2:
        of_it = _UNDER_PROVIDER.get(str(path[2]))
        return Context(f"`{path[2]}`", keys_of(of_it) if of_it else ())
    if path[0] == "mcp_servers" and len(path) == 2:
        return Context("an MCP server", keys_of(mcp.ServerSpec), aliases.MCP_SERVER)
    if path[0] == "agents" and len(path) == 2:
        return Context("a preset", keys_of(project.PresetSpec), aliases.PRESET)
    if path[0] == "agents" and len(path) > 2:
        model, others = UNDER_NODE.get(str(path[2]), (None, {}))
        return Context(f"`{path[2]}`", keys_of(model) if model else (), others)
    return Context(f"`{path[-1]}`", keys_of(model) if model else (), others)
