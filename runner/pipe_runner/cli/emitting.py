"""`pipe emit` and `pipe messages`: the messages of a run, from a command of a node; and from outside, to read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

from pipe_runner.cli.settings import whole
from pipe_runner.cli.words import Given
from pipe_runner.errors import KeyTwice, UsageError, strict_json
from pipe_runner.types import EventKind

_DEFAULT_LIMIT: Final = 1000
_MOST: Final = 100_000
"""Messages that are shown at once."""
_LARGEST: Final = 2**20
"""Bytes of a message; more is not read."""


def emit(given: Given) -> int:
    """`pipe emit TOPIC [VALUE]`."""
    from pipe_runner.bus.client import Client
    from pipe_runner.bus.values import check_message
    from pipe_runner.errors import NodeFault

    try:
        message, _ = check_message(_message(given))
    except NodeFault as fault:
        raise UsageError(fault.message) from None
    client = Client()
    try:
        client.publish(given.must("topic"), message)
    finally:
        client.close()
    return 0


def _message(given: Given) -> Any:
    value, as_json = given.text("value"), given.text("json")
    if as_json is not None:
        if value is not None:
            raise UsageError("VALUE and --json can't both be the message")
        try:
            return strict_json(_stdin() if as_json == "-" else as_json)
        except KeyTwice as error:
            raise UsageError(f"--json: {error}") from None
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"--json: this is no JSON: {error}", hint="without --json, VALUE is taken as text"
            ) from None
    return _stdin().rstrip("\n") if value == "-" else value


def _stdin() -> str:
    data = sys.stdin.buffer.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError(
            f"the message is larger than {_LARGEST} bytes", hint="publish the path of a file that holds it"
        )
    return data.decode("utf-8", "replace")


def messages(given: Given) -> int:
    """`pipe messages [PATTERN]`."""
    from pipe_runner.bus.client import Client, inside
    from pipe_runner.errors import NodeFault

    pattern = given.text("pattern") or "#"
    limit = _DEFAULT_LIMIT if given.text("limit") is None else whole(given.must("limit"), "--limit", 1, _MOST)
    since = 0 if given.text("since") is None else whole(given.must("since"), "--since", 0)
    output = given.text("output") or ("value" if given.on("next") else "text")
    if given.on("next") and (given.on("follow") or given.text("since") is not None):
        raise UsageError("--next goes on where this attempt's last --next was: it takes no --follow and no --since")
    if given.text("run") is None and inside():
        client = Client()
        try:
            if given.on("next"):
                found = client.take(pattern)
                return 1 if found is None else _show(iter([found]), output)
            if given.on("follow"):
                return _show(client.subscribe(pattern, since), output)
            return _show((one for one in client.history(pattern, limit) if one["seq"] > since), output)
        finally:
            client.close()
    if given.on("next"):
        Client()  # says what is missing
        raise UsageError("--next is for a command of a node, in its own run", hint="leave out --run")
    try:
        return _show(_logged(given, pattern, since, limit), output)
    except NodeFault as fault:
        raise UsageError(fault.message) from None


def _logged(given: Given, pattern: str, since: int, limit: int) -> Iterator[dict[str, Any]]:
    """Those in a run's log."""
    from pipe_runner.bus.cursor import last_messages, message_of
    from pipe_runner.bus.topics import check_pattern
    from pipe_runner.cli.found import find_run
    from pipe_runner.cli.settings import state_dir
    from pipe_runner.runlog import RunLock, follow

    matches = check_pattern(pattern)
    rundir = find_run(given, state_dir(given, None), given.text("run") or "latest")
    if not given.on("follow"):
        for message in last_messages(rundir.log_path, rundir, matches, sys.maxsize, limit):
            if message.seq > since:
                yield message.to_json()
        return
    for event in follow(rundir.log_path, lambda: RunLock.held(rundir) is None, run=rundir.id):
        if event.event == EventKind.MESSAGE_PUBLISHED and event.seq > since:
            message = message_of(event, rundir)
            if matches.match(message.topic):
                yield message.to_json()


def _show(found: Iterator[dict[str, Any]], output: str) -> int:
    from pipe_runner.console import reads_commands
    from pipe_runner.console.words import safe
    from pipe_runner.text import ci_safe_json

    plain = output == "value" and not sys.stdout.isatty() and not reads_commands(os.environ)
    for message in found:
        if output == "json":
            line = ci_safe_json(json.dumps(message, separators=(",", ":")))
        else:
            value = message["message"]
            line = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            if output == "text":
                line = f"{message['ts'][11:19]} {message['node']} {message['topic']}: {line}"
            if not plain:
                line = safe(line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0
