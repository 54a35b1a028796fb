"""Calls the function behind a command; it is imported here, so that no command pays for another."""

from __future__ import annotations

import sys

from pipe_runner.cli.words import Command, Given
from pipe_runner.errors import Unsupported, UsageError


def call(command: Command, given: Given) -> int:
    """Perform the command and give its exit code."""
    if not command.target:
        raise UsageError(
            f"`pipe {command.name}` is not available in this version", hint="`pipe --help` lists the commands that are"
        )
    if sys.platform == "win32" and not command.everywhere:
        raise Unsupported(
            f"`pipe {command.name}` does not work on Windows, where a run's log can't be locked and what it starts "
            "can't be ended for certain: use WSL, a container, or CI on Linux (check, graph, test and schema work here)"
        )
    from importlib import import_module

    module, _, function = command.target.partition(":")
    code: int = getattr(import_module(module), function)(given)
    return code
