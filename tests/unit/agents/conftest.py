"""Fakes of what the runner gives to an agent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipe_agents.shell import ShellAgent
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.ports import Agent, Attempt, Command, Context, Emit, Masker, Outcome, ProcessEnd
from pipe_runner.testing import FakeClock
from pipe_runner.types import EventKind


@dataclass
class Bench:
    """Performs attempts, and remembers what they emitted."""

    root: str
    masker: Masker = field(default_factory=NoMasking)
    policy: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    events: list[tuple[EventKind, Mapping[str, Any]]] = field(default_factory=list)

    def attempt(self, agent: str, options: Mapping[str, Any], **fields: Any) -> Attempt:
        values: dict[str, Any] = {"node": "n", "number": 1, "env": {}, "idempotency_key": "key-1", **fields}
        return Attempt(run="r1", agent=agent, options=options, root=self.root, **values)

    def context(self, emit: Emit | None = None) -> Context:
        launcher: Any = None
        return Context(
            emit=emit or (lambda kind, data: self.events.append((kind, data))),
            launcher=launcher,
            clock=FakeClock(),
            masker=self.masker,
            policy=self.policy,
            secrets=self.secrets,
            scratch=self.root,
        )

    def keep(self, *secrets: str) -> None:
        """Grant secrets to the node, and mask them."""
        self.secrets = {f"S{number}": value for number, value in enumerate(secrets)}
        self.masker = SecretMasker(self.secrets)

    def printed(self, stream: str = "stdout") -> str:
        return "".join(data["text"] for kind, data in self.events if data.get("stream") == stream)

    async def perform(self, agent: Agent, options: Mapping[str, Any], **fields: Any) -> Outcome:
        return await agent.perform(self.attempt(agent.name, options, **fields), self.context())


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Writes a file of the project; `tools/f.py` by default."""

    def put(text: str, path: str = "tools/f.py") -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return put


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(str(tmp_path))


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Answers = Callable[[Seen], bytes | Iterator[bytes]]


class RawServer:
    """An HTTP server on loopback that sends exactly the bytes that a function gives for a request."""

    def __init__(self, answers: Answers, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server.connections += 1
                with contextlib.suppress(OSError, ValueError):
                    while (seen := _request(self.rfile)) is not None:
                        server.seen.append(seen)
                        answer = answers(seen)
                        for piece in [answer] if isinstance(answer, bytes) else answer:
                            self.wfile.write(piece)
                        if not isinstance(answer, bytes):
                            return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128  # with the 5 of the library, those who come together wait for seconds
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def get_request(self) -> tuple[Any, Any]:
                connection, address = super().get_request()
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                return connection, address

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server((host, 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _request(file: Any) -> Seen | None:
    line = file.readline().decode("latin-1").strip()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers: dict[str, str] = {}
    while header := file.readline().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(method, target, headers, file.read(int(headers.get("content-length", 0))))


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer with its length; `content_type="text/plain"` becomes `content-type: text/plain`."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Starts servers; `serve(answers)` takes bytes, or a function from a request to bytes or pieces of them."""
    servers: list[RawServer] = []

    def start(answers: bytes | Answers, **options: Any) -> RawServer:
        servers.append(RawServer((lambda seen: answers) if isinstance(answers, bytes) else answers, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@dataclass
class FakeLauncher:
    """Starts nothing: remembers the command, does what `during` says, and gives the end that was asked for."""

    end: ProcessEnd
    during: Callable[[Command], None] = lambda command: None
    command: Command | None = None

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd:
        self.command = command
        self.during(command)
        return self.end


@dataclass
class Played:
    outcome: Outcome
    command: Command


@pytest.fixture
def play_shell(bench: Any) -> Callable[..., Played]:
    def perform(
        end: ProcessEnd | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        during: Callable[[Command], None] = lambda command: None,
        fields: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Played:
        launcher = FakeLauncher(end or ProcessEnd(0, None, b"", b"", 0.1), during)
        options = options if "argv" in options else {"script": "true", **options}
        attempt = bench.attempt("shell", options, **(fields or {}))
        context = bench.context()._replace(launcher=launcher)
        outcome = asyncio.run(ShellAgent(environ or {"PATH": "/bin"}).perform(attempt, context))
        assert launcher.command is not None
        return Played(outcome, launcher.command)

    return perform
