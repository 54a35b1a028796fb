"""Progress on a terminal: drawn anew a few times a second from what `Progress` knows, never for an event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TextIO

from pipe_runner.console.outlet import Backlog
from pipe_runner.console.plain import OutputLines, line_of, message_line, printed, reasons
from pipe_runner.console.progress import Progress, last_line
from pipe_runner.console.words import REASONS, one_line, safe, seconds, tally
from pipe_runner.ports import Event
from pipe_runner.types import EventKind

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

INTERVAL: Final = 0.125
"""Seconds between two drawings."""
FIRST: Final = 0.15
"""Seconds before the first one: what ends sooner never needs it, nor the import of rich."""
_LAST_DRAWING: Final = 2.0
_HIDING: Final = 0.5
"""Seconds that Ctrl-Z waits for a terminal that takes nothing."""

_STYLES: Final = {
    "succeeded": "green",
    "cached": "green",
    "failed": "red",
    "blocked": "yellow",
    "skipped": "dim",
    "cancelled": "yellow",
    "unknown": "yellow",
}
_MARKS: Final = {"succeeded": "✓", "cached": "✓", "failed": "✗"}
_PLAIN_MARKS: Final = {"succeeded": "+", "cached": "+", "failed": "x"}


class LiveConsole:
    """A sink that draws. Every event only changes state; a thread of its own does the drawing."""

    def __init__(
        self,
        stream: TextIO,
        *,
        verbose: bool = False,
        notes: Sequence[str] = (),
        most_reasons: int = REASONS,
        clock: Callable[[], float] = time.monotonic,
        colour: bool = True,
    ) -> None:
        self.progress = Progress(clock)
        self._notes = notes
        self._most_reasons = most_reasons
        self._stream = stream
        self._clock = clock
        self._colour = colour
        self._verbose = verbose
        self._above = Backlog()
        """Lines that stay; printed above what is drawn."""
        self._lines = OutputLines(lambda node, lines: self._above.put(printed(node, lines)))
        self._closing = threading.Event()
        self._wake = threading.Event()
        """Something other than the time wants the drawing thread."""
        self._wanted = threading.Event()
        self._wanted.set()
        self._clear = threading.Event()
        """Nothing is drawn."""
        self._clear.set()
        self._thread: threading.Thread | None = None
        self._console: Console | None = None

    def accept(self, event: Event) -> None:
        kind, node = event.event, event.node
        self.progress.accept(event)
        if node is None:
            if kind == EventKind.RUN_STARTED or kind == EventKind.RUN_RESUMED:
                lines = [str(line_of(event, self.progress)), *self._notes, *reasons(event, self._most_reasons)]
                self._write_first("\n".join(lines) + "\n")
                thread = threading.Thread(target=self._work, name="console", daemon=True)
                thread.start()
                self._thread = thread
        elif self._verbose:
            if kind == EventKind.NODE_OUTPUT:
                self._lines.feed(node, str(event.data.get("stream")), str(event.data.get("text")))
            elif kind == EventKind.MESSAGE_PUBLISHED:
                self._above.put(message_line(event) + "\n")
            elif kind != EventKind.NODE_STARTED:
                self._lines.end(node)

    def note(self, line: str) -> None:
        self._above.put(f"  note       {line}\n")

    def _write_first(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass

    def hide(self) -> None:
        """Clear what is drawn, and give the terminal back until `show`."""
        self._wanted.clear()
        self._wake.set()
        self._clear.wait(_HIDING)

    def show(self) -> None:
        self._wanted.set()

    def close(self) -> None:
        """Clear what was drawn, give the terminal back, and print the lines that stay."""
        self._closing.set()
        self._wake.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(_LAST_DRAWING)
            self._thread = None
        self._lines.end_all()
        above = self._above.take()
        if above:
            self._write_first(above)

    # ------------------------------------------------------------ in the drawing thread

    def _work(self) -> None:
        if self._closing.wait(FIRST):
            return
        try:
            from rich.console import Console
            from rich.live import Live

            colours: Literal["auto"] | None = "auto" if self._colour else None
            console = Console(
                file=self._stream, highlight=False, markup=False, emoji=False, color_system=colours, no_color=False
            )
            self._console = console
            while not self._closing.is_set():
                self._clear.clear()
                with Live(
                    console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
                ) as live:
                    while True:
                        self._draw(console, live)
                        if self._wake.wait(INTERVAL):
                            break
                    live.update("", refresh=True)
                self._clear.set()
                self._wanted.wait()
                if not self._closing.is_set():
                    self._wake.clear()
        except Exception:
            return  # a terminal that can't be drawn on is no reason to fail a run
        finally:
            self._clear.set()

    def _draw(self, console: Console, live: Live) -> None:
        from rich.console import Group
        from rich.segment import Segment, Segments

        above = self._above.take()
        if above:  # as a Text, each line would cost forty microseconds
            console.print(Segments([Segment(above)]), soft_wrap=True, end="")
        size = console.size
        unicode = console.encoding.lower().startswith("utf")
        rows = picture(self.progress, max(size.height - 1, 2), self._clock(), unicode=unicode)
        for row in rows:
            row.truncate(max(size.width - 1, 1), overflow="ellipsis" if unicode else "crop")
            row.no_wrap = True
        live.update(Group(*rows), refresh=True)


def picture(progress: Progress, height: int, now: float, *, unicode: bool = True) -> list[Text]:
    """At most `height` lines: how far the run is, what failed, what runs, what ended last."""
    from rich.text import Text

    rows = [_header(progress, now)]
    room = height - 1
    failed = list(progress.failed)[-max(room // 4, 1) :] if room > 2 else []
    count = progress.ended.get("failed", 0)
    running = sorted(progress.running.items(), key=lambda item: item[1].since)
    room -= len(failed)
    shown = running if len(running) <= room else running[: max(room - 1, 0)]
    for node, state in shown:
        row = Text(f"  {'▸' if unicode else '>'} {node} {seconds(now - state.since)}", style="cyan")
        if state.attempt > 1:
            row.append(f" attempt {state.attempt}", style="yellow")
        last = last_line(state.tail)
        if last:
            row.append(f"  {safe(last[:500])}", style="dim")
        rows.append(row)
    room -= len(shown)
    if len(shown) < len(running) and room > 0:
        rows.append(Text(f"    and {len(running) - len(shown)} more running", style="cyan"))
        room -= 1
    if progress.resting and room > 0:
        rows.append(_resting(progress, now))
        room -= 1
    marks = _MARKS if unicode else _PLAIN_MARKS
    recent = [entry for entry in list(progress.recent) if entry[1] != "failed"]
    for node, status, duration in recent[-min(room, 5) :] if room > 0 else []:
        took = f" {seconds(duration)}" if duration is not None else ""
        rows.append(Text(f"  {marks.get(status, '-')} {node}{took} {status}", style=_STYLES.get(status, "")))
    for node, message in failed:
        rows.append(Text(f"  {marks['failed']} {node}: {one_line(message)}", style="red"))
    if count > len(failed) and failed:
        rows[-1].append(f"  ({count} failed)")
    return rows[:height]


def _header(progress: Progress, now: float) -> Text:
    from rich.text import Text

    row = Text()
    row.append(safe(progress.pipeline), style="bold")
    row.append(f" {seconds(now - progress.began)}  ")
    row.append(f"{progress.done()}/{progress.total}", style="bold")
    parts = dict(progress.ended)
    parts["running"] = len(progress.running)
    row.append(f"  {tally(parts)}", style="dim")
    return row


def _resting(progress: Progress, now: float) -> Text:
    from rich.text import Text

    waiting = sorted(progress.resting.items(), key=lambda item: item[1])
    named = ", ".join(f"{node} in {seconds(max(until - now, 0))}" for node, until in waiting[:3])
    more = f", and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    return Text(f"    tries again: {named}{more}", style="yellow")
