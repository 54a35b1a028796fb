"""A small HTTP server whose answers a test sets, over TCP, TLS or a unix socket."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    value: Any = None
    status: int = 200
    raw: bytes | None = None
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        return json.dumps(self.value).encode() if self.raw is None else self.raw


Answers = Callable[[Request], Reply]


class HttpServer:
    """Answers each request by a function, in a thread of its own; `asked` has them all."""

    def __init__(self, answers: Answers, *, uds: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Request] = []
        self._open = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if tls is not None:
                    self.request.settimeout(10)
                    self.request.do_handshake()
                with contextlib.suppress(OSError, ValueError):
                    while (request := _read(self.rfile)) is not None:
                        outer.asked.append(request)
                        reply = answers(request)
                        until = time.monotonic() + reply.delay
                        while time.monotonic() < until and not outer._open.is_set():
                            time.sleep(0.01)
                        data = reply.data()
                        lines = [f"HTTP/1.1 {reply.status} said", f"content-length: {len(data)}"]
                        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
                        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

        class Quiet(socketserver.ThreadingMixIn):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        class Unix(Quiet, socketserver.UnixStreamServer):
            pass

        class Tcp(Quiet, socketserver.TCPServer):
            def get_request(self) -> tuple[Any, Any]:
                connection, address = super().get_request()
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                return connection, address

        self._server: Any = Unix(uds, Handler) if uds else Tcp(("127.0.0.1", 0), Handler)
        self._uds = uds
        self.port = 0 if uds else int(self._server.server_address[1])
        self.url = f"unix://{uds}" if uds else f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._uds:
            os.unlink(self._uds)


@contextlib.contextmanager
def serving(answers: Answers, *, uds: str | None = None, tls: ssl.SSLContext | None = None) -> Iterator[HttpServer]:
    server = HttpServer(answers, uds=uds, tls=tls)
    try:
        yield server
    finally:
        server.close()


def _read(file: Any) -> Request | None:
    line = file.readline(65536).decode("latin-1").strip()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers: dict[str, str] = {}
    while header := file.readline(65536).decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    parts = urlsplit(target)
    body = file.read(int(headers.get("content-length", 0)))
    return Request(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)
