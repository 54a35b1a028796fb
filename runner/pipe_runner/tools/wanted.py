"""What the entries of a node's `tools:` name, before anything is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pipe_runner.types import Json

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
    named = [str(tool).removeprefix("mcp:") for tool in _every(tools) if str(tool).startswith("mcp:")]
    return list(dict.fromkeys(name.partition("/")[0] for name in named))


def _every(tools: Sequence[Json]) -> Iterator[Json]:
    """The entries, and those that a model which is a tool may use."""
    for tool in tools:
        yield tool
        given = tool.get("with") if isinstance(tool, dict) else None
        inner = given.get("tools") if isinstance(given, dict) else None
        if isinstance(inner, list):
            yield from _every(inner)
