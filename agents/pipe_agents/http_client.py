"""Performs one exchange, redirects included, and turns its end into an outcome."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpcore2
import httpx2

from pipe_agents.http_answers import Answer, fault_of, outcome_of
from pipe_agents.http_body import inflated, inflaters
from pipe_agents.http_network import REACH, TRAFFIC, CheckedNetwork, Traffic
from pipe_agents.http_policy import HttpRules, Reach
from pipe_agents.http_proxy import proxy_for
from pipe_agents.http_request import Request, authority, build, redirected
from pipe_agents.threads import Threads
from pipe_agents.trust import alike
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Context, Outcome
from pipe_runner.types import ErrorKind

MAX_REDIRECTS: Final = 10
CONNECT_SECONDS: Final = 15.0
IDLE_SECONDS: Final = 60.0
"""How long a server may be silent where the node has no timeout of its own."""
MOST_AT_ONCE: Final = 64
"""Requests that one pool has in flight."""
_KEPT, _FEW_KEPT = 32, 8
"""Connections that the first pool keeps when nobody uses them, and each further one."""
_PART: Final = "pipe_part"
"""Extra information of an answer: whose it is."""
_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods of which RFC 9110 (9.2.2) says that two requests do what one does."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class _Part:
    """One of the pools of a way to connect, and how many requests it has in flight."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self.pool, self.flying = pool, 0


class Client:
    """The connections of one run. Pools for each way to connect: direct, direct after a public redirect, by proxy; one
    more where many requests are in flight, since a pool looks at all that it has for each that comes and goes.

    A server may close a connection in the very moment in which it is used again, and then nobody knows whether it saw
    the request. What may be sent twice is sent again, once, over a new connection, as Go's net/http does; what may not
    gets a new connection from the start.
    """

    def __init__(self, rules: HttpRules) -> None:
        self.rules = rules
        self.threads = Threads("pipe-http")
        self._parts: dict[tuple[bool, str | None, bool, bool], list[_Part]] = {}
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, request: Request, *, redirected_from_public: bool, seconds: float | None, repeatable: bool
    ) -> httpcore2.Response:
        """Send a request; the body of the answer is to be read, and it is to be let go. `repeatable`: it may reach
        the server twice."""
        proxy = proxy_for(self.rules, request.url, redirected_from_public=redirected_from_public)
        way = (redirected_from_public and proxy is None, proxy, request.url.scheme == "https")
        message = _message(request, IDLE_SECONDS if seconds is None else seconds)
        traffic = Traffic()
        token = TRAFFIC.set(traffic)
        try:
            try:
                return await self._sent(self._part(*way, kept=repeatable), message)
            except (httpcore2.NetworkError, httpcore2.RemoteProtocolError):
                if not repeatable or traffic.connected or traffic.began:
                    raise
            return await self._sent(self._part(*way, kept=False), message)
        except httpcore2.RemoteProtocolError as error:
            if traffic.began and "disconnected" in str(error):
                is_http = b"HTTP/".startswith(traffic.began)
                why = "closed connection within its head" if is_http else "it does not begin with HTTP/"
                raise httpcore2.RemoteProtocolError(why) from None
            raise
        finally:
            TRAFFIC.reset(token)

    @staticmethod
    async def let_go(response: httpcore2.Response) -> None:
        """Nothing more is read of an answer."""
        try:
            await response.aclose()
        finally:
            response.extensions[_PART].flying -= 1

    async def close(self) -> None:
        ways, self._parts = self._parts, {}
        for parts in ways.values():
            for part in parts:
                await part.pool.aclose()
        self.threads.close()

    @staticmethod
    async def _sent(part: _Part, message: httpcore2.Request) -> httpcore2.Response:
        part.flying += 1
        try:
            response = await part.pool.handle_async_request(message)
        except BaseException:
            part.flying -= 1
            raise
        response.extensions[_PART] = part
        return response

    def _part(self, redirected_from_public: bool, proxy: str | None, secure: bool, *, kept: bool) -> _Part:
        """The first with room for one more. `kept`: connections are used again; else each request has its own."""
        parts = self._parts.setdefault((redirected_from_public, proxy, secure, kept), [])
        part = next((one for one in parts if one.flying < MOST_AT_ONCE), None)
        if part is None:
            if secure and self._tls is None:  # reading the certificates takes longer than all the rest
                self._tls = alike(httpx2.create_ssl_context())
            network = CheckedNetwork(
                self.rules, self.threads, redirected_from_public=redirected_from_public, trusted=proxy is not None
            )
            pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls,
                proxy=_proxy(proxy) if proxy is not None else None,
                max_connections=None,
                max_keepalive_connections=(_FEW_KEPT if parts else _KEPT) if kept else 0,
                keepalive_expiry=5.0,
                network_backend=network,
            )
            part = _Part(pool)
            parts.append(part)
        return part


