"""A server that says nothing, or leaves in the middle, is told from one that can't be talked to, over TLS as well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_certificates import made

from pipe_agents.http import HttpAgent
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

Talk = Callable[[socket.socket], None]


def no_word(connection: socket.socket) -> None:
    time.sleep(3)


def no_answer(connection: socket.socket) -> None:
    connection.recv(65536)
    time.sleep(3)


def half_an_answer(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
    time.sleep(3)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.1)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    own = made(["localhost"])
    (tmp_path / "ca.pem").write_text(own.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    listening = socket.create_server(("127.0.0.1", 0))

    def start(talk: Talk, *, tls: bool, speaks: bool = True) -> str:
        context = own.server(tmp_path)

        def serve_one() -> None:
            with contextlib.suppress(OSError):
                plain, _ = listening.accept()
                with context.wrap_socket(plain, server_side=True) if tls and speaks else plain as connection:
                    talk(connection)

        threading.Thread(target=serve_one, daemon=True).start()
        return f"http{'s' if tls else ''}://localhost:{listening.getsockname()[1]}/"

    yield start
    listening.close()


def fault(bench: Any, url: str) -> NodeFault:
    async def once() -> None:
        agent = HttpAgent()
        try:
            await bench.perform(agent, {"url": url})
        finally:
            await agent.close()

    with pytest.raises(NodeFault) as caught:
        asyncio.run(once())
    return caught.value


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("talk", [no_answer, half_an_answer])
def test_a_silent_server_is_a_time_out(
    bench: Any, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch, talk: Talk, tls: bool
) -> None:
    monkeypatch.setattr("pipe_agents.http_client.IDLE_SECONDS", 0.3)
    found = fault(bench, serve(talk, tls=tls))
    assert found.kind is ErrorKind.TIMEOUT
    assert "the server was silent for too long" in found.message


def test_a_handshake_that_nobody_answers_is_no_connection_in_time(
    bench: Any, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipe_agents.http_client.CONNECT_SECONDS", 0.3)
    found = fault(bench, serve(no_word, tls=True, speaks=False))
    assert found.kind is ErrorKind.UNAVAILABLE
    assert "no connection in time" in found.message


def test_a_handshake_that_breaks_off_is_a_connection_that_failed(bench: Any, serve: Callable[..., str]) -> None:
    found = fault(bench, serve(reset, tls=True, speaks=False))
    assert found.kind is ErrorKind.UNAVAILABLE
    assert "connection reset by peer" in found.message


def test_a_server_that_speaks_no_tls_is_no_secure_connection(bench: Any, serve: Callable[..., str]) -> None:
    found = fault(bench, serve(lambda connection: connection.sendall(b"hello, who is there?"), tls=True, speaks=False))
    assert found.kind is ErrorKind.HTTP
    assert "no secure connection" in found.message
