"""`pipe settle`, `pipe approve` and `pipe reject`: what a person decides, written into the run's log."""

from __future__ import annotations

import json
import os
import sys
from typing import Final

from pipe_runner.cli.boundary import say
from pipe_runner.cli.found import find_run
from pipe_runner.cli.settings import recorded_words, state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.engine.decisions import Decision, Word, decide
from pipe_runner.errors import KeyTwice, UsageError, no_json, strict_json
from pipe_runner.types import Json

_LONGEST: Final = 4096
_SAID: Final[dict[Word, str]] = {
    "done": "is settled: it took effect",
    "again": "is settled: it may run again",
    "approve": "is approved",
    "reject": "is rejected",
}


def settle(given: Given) -> int:
    """`pipe settle RUN NODE`."""
    done, again = given.on("done"), given.on("again")
    if done == again:
        raise UsageError(
            "say --done or --again" if not done else "--done and --again say opposite things",
            hint="--done: it took effect and is not run again; --again: it did not and may run again",
        )
    output = given.text("with")
    if output is not None and again:
        raise UsageError("--with gives the output of a node that is done", hint="leave it out beside --again")
    return _decide(given, "done" if done else "again", None if output is None else _json(output))


def approve(given: Given) -> int:
    """`pipe approve RUN NODE`."""
    return _decide(given, "approve")


def reject(given: Given) -> int:
    """`pipe reject RUN NODE`."""
    return _decide(given, "reject")


def _decide(given: Given, word: Word, output: Json = None) -> int:
    state = state_dir(given, None)
    rundir = find_run(given, state, given.must("run"))
    node = given.must("node")
    decision = Decision(word, _text(given, "by") or _user(), _text(given, "reason"), output)
    run = decide(state, rundir.id, node, decision, where=rundir.where)
    sys.stdout.write(safe(f"{node} {_SAID[word]}") + "\n")
    say(safe(f"go on with: {rundir.command('resume', *recorded_words(run))}"))
    return 0


def _text(given: Given, key: str) -> str | None:
    text = given.text(key)
    if text is not None and not text.strip():
        raise UsageError(f"--{key} is empty")
    if text is not None and len(text) > _LONGEST:
        raise UsageError(f"--{key} is longer than {_LONGEST} characters")
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8", "replace")


def _user() -> str:
    """Who calls the command, as the system knows them; the environment could say anything."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _json(text: str) -> Json:

    try:
        value: Json = strict_json(text)
        json.dumps(value, ensure_ascii=False).encode()
    except KeyTwice as error:
        raise UsageError(f"--with: {error}") from None
    except UnicodeEncodeError:
        raise UsageError("--with: a text holds half of a surrogate pair, or a byte that is no UTF-8") from None
    except (ValueError, RecursionError) as error:
        place = ""
        if isinstance(error, json.JSONDecodeError):
            line = f"line {error.lineno}, " if "\n" in text else ""
            place = f"at {line}character {error.colno}: "
        raise UsageError(
            f"--with: {text[:60]!r} is not JSON: {place}{no_json(error)}",
            hint="text stands in quotes: --with '\"released\"'",
        ) from None
    return value
