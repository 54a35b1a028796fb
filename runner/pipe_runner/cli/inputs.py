"""The inputs that a user gives: `-i NAME=VALUE` and a file of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pipe_runner.cli.words import Given
from pipe_runner.compiler import parse_input
from pipe_runner.compiler.given import check_handed_on
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import KeyTwice, UsageError, no_json, strict_json

if TYPE_CHECKING:
    from pipe_runner.plan import Plan

_MOST = 64 * 2**20


def read_inputs(plan: Plan, given: Given) -> dict[str, Any]:
    """All inputs of a run, parsed and checked; `-i` stands over the file. Raises UsageError that says every fault."""
    file = given.text("inputs")
    values = _from_file(file) if file is not None else {}
    by_name = {one.name: one for one in plan.inputs}
    faults: dict[str, list[str]] = {}
    for word in given.many("input"):
        name, equals, text = word.partition("=")
        if not equals:
            mend = f": write `-i {name[:60]}=…`" if name in by_name else ": give an input as NAME=VALUE"
            faults.setdefault(name, []).append(f"-i {word[:200]}: there is no `=` in it{mend}")
        elif name not in by_name:
            near = did_you_mean(name, by_name)
            mend = f"; did you mean {near}?" if near else ""
            faults.setdefault(name, []).append(f"-i {name[:60]}: {plan.path} has no input of that name{mend}")
        else:
            try:
                values[name] = parse_input(by_name[name], text)
            except UsageError as error:
                faults.setdefault(name, []).append(error.message)
    return check_handed_on(plan, values, told=faults)


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
    try:
        return strict_json(content)
    except KeyTwice as error:
        raise UsageError(f"--inputs: {path}: {error}") from None
    except (ValueError, RecursionError) as error:
        place = f"{path}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else path
        raise UsageError(f"--inputs: {place}: this is not JSON: {no_json(error)}") from None


def _yaml(content: bytes, path: str) -> Any:
    from pipe_runner.errors import InvalidPipeline
    from pipe_runner.loader import load_text

    document, faults = load_text(content, os.path.normpath(path))
    if any(fault.is_error for fault in faults):
        raise InvalidPipeline(faults)
    return document.data if document.data is not None else {}
