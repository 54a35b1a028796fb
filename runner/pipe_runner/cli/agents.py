"""`pipe agents [NAME]`: which agents nodes can name, and what each takes and gives."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.registry import Registry

if TYPE_CHECKING:
    from pipe_runner.ports import Agent


def agents(given: Given) -> int:
    """All agents, or one with the schema of its options."""
    registry = Registry.installed()
    name = given.text("name")
    as_json = given.text("output") == "json"
    if name is not None:
        agent = registry.get(name)
        sys.stdout.write(_json(_described(registry, name, agent)) if as_json else _text(registry, name, agent))
        return 0
    found = registry.get_all()
    if as_json:
        sys.stdout.write(_json([_described(registry, name, agent) for name, agent in found.items()]))
        return 0
    wide = max((len(name) for name in found), default=0)
    for name, agent in found.items():
        sys.stdout.write(safe(f"{name.ljust(wide)}  {agent.describe().summary}") + "\n")
    for name, fault in registry.faults().items():
        sys.stdout.write(safe(f"{name.ljust(wide)}  can't be used: {fault.message}") + "\n")
    return 0


def _described(registry: Registry, name: str, agent: Agent) -> dict[str, Any]:
    about, origin = agent.describe(), registry.origin(name)
    return {
        "name": name,
        "version": agent.version,
        "summary": about.summary,
        "capabilities": list(about.capabilities),
        "from": str(origin) if origin is not None else None,
        "secret_options": list(about.secret_options),
        "options": agent.options_model().model_json_schema(),
        "output": dict(agent.output_schema({})),
    }


def _text(registry: Registry, name: str, agent: Agent) -> str:
    about, origin = agent.describe(), registry.origin(name)
    lines = [f"{name} {agent.version}" + (f" ({origin})" if origin is not None else ""), f"  {about.summary}"]
    if about.capabilities:
        lines.append(f"  capabilities: {', '.join(about.capabilities)}")
    if about.secret_options:
        lines.append(f"  secrets may stand in: {', '.join(about.secret_options)}")
    schema = agent.options_model().model_json_schema()
    required = schema.get("required", [])
    properties: dict[str, Any] = schema.get("properties", {})
    if properties:
        lines.append("  options")
    for option, about_it in properties.items():
        needed = ", required" if option in required else ""
        default = about_it.get("default")
        given = f", default {json.dumps(default)}" if default not in (None, {}, []) else ""
        lines.append(f"    {option} ({_kind(about_it)}{needed}{given})")
        if about_it.get("description"):
            lines.append(f"        {about_it['description']}")
    return "".join(safe(line) + "\n" for line in lines)


def _kind(schema: dict[str, Any]) -> str:
    """What a value of this schema is, in a word or two."""
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        kinds = dict.fromkeys(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
        return " | ".join(kinds) or "anything"
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    return str(schema.get("type", "anything"))


def _json(value: object) -> str:
    return json.dumps(value, indent=2).replace("##", "#\\u0023") + "\n"
