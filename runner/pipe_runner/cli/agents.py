"""`pipe agents [NAME]`: which agents and presets nodes can name, and what each takes and gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, NoReturn

from pipe_runner.cli.words import Given
from pipe_runner.console.words import as_written, safe
from pipe_runner.errors import PipeError, UsageError
from pipe_runner.plugins import Clash
from pipe_runner.registry import Registry, means
from pipe_runner.text import json_text

if TYPE_CHECKING:
    from pipe_runner.compiler.presets import Preset
    from pipe_runner.ports import Agent


def agents(given: Given) -> int:
    """All agents and the project's presets, or one: an agent with the schema of its options."""
    registry = Registry.installed()
    name = given.text("name")
    as_json = given.text("output") == "json"
    asked = given.many("capability")
    if asked:
        if name is not None:
            raise UsageError("NAME and --capability say different things", hint="give one of them")
        return _capable(registry, asked, as_json)
    presets, wrong = _presets(registry)
    if name is not None:
        if name in presets:
            sys.stdout.write(json_text(_preset(presets[name])) if as_json else _preset_text(presets[name]))
            return 0
        if name not in registry:
            _unknown(name, (*registry.names(), *presets), wrong)
        agent = registry.get(name)
        sys.stdout.write(json_text(_described(registry, name, agent)) if as_json else _text(registry, name, agent))
        return 0
    with redirect_stdout(sys.stderr):  # what an agent prints when it is made is no part of the list
        found = registry.get_all()
    if as_json:
        described = [_as_far(registry, name, agent) for name, agent in found.items()]
        unusable = [_unusable(registry, name, fault.message) for name, fault in registry.faults().items()]
        sys.stdout.write(json_text([*described, *unusable, *map(_preset, presets.values())]))
        return 0
    wide = max((len(name) for name in (*found, *presets, *wrong)), default=0)
    for name, agent in found.items():
        sys.stdout.write(safe(f"{name.ljust(wide)}  {agent.describe().summary}") + "\n")
    for name, fault in registry.faults().items():
        sys.stdout.write(safe(f"{name.ljust(wide)}  can't be used: {fault.message}") + "\n")
    for preset in presets.values():
        told = f": {preset.description}" if preset.description else ""
        sys.stdout.write(safe(f"{preset.name.ljust(wide)}  preset of {preset.agent}{told}") + "\n")
    for name in sorted(wrong):
        sys.stdout.write(safe(f"{name.ljust(wide)}  preset that can't be used: `pipe check pipe.yml` says why") + "\n")
    for clash in registry.clashes():
        sys.stderr.write(safe(f"warning: {_clash_text(clash)}") + "\n")
    return 0


def _capable(registry: Registry, asked: Sequence[str], as_json: bool) -> int:
    """The agents that declare each of the capabilities; raises UsageError where none does."""
    names = registry.by_capability(*asked)
    if not names:
        from pipe_runner.diagnostics import did_you_mean

        known = registry.capabilities()
        words = {*known, *(part for one in known for part in one.split("."))}
        near = next((near for one in asked if (near := did_you_mean(one, sorted(words)))), None)
        hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise UsageError(f"no agent declares {' and '.join(repr(one) for one in asked)}", hint=hint)
    if as_json:
        sys.stdout.write(json_text([_described(registry, name, registry.get(name)) for name in names]))
        return 0
    for name in names:
        about = registry.get(name).describe()
        sys.stdout.write(safe(f"{name}  {about.summary}") + "\n")
        for capability in about.capabilities:
            if any(means(one, capability) for one in asked):
                sys.stdout.write("".join(safe(line) + "\n" for line in _capability_lines(capability)))
    return 0


def _presets(registry: Registry) -> tuple[Mapping[str, Preset], Collection[str]]:
    """The presets of the project around the working directory, and the names of those that can't be used."""
    from pathlib import Path

    from pipe_runner.cli.settings import here
    from pipe_runner.compiler.project import load_project

    found = load_project(Path(here()), registry)[0].presets
    return ({}, ()) if found is None else (found.by_name, found.wrong)


def _unknown(name: str, known: Sequence[str], wrong: Collection[str]) -> NoReturn:
    from pipe_runner.diagnostics import did_you_mean

    if name in wrong:
        raise UsageError(f"the preset {name!r} can't be used", hint="`pipe check pipe.yml` says why")
    near = did_you_mean(name, known)
    hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(sorted(known)) or 'none'}"
    raise UsageError(f"there is no agent {name!r}", hint=hint)


def _preset(preset: Preset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "preset_of": preset.agent,
        "through": list(preset.through),
        "summary": preset.description,
        "with": {name: one.value for name, one in preset.options.items()},
        "env": {name: one.value for name, one in preset.env.items()},
        "secrets": [one.value for one in preset.secrets],
        **{name: one.value for name, one in preset.keys.items()},
    }


