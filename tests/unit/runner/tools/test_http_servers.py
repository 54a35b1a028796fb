"""MCP servers at an address: what they answer wrongly is a sentence, and a lost session is opened anew."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import plain_mcp
import pytest

from pipe_runner.testing import Answer, FakeProvider, FinishedRun, run_pipeline
from pipe_runner.tools.settings import server_settings

ECHO = Answer(tools=[("echo", {"text": "hi"})])
HTML = (200, "text/html", b"<html>")
CUT = (0, "", b"")
BAD_JSON = (200, "application/json", b"{bad}")


class _Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of a client that has gone away."""

    def handle_error(self, *of: Any) -> None:
        pass


class Server:
    """Speaks streamable HTTP on loopback; `wrong` answers everything, `loses` is the call that ends a session."""

    def __init__(self) -> None:
        self.wrong: tuple[int, str, bytes] | None = None
        self.says: dict[str, tuple[int, str, bytes]] = {}
        """What answers a method; ID stands for that of the question."""
        self.session = ""
        self.slash = False
        """It is at `/mcp/`, and leads there."""
        self.loses = 0
        self.calls = self.sessions = 0
        self.headers: list[str] = []
        self.goodbye = threading.Event()
        """Until then nobody is let go who says goodbye."""
        self.goodbye.set()
        self.parting = 200
        """What is answered to that."""
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.headers.append(self.headers.get("authorization", ""))
                if server.says.get(asked["method"]) == CUT:
                    self.close_connection = True
                    return
                if server.slash and not self.path.endswith("/"):
                    self.reply(307, "text/plain", b"")
                    return
                self.reply(*(server.wrong or server.answer(asked)))

            def do_GET(self) -> None:
                self.reply(405, "text/plain", b"")

            def do_DELETE(self) -> None:
                server.goodbye.wait()
                self.reply(server.parting, "text/plain", b"")

            def reply(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                for name, value in (("content-type", kind), ("content-length", str(len(body)))):
                    self.send_header(name, value)
                if status == 307:
                    self.send_header("location", f"{self.path}/")
                self.send_header("mcp-session-id", server.session or f"s{server.sessions}")
                self.end_headers()
                self.wfile.write(body)

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/mcp"

    def answer(self, asked: Mapping[str, Any]) -> tuple[int, str, bytes]:
        if "id" not in asked:
            return 202, "text/plain", b""
        method, result = asked["method"], {}
        if method in self.says:
            status, kind, body = self.says[method]
            return status, kind, body.replace(b"ID", str(asked["id"]).encode())
        if method == "initialize":
            self.sessions += 1
            version, info = asked["params"]["protocolVersion"], {"name": "plain", "version": "1"}
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "tools/list":
            result = {"tools": plain_mcp.tools(changed=False)}
        elif method == "tools/call":
            self.calls += 1
            if self.calls == self.loses:
                return 404, "text/plain", b""
            result = plain_mcp.call(asked["params"]["name"], asked["params"]["arguments"])
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        return 200, "application/json", json.dumps(answer).encode()

    def close(self) -> None:
        self.goodbye.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def run(
    root: Path, url: str, *script: Any, retry: int = 1, policy: Any = None, **entry: Any
) -> tuple[FinishedRun, FakeProvider]:
    project = {"version": 1, "mcp_servers": {"s": {"url": url, **entry}}, "policy": policy or {}}
    (root / "pipe.yml").write_text(json.dumps(project))
    model = FakeProvider(*script)
    node = (
        f"{{agent: llm, provider: fake, timeout: 20s, retry: {{max_attempts: {retry}, delay: 0s}}, "
        'with: {prompt: x, tools: ["mcp:s/echo"]}}'
    )
    environ = {"WIKI": "Bearer s3cr3t-value-x"}
    text = f"version: 1\nnodes: {{a: {node}}}\n"
    return run_pipeline(text, providers={"fake": model}, root=root, environ=environ), model


def test_a_tool_is_called_and_a_secret_header_is_in_no_file(tmp_path: Path, server: Server) -> None:
    done, model = run(tmp_path, server.url, ECHO, "done", headers={"Authorization": {"from": "env", "key": "WIKI"}})
    assert done.status == "succeeded"
    assert "\nhi\n" in model.requests[-1].messages[-1].text
    assert set(server.headers) == {"Bearer s3cr3t-value-x"}
    for file in (tmp_path / ".pipe").rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes()


def test_a_server_may_lead_to_another_path_of_its_own(tmp_path: Path, server: Server) -> None:
    server.slash = True
    done, model = run(tmp_path, server.url, ECHO, "done")
    assert done.status == "succeeded", done.node("a").error
    assert "\nhi\n" in model.requests[-1].messages[-1].text


def test_a_status_that_a_call_is_answered_with_is_told_once(tmp_path: Path, server: Server) -> None:
    server.says["tools/call"] = (401, "text/plain", b"")
    done, _ = run(tmp_path, server.url, ECHO, "done")
    error = done.node("a").error
    assert error is not None
    assert error["message"] == "MCP server s answers with HTTP status 401"


def test_a_lost_session_fails_the_attempt_and_the_next_one_opens_another(tmp_path: Path, server: Server) -> None:
    server.loses = 1
    done, _ = run(tmp_path, server.url, ECHO, ECHO, "done", retry=2)
    assert (done.status, done.node("a").attempts, server.sessions) == ("succeeded", 2, 2)
    (retrying,) = [event for event in done.events if event.event == "node.retrying"]
    assert retrying.data["error"]["kind"] == "tool"


def test_x1_the_end_of_a_run_waits_little_for_a_server_that_does_not_answer_the_goodbye(
    tmp_path: Path, server: Server
) -> None:
    server.goodbye.clear()
    done, _ = run(tmp_path, server.url, ECHO, "done")
    assert done.status == "succeeded"
    (ended,) = [event for event in done.events if event.event == "node.succeeded"]
    ends = [datetime.fromisoformat(event.ts) for event in (ended, done.events[-1])]
    assert (ends[1] - ends[0]).total_seconds() < 3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ((401, "text/plain", b""), "(its last answer had HTTP status 401)"),
        ((500, "text/plain", b"boo"), "(its last answer had HTTP status 500)"),
        (HTML, "Unexpected content type: text/html"),
        (BAD_JSON, "it answers something that is no MCP"),
    ],
    ids=["401", "500", "html", "no json"],
)
def test_what_is_wrong_with_it_is_a_sentence_and_nothing_stands_on_stderr(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str], wrong: tuple[int, str, bytes], sentence: str
) -> None:
    server.wrong = wrong
    done, model = run(tmp_path, server.url, "done")
    error = done.node("a").error
    assert error is not None
    assert error["kind"] == "tool"
    message = str(error["message"])
    assert message.startswith("MCP server s can't be opened: ")
    assert sentence in message
    assert model.requests == []
    assert capfd.readouterr() == ("", "")


