"""What an MCP server says, before the protocol's library reads it: bounded, and answered for where it is no answer."""

from __future__ import annotations

import json
from typing import Any, Final

from pipe_runner.tools.answers import REFUSED

MOST: Final = 1000
"""Contents of a result that are read: a model is given no more of it than a few pages."""
MOST_TOOLS: Final = 1000
"""Tools that a server may have."""
_VERSION: Final = "2025-11-25"
"""Of the protocol, whose word a tool must be."""


class Heard:
    """A stream of messages whose results are not longer than is read."""

    def __init__(self, inner: Any, schemas: dict[str, Any] | None = None) -> None:
        """`schemas` gets, by the names of tools that are written otherwise than the protocol says, theirs."""
        self._inner, self._schemas = inner, {} if schemas is None else schemas

    @property
    def last_context(self) -> Any:
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> Any:
        return _cut(await self._inner.receive(), self._schemas)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> Heard:
        return self

    async def __anext__(self) -> Any:
        return _cut(await self._inner.__anext__(), self._schemas)

    async def __aenter__(self) -> Heard:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)


def _cut(item: Any, schemas: dict[str, Any]) -> Any:
    """The message, of whose contents and tools the library would make objects one by one, which takes seconds for
    many. Of too many tools as many are left as tell that."""
    result = getattr(getattr(item, "message", None), "result", None)
    if not isinstance(result, dict):
        return item
    contents, tools = result.get("content"), result.get("tools")
    if isinstance(tools, list):
        del tools[MOST_TOOLS + 1 :]
        _sift(tools, schemas)
    if isinstance(contents, list) and len(contents) > MOST:
        said = f"[cut here: these are the first {MOST} of {len(contents)} contents]"
        contents[MOST:] = [{"type": "text", "text": said}]
    return item


def _sift(tools: list[Any], schemas: dict[str, Any]) -> None:
    """Make of tools that the library wouldn't take such as it does, and note their schemas; leave out what has no
    name. Else one of them would take all others away."""
    if _taken(tools):
        return
    for number, tool in reversed(list(enumerate(tools))):
        if _taken([tool]):
            continue
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str):
            del tools[number]
            continue
        schemas[name] = tool.get("inputSchema")
        said = tool.get("description")
        tools[number] = {"name": name, "inputSchema": {"type": "object"}}
        if isinstance(said, str):
            tools[number]["description"] = said


def _taken(tools: list[Any]) -> bool:
    from mcp_types.methods import validate_server_result

    try:
        validate_server_result("tools/list", _VERSION, {"tools": tools})
    except ValueError:
        return False
    return True


def unreadable(line: bytes) -> bool:
    """Whether it is a message of the protocol that can't be read, or several in one, so that nobody knows which
    question it answers."""
    if b'"jsonrpc"' not in line or not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), list)
    except (ValueError, RecursionError):
        return line.lstrip()[:1] in (b"{", b"[")


def refusal(line: bytes) -> Any:
    """An error in the place of an answer that is none, so that nobody waits for another; None where it answers
    nothing."""
    from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError

    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or "method" in said or type(said.get("id")) not in (int, str):
        return None
    error = ErrorData(code=PARSE_ERROR, message=REFUSED)
    return JSONRPCError(jsonrpc="2.0", id=said["id"], error=error)
