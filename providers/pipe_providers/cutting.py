"""Sends what botocore has signed, over connections of our own: bounded in size, and cut off when a call is given up.

botocore calls it before it would send by itself, and takes its answer instead. It has the connections pooled, asks
once, follows no redirect, and leaves proxies and certificates to botocore's own rules.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import urllib3
from botocore.awsrequest import AWSResponse
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_CONNECT: Final = 15.0
_CHUNK: Final = 64 * 1024


class TooLarge(Exception):
    """The answer takes more than it may."""


class Call:
    """One call while a thread performs it; the event loop may give it up."""

    def __init__(self, most: int, seconds: float, traceparent: str = "") -> None:
        self.traceparent = traceparent
        self.most, self.ends = most, time.monotonic() + seconds
        self.sent = False
        """Bytes of the request have left."""
        self.given_up = False
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.read = 0
        self.framed = True
        self.error = b""
        """The body of an answer that is no success."""
        self._connection: HTTPConnection | None = None
        self._lock = threading.Lock()

    def begun(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._connection = connection
            if self.given_up:
                raise TimeoutError

    def give_up(self) -> None:
        """Wake the thread that waits for the service. Never waits itself."""
        with self._lock:
            self.given_up = True
            connection, self._connection = self._connection, None
        sock = getattr(connection, "sock", None)
        if sock is not None:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # also under TLS: the thread is to see an end
            except OSError:
                pass


_here = threading.local()


def begin(call: Call | None) -> None:
    """This thread performs that call from now on."""
    _here.call = call


class _Seen:
    """A connection that tells the call of its thread what happens."""

    sock: Any

    def send(self: Any, data: Any) -> None:
        call: Call | None = getattr(_here, "call", None)
        if call is None:
            super().send(data)  # type: ignore[misc]
            return
        if self.sock is None and self.auto_open:
            self.connect()
        call.begun(self)
        call.sent = True
        super().send(data)  # type: ignore[misc]


class _Http(_Seen, HTTPConnection):
    pass


class _Https(_Seen, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Raw:
    """The body of an answer as botocore reads it."""

    def __init__(self, response: urllib3.BaseHTTPResponse, call: Call) -> None:
        self._response, self._call = response, call

    def stream(self, amt: int = _CHUNK, decode_content: bool | None = None) -> Iterator[bytes]:
        call = self._call
        bad = not 200 <= call.status < 300
        for data in self._response.stream(_CHUNK, decode_content=False):
            call.read += len(data)
            if call.given_up or time.monotonic() > call.ends:
                raise TimeoutError
            if bad:
                call.error += data[: max(_CHUNK - len(call.error), 0)]
            if call.read > (_CHUNK if bad else call.most):
                self._response.close()
                if bad:
                    return
                raise TooLarge
            yield data

    def close(self) -> None:
        self._response.close()


class Sender:
    """The pools of one client. `connections`: as many as there are threads."""

    def __init__(self, connections: int, verify: Any = True) -> None:
        self._kept: dict[str, urllib3.PoolManager] = {}
        self._by_address: dict[str, tuple[HTTPConnectionPool, bool]] = {}
        """By address: its pool, and whether whole addresses are sent, for a proxy."""
        self._connections, self._verify = connections, verify
        self._lock = threading.Lock()

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        call: Call | None = getattr(_here, "call", None)
        if call is None:
            return None
        left = max(call.ends - time.monotonic(), 0.001)
        address = "/".join(request.url.split("/", 3)[:3])
        found = self._by_address.get(address)
        if found is None:
            manager = self._manager(request.url)
            proxied = isinstance(manager, urllib3.ProxyManager) and address.startswith("http:")
            found = self._by_address[address] = (manager.connection_from_url(address), proxied)
        pool, through = found
        response = pool.urlopen(
            request.method,
            request.url if through else request.url[len(address) :] or "/",  # as it was signed
            body=request.body,
            headers=_plain(request.headers, call),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=min(_CONNECT, left), read=left),
        )
        call.status, call.headers = response.status, response.headers
        call.framed = "content-length" in response.headers or "transfer-encoding" in response.headers
        return AWSResponse(request.url, response.status, response.headers, _Raw(response, call))

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxies = get_environ_proxies(url)
        proxy = proxies.get(url.partition("://")[0]) or ""
        with self._lock:
            found = self._kept.get(proxy)
            if found is None:
                found = self._kept[proxy] = self._made(proxy)
        return found

    def _made(self, proxy: str) -> urllib3.PoolManager:
        said: dict[str, Any] = {"maxsize": self._connections, "block": False, "cert_reqs": "CERT_REQUIRED"}
        said["ca_certs"] = get_cert_path(self._verify)
        if proxy:
            address = proxy if "://" in proxy else f"http://{proxy}"
            parts = urllib3.util.parse_url(address)
            headers = urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
            manager: urllib3.PoolManager = urllib3.ProxyManager(address, proxy_headers=headers, **said)
        else:
            manager = urllib3.PoolManager(**said)
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager

    def close(self) -> None:
        with self._lock:
            for manager in self._kept.values():
                manager.clear()
            self._kept.clear()
            self._by_address.clear()


def _plain(headers: Mapping[str, Any], call: Call) -> dict[str, str]:
    found = {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()}
    if call.traceparent:
        found["traceparent"] = call.traceparent  # not signed, as nothing that may change on its way is
    return found
