"""What the tools of a server are, in a word that changes with them: so that they can be pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NoReturn

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


def check_pins(
    server: str,
    pinned: Any,
    whole: str,
    tools: Sequence[Mapping[str, Any]],
    where: str,
    *,
    recorded: bool = False,
) -> None:
    """Raises NodeFault where the tools aren't what they were pinned to.

    `pinned`: the digest of all of them, or digests by name; `whole`: that of all that there are now. `recorded`: both
    are of a recording, which may be older than the pins.
    """
    if isinstance(pinned, str) and pinned != whole:
        _differ(f"the tools of MCP server {server}", where, pinned, whole, recorded=recorded, several=True)
    if not isinstance(pinned, Mapping):
        return
    for tool in tools:
        name, digest = str(tool["name"]), tool_digest(tool)
        what = f"the tool {shown(name)} of MCP server {server}"
        if name not in pinned:
            raise NodeFault(ErrorKind.TOOL, f"{what} is not pinned: {where} has no digest of it")
        if pinned[name] != digest:
            _differ(what, where, pinned[name], digest, recorded=recorded, several=False)


def _differ(what: str, where: str, pinned: str, now: str, *, recorded: bool, several: bool) -> NoReturn:
    are, have, they, them = ("are", "have", "they", "them") if several else ("is", "has", "it", "it")
    said = (
        f"{what} {have} changed: {where} pins {pinned}, and now {they} {are} {now}; look at what "
        f"{they} {'say' if several else 'says'} before you pin {them} anew"
    )
    if recorded:
        said = (
            f"{what} {are} not what {where} pins: that is {pinned}, and the recording has {now}; record again with "
            "--record, once the pins are those of today"
        )
    raise NodeFault(ErrorKind.TOOL, said)


def _digest(value: Any) -> str:
    return f"sha256:{sha256(canonical_json(value).encode()).hexdigest()}"
