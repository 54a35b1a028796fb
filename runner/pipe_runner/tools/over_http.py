"""The HTTP client for MCP servers at an address. Their answers are bounded, as lines of those that are processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from pipe_runner.tools.settings import ServerSettings
from pipe_runner.tools.stdio import LONGEST

READS: Final = 300.0
"""Seconds between two pieces of an answer, which may be a stream that is held open."""
OTHERS: Final = 30.0


def client(settings: ServerSettings, saw: Callable[[int], None], refuses: Callable[[str], None]) -> Any:
    """A client for the protocol's library. `saw` gets the status of each answer to what is said, `refuses` why an
    answer was not read to its end."""
    import httpx2

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

    class Answering(httpx2.AsyncByteStream):
        """The bytes of an answer that is one message; nothing that can be read where it answers no question of ours."""

        def __init__(self, inner: Any, request: Any) -> None:
            self._inner, self._request = inner, request

        async def __aiter__(self) -> AsyncIterator[bytes]:
            body = b"".join([piece async for piece in self._inner])
            asked = await self._request.aread()  # of one that followed a redirect it isn't there otherwise
            yield body if _answers(body, asked) else b""

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def bound(response: Any) -> None:
        if response.request.method == "POST":  # many answer 405 to who listens (GET) or says goodbye (DELETE)
            saw(response.status_code)
        if not response.headers.get("mcp-session-id", "").isascii():
            raise refused("its session's id isn't ASCII, so that no header takes it")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise refused("it packs its answers, which were asked for unpacked")
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = Bounded(response.stream, streamed=streamed)
        if response.headers.get("content-type", "").lower().startswith("application/json"):
            response.stream = Answering(response.stream, response.request)

    hooks: list[Callable[[Any], Awaitable[None]]] = [bound]
    return httpx2.AsyncClient(
        headers={**settings.headers, "accept-encoding": "identity"},
        timeout=httpx2.Timeout(OTHERS, read=READS),
        event_hooks={"response": hooks},
        transport=httpx2.AsyncHTTPTransport(proxy=settings.proxy or None),  # else it would be the environment's
    )


def _answers(body: bytes, asked: bytes) -> bool:
    """Whether it may answer the question: nobody would ever take what has another's id."""
    from pydantic_core import from_json

    try:
        said, question = from_json(body), from_json(asked)
    except ValueError:
        return True  # the library says what is wrong with it
    if not isinstance(said, dict) or "id" not in question:
        return True
    return "method" not in said and (said.get("id") is None or str(said["id"]) == str(question["id"]))
