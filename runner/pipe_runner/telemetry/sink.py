"""Makes spans and metrics of a run's events: run → node → attempt → call of a model or a tool."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from pipe_runner.plan import NOTHING
from pipe_runner.ports import Event
from pipe_runner.runlog.steady import Steady
from pipe_runner.telemetry import conventions as names
from pipe_runner.telemetry.ids import ChosenIds
from pipe_runner.telemetry.spans import Opened, Spans
from pipe_runner.traces import Trace
from pipe_runner.types import EventKind

_ENDS: Final = frozenset(
    {
        EventKind.NODE_SUCCEEDED,
        EventKind.NODE_FAILED,
        EventKind.NODE_CANCELLED,
        EventKind.NODE_WAITING,
        EventKind.NODE_UNKNOWN,
    }
)
_NOTHING: Final = frozenset({EventKind.NODE_OUTPUT, EventKind.MODEL_RESERVED})
"""Events that no span is made of."""
_SLACK: Final = 2_000_000_000
"""Nanoseconds that an end may be away from the time that the attempt took; above it somebody has set the clock."""
PAUSE: Final = 0.02
LONG_PAUSE: Final = 0.1
"""Seconds for which the thread pauses; the longer one while a burst goes on: to look takes time of the loop, too."""
BURST: Final = 300
"""Events of a second from which they are a burst, which becomes spans when it is over."""
MOST: Final = 5000
"""Events that wait for that."""
LEAST_AT_ONCE: Final = 10
SHARE: Final = 100
"""Of how many events spans are made after a pause: of so many at least, and of one in so many that wait."""
PATIENCE: Final = 5.0
"""Seconds that exporters have at the end of a run; a collector that is gone holds nobody up longer."""


class TelemetrySink:
    """Accepts events in order and makes spans of them in a thread, so that the run's loop has no work with it. What it
    makes goes out in threads of the SDK."""

    def __init__(
        self,
        trace: Trace,
        ids: ChosenIds,
        tracers: TracerProvider,
        meters: MeterProvider | None,
        warn: Callable[[str], None] = lambda line: None,
        about: Mapping[str, str] = NOTHING,
    ) -> None:
        """`about`: attributes of the run's span, beside its own."""
        self.trace, self._ids, self._about, self._warn = trace, ids, about, warn
        self._tracers, self._meters = tracers, meters
        self._spans = Spans(ids, tracers)
        self._above = _above(trace)
        if trace.made:
            trace.recorded = self._spans.recorded(self._above)
        self._run: Opened | None = None
        self._steady = Steady(_SLACK, 0)
        self._nodes: dict[str, Opened] = {}
        self._attempts: dict[str, Opened] = {}
        self._histograms = {} if meters is None else _histograms(meters)
        self._told: deque[Event] = deque()
        self._over = threading.Event()
        self._maker = threading.Thread(target=self._make_all, name="telemetry", daemon=True)
        self._maker.start()

    def accept(self, event: Event) -> None:
        if event.event not in _NOTHING:
            self._told.append(event)

    def _make_all(self) -> None:
        over, pause, left = False, PAUSE, 0
        while not over:
            over = self._over.wait(pause)
            waiting = len(self._told)
            count = waiting if over else min(waiting, at_once(waiting, waiting - left, pause))
            for _ in range(count):
                self._make(self._told.popleft())
            left = waiting - count
            pause = LONG_PAUSE if left and not count else PAUSE
        now = self._steady.at(time.time_ns())
        for span in (*self._attempts.values(), *self._nodes.values(), *([] if self._run is None else [self._run])):
            self._spans.end(span, now)
        self._attempts.clear()
        self._nodes.clear()
        self._run = None

    def _make(self, event: Event) -> None:
        kind, data = event.event, event.data
        at = self._steady.at(_nanoseconds(event.ts), self._expected(event))
        if kind == EventKind.NODE_STARTED:
            self._begin(event, at)
        elif kind == EventKind.NODE_RETRYING:
            self._end_attempt(event, "retrying", at)
        elif kind in _ENDS:
            status = kind.partition(".")[2]
            self._end_attempt(event, status, at)
            self._end_node(event, status, at)
        elif kind == EventKind.MODEL_CALLED:
            self._call(event, f"chat {data['model']}", names.of_call(data), at)
            self._measure_call(event)
        elif kind == EventKind.TOOL_CALLED:
            self._call(event, f"execute_tool {data.get('tool')}", names.of_tool(data), at, SpanKind.INTERNAL)
        elif kind in (EventKind.RUN_STARTED, EventKind.RUN_RESUMED):
            self._begin_run(event, at)
        elif kind == EventKind.RUN_FINISHED:
            self._end_run(event, at)

    def _expected(self, event: Event) -> int | None:
        """When an attempt or the run has ended by the time that it took, for an event that ends it."""
        of_run = event.event == EventKind.RUN_FINISHED
        if not of_run and event.event not in _ENDS and event.event != EventKind.NODE_RETRYING:
            return None
        span = self._run if of_run else self._attempts.get(event.node or "")
        took = event.data.get("duration_s")
        return None if span is None or took is None else span.start + int(took * 1e9)

    def over(self) -> None:
        """No event follows: its thread ends what is open, and itself; nobody waits for that."""
        self._over.set()

    def ended(self) -> None:
        """The same, and wait until all spans are made."""
        self._over.set()
        self._maker.join()

    @property
    def is_made(self) -> bool:
        """All its spans are."""
        return not self._maker.is_alive()

    def close(self) -> None:
        """End what is open, and give exporters a moment."""
        self.ended()
        send(self._tracers, self._meters, self._warn)

    # ------------------------------------------------------------ run

    def _begin_run(self, event: Event, at: int) -> None:
        attributes = {**self._about, names.RUN: event.run}
        if event.data.get("pipeline"):
            attributes[names.PIPELINE] = event.data["pipeline"]
        name = f"run {event.data['pipeline']}" if event.data.get("pipeline") else f"resume {event.run}"
        self._run = self._spans.begin(name, self._above, at, attributes)

    def _end_run(self, event: Event, at: int) -> None:
        if self._run is None:
            return
        status = str(event.data.get("status"))
        self._run.attributes[names.STATUS] = status
        if status == "failed":
            _fail(self._run, event)
            self._run.status = Status(StatusCode.ERROR, self._run.status.description)
        self._spans.end(self._run, at)
        self._run = None
        self._measure(names.RUN_DURATION, event.data.get("duration_s"), {names.STATUS: status})

    # ------------------------------------------------------------ nodes and attempts

    def _begin(self, event: Event, at: int) -> None:
        node, number = event.node or "", event.attempt or 1
        above = self._nodes.get(node)
        if above is None:
            owner = self._owner(node)
            above = self._spans.begin(node, _context(owner), at, {names.NODE: node})
            self._nodes[node] = above
        self._ids.following = self.trace.spans.pop((node, number), None)
        attributes = {names.NODE: node, names.ATTEMPT: number}
        self._attempts[node] = self._spans.begin(f"{node} attempt {number}", above.context, at, attributes)

    def _owner(self, node: str) -> Opened | None:
        """The span of the repeated node that an item is of, or of the one whose sub-pipeline a node is in."""
        cut = len(node)
        while (cut := max(node.rfind("[", 0, cut), node.rfind(".", 0, cut))) > 0:
            found = self._nodes.get(node[:cut])
            if found is not None:
                return found
        return self._run

    def _end_attempt(self, event: Event, status: str, at: int) -> None:
        span = self._attempts.pop(event.node or "", None)
        if span is None:
            return
        span.attributes[names.STATUS] = status
        if event.data.get("exit_code") is not None:
            span.attributes["process.exit.code"] = event.data["exit_code"]
        _fail(span, event)
        self._spans.end(span, at)

    def _end_node(self, event: Event, status: str, at: int) -> None:
        span = self._nodes.pop(event.node or "", None)
        if span is None:
            return
        span.attributes[names.STATUS] = status
        _fail(span, event)
        self._spans.end(span, at)
        self._measure(names.NODE_DURATION, event.data.get("duration_s"), {names.STATUS: status})

    # ------------------------------------------------------------ calls

    def _call(
        self, event: Event, name: str, attributes: dict[str, Any], end: int, kind: SpanKind = SpanKind.CLIENT
    ) -> None:
        start = end - int((event.data.get("duration_s") or 0.0) * 1e9)
        above = self._attempts.get(event.node or "") or self._run
        if above is not None and start < above.start:  # the clock was set back within the attempt
            start, end = above.start, end + above.start - start
        span = self._spans.begin(name, _context(above), start, attributes, kind)
        _fail(span, event)
        self._spans.end(span, end)

    def _measure_call(self, event: Event) -> None:
        attributes = names.of_metric(event.data)
        self._measure(names.CALL_DURATION, event.data.get("duration_s"), attributes)
        for kind in ("input", "output"):
            count = (event.data.get("tokens") or {}).get(kind)
            self._measure(names.TOKEN_USAGE, count, {**attributes, "gen_ai.token.type": kind})

    # ------------------------------------------------------------ the SDK

    def _measure(self, name: str, value: float | None, attributes: dict[str, Any]) -> None:
        histogram = self._histograms.get(name)
        if histogram is not None and value is not None:
            histogram.record(value, attributes)


