"""Values in an http node's URL, from the pipeline file to the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.testing import FinishedRun, run_pipeline

Serve = Callable[..., Any]


def answer(body: bytes = b"{}") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def run(root: Path, url: str, value: str, **environ: str) -> FinishedRun:
    text = f"""
version: 1
inputs: {{x: {{type: string}}}}
secrets: {{TOKEN: {{from: env}}}}
nodes:
  a:
    agent: http
    secrets: [TOKEN]
    with: {{url: "{url}"}}
"""
    return run_pipeline(text, inputs={"x": value}, root=root, environ={"TOKEN": "very-secret-value", **environ})


def test_s3_values_reach_path_and_query_whole(tmp_path: Path, serve: Serve) -> None:
    server = serve(lambda seen: answer())
    finished = run(tmp_path, server.url + "/p/{{ inputs.x }}?q={{ inputs.x }}&k={{ secrets.TOKEN }}", "a b?c&d=é#f")
    assert finished.status == "succeeded"
    assert server.seen[0].target == "/p/a%20b%3Fc&d=%C3%A9%23f?q=a%20b%3Fc%26d%3D%C3%A9%23f&k=very-secret-value"


@pytest.mark.parametrize("value", ["@127.0.0.2/", ".evil.example", "0@evil.example"])
def test_s3_no_value_changes_the_host(tmp_path: Path, serve: Serve, value: str) -> None:
    server = serve(lambda seen: answer())
    finished = run(tmp_path, server.url + "{{ inputs.x }}", value)
    assert finished.status == "failed"
    error = finished.node("a").error
    assert error is not None
    assert error["kind"] == "template"
    assert not server.seen


def test_a_file_may_say_that_the_whole_host_or_url_is_a_value(tmp_path: Path, serve: Serve) -> None:
    server = serve(lambda seen: answer())
    for url, value in (
        ("{{ inputs.x }}", server.url + "/whole?a=1"),
        ("{{ inputs.x }}/base", server.url),
        ("http://{{ inputs.x }}/host", f"127.0.0.1:{server.port}"),
        ("http://127.0.0.1:{{ inputs.x }}/port", str(server.port)),
    ):
        assert run(tmp_path, url, value).status == "succeeded"
    assert [seen.target for seen in server.seen] == ["/whole?a=1", "/base", "/host", "/port"]


def test_s4_a_secret_in_the_url_is_nowhere_in_the_log(tmp_path: Path, serve: Serve) -> None:
    server = serve(lambda seen: answer(b'{"echo": "' + seen.target.encode() + b'"}'))
    finished = run(tmp_path, server.url + "/{{ secrets.TOKEN }}", "")
    assert server.seen[0].target == "/very-secret-value"
    assert finished.output("a")["body"] == {"echo": "/***"}  # type: ignore[index, call-overload]
    assert "very-secret-value" not in "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
