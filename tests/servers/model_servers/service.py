"""A server that sends the very bytes that a test wants, when it wants them, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple


class _Cut:
    """The connection is reset here."""


CUT: Final = _Cut()
Part = bytes | float | _Cut
"""Bytes are sent, a number is waited for in seconds."""
Reply = Iterable[Part]


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


def response(
    body: bytes | str | dict[str, Any] | list[Any] = b"",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> bytes:
    """A whole answer; `length` is what it claims to have."""
    if isinstance(body, dict | list):
        body = json.dumps(body).encode()
    if isinstance(body, str):
        body = body.encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body) if length is None else length)}
    fields.update(headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def chunked(
    parts: Iterable[Part], content_type: str, headers: Mapping[str, str] | None = None, *, end: bool = True
) -> list[Part]:
    """A streamed answer: every bytes a chunk. Without `end` the last chunk never comes."""
    fields = {"Content-Type": content_type, "Transfer-Encoding": "chunked", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    out: list[Part] = [f"HTTP/1.1 200 OK\r\n{head}\r\n".encode()]
    for part in parts:
        out.append(f"{len(part):x}\r\n".encode() + part + b"\r\n" if isinstance(part, bytes) else part)
    return [*out, b"0\r\n\r\n"] if end else out


class Service:
    """Listens on loopback in a thread of its own until `close`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.asked: list[Asked] = []
        self.connections = 0
        self.in_flight = 0
        self.most = 0
        """Requests that were answered at the same time, at most."""
        self._replies: list[Reply] = [[response({}, 500)]]
        self._choose: Callable[[Asked], Reply] | None = None
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait(10)

    def answers(self, *replies: Reply | bytes) -> None:
        """From now on these replies, one after the other; the last one for ever."""
        self._choose = None
        self._replies = [[one] if isinstance(one, bytes) else list(one) for one in replies]

    def decides(self, choose: Callable[[Asked], Reply]) -> None:
        self._choose = choose

    @property
    def url(self) -> str:
        return f"http{'' if self._tls is None else 's'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(started))
        finally:
            self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: None)  # who connects tells what failed
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=64 * 2**20, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for one in list(self._tasks):
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(method, path, headers, body)
        self.asked.append(asked)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            return await self._reply(asked, writer)
        finally:
            self.in_flight -= 1

    async def _reply(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if self._choose is not None:
            parts = self._choose(asked)
        else:
            parts = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        sent = b""
        for part in [parts] if isinstance(parts, bytes) else parts:
            if isinstance(part, _Cut):
                writer.transport.abort()
                return False
            if isinstance(part, bytes):
                sent = sent or part
                writer.write(part)
                await writer.drain()
            else:
                await asyncio.sleep(part)
        return sent.startswith(b"HTTP/1.1") and b"Connection: close" not in sent
