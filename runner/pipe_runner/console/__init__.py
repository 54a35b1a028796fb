"""Tells people of a run while it goes on and when it has ended; a console is an event sink like any other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from pipe_runner.console.words import REASONS

if TYPE_CHECKING:
    from pipe_runner.console.progress import Progress
    from pipe_runner.ports import Event


class Console(Protocol):
    """A sink that people look at; `progress` is what it has seen."""

    progress: Progress

    def accept(self, event: Event) -> None: ...

    def note(self, line: str) -> None:
        """A line of its own; safe to print."""

    def close(self) -> None: ...


def open_console(
    stream: TextIO,
    *,
    verbose: bool = False,
    live: bool = True,
    notes: Sequence[str] = (),
    explain: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Console:
    """A live display where `stream` is a terminal that can show it, plain lines elsewhere.

    `live` false keeps to lines: something else is written to the same terminal. `notes` are lines that follow the
    first; `explain` tells for every node why a resume runs it, not for the first few only.
    """
    environ = os.environ if environ is None else environ
    most = 2**31 if explain else REASONS
    if live and _is_terminal(stream) and environ.get("TERM", "dumb") != "dumb":
        from pipe_runner.console.live import LiveConsole

        colour = not environ.get("NO_COLOR")
        return LiveConsole(stream, verbose=verbose, notes=notes, most_reasons=most, colour=colour)
    from pipe_runner.console.plain import PlainConsole

    return PlainConsole(stream, verbose=verbose, notes=notes, most_reasons=most)


def reads_commands(environ: Mapping[str, str]) -> bool:
    """True where a CI looks for commands in what is printed."""
    return any(environ.get(name) for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"))


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False
