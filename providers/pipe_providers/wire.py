"""The wire of a provider that speaks HTTP: one pool of connections, bounded answers, every fault one of ours.

It asks once: no redirect is followed, nothing is sent again. Nothing of a request but its address gets into a fault,
and faults have no cause or context: an exception of the client library knows the headers, and so the key.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from pipe_providers.bounds import MOST, MOST_STREAMED
from pipe_providers.connections import Pool, drop, exchange, let_go
from pipe_providers.deadlines import Deadlines
from pipe_providers.faults import Hide, excerpt, of_status
from pipe_providers.inflate import PACKED, Inflate
from pipe_providers.turns import Turns
from pipe_runner.models import ModelFault, Reason, nothing_sent

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage

_MOST_OF_ERROR: Final = 64 * 1024
_CONNECTIONS: Final = 512
_AFTER_ERROR: Final = 5.0
"""Seconds in which the rest of an error's words must come."""
_LOOK: Final = 1.0
_MOMENT: Final = 0.2
_FAREWELL: Final = 0.1
"""Seconds in which the other side of a connection that was closed under TLS may say so, too."""
_WANTS_PASSWORD: Final = 407
_START: Final = 12
"""Bytes by which it is told what an answer is."""
_START_MOST: Final = 1024
"""Bytes, white space included, that are looked through for these."""


def no_certificates(error: OSError) -> str:
    """Why a file of certificates to trust can't be used."""
    return "it holds no certificates" if isinstance(error, ssl.SSLError) else os.strerror(error.errno or 0).lower()


