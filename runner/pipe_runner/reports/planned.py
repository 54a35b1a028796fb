"""A planned node in words: its command or options with the expressions of the file, and what these read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipe_runner.plan import PlannedNode
from pipe_runner.types import Json


def how(node: PlannedNode) -> list[str]:
    """The command with its variables, or the agent's options, with expressions where values will stand; raw data."""
    options = written(node.options.data)
    if not isinstance(options, dict):
        return []
    lines: list[str] = []
    script = options.pop("script", None)
    if isinstance(script, str):
        lines += [f"$ {line}" if number == 0 else f"  {line}" for number, line in enumerate(script.split("\n"))]
    argv = options.pop("argv", None)
    if isinstance(argv, list):
        from shlex import quote

        lines.append("$ " + " ".join(quote(str(word)) for word in argv))
    variables = options.pop("variables", None)
    if isinstance(variables, dict):
        lines += [f"  {name}={value}" for name, value in variables.items()]
    for name, value in options.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{name}: {text}")
    env = written(node.env.data)
    if isinstance(env, dict):
        lines += [f"env {name}={value}" for name, value in env.items()]
    if node.own_workspace:
        lines.append("workspace: own")
    if node.secrets:
        lines.append(f"secrets: {', '.join(node.secrets)}")
    return lines


def paths_read(node: PlannedNode) -> list[tuple[str | int, ...]]:
    """What the templates of a node read (`("inputs", "host")`, `("nodes", "a", "output")`), each once, in order."""
    return paths_in(node.when and {"$": node.when}, node.options.data, node.env.data)


def paths_in(*data: Json) -> list[tuple[str | int, ...]]:
    """What the templates of planned values read, each once, in order."""
    found: dict[tuple[str | int, ...], None] = {}
    for template in _templates(list(data)):
        for reference in template.get("r") or ():
            found[tuple(reference[0])] = None
    return list(found)


def _templates(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        if len(data) == 1:
            ((key, inner),) = data.items()
            if key in ("$", "$text", "$url") and isinstance(inner, dict):
                yield inner
                return
        for value in data.values():
            yield from _templates(value)
    elif isinstance(data, list):
        for value in data:
            yield from _templates(value)


def written(data: Json) -> Json:
    """A planned value with its templates as the file has them."""
    if isinstance(data, dict):
        if len(data) == 1:
            ((key, inner),) = data.items()
            if key in ("$", "$text", "$url") and isinstance(inner, dict):
                source = str(inner.get("s", ""))
                return source if "{{" in source or "{%" in source else f"{{{{ {source.strip()} }}}}"
            if key == "$map" and isinstance(inner, list):
                return {str(pair[0]): written(pair[1]) for pair in inner if isinstance(pair, list)}
        return {key: written(value) for key, value in data.items()}
    if isinstance(data, list):
        return [written(value) for value in data]
    return data
