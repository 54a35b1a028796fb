"""The MCP servers of a run, each opened once, when it is first used."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipe_runner.errors import NodeFault
from pipe_runner.executors.flight import SERVER
from pipe_runner.models import ToolResult
from pipe_runner.plan import NOTHING
from pipe_runner.ports import Attempt, Masker
from pipe_runner.tools.kinds import shown, so_many
from pipe_runner.tools.pins import check_pins, list_digest, tool_digest
from pipe_runner.tools.session import KnownTools, Session, load_client, one_line
from pipe_runner.tools.settings import ServerSettings
from pipe_runner.tools.stdio import Launch, ServerProcess
from pipe_runner.types import ErrorKind, JsonObject


class Servers:
    """`launch` starts processes that end with the run; None: this system has no means for that. `pins` is what
    pipe.lock knows of their tools, by server: the digest of all of them, or of each by its name."""

    def __init__(
        self,
        settings: Mapping[str, ServerSettings],
        launch: Launch | None,
        masker: Masker,
        pins: Mapping[str, Any] = NOTHING,
    ) -> None:
        self._settings, self._launch, self._masker, self._pins = settings, launch, masker, pins
        self._sessions: dict[str, Session] = {}
        self._started = 0
        self._seen: dict[tuple[str, str], str] = {}
        """Digests of tools that nodes of this run were given first."""

    async def listed(self, name: str, attempt: Attempt) -> list[dict[str, Any]]:
        """All tools of a server, `{name, description, parameters}` each; raises NodeFault."""
        session = await self._session(name, attempt)
        async with session.listing:
            return await self._list(name, session)

    def check(self, name: str, whole: str, tools: Sequence[Mapping[str, Any]], *, recorded: bool = False) -> None:
        """Raises NodeFault where tools aren't what they are pinned to, or not what this run was told first.

        `whole`: the digest of all that the server has. `recorded`: a recording says it, and nobody was asked.
        """
        settings = self._settings.get(name)
        if settings is not None and settings.digest is not None:
            check_pins(name, settings.digest, whole, tools, "pipe.yml", recorded=recorded)
        else:
            check_pins(name, self._pins.get(name), whole, tools, "pipe.lock", recorded=recorded)
        for tool in tools:
            digest = tool_digest(tool)
            if self._seen.setdefault((name, tool["name"]), digest) != digest:
                said = "was recorded in two forms: record again" if recorded else "has changed while the run used it"
                raise NodeFault(ErrorKind.TOOL, f"the tool {shown(tool['name'])} of MCP server {name} {said}")

    async def call(self, name: str, tool: str, arguments: JsonObject, attempt: Attempt) -> ToolResult:
        """Call a tool; see `Session.call`."""
        session = await self._session(name, attempt)
        async with session.listing:
            if session.known is None or session.known.changes != session.changes:
                await self._list(name, session)
            known = session.known
        if known is None or tool not in known.tools:
            raise NodeFault(ErrorKind.TOOL, f"MCP server {name} has no tool {shown(tool)} any more")
        self.check(name, known.whole, [known.tools[tool]])
        return await session.call(tool, arguments)

    async def close(self) -> None:
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.close() for session in sessions))

    async def _list(self, name: str, session: Session) -> list[dict[str, Any]]:
        """Ask for all tools, and keep them as those that are known."""
        from mcp.shared.exceptions import MCPError

        changes = session.changes
        try:
            tools = await session.tools()
        except MCPError as error:
            raise NodeFault(
                ErrorKind.TOOL, f"MCP server {name} doesn't list its tools: {one_line(error, self._masker.mask_text)}"
            ) from None
        counts = Counter(str(tool["name"]) for tool in tools)
        if len(counts) < len(tools):
            alike = ", ".join(
                f"{so_many(count)} tools that are called {shown(each)}" for each, count in counts.items() if count > 1
            )
            raise NodeFault(ErrorKind.TOOL, f"MCP server {name} lists {alike}")
        session.known = KnownTools(changes, {tool["name"]: tool for tool in tools}, list_digest(tools))
        return tools

    async def _session(self, name: str, attempt: Attempt) -> Session:
        if not self._sessions:
            await load_client()
        session = self._sessions.get(name)
        if session is not None and session.gone:
            await session.close()
            session = self._sessions.get(name)
            if session is not None and session.gone:
                session = None
        if session is None:
            session = self._sessions[name] = self._new(name, attempt)
        await session.opened()
        return session

    def _new(self, name: str, attempt: Attempt) -> Session:
        settings = self._settings.get(name)
        if settings is None:
            known = ", ".join(self._settings) or "none"
            raise NodeFault(ErrorKind.TOOL, f"there is no MCP server {name!r} in pipe.yml; there is {known}")
        if settings.missing is not None:
            raise NodeFault(ErrorKind.CREDENTIALS, settings.missing)
        if not settings.command:
            return Session(settings, None, self._masker.mask_text)
        if self._launch is None:
            raise NodeFault(ErrorKind.TOOL, f"MCP server {name}: programs can't be started on this system")
        self._started += 1
        own = Attempt(attempt.run, f"{SERVER}:{name}", self._started, SERVER, {}, {}, attempt.root, "")
        return Session(settings, ServerProcess(settings, self._launch, own, self._masker), self._masker.mask_text)
