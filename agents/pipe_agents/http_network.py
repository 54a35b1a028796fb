"""Connections to checked addresses: a name is resolved once, and what was checked is what is connected to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import httpcore2

from pipe_agents.http_policy import Address, HttpRules, Reach, in_url, literal, reach_of
from pipe_agents.threads import Threads
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

REACH: Final = "pipe_reach"
"""Extra information of a connection: what kind of place it leads to."""
_FIRST_TRIES: Final = 3.0
"""Seconds for each address but the last."""


@dataclass(slots=True)
class Traffic:
    """What became of one request on the way: whether a connection was made for it, and how what came back began."""

    connected: bool = False
    began: bytes = b""
    """Five bytes at most."""


TRAFFIC: Final[ContextVar[Traffic | None]] = ContextVar("pipe_http_traffic", default=None)
"""Of the request that this task sends."""


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Resolves in daemon threads, checks every address by the rules, and connects to one of those."""

    def __init__(self, rules: HttpRules, threads: Threads, *, redirected_from_public: bool, trusted: bool) -> None:
        self._rules = rules
        self._threads = threads
        self._redirected_from_public = redirected_from_public
        self._trusted = trusted
        """True for the way to a proxy that the policy names: its address is not checked."""
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        if not self._trusted:
            for address in addresses:
                why = self._rules.refusal(host, address, redirected_from_public=self._redirected_from_public)
                if why is not None:
                    shown = in_url(host) if literal(host) == address else f"{in_url(host)} ({address})"
                    raise NodeFault(
                        ErrorKind.REFUSED,
                        f"{shown} is {why}, which is not reached; policy.http.allow in pipe.yml can allow hosts and "
                        "networks",
                    )
        for last, address in zip([False] * (len(addresses) - 1) + [True], addresses, strict=True):
            seconds = timeout if last or timeout is None else min(timeout, _FIRST_TRIES)
            try:
                stream = await self._inner.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if last:
                    raise
                continue
            traffic = TRAFFIC.get()
            if traffic is not None:
                traffic.connected = True
            return _Connection(stream, Reach.PUBLIC if self._trusted else reach_of(address))
        raise AssertionError("a name has at least one address")

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        raise NodeFault(ErrorKind.REFUSED, "unix sockets are not reached")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        address = literal(host)
        if address is not None:
            return [address]
        call = self._threads.start(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        await call.future
        if isinstance(call.error, socket.gaierror):
            gone = call.error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
            raise NodeFault(
                ErrorKind.NOT_FOUND if gone else ErrorKind.UNAVAILABLE,
                f"the host {host} has no address: {call.error.strerror}",
            )
        if call.error is not None:
            raise NodeFault(ErrorKind.NOT_FOUND, f"the host {host} can't be looked up: {call.error}")
        return list(dict.fromkeys(ip_address(found[4][0]) for found in call.result))


class _Connection(httpcore2.AsyncNetworkStream):
    """A connection that knows where it leads."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream, reach: Reach) -> None:
        self._inner = inner
        self._reach = reach

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(max_bytes, timeout)
        traffic = TRAFFIC.get()
        if traffic is not None:
            traffic.began = (traffic.began + data[:5])[:5]
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Connection(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._reach)

    def get_extra_info(self, info: str) -> Any:
        return self._reach if info == REACH else self._inner.get_extra_info(info)
