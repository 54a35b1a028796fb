"""Makes the toolbox of an attempt: exactly the tools that its node lists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.models import ToolResult, ToolSpec
from pipe_runner.ports import Attempt, Clock, Emit, Masker, Outcome
from pipe_runner.text import plain_name
from pipe_runner.tools.agents import tool_of
from pipe_runner.tools.arguments import check_parameters
from pipe_runner.tools.box import Box
from pipe_runner.tools.functions import Functions, spec_of
from pipe_runner.tools.inner import apart, in_time_left
from pipe_runner.tools.kinds import PerformAttempt, Tool, shown, with_names
from pipe_runner.tools.pins import list_digest
from pipe_runner.tools.servers import Servers
from pipe_runner.tools.wanted import ALL
from pipe_runner.types import ErrorKind, Json, JsonObject

if TYPE_CHECKING:
    from pipe_runner.calls.seams import Recorder
    from pipe_runner.registry import Registry

Missed = Callable[[Attempt], NodeFault | None]
LONGEST: Final = 16 * 1024
"""Characters of what a model is told of a tool."""


class Places:
    """Numbers for the functions of a node that are under way at the same time: what keeps books of them tells them
    apart. One whose function was cut off is given next: who comes there waits for what still runs (D4)."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._cut_off: list[int] = []

    @contextmanager
    def one(self) -> Iterator[int]:
        number = next((n for n in self._cut_off if n not in self._taken), None)
        if number is None:
            number = next(n for n in count() if n not in self._taken)
        else:
            self._cut_off.remove(number)
        self._taken.add(number)
        try:
            yield number
        except BaseException:
            self._cut_off.append(number)
            raise
        finally:
            self._taken.discard(number)


class Tools:
    """The tools of one run. `performs` is how attempts of its nodes are performed."""

    def __init__(
        self, registry: Registry, performs: PerformAttempt, servers: Servers, masker: Masker, clock: Clock
    ) -> None:
        self._registry, self._performs, self._servers = registry, performs, servers
        self._masker, self._clock = masker, clock
        self._places: dict[str, Places] = {}

    async def make(
        self, attempt: Attempt, wanted: Sequence[Json], emit: Emit, recorder: Recorder, missed: Missed
    ) -> Box:
        """The toolbox; raises NodeFault of kind `tool`. `missed` is what no recording has answered an attempt."""
        performs = self._within(attempt, missed)
        found: list[Tool] = []
        of_servers: dict[str, list[str]] = {}
        for entry in wanted:
            if isinstance(entry, dict):
                found.append(tool_of(entry, self._registry, performs, attempt, emit))
                continue
            kind, _, rest = str(entry).partition(":")
            if kind == "function":
                found.append(await self._function(rest, performs, attempt, emit, recorder))
            elif kind == "mcp":
                server, _, name = rest.partition("/")
                of_servers.setdefault(server, []).append(name)
            else:
                raise NodeFault(ErrorKind.TOOL, f"there are no tools of the kind {kind!r}")
        listing = (self._of_server(server, names, attempt, recorder) for server, names in of_servers.items())
        try:
            found += [tool for tools in await _side_by_side(listing) for tool in tools]
        except asyncio.CancelledError as cancelled:
            cancelled.add_note(f"waiting for the tools of {', '.join(of_servers)}")
            raise
        return Box(attempt, with_names(found), emit, recorder, self._masker, self._clock)

    async def close(self) -> None:
        """End the servers."""
        await self._servers.close()

    async def _function(
        self, name: str, performs: PerformAttempt, attempt: Attempt, emit: Emit, recorder: Recorder
    ) -> Tool:
        functions = Functions(self._registry.tools.get, performs)
        source = f"function:{name}"

        async def describe() -> Json:
            return await functions.describe(name, attempt, emit)

        told: Any = await recorder.through(attempt, "tools", {"source": source}, describe)
        spec = spec_of(name, told if isinstance(told, dict) else {})

        async def use(arguments: JsonObject) -> ToolResult:
            return await functions.use(name, arguments, attempt, emit)

        return Tool(_checked(spec, source), source, source, use)

    async def _of_server(self, server: str, names: list[str], attempt: Attempt, recorder: Recorder) -> list[Tool]:
        source = f"mcp:{server}"

        async def describe() -> Json:
            every = await self._servers.listed(server, attempt)
            used: Any = every if ALL in names else [tool for tool in every if tool["name"] in names]
            lacking = [name for name in names if name not in (ALL, *(tool["name"] for tool in used))]
            if lacking:
                known = ", ".join(sorted(shown(tool["name"]) for tool in every)) or "none"
                raise NodeFault(
                    ErrorKind.TOOL, f"MCP server {server} has no tool {', '.join(lacking)}; there is {known}"[:1000]
                )
            return {"digest": list_digest(every), "tools": used}

        told: Any = await recorder.through(attempt, "tools", {"source": source, "tools": [*names]}, describe)
        tools, whole = _list_of(told, source)
        self._servers.check(server, whole, tools, recorded=recorder.replays)
        return [self._server_tool(server, tool, attempt) for tool in tools]

    def _server_tool(self, server: str, told: Mapping[str, Any], attempt: Attempt) -> Tool:
        name = str(told["name"])
        key = f"mcp:{server}/{name}"

        async def use(arguments: JsonObject) -> ToolResult:
            return await self._servers.call(server, name, arguments, attempt)

        spec = ToolSpec(plain_name(name), str(told["description"]), told["parameters"])
        return Tool(_checked(spec, key), f"mcp:{server}", key, use)

    def _within(self, attempt: Attempt, missed: Missed) -> PerformAttempt:
        """Performs attempts of the same node, in what is left of this one's time. What no recording answers there fails
        the node as it does elsewhere, and is no result for a model."""
        began = self._clock.monotonic()
        places = self._places.setdefault(attempt.node, Places())

        async def performs(inner: Attempt, emit: Emit) -> Outcome:
            inner = in_time_left(inner, attempt.timeout, self._clock.monotonic() - began)
            if not self._registry.get(inner.agent).describe().runs_functions:
                return await recorded(inner, emit)
            with places.one() as number:
                return await recorded(inner._replace(node=_at(inner.node, number)), emit)

        async def recorded(inner: Attempt, emit: Emit) -> Outcome:
            outcome = await apart(self._performs(inner, emit))
            fault = missed(inner)
            if fault is not None:
                raise fault
            return outcome

        return performs


def _list_of(told: Any, source: str) -> tuple[list[dict[str, Any]], str]:
    """Tools, and the digest of all that there are; raises NodeFault where a recording was changed into nonsense."""
    try:
        tools = [dict(tool) for tool in told["tools"]]
        if not all(isinstance(tool["name"], str) and tool.keys() >= {"description", "parameters"} for tool in tools):
            raise TypeError("it has another shape")
        return tools, str(told["digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise NodeFault(ErrorKind.TOOL, f"the recording of the tools of {source} can't be used: {error}") from None


async def _side_by_side(doing: Iterable[Coroutine[Any, Any, list[Tool]]]) -> list[list[Tool]]:
    """What each gives, in order; raises what the first raises."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in doing]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


def _at(node: str, number: int) -> str:
    return f"{node}#{number}" if number else node


def _checked(spec: ToolSpec, key: str) -> ToolSpec:
    said = spec.description if len(spec.description) <= LONGEST else f"{spec.description[:LONGEST]}…"
    return spec._replace(description=said, parameters=check_parameters(spec.parameters, shown(key)))