def test_r1_an_answer_is_read_up_to_its_bound(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipe_runner.tools.over_http.LONGEST", 2**20)
    server.wrong = (200, "application/json", b'{"jsonrpc":"2.0","id":1,"result":"' + b"x" * 2**21 + b'"}')
    done, _ = run(tmp_path, server.url, "done")
    error = done.node("a").error
    assert error is not None
    assert str(error["message"]).endswith(": it sent a message of more than 1 MiB")


def refused(done: FinishedRun) -> str:
    error = done.node("a").error
    assert error is not None
    assert error["kind"] == "tool"
    return str(error["message"])


@pytest.mark.parametrize("policy", [{}, {"http": {"proxy": False}}])
def test_a_proxy_of_the_environment_is_not_used_unless_the_policy_says_so(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, policy: Any
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    done, _ = run(tmp_path, server.url, ECHO, "done", policy=policy)
    assert done.status == "succeeded"


def test_the_proxy_that_the_policy_names_is_asked(tmp_path: Path, server: Server) -> None:
    proxy = server.url.removesuffix("/mcp")
    done, _ = run(tmp_path, "http://mcp.invalid/mcp", ECHO, "done", policy={"http": {"proxy": proxy}})
    assert done.status == "succeeded"
    assert server.calls == 1


@pytest.mark.parametrize(
    ("said", "url", "environ", "proxy"),
    [
        (False, "http://h/mcp", {"HTTP_PROXY": "http://p:1"}, ""),
        (True, "http://h/mcp", {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        (True, "https://h/mcp", {"https_proxy": "q:1", "HTTPS_PROXY": "http://other:1"}, "http://q:1"),
        (True, "https://h/mcp", {"ALL_PROXY": "http://p:1", "NO_PROXY": "h"}, ""),
        (True, "http://127.0.0.1:80/mcp", {"HTTP_PROXY": "http://p:1"}, ""),
        ("http://p:1", "http://localhost/mcp", {}, ""),
        ("http://p:1", "http://h/mcp", {"NO_PROXY": "h"}, "http://p:1"),
    ],
)
def test_which_proxy_is_used(said: Any, url: str, environ: dict[str, str], proxy: str) -> None:
    policy = {"http": {"proxy": said}}
    assert server_settings("s", {"url": url}, environ, "/", policy).proxy == proxy
    assert server_settings("s", {"url": url}, environ, "/").proxy == ""


def test_s1_the_password_of_a_proxy_is_shown_nowhere() -> None:
    environ = {"HTTP_PROXY": "http://me:s3cr%20t-x@p:1"}
    found = server_settings("s", {"url": "http://h/"}, environ, "/", {"http": {"proxy": True}})
    assert set(found.secrets) == {"s3cr%20t-x", "s3cr t-x"}


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ((403, "text/plain", b"no"), "answers with HTTP status 403"),
        ((429, "text/plain", b"later"), "answers with HTTP status 429"),
        ((500, "application/json", b"{}"), "answers with HTTP status 500"),
        (BAD_JSON, "answers something that is no MCP"),
        (HTML, "answers something that is no MCP: its content type is text/html"),
        ((200, "text/event-stream", b"event: message\ndata: {bad\n\n"), "answers something that is no MCP"),
        ((200, "application/json", b'{"jsonrpc":"2.0","id":77,"result":{}}'), "answers something that is no MCP"),
        ((200, "application/json", b'{"jsonrpc":"2.0","id":ID,"result":{"content":5}}'), "something that is no MCP"),
        ((202, "text/plain", b""), "leaves a question without an answer"),
        (CUT, "is gone: Server disconnected without sending a response"),
    ],
    ids=["403", "429", "500", "no json", "html", "no json in a stream", "id", "content", "202", "cut"],
)
def test_a_call_that_gets_no_answer_of_the_protocol_fails_the_node_with_how_it_ended(
    tmp_path: Path, server: Server, says: tuple[int, str, bytes], sentence: str
) -> None:
    server.says["tools/call"] = says
    done, model = run(tmp_path, server.url, ECHO, "done")
    message = refused(done)
    assert message.startswith("MCP server s ")
    assert sentence in message
    assert "pydantic" not in message and "\n" not in message
    assert len(model.requests) == 1


def test_one_that_knows_no_goodbye_is_not_said_to_have_failed_by_that(tmp_path: Path, server: Server) -> None:
    server.says["initialize"] = (200, "application/json", b'{"jsonrpc":"2.0","id":ID,"result":{}}')
    server.parting = 405
    assert refused(run(tmp_path, server.url)[0]) == "MCP server s can't be opened: it answers something that is no MCP"


def test_an_error_that_the_server_says_itself_is_a_result(tmp_path: Path, server: Server) -> None:
    said = b'{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"the database is busy"}}'
    server.says["tools/call"] = (500, "application/json", said)
    done, model = run(tmp_path, server.url, ECHO, "done")
    assert done.status == "succeeded"
    assert "echo: the database is busy" in model.requests[-1].messages[-1].text


def test_a_session_s_id_that_no_header_takes_is_said(tmp_path: Path, server: Server) -> None:
    server.session = "p\u00e4ng"
    done, _ = run(tmp_path, server.url, "done")
    assert "its session's id isn't ASCII" in refused(done)


def test_an_address_where_nobody_listens_is_said_without_what_may_be_secret_in_it(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "http://127.0.0.1:9/s3cr3t-part/mcp", "done")
    message = refused(done)
    assert "http://127.0.0.1:9 can't be reached" in message
    assert "s3cr3t" not in message
