"""Other agents as tools: what the pipeline fixes a model can't choose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault, PipeError
from pipe_runner.models import ToolResult, ToolSpec
from pipe_runner.plugins import schema_of
from pipe_runner.ports import Attempt, Emit
from pipe_runner.text import plain_name
from pipe_runner.tools.kinds import PerformAttempt, Tool, result_of
from pipe_runner.types import ErrorKind, JsonObject

if TYPE_CHECKING:
    from pipe_runner.ports import Agent
    from pipe_runner.registry import Registry

REFUSED: Final = {
    "shell": "a model would write shell text; give it a function, or `{agent: python, with: {call: …}}`",
    "approval": "it ends in a question to a person; let a node of its own ask",
}
"""Agents that are no tools; the compiler says so, too."""
MUST_BE_FIXED: Final = {"python": "call"}
"""What runs is the file's to say (S3)."""
_REFERENCE: Final = re.compile(r"#/\$defs/(.+)\Z")


def tool_of(entry: JsonObject, registry: Registry, performs: PerformAttempt, attempt: Attempt, emit: Emit) -> Tool:
    """The tool that an entry `{agent, name, description, with}` means; raises NodeFault."""
    told: Any = entry
    name, fixed = str(told["agent"]), dict(told.get("with") or {})
    _check(name, fixed)
    try:
        agent = registry.get(name)
    except PipeError as error:
        raise NodeFault(ErrorKind.TOOL, f"the agent {name} can't be a tool: {error.message}") from None

    async def use(arguments: JsonObject) -> ToolResult:
        options = {**arguments, **fixed}
        return result_of(await performs(attempt._replace(agent=name, options=options, validate=True), emit))

    described = agent.describe()
    if described.changes_things:
        raise NodeFault(
            ErrorKind.TOOL, f"the agent {name} can't be a tool: it changes things; let a node of its own act"
        )
    spec = ToolSpec(
        told.get("name") or plain_name(name), told.get("description") or described.summary, _parameters(agent, fixed)
    )
    key = f"agent:{name}" + (f"/{told['name']}" if told.get("name") else "")
    return Tool(spec, f"agent:{name}", key, use, fixed, recorded=not described.goes_outside)


def _check(name: str, fixed: JsonObject) -> None:
    if name in REFUSED:
        raise NodeFault(ErrorKind.TOOL, f"the agent {name} can't be a tool: {REFUSED[name]}")
    must = MUST_BE_FIXED.get(name)
    if must is not None and must not in fixed:
        raise NodeFault(ErrorKind.TOOL, f"the agent {name} can be a tool only with `{must}` fixed under `with`")


def _parameters(agent: Agent, fixed: JsonObject) -> JsonObject:
    """The agent's options but for those that are fixed, as JSON Schema."""
    schema = schema_of(agent, f"agent {agent.name!r}")
    properties = {key: value for key, value in schema.get("properties", {}).items() if key not in fixed}
    found: dict[str, Any] = {"type": "object", "properties": properties}
    required = [key for key in schema.get("required", ()) if key not in fixed]
    if required:
        found["required"] = required
    found["additionalProperties"] = schema.get("additionalProperties", True)
    definitions = _used(properties, schema.get("$defs", {}))
    return {**found, "$defs": definitions} if definitions else found


def _used(value: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Those of the definitions that a schema refers to, and they to each other."""
    found: dict[str, Any] = {}
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            match = _REFERENCE.match(str(one.get("$ref", "")))
            if match and match.group(1) in definitions and match.group(1) not in found:
                found[match.group(1)] = definitions[match.group(1)]
                pending.append(found[match.group(1)])
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return {name: definitions[name] for name in definitions if name in found}