class Answer:
    """A success whose body is still to be read."""

    def __init__(
        self,
        wire: Wire,
        connection: Connection,
        message: RawResponseMessage,
        content: aiohttp.StreamReader,
        deadline: float | None,
    ) -> None:
        self._wire, self._connection, self._deadline = wire, connection, deadline
        self._version, self._content = message.version, content
        self.status, self.headers = message.code, message.headers
        self.coding = message.headers.get("Content-Encoding", "").strip()
        coding = self.coding.lower()
        self._inflate = Inflate(coding, MOST_STREAMED) if coding in PACKED else None
        self._start = b""
        self.bytes = 0

    @property
    def framed(self) -> bool:
        """Whether the service says where the body ends, so that one which is cut is seen."""
        return "Content-Length" in self.headers or (
            self._version != aiohttp.HttpVersion10 and ("chunked" in self.headers.get("Transfer-Encoding", "").lower())
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
        except (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, zlib.error, ValueError) as error:
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
        content, deadline, now = self._content, self._deadline, asyncio.get_running_loop().time
        if there := content.read_nowait():
            return there  # without a timer, which costs more than the rest
        while True:
            look = now() + _LOOK
            until = look if deadline is None else min(look, deadline)
            try:
                with self._wire._deadlines.by(until):
                    return await content.readany()
            except TimeoutError:
                if deadline is not None and now() >= deadline:
                    raise
            transport = self._connection.transport
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
            if self._inflate is None and self._content.at_eof():
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def drain(self) -> None:
        """Wait a moment for the end of a body of which all is known that matters, so that its connection is of use."""
        content = self._content
        if not content.at_eof():
            try:
                with self._wire._deadlines.by(asyncio.get_running_loop().time() + _MOMENT):
                    while await content.readany():
                        pass
            except (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError):
                pass

    def close(self) -> None:
        """Give the connection back where the answer was read to its end; else close it. Never waits."""
        if not let_go(self._connection, self._content):
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
        self._pool: Pool | None = None
        self._out, self._in = Turns(), Turns()
        self._deadlines = Deadlines()
        self._closed = False
        self.trusts = "SSL_CERT_FILE"
        """The variable that names whom to trust beside the machine's own."""
        self.cut = False
        """A connection was closed in the middle of something, under TLS."""

    def __repr__(self) -> str:
        return f"Wire({self.where!r})"

    def _opened(self) -> Pool:
        if self._closed:
            raise ModelFault(Reason.UNAVAILABLE, f"{self.where} is closed: the run has ended", sent=False)
        if self._pool is None:
            self._pool = Pool(self._base, self._headers, self._query, self._proxy, self._tls, self._connections)
        return self._pool

    async def send(
        self, path: str, body: bytes | None, deadline: float | None, *, extra: Mapping[str, str] = {}, model: str = ""
    ) -> Answer:
        """Ask; gives the answer when its headers are there. `deadline`: on the loop's clock. Raises ModelFault, also
        for every status that is no success. `body`: JSON for a POST; None is a GET."""
        connection: Connection | None = None
        fault: ModelFault | None = None
        try:
            await self._out.take()
            with self._deadlines.by(deadline):
                connection, request = await self._opened().connect(path, body, extra)
                message, content = await exchange(connection, request)
            await self._in.take()
        except (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            fault = self.fault(error, connection is not None, "before it answered")
        except BaseException as error:
            self._dropped(connection)
            if isinstance(error, asyncio.CancelledError) and connection is None:
                nothing_sent(error, f"{self.where}: no connection within the time; is it running?")
            raise
        if fault is not None or connection is None:
            self._dropped(connection)
            assert fault is not None
            raise fault
        answer = Answer(self, connection, message, content, deadline)
        if not 200 <= answer.status < 300:
            raise await self._declined(answer, model)
        if answer.coding.lower() not in (*PACKED, "", "identity"):
            answer.close()
            coding = excerpt(answer.coding, self.hide)[:40]
            told = f"{self.where} packs its answer as {coding!r}, which nobody asked for"
            raise ModelFault(Reason.INVALID_OUTPUT, told, status=answer.status)
        return answer

    def _dropped(self, connection: Connection | None) -> None:
        if connection is not None:
            drop(connection)
        self.note_cut()

    async def _declined(self, answer: Answer, model: str) -> ModelFault:
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
        return self._declines(self.where, answer.status, answer.headers, body, self.hide, model=model)

    def fault(self, error: BaseException, sent: bool, when: str) -> ModelFault:
        """What the client library ran into. `sent`: bytes of the request have left."""
        unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        sent = sent and not unsent
        if isinstance(error, TimeoutError) and sent:
            message = f"{self.where} took longer than the call may, {when}; nobody knows whether it was performed"
            return ModelFault(Reason.TIMED_OUT, message)
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            why = excerpt(str(getattr(error, "certificate_error", None) or error.os_error), self.hide)
            untrusted = f"no TLS connection{self._way(error)} can be made that may be trusted: {why}"
            message = f"{self.where}: {untrusted}; {self._hint_of_trust()}"
            return ModelFault(Reason.NOT_FOUND, message, sent=False)
        if isinstance(error, aiohttp.InvalidURL):
            message = f"{self.where}: the address can't be used; set `base_url` to the service's own"
            return ModelFault(Reason.NOT_FOUND, message, sent=False)
        if not sent:
            return self._unreached(error)
        if isinstance(error, zlib.error):
            message = f"{self.where} packed its answer in a way that can't be unpacked"
            return ModelFault(Reason.INVALID_OUTPUT, message)
        return ModelFault(Reason.UNAVAILABLE, f"{self.where} broke off {when}: {self._why(error)}")

    def _hint_of_trust(self) -> str:
        path = os.environ.get(self.trusts)
        if path and self._tls is None:  # else it was read before
            try:
                ssl.create_default_context(cafile=path)
            except OSError as error:
                return f"{self.trusts} is {path}: {no_certificates(error)}"
        return f"{self.trusts} may name a file of certificates to trust"

    def _unreached(self, error: BaseException) -> ModelFault:
        """There was no connection."""
        reason, what_next = Reason.UNAVAILABLE, "is it running, and is the address right?"
        why = "none within the time" if isinstance(error, TimeoutError) else self._why(error)
        if getattr(getattr(error, "os_error", error), "errno", None) == errno.EMFILE:
            what_next = "raise the limit: `ulimit -n`"
        if isinstance(error, aiohttp.ClientHttpProxyError):
            what_next = "is the service's address right, and does the proxy let it through?"
            if error.status == _WANTS_PASSWORD:
                reason, what_next = Reason.CREDENTIALS, "it wants a user and a password"
        return ModelFault(reason, f"{self.where}: no connection{self._way(error)}: {why}; {what_next}", sent=False)

    def _way(self, error: BaseException) -> str:
        """Names the proxy, where one is on the way: it, or what is behind it, wasn't reached."""
        proxy = self._proxy
        if proxy is None:
            return ""
        there = isinstance(error, aiohttp.ClientConnectorError) and error.host == proxy.raw_host
        return f" {'to' if there else 'by'} the proxy {proxy.raw_host}:{proxy.port}"

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
            return f"it answered {error.status}"
        if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError | ValueError):
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
        self._deadlines.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
            if self.cut:
                await asyncio.sleep(_FAREWELL)
