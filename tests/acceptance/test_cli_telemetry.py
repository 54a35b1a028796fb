"""Telemetry of whole runs: a real collector's protocol, the trace that commands are told, and runs that need none."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from conftest import Shell

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PIPELINE = """
version: 1
nodes:
  a: {run: 'echo "$TRACEPARENT"'}
  b: {run: "echo {{ nodes.a.output }}; exit 3"}
outputs: {told: "{{ nodes.a.output }}"}
"""


class Collector(http.server.BaseHTTPRequestHandler):
    got: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).got.append((self.path, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[str]:
    Collector.got = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_collector_gets_the_spans_of_a_run_and_commands_know_theirs(
    pipe: Shell, tmp_path: Path, collector: str
) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    done = pipe.alone("run", "p.yml", env=env)
    assert done.returncode == 1, done.stderr
    by_name = {span.name: span for span in _spans()}
    assert set(by_name) == {"run p", "a", "a attempt 1", "b", "b attempt 1"}
    _, trace, span, _ = _told(pipe)
    assert by_name["a attempt 1"].trace_id.hex() == trace
    assert by_name["a attempt 1"].span_id.hex() == span
    assert by_name["b"].status.code == 2
    assert "/v1/metrics" in {path for path, _ in Collector.got}


def _spans() -> list[Any]:
    """All spans that the collector got."""
    bodies = [ExportTraceServiceRequest.FromString(body) for path, body in Collector.got if path == "/v1/traces"]
    return [s for body in bodies for r in body.resource_spans for scope in r.scope_spans for s in scope.spans]


def _attributes(span: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


EVAL = """
version: 1
cases: [{name: first one, inputs: {word: a}}, {name: second, inputs: {word: b}}]
samples: 3
concurrency: 3
early_stop: false
graders: {same: {expression: "'-' in output.said"}}
"""
SAYS = """
version: 1
inputs: {word: {type: string}}
nodes: {a: {run: 'echo "$TRACEPARENT"'}, b: {run: 'echo {{ inputs.word }}'}}
outputs: {said: "{{ nodes.a.output }}"}
"""


@pytest.mark.parametrize("within", [False, True])
def test_a_collector_gets_the_spans_of_each_run_of_an_evaluation_with_its_case(
    pipe: Shell, tmp_path: Path, collector: str, within: bool
) -> None:
    (tmp_path / "p.yml").write_text(SAYS)
    (tmp_path / "p.eval.yml").write_text(EVAL)
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    done = pipe.alone(
        "eval", "p.eval.yml", env={**env, **({"TRACEPARENT": f"00-{trace}-{parent}-01"} if within else {})}
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    spans = _spans()
    runs = {span.span_id: _attributes(span) for span in spans if span.name == "run p"}
    assert sorted(run["pipe.run.id"] for run in runs.values()) == [
        f"{name}.{number}" for name in ("first-one", "second") for number in (1, 2, 3)
    ]
    assert {run["pipe.run.id"][:-2]: run["pipe.eval.case"] for run in runs.values()} == {
        "first-one": "first one",
        "second": "second",
    }
    nodes = [span for span in spans if span.name in ("a", "b")]
    assert len(nodes) == 12
    assert all(sum(node.parent_span_id == run for node in nodes) == 2 for run in runs)
    traces = {span.trace_id.hex() for span in spans}
    assert traces == {trace} if within else len(traces) == 6
    assert [path for path, _ in Collector.got].count("/v1/metrics") == 1, "all runs are measured together"


@pytest.mark.slow
def test_a_collector_that_is_gone_fails_no_evaluation_and_holds_it_up_once(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(SAYS)
    (tmp_path / "p.eval.yml").write_text(EVAL)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
    began = time.monotonic()
    done = pipe.alone("eval", "p.eval.yml", env=env)
    assert time.monotonic() - began < 20
    assert done.returncode == 0, done.stdout
    assert done.stderr.count("warning: telemetry:") == 1


@pytest.mark.parametrize("flags", ["00", "01"])
def test_commands_are_told_whether_their_trace_is_recorded(pipe: Shell, tmp_path: Path, flags: str) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    trace = "0af7651916cd43dd8448eb211c80319c"
    env = {"OTEL_TRACES_EXPORTER": "console", "TRACEPARENT": f"00-{trace}-b7ad6b7169203331-{flags}"}
    assert ('"pipe.node.id"' in pipe.alone("run", "p.yml", env=env).stderr) is (flags == "01")
    assert _told(pipe)[1::2] == [trace, flags]


@pytest.mark.parametrize(("sampler", "flags"), [("always_off", "00"), ("parentbased_always_off", "01")])
def test_commands_are_told_what_a_sampler_decides(pipe: Shell, tmp_path: Path, sampler: str, flags: str) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    env = {"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": sampler, "TRACEPARENT": PARENT}
    assert ('"pipe.node.id"' in pipe.alone("run", "p.yml", env=env).stderr) is (flags == "01")
    assert _told(pipe)[3] == flags


@pytest.mark.parametrize(("exporter", "sampler"), [("none", "always_on"), ("nobody-has-it", "always_off")])
def test_where_metrics_alone_are_sent_commands_are_part_of_what_started_the_run(
    pipe: Shell, tmp_path: Path, exporter: str, sampler: str
) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    env = {"OTEL_TRACES_EXPORTER": exporter, "OTEL_METRICS_EXPORTER": "console", "OTEL_TRACES_SAMPLER": sampler}
    pipe.alone("run", "p.yml", env={**env, "TRACEPARENT": PARENT})
    assert _told(pipe) == PARENT.split("-")
    shutil.rmtree(pipe.folder / ".pipe")
    pipe.alone("run", "p.yml", env=env)
    assert len(_told(pipe)[2]) == 16, "one is made up where nobody started the run in a trace"


@pytest.mark.parametrize("flags", ["00", "01"])
def test_where_no_spans_are_made_commands_are_part_of_what_started_the_run(
    pipe: Shell, tmp_path: Path, flags: str
) -> None:
    (tmp_path / "in.yml").write_text(PIPELINE)
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {pipeline: in.yml}}\n")
    parent = f"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"
    pipe.alone("run", "p.yml", env={"TRACEPARENT": parent})
    told = [event["output"] for line in pipe.log().splitlines() if (event := json.loads(line)).get("output")]
    assert told[0].strip() == parent


def test_where_no_spans_are_made_commands_of_an_evaluation_are_part_of_what_started_it(
    pipe: Shell, tmp_path: Path
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    (tmp_path / "p.yml").write_text(PIPELINE.replace("; exit 3", ""))
    graders = f"graders: {{told: {{expression: output.told == '{parent}'}}}}"
    (tmp_path / "p.eval.yml").write_text(f"version: 1\ncases: [{{name: one}}]\n{graders}\n")
    assert pipe.alone("eval", "p.eval.yml", env={"TRACEPARENT": parent}).returncode == 0


def _told(pipe: Shell) -> list[str]:
    """What the command printed as its TRACEPARENT, in parts."""
    for line in pipe.log().splitlines():
        event = json.loads(line)
        if event["event"] == "node.succeeded" and event["node"] == "a":
            return str(event["output"]).split("-")
    raise AssertionError("a did not succeed")


def test_a_collector_that_is_gone_fails_no_run(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def f(): pass\n")
    (tmp_path / "p.yml").write_text(
        "version: 1\nnodes: {a: {run: echo done}, f: {agent: python, with: {call: 'f.py:f'}}}\n"
        "outputs: {x: '{{ nodes.a.output }}'}\n"
    )
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
    began = time.monotonic()
    done = pipe.alone("run", "p.yml", env=env)
    assert time.monotonic() - began < 20
    assert done.stderr.count("warning: telemetry:") == 1
    assert done.returncode == 0
    assert "done" in done.stdout


def test_an_exporter_that_is_not_installed_is_told_and_fails_no_run(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {run: 'true'}}\n")
    done = pipe("run", "p.yml", env={"OTEL_TRACES_EXPORTER": "nosuch"})
    assert done.returncode == 0
    assert "exporter 'nosuch' of traces can't be used" in done.stderr


def test_results_stay_alone_on_stdout_when_spans_go_to_the_console(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {run: echo only}}\noutputs: {x: '{{ nodes.a.output }}'}\n")
    done = pipe("run", "p.yml", "--output", "json", env={"OTEL_TRACES_EXPORTER": "console"})
    assert done.returncode == 0
    assert '"a attempt 1"' in done.stderr
    assert '"a attempt 1"' not in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-5"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-3"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "zz"),
    ],
)
@pytest.mark.few(1)
def test_a_variable_that_the_sdk_does_not_like_fails_no_run(
    pipe: Shell, tmp_path: Path, collector: str, name: str, value: str
) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {run: 'true'}}\n")
    done = pipe.alone("run", "p.yml", env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector, name: value})
    assert done.returncode == 0, done.stderr
    assert "warning: telemetry: " in done.stderr


class Floods(Collector):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 2**20)
        except OSError:
            pass


class Redirects(Collector):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(302)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()


class Silent(Collector):
    def do_POST(self) -> None:
        time.sleep(8)


@pytest.mark.few(1)
@pytest.mark.parametrize(("kind", "told"), [(Floods, ""), (Redirects, "not followed"), (Silent, "did not take all")])
def test_a_collector_that_misbehaves_costs_a_line_at_most(
    pipe: Shell, tmp_path: Path, kind: type[Collector], told: str
) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {run: 'true'}}\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_port}"
        done = pipe.alone("run", "p.yml", env={"OTEL_EXPORTER_OTLP_ENDPOINT": url})
        running.shutdown()
    assert done.returncode == 0
    assert told in done.stderr
