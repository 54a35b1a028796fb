"""One connection with an MCP server: opened when its tools are first used, shared by nodes, closed with the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipe_runner.errors import MissingExtra, NodeFault
from pipe_runner.models import ToolResult
from pipe_runner.tools.answers import fault_of
from pipe_runner.tools.contents import result_from
from pipe_runner.tools.heard import MOST_TOOLS, Heard
from pipe_runner.tools.settings import ServerSettings
from pipe_runner.tools.stdio import ServerProcess
from pipe_runner.types import ErrorKind, JsonObject

OPENS: Final = 10.0
"""Seconds until a server must have answered that it is there."""
LISTS: Final = 10.0
"""Seconds until it must have listed all its tools."""
CLOSES: Final = 1.5
"""Seconds that it gets to end as the protocol has it; a stop has two for everything after the grace."""
HOW: Final = 0.2
"""Seconds that the reason is waited for when a connection over HTTP has ended."""
PAGES: Final = 100
FAILED: Final = 400
"""HTTP statuses from here on are errors."""
_NO_SESSION: Final = frozenset({404, 410, 502, 503})
"""HTTP statuses after which a session is none any more."""
_UNREACHED: Final = frozenset({"ConnectError", "ConnectTimeout", "ProxyError"})
_OTHER_TIMES: Final = frozenset({-32601, -32600, -32022})
"""Errors of a server that doesn't know the handshake of earlier versions of the protocol."""


class KnownTools(NamedTuple):
    """What a server listed."""

    changes: int
    """How often it had said before that they have changed."""
    tools: Mapping[str, Mapping[str, Any]]
    whole: str
    """The digest of all of them."""


async def load_client() -> None:
    """Import what speaks the protocol, which takes a while, beside whatever the loop does; raises NodeFault."""

    def load() -> None:
        from logging import NullHandler, getLogger

        import mcp.client.client

        assert mcp.client.client
        getLogger("mcp").addHandler(NullHandler())  # else what servers do wrong would stand on the runner's stderr

    try:
        await asyncio.to_thread(load)
    except ImportError:
        missing = MissingExtra("MCP servers", "mcp")
        raise NodeFault(ErrorKind.TOOL, f"{missing.message}: {missing.hint}") from None