def _preset_text(preset: Preset) -> str:
    through = f", through {', '.join(preset.through)}" if preset.through else ""
    lines = [f"{preset.name} (preset of {preset.agent}{through})"]
    if preset.description:
        lines.append(f"  {preset.description}")
    for heading, values in (("with", preset.options), ("env", preset.env)):
        if values:
            lines.append(f"  {heading}")
            lines += [f"    {name}: {as_written(one.value)}" for name, one in values.items()]
    if preset.secrets:
        lines.append(f"  secrets: {', '.join(one.value for one in preset.secrets)}")
    lines += [f"  {name}: {as_written(one.value)}" for name, one in preset.keys.items()]
    lines.append(f"  `pipe agents {preset.agent}` says what it takes and gives")
    return "".join(safe(line) + "\n" for line in lines)


def _as_far(registry: Registry, name: str, agent: Agent) -> dict[str, Any]:
    """One of the list; what is wrong with it costs no other."""
    try:
        return _described(registry, name, agent)
    except PipeError as fault:
        return _unusable(registry, name, fault.message)


def _described(registry: Registry, name: str, agent: Agent) -> dict[str, Any]:
    about, origin = agent.describe(), registry.origin(name)
    return {
        "name": name,
        "version": agent.version,
        "summary": about.summary,
        "capabilities": [_capability(one) for one in about.capabilities],
        "from": str(origin) if origin is not None else None,
        **_brought(registry, name),
        "secret_options": list(about.secret_options),
        "options": _options(registry, name),
        "output": registry.output_schema(name),
    }


def _options(registry: Registry, name: str) -> dict[str, Any]:
    """The schema of the options that a file may set, those first that only this agent has."""
    from pipe_runner.compiler.agents import AgentInfo

    schema = registry.options_schema(name)
    first = AgentInfo(name, registry.get(name)).names
    given = {key: about for key, about in schema.get("properties", {}).items() if not about.get("x-set-before-the-run")}
    schema["properties"] = {key: given[key] for key in (*first, *given) if key in given}
    return schema


def _unusable(registry: Registry, name: str, why: str) -> dict[str, Any]:
    """An agent that can't be loaded, as far as it is known."""
    return {"name": name, "fault": why, **_brought(registry, name)}


def _brought(registry: Registry, name: str) -> dict[str, Any]:
    """Who brings an agent, and who else would."""
    origin, clash = registry.origin(name), registry.clash_of(name)
    return {
        "distribution": None if origin is None else {"name": origin.distribution, "version": origin.version},
        "clash": None if clash is None else {"distributions": list(clash.distributions), "used": clash.used},
    }


def _capability(one: str) -> dict[str, Any]:
    return {"name": str(one), "summary": getattr(one, "summary", ""), "words": list(getattr(one, "words", ()))}


def _capability_lines(one: str) -> list[str]:
    summary, words = getattr(one, "summary", ""), getattr(one, "words", ())
    lines = [f"    {one}" + (f": {summary}" if summary else "")]
    return [*lines, f"        {', '.join(words)}"] if words else lines


def _clash_text(clash: Clash) -> str:
    taken = f"that of {clash.used} is used" if clash.used is not None else "none is used: uninstall all but one of them"
    return f"agent {clash.name!r} is brought by {' and by '.join(clash.distributions)}; {taken}"


def _text(registry: Registry, name: str, agent: Agent) -> str:
    about, origin, clash = agent.describe(), registry.origin(name), registry.clash_of(name)
    lines = [f"{name} {agent.version}" + (f" ({origin})" if origin is not None else ""), f"  {about.summary}"]
    if clash is not None:
        lines.append(f"  {_clash_text(clash)}")
    if any(getattr(one, "summary", "") or getattr(one, "words", ()) for one in about.capabilities):
        lines.append("  capabilities")
        for one in about.capabilities:
            lines += _capability_lines(one)
    elif about.capabilities:
        lines.append(f"  capabilities: {', '.join(about.capabilities)}")
    if about.secret_options:
        lines.append(f"  secrets may stand in: {', '.join(about.secret_options)}")
    schema = _options(registry, name)
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
    lines += _output_lines(registry.output_schema(name))
    return "".join(safe(line) + "\n" for line in lines)


def _output_lines(schema: Mapping[str, Any]) -> list[str]:
    """What it gives: the keys of an object, or what kind of value it is."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return [f"  output: {_kind(dict(schema))}"] if schema else []
    lines = ["  output"]
    for key, about_it in properties.items():
        described = about_it.get("description") if isinstance(about_it, dict) else None
        lines.append(f"    {key} ({_kind(about_it)})" + (f": {described}" if described else ""))
    return lines


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
