"""Parses the usual command lines without click, whose import costs more than everything else of a small run.

It reads the same definitions. Whatever isn't plain (help, a mistake, an option cut short) gives None, and click
decides; a test holds that the two agree wherever this one answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipe_runner.cli.words import Command, Given


def parse(command: Command, words: Sequence[str]) -> Given | None:
    """What `words` (those after the command's name) give to the command, or None where click must decide."""
    flags = {name: flag for flag in command.flags for name in flag.names}
    values: dict[str, Any] = {f.key: () if f.many else None if f.metavar else False for f in command.flags}
    positional: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        flag = flags.get(name)
        if flag is None or (equals and not flag.metavar):
            return None
        if not flag.metavar:
            values[flag.key] = True
            continue
        if not equals:
            following = next(rest, None)
            if following is None or following.startswith("-"):
                return None
            value = following
        if flag.choices and value not in flag.choices:
            return None
        values[flag.key] = (*values[flag.key], value) if flag.many else value
    if len(command.arguments) == 1 and command.arguments[0].many and positional:
        values[command.arguments[0].key] = tuple(positional)
        return Given(values)
    if len(positional) != len(command.arguments):
        return None
    for argument, word in zip(command.arguments, positional, strict=True):
        values[argument.key] = (word,) if argument.many else word
    return Given(values)
