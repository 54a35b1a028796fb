"""One exchange over one connection of the client library's pool, without what its sessions do around each: cookies,
redirects, tasks that write, and headers and addresses that are made anew."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

KEEP: Final = 4.0
"""Seconds that an unused connection is kept: shorter than servers do, since what is sent into one that is just being
closed is lost."""
CONNECT: Final = 15.0
_LONGEST_HEADER: Final = 64 * 1024
"""Bytes of one header of an answer: gateways add much."""
_WAYS: Final = 64


class _Connection(ResponseHandler):
    """One that isn't used again where its server has closed it and the loop hasn't heard of that yet: what is sent into
    it is lost. Nor where an answer came that nobody had asked for: it would be taken for that of the next request."""

    _poll: select.poll | None = None

    def is_connected(self) -> bool:
        if not super().is_connected() or self.should_close:
            return False
        if self._poll is None:
            own = self.transport.get_extra_info("socket") if self.transport is not None else None
            if own is None or not hasattr(select, "poll"):
                return True
            self._poll = select.poll()
            self._poll.register(own.fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Called for every chunk that is read, though there is something to resume only after a pause."""
        if self._reading_paused:
            super().resume_reading(resume_parser)


class _Way(NamedTuple):
    """What requests of one kind have in common."""

    request: ClientRequest
    """Of which the library makes connections."""
    head: bytes
    """Its first line and headers, without the end."""


class Pool:
    """Connections to one address. `headers` are those of every request. For one event loop."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        proxy: URL | None,
        tls: ssl.SSLContext | None,
        connections: int,
    ) -> None:
        self._base, self._headers, self._query, self._proxy = base, headers, query, proxy
        self._loop = asyncio.get_running_loop()
        self._connector = aiohttp.TCPConnector(
            limit=connections, keepalive_timeout=KEEP, ttl_dns_cache=30, ssl=tls or True
        )
        handler: Any = partial(_Connection, loop=self._loop)
        self._connector._factory = handler
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT)
        self._ways: dict[tuple[str, ...], _Way] = {}

    async def connect(self, path: str, body: bytes | None, extra: Mapping[str, str]) -> tuple[Connection, bytes]:
        """A connection, and the bytes of a request to send through it. `extra`: headers of this request alone. Raises
        aiohttp.ClientError, OSError, TimeoutError and ValueError."""
        method = "GET" if body is None else "POST"
        own, way = _lines(extra), self._ways.get((method, path, *extra))
        request = self._request(method, path, extra) if way is None else way.request
        connection = await self._connector.connect(request, traces=[], timeout=self._timeout)
        if way is None:  # now that the library has added what a proxy wants
            if len(self._ways) >= _WAYS:
                self._ways.clear()
            way = self._ways[method, path, *extra] = _Way(request, self._head(request, extra))
        if body is None:
            return connection, b"%b%b\r\n" % (way.head, own)
        return connection, b"%b%bContent-Length: %d\r\n\r\n%b" % (way.head, own, len(body), body)

    def _request(self, method: str, path: str, extra: Mapping[str, str]) -> ClientRequest:
        url = URL(self._base + path, encoded=True)
        url = url.update_query(self._query) if self._query else url
        own = {name.lower() for name in extra}
        headers = {name: value for name, value in self._headers.items() if name.lower() not in own}
        _lines(headers)  # before there is a connection
        ours = {"User-Agent": self._headers["User-Agent"]} if self._proxy is not None else None
        return ClientRequest(method, url, headers=headers, loop=self._loop, proxy=self._proxy, proxy_headers=ours)

    def _head(self, request: ClientRequest, extra: Mapping[str, str]) -> bytes:
        url, headers = request.url.with_user(None), request.headers.copy()
        for name in (*extra, "Content-Length"):
            headers.pop(name, None)
        if request.method == "POST" and "content-type" not in {name.lower() for name in extra}:
            headers.setdefault("Content-Type", "application/json")
        target = str(url) if request.proxy is not None and not request.is_ssl() else url.raw_path_qs
        return f"{request.method} {target} HTTP/1.1\r\n".encode() + _lines(headers)

    async def close(self) -> None:
        await self._connector.close()


def _lines(headers: Mapping[str, str]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise ValueError("a header has more than one line")
    return text.encode()


async def exchange(connection: Connection, request: bytes) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Send it; the head of the answer, and its body as it comes. Raises aiohttp.ClientError and HttpProcessingError."""
    protocol, transport = connection.protocol, connection.transport
    assert protocol is not None
    if transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(read_until_eof=True, auto_decompress=False, max_field_size=_LONGEST_HEADER)
    transport.write(request)
    while True:
        message, content = await protocol.read()
        if not 100 <= message.code < 200 or message.code == 101:
            return message, content


def let_go(connection: Connection, content: aiohttp.StreamReader) -> bool:
    """Give a connection back where all was sent and the answer was read to its end; False: it was closed. Never
    waits."""
    if content.at_eof() and not _unsent(connection.transport):
        connection.release()
        return True
    drop(connection)
    return False


def drop(connection: Connection) -> None:
    """Close it, also where somebody would have to read first what is still to be sent."""
    transport = connection.transport
    if transport is not None and _unsent(transport):
        transport.abort()
    connection.close()


def _unsent(transport: asyncio.WriteTransport | None) -> int:
    """Bytes that wait to be sent, also those that wait below TLS, of which asyncio's own count doesn't know."""
    size = 0
    while transport is not None:
        size += transport.get_write_buffer_size()
        transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return size
