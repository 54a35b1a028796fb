"""A secret that stands in the host of a URL is hidden there, too, although hosts are written in lower case."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_agents.http import HttpAgent
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Outcome
from pipe_runner.recordings.folder import Folder
from pipe_runner.recordings.recorder import Recording

Serve = Callable[..., Any]
SECRET = "HookTokenABCdef"


def perform(bench: Any, options: dict[str, Any]) -> Outcome:
    async def once() -> Outcome:
        agent = HttpAgent()
        try:
            outcome: Outcome = await bench.perform(agent, options)
            return outcome
        finally:
            await agent.close()

    return asyncio.run(once())


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("secret", "url"),
    [
        (SECRET, f"https://{SECRET}.invalid/x"),
        (SECRET, f"https://a.{SECRET}/x"),
        ("HookTökenABC", "https://HookTökenABC.invalid/x"),
        (SECRET, f"https://{SECRET} .invalid"),
        ("0x1FABCDEF", "https://0x1FABCDEF/"),
    ],
)
def test_s4_an_error_about_a_host_shows_no_secret_in_any_case(bench: Any, secret: str, url: str) -> None:
    bench.keep(secret)
    with pytest.raises(NodeFault) as caught:
        perform(bench, {"url": url})
    assert secret.lower() not in caught.value.message.lower()
    assert "xn--" not in caught.value.message


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
@pytest.mark.parametrize("size", [0, 70_000])
def test_s4_what_a_server_says_of_the_host_is_hidden_too(
    bench: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch, status: str, size: int
) -> None:
    bench.keep(SECRET)
    body = json.dumps({"host": f"{SECRET.lower()}.test", SECRET.lower(): [SECRET], "more": "x" * size}).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    server = serve(head.encode() + body)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    outcome = perform(bench, {"url": f"http://{SECRET}.test:{server.port}/"})
    said = json.dumps(outcome.output) + (outcome.error.message + str(outcome.error.tail) if outcome.error else "")
    assert SECRET.lower() not in said.lower()
    assert "***" in said


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("secret", [SECRET, "HookTökenABC"])
def test_s4_a_recording_of_a_fault_shows_no_secret_of_the_host_either(bench: Any, tmp_path: Path, secret: str) -> None:
    bench.keep(secret)
    folder = tmp_path / "kept"
    recorder = Recording(Folder(str(folder)), bench.masker)

    class Outside:
        async def exchange(self, attempt: Attempt, kind: str, asked: Any, perform: Any) -> Any:
            return await recorder.through(attempt, kind, asked, perform)

    async def once() -> None:
        agent = HttpAgent()
        outside: Any = Outside()
        attempt = bench.attempt("http", {"url": f"https://{secret}.invalid/x"})
        await agent.perform(attempt, bench.context()._replace(outside=outside))

    with pytest.raises(NodeFault):
        asyncio.run(once())
    (file,) = folder.iterdir()
    kept = file.read_text(encoding="utf-8")
    assert '"fault"' in kept
    assert secret.lower() not in kept.lower()
    assert "xn--" not in kept
