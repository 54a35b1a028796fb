"""The wire of a provider that speaks HTTP: one pool of connections, bounded answers, every fault one of ours.

It asks once: no redirect is followed, nothing is sent again. Nothing of a request but its address gets into a fault,
and faults have no cause or context: an exception of the client library knows the headers, and so the key.
"""

from __future__ import annotations

import asyncio
import os
import select
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.payload import Payload
from yarl import URL

from pipe_providers.bounds import MOST, MOST_STREAMED
from pipe_providers.faults import Hide, excerpt, of_status
from pipe_providers.inflate import PACKED, Inflate
from pipe_providers.turns import Turns
from pipe_runner.models import ModelFault, Reason, nothing_sent

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from multidict import CIMultiDictProxy

_MOST_OF_ERROR: Final = 64 * 1024
_CONNECTIONS: Final = 512
_KEEP: Final = 4.0
"""Seconds that an unused connection is kept: shorter than servers do, since what is sent into one that is just being
closed is lost."""
_CONNECT: Final = 15.0
_AFTER_ERROR: Final = 5.0
"""Seconds in which the rest of an error's words must come."""
_LOOK: Final = 1.0
_MOMENT: Final = 0.2
_FAREWELL: Final = 0.1
"""Seconds in which the other side of a connection that was closed under TLS may say so, too."""
_PIECE: Final = 256 * 1024
_LONGEST_HEADER: Final = 64 * 1024
"""Bytes of one header of an answer: gateways add much."""
_START: Final = 12
"""Bytes by which it is told what an answer is."""
_START_MOST: Final = 1024
"""Bytes, white space included, that are looked through for these."""


class _Connection(ResponseHandler):
    """One that isn't used again where its server has closed it and the loop hasn't heard of that yet: what is sent into
    it is lost."""

    def is_connected(self) -> bool:
        if not super().is_connected() or not hasattr(select, "poll"):
            return super().is_connected()
        own = self.transport.get_extra_info("socket") if self.transport is not None else None
        if own is None:
            return True
        poll = select.poll()
        poll.register(own.fileno(), select.POLLIN)
        return not poll.poll(0)


class _Body(Payload):
    """The bytes of a request, which know whether any of them have been sent."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, content_type="application/json")
        self._size = len(data)
        self.begun = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return ""  # for those who show a request

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.begun = True
        data: bytes = self._value
        if len(data) <= _PIECE:
            await writer.write(data)
            return
        for start in range(0, len(data), _PIECE):
            await writer.write(data[start : start + _PIECE])

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await self.write(writer)


class Answer:
    """A success whose body is still to be read."""

    def __init__(self, wire: Wire, response: aiohttp.ClientResponse, deadline: float | None) -> None:
        self._wire, self._response, self._deadline = wire, response, deadline
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        self._inflate = Inflate(coding, MOST_STREAMED) if coding in PACKED else None
        self._start = b""
        self.bytes = 0

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self._response.headers

    @property
    def framed(self) -> bool:
        """Whether the service says where the body ends, so that one which is cut is seen."""
        return "Content-Length" in self.headers or (
            self._response.version != aiohttp.HttpVersion10
            and ("chunked" in self.headers.get("Transfer-Encoding", "").lower())
        )

    async def read(self) -> bytes:
        """The next bytes; none at the end. Raises ModelFault."""
        if self._start:
            start, self._start = self._start, b""
            return start
        try:
            data = await (self._next() if self._inflate is None else self._unpacked(self._inflate))
            self.bytes += len(data)
            return data
        except (TimeoutError, aiohttp.ClientError, OSError, zlib.error, ValueError) as error:
            fault = self._wire.fault(error, True, f"after {self.bytes} bytes of its answer")
        raise fault

    async def start(self) -> bytes:
        """What it begins with, white space left out; `read` still gives it. Raises ModelFault."""
        begun = b""
        while len(start := begun.lstrip()) < _START and len(begun) < _START_MOST and (data := await self.read()):
            begun += data
        self._start = begun
        return start

    async def _next(self) -> bytes:
        """The next bytes of the body as they were sent.

        Looks now and then whether the connection is still there: the client library closes it where chunks have wrong
        lengths, and lets those who wait for the body wait on.
        """
        response, deadline, now = self._response, self._deadline, asyncio.get_running_loop().time
        if there := response.content.read_nowait():
            return there  # without a timer, which costs more than the rest
        while True:
            look = now() + _LOOK
            until = look if deadline is None else min(look, deadline)
            try:
                async with asyncio.timeout_at(until):
                    return await response.content.readany()
            except TimeoutError:
                if deadline is not None and now() >= deadline:
                    raise
            connection = response.connection
            transport = None if connection is None else connection.transport
            if transport is None or transport.is_closing():
                raise aiohttp.ClientPayloadError

    async def _unpacked(self, inflate: Inflate) -> bytes:
        """The next bytes of a packed answer: of what has come already, else of what comes."""
        found = inflate.take()
        while not found and (data := await self._next()):
            found = inflate.take(data)
        return found

    async def whole(self, most: int = MOST) -> bytes:
        """All of the body. Raises ModelFault, also where it is longer than `most`."""
        parts: list[bytes] = []
        while data := await self.read():
            parts.append(data)
            if self.bytes > most:
                self.close()
                raise self._wire.too_large(most)
            if self._inflate is None and self._response.content.at_eof():
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def drain(self) -> None:
        """Wait a moment for the end of a body of which all is known that matters, so that its connection is of use."""
        content = self._response.content
        if not content.at_eof():
            try:
                async with asyncio.timeout(_MOMENT):
                    while await content.readany():
                        pass
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass

    def close(self) -> None:
        """Give the connection back where the answer was read to its end; else close it. Never waits."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
            self._wire.note_cut()


