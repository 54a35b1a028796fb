"""A process that is to be started, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipe_runner.types import Json


class Command(NamedTuple):
    """A process to start: program and arguments, the whole environment, an absolute working directory, its stdin."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: bytes | None = None


class ProcessEnd(NamedTuple):
    """How a process ended, and what it printed (masked).

    `stdout` holds at most the attempt's output limit; `truncated` then says size and digest of the whole.
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr_tail: bytes
    duration: float
    timed_out: bool = False
    stopped: bool = False
    """Ended because the run was stopped, not by itself."""
    lost: bool = False
    """Nobody knows how it ended: what watches over processes died."""
    not_found: str | None = None
    """A sentence, when the program or the working directory could not be used."""
    truncated: Mapping[str, Json] | None = None
    unavailable: str | None = None
    """A sentence, when the system could not start a process just now."""