class Session:
    """Lives in a task of its own, since what opens it must close it."""

    def __init__(self, settings: ServerSettings, process: ServerProcess | None, mask: Callable[[str], str]) -> None:
        """`process`: the one to start; None: the server is at `url`. `mask` hides secrets in what a server says."""
        self._settings, self._process, self._mask = settings, process, mask
        self._ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._over = False
        self._status = 0
        self._wrong = ""
        """Of the last answer over HTTP."""
        self.changes = 0
        """How often the server said that its tools have changed."""
        self.listing = asyncio.Lock()
        self.known: KnownTools | None = None
        """Its tools, as they were listed last."""
        self._bad_status = 0
        """Of the last answer over HTTP that was an error."""
        self._schemas: dict[str, Any] = {}
        """Of tools that are written otherwise than the protocol says, as the server has them."""
        self._task = asyncio.create_task(self._live())

    @property
    def gone(self) -> bool:
        return self._over or (self._process is not None and self._process.gone is not None)

    async def opened(self) -> None:
        """Wait until it is there; raises NodeFault."""
        await asyncio.wait({self._ready}, timeout=OPENS)
        if not self._ready.done():
            self._give_up()
            raise self._fault(f"has not answered within {OPENS:g} s of its start")
        error = self._ready.exception()
        if error is not None:
            raise error

    async def tools(self) -> list[dict[str, Any]]:
        """All its tools, as `{name, description, parameters}`; raises NodeFault."""
        try:
            async with asyncio.timeout(LISTS):
                return await self._pages()
        except TimeoutError:
            self._over = True
            raise self._fault(f"has not listed its tools within {LISTS:g} s") from None

    async def _pages(self) -> list[dict[str, Any]]:
        from mcp_types import PaginatedRequestParams

        found: list[dict[str, Any]] = []
        cursor = None
        self._schemas.clear()
        for _ in range(PAGES):
            params = PaginatedRequestParams(cursor=cursor) if cursor else None
            page: Any = await self._asked("list_tools", params=params)
            for tool in page.tools:
                schema = self._schemas.get(tool.name, tool.input_schema)
                found.append({"name": tool.name, "description": tool.description or "", "parameters": schema})
            if len(found) > MOST_TOOLS:
                raise self._fault(f"lists more than {MOST_TOOLS} tools")
            cursor = page.next_cursor
            if not cursor:
                return found
        raise self._fault(f"lists its tools on more than {PAGES} pages")

    async def call(self, tool: str, arguments: JsonObject) -> ToolResult:
        """Call a tool; its own failures are results. Raises NodeFault where the server is gone or answers nonsense."""
        from mcp.shared.exceptions import MCPError

        try:
            answer = await self._asked("call_tool", tool, dict(arguments))
        except MCPError as error:
            return ToolResult(f"{tool}: {error.message}", failed=True)
        except RuntimeError as error:  # the answer isn't what the tool's own schema of results says
            return ToolResult(f"{tool}: {error}", failed=True)
        return result_from(answer)

    async def close(self) -> None:
        """End it, at once where it is still being opened; returns when it is gone, at the latest after some seconds."""
        self._closing.set()
        if not self._ready.done():
            self._give_up()
        await asyncio.wait({self._task}, timeout=CLOSES)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSES)
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()

    def _give_up(self) -> None:
        """End what is being opened, at once: nobody has asked it anything."""
        if self._process is not None:
            self._process.leaves = 0.0
        self._task.cancel()

    async def _asked(self, what: str, *args: Any, **given: Any) -> Any:
        """What the server answers; raises NodeFault where it can't, and MCPError with what it says itself."""
        from mcp.shared.exceptions import MCPError
        from pydantic import ValidationError

        client = self._ready.result()
        try:
            return await getattr(client.session, what)(*args, **given)
        except MCPError as error:
            if _is_closed(error) or self.gone or self._status in _NO_SESSION:
                self._over = True
                if self._process is None:
                    await asyncio.wait({self._task}, timeout=HOW)
                raise self._fault("is gone") from None
            fault = fault_of(error, self._bad_status, self._mask)
            if fault is not None:
                raise self._fault(fault) from None
            raise
        except ValidationError:
            raise self._fault("answers something that is no MCP") from None
        except RuntimeError:
            raise
        except Exception as error:
            self._over = True
            raise self._fault(f"can't be asked: {one_line(error, self._mask)}") from None

    def _fault(self, what: str) -> NodeFault:
        process = self._process
        sentence = f"MCP server {self._settings.name} {what}"
        if process is not None and process.gone is not None:
            sentence += f": {process.gone}"
        elif self._wrong:
            sentence += f": {self._wrong}"
        elif self._status >= FAILED and "HTTP status" not in what:
            sentence += f" (its last answer had HTTP status {self._status})"
        if process is not None and process.odd is not None:
            sentence += f"; it wrote to stdout what is no message: {process.odd!r}"
        return NodeFault(ErrorKind.TOOL, sentence, tail=(process.tail or None) if process is not None else None)

    # ------------------------------------------------------------ its own task

    async def _live(self) -> None:
        try:
            await self._open()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(self._why(error))
            elif self._process is None and not isinstance(error, asyncio.CancelledError):
                self._wrong = self._wrong or self._how(_first(error))
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._over = True

    async def _open(self) -> None:
        from mcp.client.client import Client
        from mcp.shared.exceptions import MCPError
        from mcp_types import Implementation

        from pipe_runner import __version__

        info = Implementation(name="pipe-runner", version=__version__)
        for mode in ("legacy", "auto"):
            client = Client(self._transport(), mode=mode, cache=None, client_info=info, message_handler=self._heard)
            try:
                async with client:
                    self._ready.set_result(client)
                    await self._closing.wait()
                    return
            except MCPError as error:
                if self._ready.done() or mode == "auto" or error.code not in _OTHER_TIMES:
                    raise

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        streams: AbstractAsyncContextManager[Any]
        streams = self._process.connected() if self._process is not None else self._over_http()
        async with streams as (heard, said):
            yield Heard(heard, self._schemas), said

    @asynccontextmanager
    async def _over_http(self) -> AsyncIterator[Any]:
        from mcp.client.streamable_http import streamable_http_client

        from pipe_runner.tools.over_http import client

        async with (
            client(self._settings, self._saw, self._refused) as http,
            streamable_http_client(self._settings.url, http_client=http) as streams,
        ):
            yield streams

    def _saw(self, status: int) -> None:
        self._status = status
        if status >= FAILED:
            self._bad_status = status

    def _refused(self, why: str) -> None:
        self._wrong = why

    async def _heard(self, message: Any) -> None:
        if type(getattr(message, "root", message)).__name__ == "ToolListChangedNotification":
            self.changes += 1

    def _why(self, error: BaseException) -> NodeFault:
        """Why it could not be opened."""
        error = _first(error)
        if isinstance(error, NodeFault):
            return error
        if self._process is not None and self._process.gone is not None:
            if not _is_said(error):
                return self._fault("can't be opened")
            return NodeFault(
                ErrorKind.TOOL, f"MCP server {self._settings.name} can't be opened: {one_line(error, self._mask)}"
            )
        if isinstance(error, asyncio.CancelledError):
            return self._fault("was closed before it was there")
        return self._fault(f"can't be opened: {self._how(error)}")

    def _how(self, error: BaseException) -> str:
        """On one line; where nobody was reached, with the address, whose path and query may be secret."""
        if self._process is None and type(error).__name__ in _UNREACHED:
            parts = urlsplit(self._settings.url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]} can't be reached: {one_line(error, self._mask)}"
        return one_line(error, self._mask)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_closed(error: Any) -> bool:
    """The library's own error for a connection that has ended; servers use its code for errors of theirs."""
    from mcp_types import CONNECTION_CLOSED

    return bool(error.code == CONNECTION_CLOSED and error.message == "Connection closed")


def _is_said(error: BaseException) -> bool:
    """Whether a server that is there said no, or speaks another version of the protocol, or none."""
    from mcp.shared.exceptions import MCPError
    from pydantic import ValidationError

    if isinstance(error, MCPError):
        return not _is_closed(error)
    return isinstance(error, ValidationError) or (isinstance(error, RuntimeError) and "version" in str(error))


def one_line(error: BaseException, mask: Callable[[str], str]) -> str:
    """What it says, on one line, and no more than a line; `mask` hides secrets before one can be cut in two."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError) or "validation error" in str(error):
        return "it answers something that is no MCP"
    text = " ".join(mask(str(error)).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "·" for c in text)[:300]
