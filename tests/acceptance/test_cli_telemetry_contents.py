"""What goes to collectors holds no content: a canary stands in all that a run reads, says and fails with."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from model_servers import OPENAI, Said, Service

if TYPE_CHECKING:
    from conftest import Shell

CANARY = "Jane Roe"
TOOL = "{agent: python, name: fail, with: {call: 'f.py:fail'}}"
NODE = "agent: llm, provider: service, continue_on_error: true"
PIPELINE = f"""
version: 1
inputs: {{who: {{type: string}}}}
nodes:
  misfit: {{{NODE}, with: {{prompt: "{{{{ inputs.who }}}}", output_schema: {{type: object}}, max_reasks: 0}}}}
  cut: {{{NODE}, with: {{prompt: "cut {{{{ inputs.who }}}}", max_tokens: 5}}}}
  refused: {{{NODE}, with: {{prompt: "refuse {{{{ inputs.who }}}}"}}, retry: {{max_attempts: 2, delay: 0s}}}}
  away: {{{NODE}, with: {{prompt: "http {{{{ inputs.who }}}}"}}, needs: [refused]}}
  uses: {{{NODE}, with: {{prompt: "use {{{{ inputs.who }}}}", tools: [{TOOL}]}}}}
  raises: {{agent: python, with: {{call: "f.py:fail", args: ["{{{{ inputs.who }}}}"]}}, continue_on_error: true}}
  prints: {{run: 'echo {{{{ inputs.who }}}} | tee /dev/stderr; exit 3', continue_on_error: true}}
  page: {{agent: http, with: {{url: "URL/page/error"}}, continue_on_error: true}}
  ends: {{needs: [misfit, cut, away, uses, raises, prints, page], run: 'echo {{{{ inputs.who }}}} >&2; exit 4'}}
outputs: {{who: "{{{{ inputs.who }}}}"}}
"""


class Collector(http.server.BaseHTTPRequestHandler):
    got: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()
        self.wfile.write(CANARY.encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[str]:
    Collector.got = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_s4_no_prompt_answer_output_or_sentence_of_an_error_goes_to_a_collector(pipe: Shell, collector: str) -> None:
    service = Service()
    try:

        def choose(asked: Any) -> Any:
            said = str(OPENAI.heard(asked.data)["messages"])
            if "http" in said:
                return OPENAI.declines("long", CANARY)
            if f"use {CANARY}" in said and "fail" not in said:
                return OPENAI.either(Said((), [("1", "fail", {"who": CANARY})], "tool_calls"))(asked)
            finish = "length" if "cut" in said else "refused" if "refuse" in said else "stop"
            return OPENAI.either(Said((f"patient {CANARY}",), finish=finish))(asked)

        service.decides(choose)
        entry = json.dumps({"type": "openai", "model": "m", **OPENAI.options(service.url)})
        pipe.write("pipe.yml", f"version: 1\nproviders:\n  service: {entry}\n")
        pipe.write("f.py", "def fail(who: str) -> str:\n    raise RuntimeError('no ' + who)\n")
        pipe.write("p.yml", PIPELINE.replace("URL", collector))
        env = {**OPENAI.environ("key-0123456789"), "OTEL_EXPORTER_OTLP_ENDPOINT": collector}
        done = pipe.alone("run", "p.yml", "-i", f"who={CANARY}", env=env)
    finally:
        service.close()
    assert done.returncode == 1, done.stderr
    log = [json.loads(line) for line in pipe.log().splitlines()]
    failed = {event["node"]: event["error"] for event in log if event["event"] == "node.failed"}
    assert set(failed) == {"misfit", "cut", "refused", "away", "raises", "prints", "page", "ends"}, failed
    told = {node for node, error in failed.items() if CANARY in json.dumps(error)}
    assert told >= {"misfit", "away", "raises", "prints", "ends"}, failed
    sent = b"".join(Collector.got)
    assert CANARY.encode() not in sent
    assert b"misfit attempt 1" in sent
    assert b"exit 4" in sent
    assert b"execute_tool fail" in sent