def _message(request: Request, idle: float) -> httpcore2.Request:
    url = request.url
    headers = [("Host", authority(url)), *request.headers]
    if request.content is not None or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(len(request.content or b""))))
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host.decode("ascii"), port=url.port, target=url.raw_path),
        headers=[(name.encode("ascii"), value.encode("utf-8")) for name, value in headers],
        content=request.content,
        extensions={"timeout": {"connect": CONNECT_SECONDS, "read": idle, "write": idle, "pool": None}},
    )


async def exchange(client: Client, attempt: Attempt, context: Context) -> Outcome:
    """Perform a node's request. Raises NodeFault, its text not yet masked."""
    options: Mapping[str, Any] = attempt.options
    secrets = tuple(context.secrets.values())
    request = build(options, secrets, _own_headers(attempt, options))
    expected = _expected(options.get("expect", "2xx"))
    follow = options.get("follow_redirects", True)
    limit = min(options.get("max_bytes", attempt.output_limit), attempt.output_limit)
    from_public = False
    for _ in range(MAX_REDIRECTS + 1):
        try:
            # A key that the file sets says that its server tells a repetition by it; ours may mean nothing to it.
            key = request.header("idempotency-key")
            response = await client.send(
                request,
                redirected_from_public=from_public,
                seconds=attempt.timeout,
                repeatable=request.method in _REPEATABLE or key not in (None, attempt.idempotency_key),
            )
            try:
                location = _header(response, b"location")
                stream = response.extensions.get("network_stream")
                reach = stream.get_extra_info(REACH) if stream is not None else None
                goes_on = follow and response.status in _REDIRECTS and location and response.status not in expected
                answer = None if goes_on else await _read(request, response, limit, response.status in expected)
            finally:
                await client.let_go(response)
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError) as e:
            raise fault_of(e, request) from None
        if answer is not None:
            return await outcome_of(answer, request, expected, attempt, context, client.threads)
        request = redirected(request, response.status, location, secrets)
        from_public = from_public or reach is not Reach.LOOPBACK
    raise NodeFault(ErrorKind.HTTP, f"more than {MAX_REDIRECTS} redirects; the last one led to {request.shown}")


async def _read(request: Request, response: httpcore2.Response, limit: int, wanted: bool) -> Answer:
    """Read the body, decoded, at most `limit` bytes; of an unwanted answer what can be read of it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    answer = Answer(response.status, headers)
    if request.method == "HEAD" or response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return answer
    assert isinstance(response.stream, AsyncIterable)
    body = bytearray()
    try:
        steps = inflaters(headers.get("content-encoding", ""))
        async for chunk in response.stream:
            for piece in inflated(chunk, steps):
                body += piece
                if len(body) > limit:
                    raise NodeFault(
                        ErrorKind.OUTPUT_TOO_LARGE, f"the body of {request.shown} has more than {limit} bytes"
                    )
        for step in steps:
            step.finish()
    except (NodeFault, httpcore2.NetworkError, httpcore2.ProtocolError):
        if wanted:
            raise
        answer.cut = True
    answer.body = bytes(body[:limit])
    return answer


def _own_headers(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        "User-Agent": "pipe-runner",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "traceparent": attempt.traceparent,
    }
    if str(options.get("method", "GET")).upper() in ("POST", "PATCH"):
        headers["Idempotency-Key"] = attempt.idempotency_key
    return headers


def _expected(given: Any) -> frozenset[int]:
    """`200`, `2xx` or a list of them, as numbers."""
    found: set[int] = set()
    for entry in given if isinstance(given, list) else [given]:
        text = str(entry)
        if len(text) == 3 and text[0] in "12345" and text[1:] == "xx":
            found.update(range(int(text[0]) * 100, int(text[0]) * 100 + 100))
        elif text.isdecimal():
            found.add(int(text))
    return frozenset(found)


def _header(response: httpcore2.Response, name: bytes) -> str:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("utf-8", "replace").strip()
    return ""


def _proxy(url: str) -> httpcore2.Proxy:
    parsed = httpx2.Proxy(url)
    return httpcore2.Proxy(
        url=httpcore2.URL(
            scheme=parsed.url.raw_scheme,
            host=parsed.url.raw_host,
            port=parsed.url.port,
            target=parsed.url.raw_path,
        ),
        auth=parsed.raw_auth,
    )
