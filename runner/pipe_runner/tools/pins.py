"""What the tools of a server are, in a word that changes with them: so that they can be pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.tools.kinds import shown
from pipe_runner.types import ErrorKind
from pipe_schemas.encoding import canonical_json

_COUNTS: Final = ("name", "description", "parameters")
"""What a model is told of a tool, and what it may give it."""


def tool_digest(tool: Mapping[str, Any]) -> str:
    """Of one tool, `{name, description, parameters}`."""
    return _digest({key: tool.get(key) for key in _COUNTS})


def list_digest(tools: Sequence[Mapping[str, Any]]) -> str:
    """Of all tools of a server, in whatever order it lists them."""
    return _digest(sorted(tool_digest(tool) for tool in tools))


def check_pins(server: str, pinned: Any, whole: str, tools: Sequence[Mapping[str, Any]], where: str) -> None:
    """Raises NodeFault where the tools aren't what they were pinned to.

    `pinned`: the digest of all of them, or digests by name; `whole`: that of all that there are now.
    """
    if isinstance(pinned, str) and pinned != whole:
        raise NodeFault(
            ErrorKind.TOOL,
            f"the tools of MCP server {server} have changed: {where} pins {pinned}, and now they are {whole}; look at "
            "what they say before you pin them anew",
        )
    if not isinstance(pinned, Mapping):
        return
    for tool in tools:
        name, digest = str(tool["name"]), tool_digest(tool)
        title = shown(name)
        if name not in pinned:
            raise NodeFault(
                ErrorKind.TOOL, f"the tool {title} of MCP server {server} is not pinned: {where} has no digest of it"
            )
        if pinned[name] != digest:
            raise NodeFault(
                ErrorKind.TOOL,
                f"the tool {title} of MCP server {server} has changed: {where} pins {pinned[name]}, and now it is "
                f"{digest}; look at what it says before you pin it anew",
            )


def _digest(value: Any) -> str:
    return f"sha256:{sha256(canonical_json(value).encode()).hexdigest()}"
