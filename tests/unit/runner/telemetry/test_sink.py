"""Spans of a run: run → node → attempt → call, under the ids that commands were told, and without any content."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from pipe_runner.ports import Event
from pipe_runner.telemetry.ids import ChosenIds
from pipe_runner.telemetry.sink import LEAST_AT_ONCE, MOST, TelemetrySink, at_once
from pipe_runner.telemetry.wanted import exporters, wanted
from pipe_runner.traces import Trace, trace_from
from pipe_runner.types import EventKind

ID = "0af7651916cd43dd8448eb211c80319c"


class Told:
    """A sink that is told events, and the spans that it made."""

    def __init__(self, trace: Trace | None = None, sampler: Sampler | None = None) -> None:
        self.trace = trace or Trace(ID)
        self.exporter = InMemorySpanExporter()
        ids = ChosenIds(self.trace.id)
        tracers = TracerProvider(id_generator=ids, sampler=sampler)
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.sink = TelemetrySink(self.trace, ids, tracers, MeterProvider([self.reader]))
        self.seq = 0

    def tell(self, kind: EventKind, node: str | None = None, attempt: int | None = None, **data: Any) -> None:
        self.seq += 1
        stamp = f"2026-01-01T00:00:{self.seq:02}.000000Z"
        self.sink.accept(Event(self.seq, stamp, "r1", kind, node, attempt, data))

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


def whole(told: Told) -> None:
    told.tell(EventKind.RUN_STARTED, pipeline="triage")
    told.trace.spans["ask", 1] = "00f067aa0ba902b7"
    told.tell(EventKind.NODE_STARTED, "ask", 1)
    told.tell(
        EventKind.MODEL_CALLED,
        "ask",
        1,
        call="1.1",
        provider="bedrock",
        model="m",
        duration_s=0.5,
        tokens={"input": 10, "output": 5, "cached": 2},
        cost=0.25,
        finish="stop",
    )
    told.tell(EventKind.TOOL_CALLED, "ask", 1, tool="now", source="mcp:time", duration_s=0.1)
    told.tell(EventKind.NODE_RETRYING, "ask", 1, error={"kind": "invalid_output", "message": "no"}, delay_s=1.0)
    told.trace.spans["ask", 2] = "00f067aa0ba902b8"
    told.tell(EventKind.NODE_STARTED, "ask", 2)
    told.tell(EventKind.NODE_SUCCEEDED, "ask", 2, output="canary of the output", duration_s=1.0)
    told.tell(EventKind.RUN_FINISHED, status="succeeded", duration_s=9.0)
    told.sink.close()


def test_spans_stand_in_each_other_under_the_ids_that_were_told() -> None:
    told = Told()
    whole(told)
    spans = told.spans
    parents = {name: span.parent.span_id if span.parent else None for name, span in spans.items()}
    ids = {name: span.get_span_context().span_id for name, span in spans.items()}  # type: ignore[union-attr]
    assert {f"{span.get_span_context().trace_id:032x}" for span in spans.values()} == {ID}  # type: ignore[union-attr]
    assert f"{ids['ask attempt 1']:016x}" == "00f067aa0ba902b7"
    assert f"{ids['ask attempt 2']:016x}" == "00f067aa0ba902b8"
    assert parents["run triage"] is None
    assert parents["ask"] == ids["run triage"]
    assert parents["ask attempt 1"] == parents["ask attempt 2"] == ids["ask"]
    kinds = {name: span.kind for name, span in spans.items()}
    assert (kinds["chat m"], kinds["execute_tool now"]) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert parents["chat m"] == parents["execute_tool now"] == ids["ask attempt 1"]
    assert spans["ask attempt 1"].status.status_code is StatusCode.ERROR
    assert spans["ask"].status.status_code is StatusCode.UNSET


def test_calls_of_models_follow_the_conventions() -> None:
    told = Told()
    whole(told)
    attributes = dict(told.spans["chat m"].attributes or {})
    assert attributes["gen_ai.provider.name"] == "aws.bedrock"
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.usage.input_tokens"] == 10
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    span = told.spans["chat m"]
    assert (span.end_time or 0) - (span.start_time or 0) == 500_000_000
    data: Any = told.reader.get_metrics_data()
    found = {metric.name for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics}
    assert found == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "pipe.node.duration",
        "pipe.run.duration",
    }


def test_s4_no_output_is_in_any_span() -> None:
    told = Told()
    whole(told)
    assert "canary" not in "".join(span.to_json() for span in told.spans.values())


def test_s4_no_sentence_of_an_error_is_in_any_span_or_metric() -> None:
    told = Told()
    canary = {"message": "canary", "tail": "canary"}
    told.tell(EventKind.RUN_STARTED, pipeline="p")
    told.tell(EventKind.NODE_STARTED, "ask", 1)
    call = {"call": "1.1", "provider": "x", "model": "m", "duration_s": 0.5}
    told.tell(EventKind.MODEL_CALLED, "ask", 1, **call, error={"kind": "refused", **canary})
    told.tell(EventKind.TOOL_CALLED, "ask", 1, tool="now", source="mcp:time", failed=True)
    told.tell(EventKind.NODE_RETRYING, "ask", 1, error={"kind": "invalid_output", **canary}, delay_s=1.0)
    told.tell(EventKind.NODE_STARTED, "ask", 2)
    told.tell(EventKind.NODE_FAILED, "ask", 2, error={"kind": "exit", "exit_code": 3, **canary}, reason="canary")
    told.tell(EventKind.RUN_FINISHED, status="failed", error={"kind": "template", **canary}, outputs={"x": "canary"})
    told.sink.close()
    spans = told.spans
    assert {name: span.status.description for name, span in spans.items()} == {
        "run p": "template",
        "ask": "exit 3",
        "ask attempt 1": "invalid_output",
        "ask attempt 2": "exit 3",
        "chat m": "refused",
        "execute_tool now": None,
    }
    assert {span.status.status_code for name, span in spans.items() if name != "execute_tool now"} == {StatusCode.ERROR}
    assert (spans["run p"].attributes or {})["error.type"] == "template"
    data: Any = told.reader.get_metrics_data()
    assert "canary" not in "".join(span.to_json() for span in spans.values()) + data.to_json()


def test_items_and_nodes_of_sub_pipelines_stand_under_their_owners() -> None:
    told = Told()
    told.tell(EventKind.RUN_STARTED, pipeline="p")
    for node in ("probe", "probe[a.b[c]]", "deploy", "deploy.build", "deploy.build[x]"):
        told.tell(EventKind.NODE_STARTED, node, 1)
    for node in ("probe[a.b[c]]", "probe", "deploy.build[x]", "deploy.build", "deploy"):
        told.tell(EventKind.NODE_SUCCEEDED, node, 1)
    told.tell(EventKind.RUN_FINISHED, status="succeeded")
    told.sink.close()
    spans = told.spans
    ids = {span.get_span_context().span_id: name for name, span in spans.items()}  # type: ignore[union-attr]
    owners = {name: ids[span.parent.span_id] if span.parent else None for name, span in spans.items()}
    assert owners["probe[a.b[c]]"] == "probe"
    assert owners["deploy.build[x]"] == "deploy.build"
    assert owners["deploy.build"] == "deploy"
    assert owners["deploy"] == "run p"


def test_a_run_that_somebody_started_within_a_trace_is_part_of_it() -> None:
    environ = {"TRACEPARENT": f"00-{ID}-b7ad6b7169203331-01"}
    told = Told(trace_from(environ, lambda bits: 1))
    whole(told)
    parent = told.spans["run triage"].parent
    assert parent is not None
    assert f"{parent.span_id:016x}" == "b7ad6b7169203331"


@pytest.mark.parametrize(("sampler", "made"), [(None, False), (ALWAYS_ON, True)])
def test_a_run_within_a_trace_that_is_not_recorded_makes_no_spans(sampler: Sampler | None, made: bool) -> None:
    told = Told(trace_from({"TRACEPARENT": f"00-{ID}-b7ad6b7169203331-00"}, lambda bits: 1), sampler)
    whole(told)
    assert bool(told.spans) is made, "unless a sampler says so"


@pytest.mark.parametrize("text", ["", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", f"ff-{ID}-b7ad6b7169203331-01"])
def test_what_is_no_trace_context_begins_a_new_trace(text: str) -> None:
    trace = trace_from({"TRACEPARENT": text}, lambda bits: 7)
    assert (trace.id, trace.parent) == (f"{7:032x}", "")


def test_what_is_open_is_ended_when_the_run_is_let_go() -> None:
    told = Told()
    told.tell(EventKind.RUN_STARTED, pipeline="p")
    told.tell(EventKind.NODE_STARTED, "a", 1)
    told.sink.close()
    assert set(told.spans) == {"run p", "a", "a attempt 1"}


@pytest.mark.parametrize(
    ("environ", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "console"}, False),
    ],
)
def test_telemetry_is_on_when_the_usual_variables_say_so(environ: dict[str, str], is_wanted: bool) -> None:
    assert wanted(environ) is is_wanted


def test_exporters_are_named_as_the_specification_says() -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp, console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    assert exporters(environ, "traces") == ("otlp", "console")
    assert exporters(environ, "metrics") == ("otlp",)


def test_a_sampler_decides_which_spans_there_are() -> None:
    for sampler, there in ((ALWAYS_OFF, False), (ParentBased(TraceIdRatioBased(1.0)), True)):
        told = Told(sampler=sampler)
        whole(told)
        told.sink.close()
        assert ("ask attempt 1" in told.spans) is there
        if there:
            spans = told.spans
            parent = spans["ask attempt 1"].parent
            assert parent is not None
            assert parent == spans["ask"].context


def test_limits_of_attributes_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    told = Told()
    whole(told)
    told.sink.close()
    attributes = told.spans["ask attempt 1"].attributes
    assert attributes is not None
    assert attributes["pipe.status"] == "ret"


def test_spans_go_out_in_larger_batches_unless_a_variable_says_otherwise() -> None:
    from pipe_runner.telemetry.opening import _batches

    assert _batches({})["max_export_batch_size"] > 512
    assert _batches({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}) == {}


@pytest.mark.parametrize("jumped", ["10:00", "12:00"])
def test_c3_no_span_ends_before_it_begins_or_lasts_longer_where_the_clock_is_set(jumped: str) -> None:
    told = Told()
    events: list[tuple[str, EventKind, str | None, dict[str, Any]]] = [
        ("11:00:00", EventKind.RUN_STARTED, None, {"pipeline": "p"}),
        ("11:00:00", EventKind.NODE_STARTED, "a", {}),
        (f"{jumped}:02", EventKind.NODE_SUCCEEDED, "a", {"duration_s": 2.0}),
        (f"{jumped}:02", EventKind.NODE_STARTED, "b", {}),
        (f"{jumped}:05", EventKind.NODE_SUCCEEDED, "b", {"duration_s": 3.0}),
        (f"{jumped}:05", EventKind.RUN_FINISHED, None, {"status": "succeeded", "duration_s": 5.0}),
    ]
    for seq, (at, kind, node, data) in enumerate(events, 1):
        told.sink.accept(Event(seq, f"2026-01-01T{at}.000000Z", "r1", kind, node, 1 if node else None, data))
    told.sink.close()
    start = told.spans["run p"].start_time or 0
    found = {n: ((s.start_time or 0) - start, (s.end_time or 0) - start) for n, s in told.spans.items()}
    assert {name: (begin / 1e9, end / 1e9) for name, (begin, end) in found.items()} == {
        "run p": (0, 5), "a": (0, 2), "a attempt 1": (0, 2), "b": (2, 5), "b attempt 1": (2, 5)
    }  # fmt: skip


def test_no_span_of_a_burst_is_made_while_it_goes_on_unless_too_many_events_wait() -> None:
    assert at_once(waiting=200, came=100, seconds=0.1) == 0
    assert at_once(waiting=MOST, came=100, seconds=0.1) >= MOST // 100
    assert at_once(waiting=200, came=5, seconds=0.1) == LEAST_AT_ONCE
