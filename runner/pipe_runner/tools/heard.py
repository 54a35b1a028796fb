"""What an MCP server says, before the protocol's library reads it: bounded, and answered for where it is no answer."""

from __future__ import annotations

import json
from typing import Any, Final

MOST: Final = 1000
"""Contents of a result that are read: a model is given no more of it than a few pages."""
MOST_TOOLS: Final = 1000
"""Tools that a server may have."""


class Heard:
    """A stream of messages whose results are not longer than is read."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def last_context(self) -> Any:
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> Any:
        return _cut(await self._inner.receive())

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> Heard:
        return self

    async def __anext__(self) -> Any:
        return _cut(await self._inner.__anext__())

    async def __aenter__(self) -> Heard:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)


def _cut(item: Any) -> Any:
    """The message, of whose contents and tools the library would make objects one by one, which takes seconds for
    many. Of too many tools as many are left as tell that."""
    result = getattr(getattr(item, "message", None), "result", None)
    if not isinstance(result, dict):
        return item
    contents, tools = result.get("content"), result.get("tools")
    if isinstance(tools, list):
        del tools[MOST_TOOLS + 1 :]
    if isinstance(contents, list) and len(contents) > MOST:
        said = f"[cut here: these are the first {MOST} of {len(contents)} contents]"
        contents[MOST:] = [{"type": "text", "text": said}]
    return item


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
    error = ErrorData(code=PARSE_ERROR, message="the server answers something that is no MCP")
    return JSONRPCError(jsonrpc="2.0", id=said["id"], error=error)
