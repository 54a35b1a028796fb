"""Progress as plain lines, one per change: for everything that isn't a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TextIO

from pipe_runner.console.outlet import Outlet
from pipe_runner.console.progress import Progress
from pipe_runner.console.words import (
    REASONS,
    error_line,
    moment,
    one_line,
    plural,
    reason_line,
    safe,
    safe_lines,
    seconds,
    short,
)
from pipe_runner.ports import Event
from pipe_runner.types import EventKind

ANNOUNCE_AFTER: Final = 1.0
"""Seconds that a node must run before a line tells of its start: quick ones have one line, that of their end."""
REMIND_EVERY: Final = 60.0
"""Seconds of silence after which the nodes that still run are named."""


class PlainConsole:
    """A sink that writes lines. With `verbose` it also has each line that a node prints, and each message;
    `notes` follow the first, as they are then."""

    def __init__(
        self,
        stream: TextIO,
        *,
        verbose: bool = False,
        notes: Sequence[str] = (),
        most_reasons: int = REASONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress = Progress(clock)
        self._notes = notes
        self._most_reasons = most_reasons
        self._clock = clock
        self._verbose = verbose
        self._outlet = Outlet(stream, tick=self.tick)
        self._lines = OutputLines(self._say_printed)
        self._spoke = clock()

    def accept(self, event: Event) -> None:
        kind, node = event.event, event.node
        if self._verbose and node is not None:
            if kind == EventKind.NODE_OUTPUT:
                self._lines.feed(node, str(event.data.get("stream")), str(event.data.get("text")))
            elif kind == EventKind.MESSAGE_PUBLISHED:
                self._say(message_line(event))
            elif kind != EventKind.NODE_STARTED:
                self._lines.end(node)
        self.progress.accept(event)
        line = line_of(event, self.progress)
        if line is not None:
            self._say(line)
        if node is None:
            for note in (*self._notes, *reasons(event, self._most_reasons)):
                self._say(note)
            self._notes = ()

    def note(self, line: str) -> None:
        self._say(f"  note       {line}")

    def _say(self, line: str) -> None:
        self._spoke = self._clock()
        self._outlet.put(line + "\n")

    def _say_printed(self, node: str, lines: list[str]) -> None:
        self._spoke = self._clock()
        self._outlet.put(printed(node, lines))

    def tick(self) -> None:
        """Tell of nodes that have been running for a while; called from the writing thread."""
        now = self._clock()
        for node, running in list(self.progress.running.items()):
            if not running.announced and now - running.since >= ANNOUNCE_AFTER:
                running.announced = True
                again = f" (attempt {running.attempt})" if running.attempt > 1 else ""
                self._say(f"  started    {node}{again}")
        if now - self._spoke >= REMIND_EVERY and self.progress.running:
            oldest = sorted(self.progress.running.items(), key=lambda item: item[1].since)
            named = ", ".join(f"{node} {seconds(now - running.since)}" for node, running in oldest[:5])
            more = f", and {len(oldest) - 5} more" if len(oldest) > 5 else ""
            self._say(f"  running    {named}{more}")

    def close(self) -> None:
        self._lines.end_all()
        self._outlet.close()


class OutputLines:
    """Puts the pieces of what nodes print together to whole lines, and gives those of a piece on, safe to print."""

    def __init__(self, give: Callable[[str, list[str]], None]) -> None:
        self._give = give
        self._open: dict[tuple[str, str], str] = {}

    def feed(self, node: str, stream: str, text: str) -> None:
        key = (node, stream)
        *lines, rest = (self._open.pop(key, "") + text).split("\n")
        if lines:
            self._give(node, safe_lines(lines))
        if rest:
            self._open[key] = rest

    def end(self, node: str) -> None:
        for key in [key for key in self._open if key[0] == node]:
            self._give(node, [safe(self._open.pop(key))])

    def end_all(self) -> None:
        for node in {key[0] for key in self._open}:
            self.end(node)


def printed(node: str, lines: Iterable[str]) -> str:
    """Lines that a node has printed, as `--verbose` shows them."""
    return "".join([f"  {node} | {line}\n" for line in lines])


def reasons(event: Event, most: int = REASONS) -> list[str]:
    """Why nodes run again, a line each, for the event that says so; empty for every other."""
    if event.event != EventKind.RUN_RESUMED:
        return []
    items = event.data.get("items") or {}
    lines = []
    more = 0
    for node, reason in (event.data.get("reasons") or {}).items():
        told = items.get(node) or {}
        lines.append(f"  again      {node}: {one_line(str(reason))}{_stay(told.get('done', 0))}")
        lines += [f"  again      {item}: {one_line(str(why))}" for item, why in (told.get("again") or {}).items()]
        more += told.get("more", 0)
    if len(lines) > most:
        lines[most:] = [f"  … and {len(lines) - most + more} more (--explain shows all)"]
    elif more:
        lines.append(f"  … and {more} more items")
    return lines


def _stay(done: int) -> str:
    if not done:
        return ""
    return "; 1 of its items stays done" if done == 1 else f"; {done} of its items stay done"


def _named(nodes: Iterable[str]) -> str:
    names = list(nodes)
    return ", ".join(names[:REASONS]) + (f" and {len(names) - REASONS} more" if len(names) > REASONS else "")


def line_of(event: Event, progress: Progress) -> str | None:
    """The line that tells of an event; None for one that isn't worth a line."""
    data, node = event.data, event.node
    if "decided" in data and (decision := _decision(event)) is not None:
        return decision
    match event.event:
        case EventKind.NODE_STARTED | EventKind.NODE_OUTPUT:
            return None
        case EventKind.RUN_STARTED:
            only = data.get("only")
            chosen = f" (--only {', '.join(only)}: {_named(data.get('nodes', ()))})" if only else ""
            return f"run {event.run}: {safe(progress.pipeline)}, {plural(progress.total, 'node')}{chosen}"
        case EventKind.RUN_RESUMED:
            return f"run {event.run}: resumed, {plural(len(data.get('rerun', ())), 'node')} of {progress.total} to run"
        case EventKind.NODE_SUCCEEDED:
            return f"  succeeded  {node} ({seconds(data.get('duration_s'))})"
        case EventKind.NODE_CACHED:
            return f"  cached     {node}"
        case EventKind.NODE_FAILED:
            tolerated = ", tolerated" if data.get("tolerated") else ""
            return (
                f"  failed     {node} ({seconds(data.get('duration_s'))}{tolerated}): {error_line(data.get('error'))}"
            )
        case EventKind.NODE_RETRYING:
            delay = data.get("delay_s")
            wait = f" in {seconds(delay)}" if isinstance(delay, (int, float)) else ""
            return f"  retrying   {node}{wait}: {error_line(data.get('error'))}"
        case EventKind.NODE_SKIPPED:
            return f"  skipped    {node}: {reason_line(data)}"
        case EventKind.NODE_BLOCKED:
            return f"  blocked    {node}: {'by ' if data.get('by') else ''}{reason_line(data)}"
        case EventKind.NODE_CANCELLED:
            why = reason_line(data)
            return f"  cancelled  {node}" + (f": {why}" if why else "")
        case EventKind.NODE_WAITING:
            message = data.get("message")
            return f"  waiting    {node}: " + (one_line(str(message)) if message else "for a person")
        case EventKind.NODE_UNKNOWN:
            return f"  unknown    {node}: nobody knows whether it took effect"
        case _:
            return None


def message_line(event: Event) -> str:
    """The line that tells of a message, cut short."""
    data = event.data
    ref = data.get("message_ref")
    said = short(data.get("message")) if ref is None else f"{ref['bytes']} bytes"
    return safe(f"  message    {event.node}: {data.get('topic')} {said}")


def _decision(event: Event) -> str | None:
    """Who decided what of a node, when and why."""
    from pipe_runner.deciding import decided_as

    word = decided_as(event.event, event.data)
    if word is None:
        return None
    word, _, more = word.partition(": ")
    decided = event.data["decided"]
    by = f"{f'{more}, ' if more else ''}by {decided.get('by') or 'nobody that is named'}"
    why = f": {decided['reason']}" if decided.get("reason") else ""
    return f"  {word:<9}  {event.node}: " + one_line(f"{by}, {moment(event.ts)}{why}")