def at_once(waiting: int, came: int, seconds: float) -> int:
    """Of how many events that wait spans are made at once, where so many of them came within the last seconds."""
    if came >= BURST * seconds and waiting < MOST:
        return 0
    return max(LEAST_AT_ONCE, waiting // SHARE)


def send(tracers: TracerProvider, meters: MeterProvider | None, warn: Callable[[str], None]) -> None:
    """Give exporters a moment. They try again for a minute, whatever time they are given: a thread that nobody waits
    for can do that."""

    def flush() -> None:
        both = [threading.Thread(target=one.force_flush, daemon=True) for one in (tracers, meters) if one]
        for one in both:
            one.start()
        for one in both:
            one.join()

    sending = threading.Thread(target=flush, name="telemetry", daemon=True)
    sending.start()
    sending.join(PATIENCE)
    if sending.is_alive():
        warn(f"telemetry: the collector did not take all within {PATIENCE:g} s; what it lacks is lost")


def _above(trace: Trace) -> SpanContext | None:
    """The span of whoever started us."""
    if not trace.parent:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace.id, 16), int(trace.parent, 16), is_remote=True, trace_flags=flags)


def _context(span: Opened | None) -> SpanContext | None:
    return None if span is None else span.context


def _fail(span: Opened, event: Event) -> None:
    """Its kind and exit code only: sentences of errors repeat answers, outputs and what exceptions say."""
    error = event.data.get("error")
    if error:
        kind, code = str(error.get("kind")), error.get("exit_code")
        span.attributes[names.ERROR_TYPE] = kind
        span.status = Status(StatusCode.ERROR, kind if code is None else f"{kind} {code}")


def _histograms(meters: MeterProvider) -> dict[str, Histogram]:
    meter = meters.get_meter("pipe_runner")
    made = {}
    for name, unit, about, bounds in (
        (names.RUN_DURATION, "s", "How long runs take.", names.SECONDS),
        (names.NODE_DURATION, "s", "How long the last attempts of nodes take.", names.SECONDS),
        (names.CALL_DURATION, "s", "How long calls of models take.", names.SECONDS),
        (names.TOKEN_USAGE, "{token}", "Tokens of calls of models.", names.TOKENS),
    ):
        made[name] = meter.create_histogram(name, unit, about, explicit_bucket_boundaries_advisory=bounds)
    return made


def _nanoseconds(ts: str) -> int:
    at = datetime.fromisoformat(ts)
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
