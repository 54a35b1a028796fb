"""What every tool is, wherever it comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from pipe_runner.errors import NodeFault
from pipe_runner.models import ToolResult, ToolSpec
from pipe_runner.plan import NOTHING
from pipe_runner.ports import Attempt, Emit, Outcome
from pipe_runner.text import plain_name, printable
from pipe_runner.types import ErrorKind, JsonObject

Use = Callable[[JsonObject], Awaitable[ToolResult]]
PerformAttempt = Callable[[Attempt, Emit], Coroutine[Any, Any, Outcome]]
"""Performs an attempt, as nodes are performed: the run's executor."""

_NO_RESULT: Final = frozenset({ErrorKind.BUDGET, ErrorKind.CANCELLED, ErrorKind.RUN_TIMEOUT, ErrorKind.STORAGE})
"""Faults of an attempt that are the node's, not something for the model to go on with."""


_LONGEST: Final = 200
"""Characters of a name that are shown."""


class Tool(NamedTuple):
    """One tool of one attempt."""

    spec: ToolSpec
    source: str
    """As `mcp:time`, `function:lookup`, `agent:http`: events tell it."""
    key: str
    """What recordings know it by."""
    use: Use
    """Call it, with arguments that fit its parameters. Raises NodeFault where the node can't go on."""
    fixed: JsonObject = NOTHING
    """Arguments that the pipeline has given already."""
    recorded: bool = True
    """False: what it does goes out by ways that are recorded themselves."""


def shown(name: str) -> str:
    """What somebody else called a tool, for people: on one line, safe to print, and not endless."""
    return printable(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…")


def so_many(number: int) -> str:
    return "two" if number == 2 else str(number)


def with_names(tools: Sequence[Tool]) -> dict[str, Tool]:
    """The tools by names that are theirs alone: where two have the same, those of servers bear their server's, too."""
    count: dict[str, int] = {}
    for tool in tools:
        count[tool.spec.name] = count.get(tool.spec.name, 0) + 1
    found: dict[str, list[Tool]] = {}
    for tool in tools:
        name = tool.spec.name
        if count[name] > 1 and tool.source.startswith("mcp:"):
            name = plain_name(f"{tool.source.removeprefix('mcp:')}_{name}")
        found.setdefault(name, []).append(tool._replace(spec=tool.spec._replace(name=name)))
    if len(found) < len(tools):
        alike = [_alike(name, same) for name, same in found.items() if len(same) > 1]
        hint = "give an agent among them another `name`, or list one only"
        raise NodeFault(ErrorKind.TOOL, "; ".join([*alike, hint]))
    return {name: tool for name, (tool,) in found.items()}


def _alike(name: str, tools: Sequence[Tool]) -> str:
    keys = [shown(tool.key) for tool in tools]
    named = f"{', '.join(keys[:-1])} and {keys[-1]}"
    return f"{so_many(len(tools))} tools of the node would be called {name!r}: {named}"


def result_of(outcome: Outcome) -> ToolResult:
    """What an attempt that was a tool has given; raises NodeFault where the node can't go on either."""
    from pipe_runner.types import NodeStatus

    if outcome.status is NodeStatus.SUCCEEDED:
        return ToolResult(as_text(outcome.output), usage=outcome.usage)
    error = outcome.error
    if error is None:
        raise NodeFault(ErrorKind.TOOL, f"the tool is {outcome.status}, which is no result")
    if error.kind in _NO_RESULT:
        raise NodeFault(error.kind, error.message)
    tail = "" if error.kind is ErrorKind.EXCEPTION else error.tail or ""  # a traceback tells of this machine
    parts = [f"{error.kind}: {error.message}", tail, as_text(outcome.output)]
    return ToolResult("\n".join(part for part in parts if part), failed=True, usage=outcome.usage)


def as_text(value: Any) -> str:
    """A value for a model to read: text as it is, nothing for null, everything else as JSON."""
    import json

    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
