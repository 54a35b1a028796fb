"""Sets the SDK up as the `OTEL_…` variables say, once for a process, which may have several runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from random import SystemRandom
from typing import Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from pipe_runner import __version__
from pipe_runner.plan import NOTHING
from pipe_runner.telemetry.ids import ChosenIds
from pipe_runner.telemetry.sink import TelemetrySink, send
from pipe_runner.telemetry.wanted import exporters
from pipe_runner.traces import Trace, trace_from

BATCH: Final = 2048
"""Spans that are sent together, at most."""
_GROUPS = {"traces": "opentelemetry_traces_exporter", "metrics": "opentelemetry_metrics_exporter"}


def open_telemetry(trace: Trace, environ: Mapping[str, str], warn: Callable[[str], None]) -> TelemetrySink:
    """What listens to the one run of a process."""
    return Telemetry(environ, warn).listen(trace)


class Telemetry:
    """Exporters and what is before them. One that can't be had is told, and fails no run."""

    def __init__(self, environ: Mapping[str, str], warn: Callable[[str], None]) -> None:
        """Raises what the SDK raises of its variables."""
        logger = logging.getLogger("opentelemetry")
        once = _Once(warn)
        logger.addHandler(once)
        logger.propagate = False
        named = {"service.name": environ.get("OTEL_SERVICE_NAME") or "pipe-runner", "service.version": __version__}
        resource = Resource.create(named)
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        traces = _exporters("traces", environ, warn)
        self._sends_spans = bool(traces)
        for exporter in traces:
            self._tracers.add_span_processor(_processor(exporter, environ, warn))
        readers = [_reader(one, warn) for one in _exporters("metrics", environ, warn)]
        self._meters = MeterProvider(readers, resource, shutdown_on_exit=False) if readers else None
        self._environ, self._warn = environ, once.tell
        self._sinks: list[TelemetrySink] = []

    def listen(self, trace: Trace, about: Mapping[str, str] = NOTHING) -> TelemetrySink:
        """What listens to a run, whose ids are those of the trace; `about` are attributes of its span."""
        trace.made = self._sends_spans
        return TelemetrySink(trace, ChosenIds(trace.id), self._tracers, self._meters, self._warn, about)

    def beside(self, about: Mapping[str, str]) -> TelemetrySink:
        """What listens to a run that is one of many, in a trace of its own or in that which this process is in. It is
        `over` with its run, and sent with the others."""
        sink = self.listen(trace_from(self._environ, SystemRandom().getrandbits), about)
        self._sinks = [*(one for one in self._sinks if not one.is_made), sink]
        return sink

    def close(self) -> None:
        """Send what is left of all runs."""
        for sink in self._sinks:
            sink.ended()
        send(self._tracers, self._meters, self._warn)


class _Once(logging.Handler):
    """Tells the first thing that the SDK complains of; it repeats itself with every attempt."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn: Callable[[str], None] | None = warn

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(f"telemetry: {record.getMessage()[:300]}")

    def tell(self, line: str) -> None:
        warn, self._warn = self._warn, None
        if warn is not None:
            warn(line)


def _processor(exporter: Any, environ: Mapping[str, str], warn: Callable[[str], None]) -> BatchSpanProcessor:
    try:
        return BatchSpanProcessor(exporter, **_batches(environ))
    except ValueError as error:
        warn(f"telemetry: the OTEL_BSP_… variables can't be used, what is built in is: {error}")
        every, patience = 5000, 30_000
        return BatchSpanProcessor(exporter, 4 * BATCH, every, BATCH, patience)


def _reader(exporter: Any, warn: Callable[[str], None]) -> PeriodicExportingMetricReader:
    try:
        return PeriodicExportingMetricReader(exporter)
    except ValueError as error:
        warn(f"telemetry: the OTEL_METRIC_EXPORT_… variables can't be used, what is built in is: {error}")
        return PeriodicExportingMetricReader(exporter, 60_000, 30_000)


def _batches(environ: Mapping[str, str]) -> dict[str, Any]:
    """Larger ones than the SDK's, so that those of a short run are put into bytes when it has ended and nobody waits
    for that; as the variables say where somebody set them."""
    if any(name in environ for name in ("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")):
        return {}
    return {"max_export_batch_size": BATCH, "max_queue_size": 4 * BATCH}


def _exporters(signal: str, environ: Mapping[str, str], warn: Callable[[str], None]) -> list[Any]:
    found = []
    for name in exporters(environ, signal):
        try:
            found.append(_exporter(signal, name, environ))
        except Exception as error:  # what an exporter of somebody's raises when it is made
            warn(f"telemetry: the exporter {name!r} of {signal} can't be used: {error}")
    return found


def _exporter(signal: str, name: str, environ: Mapping[str, str]) -> Any:
    if name == "console":  # stdout is for results
        return ConsoleSpanExporter(out=sys.stderr) if signal == "traces" else ConsoleMetricExporter(out=sys.stderr)
    if name == "otlp":
        protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or environ.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
        )
        name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    for point in entry_points(group=_GROUPS[signal], name=name):
        made = point.load()
        if name != "otlp_proto_http" or any(one.endswith("_CREDENTIAL_PROVIDER") for one in environ):
            return made()
        from pipe_runner.telemetry.sending import BoundedSession

        return made(session=BoundedSession())
    hint = "pip install 'pipe-runner[otlp]'" if name == "otlp_proto_http" else f"install the package that has {name}"
    raise LookupError(f"it is not installed: {hint}")
