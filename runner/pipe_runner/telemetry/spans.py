"""Spans in the form that exporters take, made when they have ended.

The SDK's own are open to everybody while they last, and pay for that with locks, and with checks of every attribute.
These are written by one thread, from attributes that are known to be right, which takes a fifth of the time. Samplers
and limits are the SDK's.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import trace as otel
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from pipe_runner.telemetry.ids import ChosenIds

_MOST_ATTRIBUTES: Final = 32
"""More than any span of ours has."""
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_FINE: Final = Status(StatusCode.UNSET)


class Opened:
    """A span that has begun; its maker sets `attributes` and `status` until it ends."""

    __slots__ = ("attributes", "context", "kind", "name", "parent", "recorded", "start", "status")

    def __init__(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: dict[str, Any],
        start: int,
        recorded: bool,
    ) -> None:
        self.name, self.context, self.parent, self.kind = name, context, parent, kind
        self.attributes, self.start, self.recorded = attributes, start, recorded
        self.status = _FINE


class Spans:
    """Begins and ends the spans of one trace, for one thread at a time."""

    def __init__(self, ids: ChosenIds, tracers: TracerProvider) -> None:
        tracer: Any = tracers.get_tracer("pipe_runner")
        self._ids, self._sampler, self._resource = ids, tracer.sampler, tracer.resource
        self._end = tracer.span_processor.on_end
        self._scope = InstrumentationScope("pipe_runner", "", "")
        limits = SpanLimits()
        self._most, self._longest = limits.max_span_attributes, limits.max_span_attribute_length
        self._bounded = self._longest is not None or (self._most is not None and self._most < _MOST_ATTRIBUTES)

    def recorded(self, parent: SpanContext | None) -> bool:
        """Whether a trace that begins now is; the ids alone decide that, for all samplers that variables name."""
        return self.begin("run", parent, 0, {}).context.trace_flags.sampled

    def begin(
        self,
        name: str,
        parent: SpanContext | None,
        start: int,
        attributes: dict[str, Any],
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Opened:
        """A span that began at `start`, in nanoseconds."""
        trace = self._ids.generate_trace_id() if parent is None else parent.trace_id
        recorded, flags, state = True, _SAMPLED, None
        if self._sampler is not DEFAULT_ON or not (parent is None or parent.trace_flags.sampled):
            above = Context() if parent is None else otel.set_span_in_context(NonRecordingSpan(parent))
            said = self._sampler.should_sample(above, trace, name, kind, attributes, ())
            recorded, state = said.decision.is_recording(), said.trace_state
            flags = _SAMPLED if said.decision.is_sampled() else TraceFlags(TraceFlags.DEFAULT)
            attributes = dict(said.attributes or {})
        own = SpanContext(trace, self._ids.generate_span_id(), False, flags, state)
        return Opened(name, own, parent, kind, attributes, start, recorded)

    def end(self, span: Opened, at: int) -> None:
        if not span.recorded:
            return
        attributes: Any = span.attributes
        if self._bounded:
            attributes = BoundedAttributes(self._most, attributes, max_value_len=self._longest)
        made = ReadableSpan(
            span.name,
            span.context,
            span.parent,
            self._resource,
            attributes,
            kind=span.kind,
            status=span.status,
            start_time=span.start,
            end_time=at,
            instrumentation_scope=self._scope,
        )
        self._end(made)
