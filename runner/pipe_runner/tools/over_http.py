"""The HTTP client for MCP servers at an address. Their answers are bounded, as lines of those that are processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from pipe_runner.tools.stdio import LONGEST


def client(headers: Mapping[str, str], saw: Callable[[int], None], refuses: Callable[[str], None]) -> Any:
    """A client of the protocol's library. `saw` gets each status, `refuses` why an answer was not read to its end."""
    import httpx2
    from mcp.shared._httpx_utils import create_mcp_http_client

    def refused(why: str) -> Exception:
        refuses(why)
        return httpx2.RemoteProtocolError(why)

    class Bounded(httpx2.AsyncByteStream):
        """The bytes of one answer. Of a stream each event is bounded by itself."""

        def __init__(self, inner: Any, *, streamed: bool) -> None:
            self._inner, self._streamed = inner, streamed

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for piece in self._inner:
                end = max(piece.rfind(b"\n\n"), piece.rfind(b"\r\n\r\n")) if self._streamed else -1
                size = size + len(piece) if end < 0 else len(piece) - end
                if size > LONGEST:
                    raise refused(f"it sent a message of more than {LONGEST // 2**20} MiB")
                yield piece

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def bound(response: Any) -> None:
        saw(response.status_code)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise refused("it packs its answers, which were asked for unpacked")
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = Bounded(response.stream, streamed=streamed)

    made = create_mcp_http_client(headers={**headers, "accept-encoding": "identity"})
    hooks: list[Callable[[Any], Awaitable[None]]] = [bound]
    made.event_hooks = {"response": hooks}
    return made
