"""Reaches the bus from a process of a node, as `pipe emit` does; waits, and needs no event loop."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import IO, Any

from pipe_runner.bus.door import ADDRESS, TOKEN
from pipe_runner.errors import UsageError


def inside(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is one of a node that has told it where the bus is."""
    return bool(environ.get(ADDRESS) and environ.get(TOKEN))


class Client:
    """One connection. Raises UsageError, with the bus's own words where it refuses."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        if not hasattr(socket, "AF_UNIX"):
            raise UsageError("this system has no unix sockets, and without them processes can't reach the bus of a run")
        if not inside(environ):
            raise UsageError(
                f"{ADDRESS} and {TOKEN} are not set: there is no run here to which a message could go",
                hint="this works in a command that a node runs; `pipe messages --run RUN` shows those of any run",
            )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(environ[ADDRESS])
        except OSError as error:
            self._socket.close()
            raise UsageError(
                f"the bus can't be reached at {environ[ADDRESS]}: {error.strerror}", hint="is the run still going on?"
            ) from None
        self._lines: IO[bytes] = self._socket.makefile("rb")
        self._say({"token": environ[TOKEN]})
        self._hear()

    def publish(self, topic: str, message: Any) -> int:
        self._say({"do": "publish", "topic": topic, "message": message})
        return int(self._hear()["seq"])

    def history(self, pattern: str, limit: int) -> Iterator[dict[str, Any]]:
        self._say({"do": "history", "pattern": pattern, "limit": limit})
        return self._messages()

    def subscribe(self, pattern: str, since: int) -> Iterator[dict[str, Any]]:
        self._say({"do": "subscribe", "pattern": pattern, "since": since})
        return self._messages()

    def take(self, pattern: str) -> dict[str, Any] | None:
        """The next message that no process of the attempt has taken; None when no more come."""
        self._say({"do": "take", "pattern": pattern})
        found = self._hear()
        return None if "end" in found else found

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _messages(self) -> Iterator[dict[str, Any]]:
        while "end" not in (found := self._hear()):
            yield found

    def _say(self, said: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(said).encode() + b"\n")
        except OSError:  # it has refused us, and says why
            self._hear()
            raise UsageError("the bus has closed the connection") from None

    def _hear(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError:
            line = b""
        if not line:
            raise UsageError("the bus has closed the connection: the run, or this attempt, is over")
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise UsageError(str(found["error"]))
        return found