class Wire:
    """One per provider and run. `where` names the provider and its address in faults. `tls`: whom to trust, where that
    isn't as usual. `declined` makes the fault of an answer that is no success, as `of_status` does."""

    def __init__(
        self,
        where: str,
        base_url: str,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        hide: Hide,
        proxy: str | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        connections: int = _CONNECTIONS,
        declined: Callable[..., ModelFault] = of_status,
    ) -> None:
        self._tls, self._connections, self._declines = tls, connections, declined
        self._proxy = None if proxy is None else URL(str(proxy))
        self.where, self.hide = where, hide
        self._base, self._query = base_url.rstrip("/"), dict(query)
        self._headers = {"User-Agent": "pipe-runner", "Accept-Encoding": "identity", **headers}
        self._urls: dict[str, URL] = {}
        self._pool: aiohttp.ClientSession | None = None
        self._out, self._in = Turns(), Turns()
        self._closed = False
        self.trusts = "SSL_CERT_FILE"
        """The variable that names whom to trust beside the machine's own."""
        self.cut = False
        """A connection was closed in the middle of something, under TLS."""

    def __repr__(self) -> str:
        return f"Wire({self.where!r})"

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ModelFault(Reason.UNAVAILABLE, f"{self.where} is closed: the run has ended", sent=False)
        if self._pool is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=_KEEP, ttl_dns_cache=30, ssl=self._tls or True
            )
            handler: Any = partial(_Connection, loop=asyncio.get_running_loop())
            connector._factory = handler
            self._pool = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
                max_field_size=_LONGEST_HEADER,
            )
        return self._pool

    def _url(self, path: str) -> URL:
        found = self._urls.get(path)
        if found is None:
            url = URL(self._base + path, encoded=True)
            found = self._urls[path] = url.update_query(self._query) if self._query else url
        return found

    async def send(
        self, path: str, body: bytes | None, deadline: float | None, *, extra: Mapping[str, str] = {}, model: str = ""
    ) -> Answer:
        """Ask; gives the answer when its headers are there. `deadline`: on the loop's clock. Raises ModelFault, also
        for every status that is no success. `body`: JSON for a POST; None is a GET."""
        sent = None if body is None else _Body(body)
        fault: ModelFault | None = None
        try:
            await self._out.take()
            async with asyncio.timeout_at(deadline):
                response = await self._opened().request(
                    "GET" if sent is None else "POST",
                    self._url(path),
                    data=sent,
                    headers=extra or None,
                    allow_redirects=False,
                    proxy=self._proxy,
                )
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            fault = self.fault(error, sent is None or sent.begun, "before it answered")
        except BaseException as error:
            self.note_cut()
            if isinstance(error, asyncio.CancelledError) and sent is not None and not sent.begun:
                nothing_sent(error, f"{self.where}: no connection within the time; is it running?")
            raise
        if fault is not None:
            self.note_cut()
            raise fault
        await self._in.take()
        answer = Answer(self, response, deadline)
        packed = response.headers.get("Content-Encoding", "identity").strip()
        if not 200 <= response.status < 300:
            raise await self._declined(answer, response, model)
        if packed.lower() not in (*PACKED, "", "identity"):
            answer.close()
            message = f"{self.where} packs its answer as {excerpt(packed, self.hide)[:40]!r}, which nobody asked for"
            raise ModelFault(Reason.INVALID_OUTPUT, message, status=response.status)
        return answer

    async def _declined(self, answer: Answer, response: aiohttp.ClientResponse, model: str) -> ModelFault:
        """The fault of an answer that is no success, with as much of its words as come soon."""
        parts: list[bytes] = []
        soon = asyncio.get_running_loop().time() + _AFTER_ERROR
        answer._deadline = soon if answer._deadline is None else min(answer._deadline, soon)
        try:
            while answer.bytes < _MOST_OF_ERROR and (data := await answer.read()):
                parts.append(data)
        except ModelFault:
            pass  # the status says what matters
        finally:
            answer.close()
        body = b"".join(parts)[:_MOST_OF_ERROR]
        return self._declines(self.where, response.status, response.headers, body, self.hide, model=model)

    def fault(self, error: BaseException, sent: bool, when: str) -> ModelFault:
        """What the client library ran into. `sent`: bytes of the request have left."""
        unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        sent = sent and not unsent
        if isinstance(error, TimeoutError) and sent:
            message = f"{self.where} took longer than the call may, {when}; nobody knows whether it was performed"
            return ModelFault(Reason.TIMED_OUT, message)
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            why = excerpt(str(getattr(error, "certificate_error", None) or error.os_error), self.hide)
            hint = f"{self.trusts} may name a file of certificates to trust"
            message = f"{self.where}: no TLS connection can be made that may be trusted: {why}; {hint}"
            return ModelFault(Reason.NOT_FOUND, message, sent=False)
        if isinstance(error, aiohttp.InvalidURL):
            message = f"{self.where}: the address can't be used; set `base_url` to the service's own"
            return ModelFault(Reason.NOT_FOUND, message, sent=False)
        if not sent:
            why = "none within the time" if isinstance(error, TimeoutError) else self._why(error)
            to = self._proxy_of(error)
            message = f"{self.where}: no connection{to}: {why}; is it running, and is the address right?"
            return ModelFault(Reason.UNAVAILABLE, message, sent=False)
        if isinstance(error, zlib.error):
            message = f"{self.where} packed its answer in a way that can't be unpacked"
            return ModelFault(Reason.INVALID_OUTPUT, message)
        return ModelFault(Reason.UNAVAILABLE, f"{self.where} broke off {when}: {self._why(error)}")

    def _proxy_of(self, error: BaseException) -> str:
        """Names the proxy, where it is the one that can't be reached, or may be."""
        proxy = self._proxy
        if proxy is None:
            return ""
        if isinstance(error, TimeoutError):
            return f" by the proxy {proxy.raw_host}:{proxy.port}"
        if isinstance(error, aiohttp.ClientConnectorError) and (error.host, error.port) == (proxy.raw_host, proxy.port):
            return f" to the proxy {proxy.raw_host}:{proxy.port}"
        return ""

    def _why(self, error: BaseException) -> str:
        """A few words about an error, from which nothing of the request can be read."""
        cause = getattr(error, "os_error", error)
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return "the host's name can't be resolved"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, aiohttp.ClientError):
            return os.strerror(cause.errno).lower() if cause.errno and cause.errno > 0 else "it can't be reached"
        if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
            return "the connection was closed"
        if isinstance(error, aiohttp.ClientPayloadError):
            return "the connection ended before the answer did"
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return f"the proxy answered {error.status}"
        if isinstance(error, aiohttp.ClientResponseError | ValueError):
            return "what it sent is no HTTP"
        return type(error).__name__

    def note_cut(self) -> None:
        self.cut = self.cut or self._base.startswith("https:")

    def too_large(self, most: int) -> ModelFault:
        message = f"{self.where} sends more than {most // 2**20} MiB, which is more than an answer may take"
        return ModelFault(Reason.INVALID_OUTPUT, message)

    def broken(self, answer: Answer, why: str, make: Callable[..., ModelFault] = ModelFault) -> ModelFault:
        """Of a body that can't be read: it was cut, where nothing tells its end, or it is wrong."""
        if not answer.framed:
            return make(Reason.UNAVAILABLE, f"{self.where} broke off after {answer.bytes} bytes of its answer")
        return make(Reason.INVALID_OUTPUT, f"{self.where} gave an answer that can't be used: {why}")

    async def close(self) -> None:
        self._closed = True
        pool: Any = self._pool
        self._pool = None
        if pool is not None:
            await pool.close()
            if self.cut:
                await asyncio.sleep(_FAREWELL)
