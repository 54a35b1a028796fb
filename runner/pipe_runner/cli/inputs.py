"""The inputs that a user gives: `-i NAME=VALUE` and a file of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pipe_runner.cli.words import Given
from pipe_runner.compiler import finite, parse_input
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import UsageError

if TYPE_CHECKING:
    from pipe_runner.plan import Plan

_MOST = 64 * 2**20


def read_inputs(plan: Plan, given: Given) -> dict[str, Any]:
    """All inputs that were given, parsed; `-i` stands over the file. Raises UsageError."""
    file = given.text("inputs")
    values = _from_file(file) if file is not None else {}
    by_name = {one.name: one for one in plan.inputs}
    for word in given.many("input"):
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"-i {word}: there is no `=` in it", hint="give an input as NAME=VALUE")
        if name not in by_name:
            near = did_you_mean(name, by_name)
            known = ", ".join(by_name) or "it has none"
            raise UsageError(
                f"-i {name}: {plan.path} has no input of that name",
                hint=f"did you mean {near}?" if near else f"its inputs: {known}",
            )
        values[name] = parse_input(by_name[name], text)
    return values


def _from_file(path: str) -> dict[str, Any]:
    """A JSON or YAML file that holds an object; YAML by our rules, so that `no` is a string here, too."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"--inputs: cannot read {path}: {error.strerror}") from None
    if len(content) > _MOST:
        raise UsageError(f"--inputs: {path} is larger than {_MOST} bytes")
    if path.endswith(".json"):
        values = _json(content, path)
    else:
        values = _yaml(content, path)
    if not isinstance(values, dict):
        raise UsageError(f"--inputs: {path} must hold an object of names and values")
    return values


def _json(content: bytes, path: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(content, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--inputs: {path} is not JSON: {error}") from None


def _yaml(content: bytes, path: str) -> Any:
    from pipe_runner.errors import InvalidPipeline
    from pipe_runner.loader import load_text

    document, faults = load_text(content, os.path.normpath(path))
    if any(fault.is_error for fault in faults):
        raise InvalidPipeline(faults)
    return document.data if document.data is not None else {}
