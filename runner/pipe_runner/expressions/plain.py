"""Plain references (`nodes.a.output.x[0]["k"]`): found, parsed and looked up without jinja2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions.compiled import Path
from pipe_runner.expressions.values import describe, names, type_name

ROOTS: Final = frozenset({"inputs", "env", "nodes", "item", "index", "matrix", "run", "secrets"})
"""The names that an expression may begin with."""

NODE_FIELDS: Final = ("output", "status", "error", "exit_code", "duration", "attempts", "usage")
RUN_FIELDS: Final = ("id", "started_at", "git_sha", "attempt", "status", "failed")

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
DOTTED: Final = re.compile(rf"\s*({_NAME}(?:\.{_NAME})*)\s*")
"""The commonest form by far: names and dots, nothing else."""

PLAIN: Final = re.compile(
    rf"""\s*({_NAME}(?:\.(?:{_NAME}|[0-9]{{1,9}})|\[\s*(?:-?[0-9]{{1,9}}|"[^"\\{{}}]*"|'[^'\\{{}}]*')\s*\])*)\s*"""
)
_STEP: Final = re.compile(rf"""\.({_NAME})|\.([0-9]+)|\[\s*(-?[0-9]+)\s*\]|\[\s*"([^"]*)"\s*\]|\[\s*'([^']*)'\s*\]""")
_NUMBER_STEP: Final = re.compile(r"\.[0-9]")
_WORDS: Final = frozenset(
    {"true", "false", "none", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is"}
)


def plain_path(text: str) -> Path | None:
    """The path that a text of the form PLAIN (stripped) names, or None where it is a word of the language."""
    if "[" not in text and _NUMBER_STEP.search(text) is None:
        names_only = text.split(".")
        return None if names_only[0] in _WORDS else tuple(names_only)
    root = text
    for index, character in enumerate(text):
        if character in ".[":
            root = text[:index]
            break
    if root in _WORDS:
        return None
    if len(root) == len(text):
        return (root,)
    steps: list[str | int] = [root]
    for name, number, index_, double, single in _STEP.findall(text, len(root)):
        if name:
            steps.append(name)
        elif number or index_:
            steps.append(int(number or index_))
        else:
            steps.append(double or single)
    return tuple(steps)


def path_text(path: Path) -> str:
    """The path as one writes it: `nodes.a.output["odd key"][0]`."""
    out = [str(path[0])]
    for step in path[1:]:
        if isinstance(step, int):
            out.append(f"[{step}]")
        elif re.fullmatch(_NAME, step):
            out.append(f".{step}")
        else:
            out.append('["' + step.replace("\\", "\\\\").replace('"', '\\"') + '"]')
    return "".join(out)


def step_into(value: Any, step: Any) -> Any:
    """One step down: a key of an object, an index of a list or text. Raises LookupError where there is nothing.

    Only ever a key or an index, never an attribute: no name reaches a Python object.
    """
    kind = type(value)
    if kind is dict:
        if type(step) is str:
            return value[step]
    elif (kind is list or kind is str) and type(step) is int:
        return value[step]
    raise KeyError(step)


def look_up(scope: Mapping[str, Any], path: Path, source: str | None = None) -> Any:
    """The value at a path; raises ExpressionFault that names the path and what is there instead."""
    value: Any = scope
    try:
        for step in path:
            kind = type(value)
            if (kind is dict and type(step) is str) or (kind is list and type(step) is int):
                value = value[step]
            elif value is scope:
                value = scope[step]
            else:
                value = step_into(value, step)
    except (LookupError, TypeError):
        raise ExpressionFault(missing(scope, path), source=source or path_text(path)) from None
    return value


def missing(scope: Mapping[str, Any], path: Path) -> str:
    """The sentence for a path that leads nowhere: how far it leads, and what is there."""
    value: Any = scope
    for done, step in enumerate(path):
        try:
            value = scope[str(step)] if done == 0 else step_into(value, step)
        except (LookupError, TypeError):
            return missing_step(value, step, path[:done], path)
    return f"{path_text(path)} has no value"


def missing_step(value: Any, step: Any, before: Path, path: Path) -> str:
    """Why `step` doesn't lead on from `value`, which stands at `before` on the way to `path`."""
    if not before:
        return f"there is no {path_text(path[:1])} here: there is {names(sorted(value))}"
    here = path_text(before)
    what = path_text(path)
    if isinstance(value, dict):
        if not isinstance(step, str):
            return f"{what} is not there: {here} is an object, it has keys and no index {step}"
        from pipe_runner.diagnostics import did_you_mean

        near = did_you_mean(step, [key for key in value if isinstance(key, str)])
        tail = f" (did you mean {near}?)" if near else ""
        return (
            f"{what} is not there: {here} has {names(value)}{tail}"
            if value
            else f"{what} is not there: {here} is empty"
        )
    if isinstance(value, list):
        if isinstance(step, int):
            return f"{what} is not there: {here} has {len(value)} item{'s' if len(value) != 1 else ''}"
        return f"{what} is not there: {here} is a list, it has indexes and no key {step}"
    if value is None:
        return f"{what} is not there: {here} is null"
    if isinstance(value, str) and isinstance(step, int):
        return f"{what} is not there: {here} has {len(value)} characters"
    return f"{what} is not there: {here} is {type_name(value)} ({describe(value)})"
