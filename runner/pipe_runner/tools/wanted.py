"""What the entries of a node's `tools:` name, before anything is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pipe_runner.types import Json

ALL: Final = "*"
"""`mcp:SERVER/*` is all that the server has."""
OF_FUNCTIONS: Final = "python"
"""The agent that calls them."""


def agents_in(tools: Sequence[Json]) -> set[str]:
    """The agents that perform them."""
    found: set[str] = set()
    for tool in _every(tools):
        if isinstance(tool, dict):
            found.add(str(tool.get("agent")))
        elif str(tool).startswith("function:"):
            found.add(OF_FUNCTIONS)
    return found


def servers_in(tools: Sequence[Json]) -> list[str]:
    """The MCP servers that they are of, each once."""
    return list(used_of_servers(tools))


def used_of_servers(tools: Sequence[Json]) -> dict[str, list[str]]:
    """The names that they list, by MCP server, each once and in order."""
    found: dict[str, dict[str, None]] = {}
    for tool in _every(tools):
        kind, _, rest = str(tool).partition(":")
        if kind == "mcp":
            server, _, name = rest.partition("/")
            found.setdefault(server, {})[name] = None
    return {server: list(names) for server, names in found.items()}


def _every(tools: Sequence[Json]) -> Iterator[Json]:
    """The entries, and those that a model which is a tool may use."""
    for tool in tools:
        yield tool
        given = tool.get("with") if isinstance(tool, dict) else None
        inner = given.get("tools") if isinstance(given, dict) else None
        if isinstance(inner, list):
            yield from _every(inner)
