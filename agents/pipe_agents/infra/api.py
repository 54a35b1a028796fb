"""A small client of HTTP services that speak JSON, over TCP, TLS or a unix socket; what it reads is bounded."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipe_agents.infra.common import Silent, Unreached, in_thread, resolved, shown
from pipe_agents.trust import trusting

MOST: Final = 32 * 2**20
"""Bytes of one answer."""
_IN_A_THREAD: Final = 2**18


class Answer(NamedTuple):
    """A status, and the JSON of the body; null where it holds none."""

    status: int
    value: Any
    text: str
    """The first of the body, where it is no JSON."""
    location: str | None = None

    @property
    def said(self) -> str:
        """What the service says of a fault."""
        if isinstance(self.value, Mapping):
            for key in ("message", "cause", "error", "detail"):
                if isinstance(self.value.get(key), str):
                    return shown(self.value[key], 300)
        return shown(self.text, 300)


class Api:
    """One service. `where` is how sentences call it."""

    def __init__(
        self,
        base: str,
        where: str,
        timeout: float,
        *,
        uds: str | None = None,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        server_name: str | None = None,
    ) -> None:
        import httpx2

        self.where, self._timeout = where, timeout
        parts = urlsplit(base)
        self._host = None if uds else (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self._extensions = {"sni_hostname": server_name} if server_name else {}
        if tls is None:  # reading whom the system trusts takes longer than all the rest, for plain HTTP in vain
            secure = base.startswith("https:")
            tls = trusting() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx2.AsyncHTTPTransport(uds=uds, verify=tls, trust_env=False)
        self._client = httpx2.AsyncClient(
            base_url=base,
            transport=transport,
            timeout=timeout,
            headers={"accept": "application/json", "user-agent": "pipe-runner", **(headers or {})},
            trust_env=False,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, timeout: float | None = None) -> Answer:
        return await self.send("GET", path, params, timeout=timeout)

    async def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        kind: str = "application/json",
        timeout: float | None = None,
    ) -> Answer:
        """One exchange. Raises Unreached where there is no whole answer."""
        import httpx2

        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": kind}
        seconds = timeout or self._timeout
        if self._host is not None:  # here and not by the client, whose thread would be waited for at the very end
            await resolved(*self._host, seconds, self.where)
            self._host = None
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream(
                    method,
                    path,
                    params=params,
                    content=content,
                    headers=headers,
                    timeout=seconds,
                    extensions=self._extensions,
                ) as response,
            ):
                data = bytearray()
                async for piece in response.aiter_bytes():
                    data += piece
                    if len(data) > MOST:
                        raise Unreached(
                            f"{self.where} answered with more than {MOST // 2**20} MiB",
                            "fewer things in one answer: name a namespace",
                        )
                status, location = response.status_code, response.headers.get("location")
        except TimeoutError:
            raise Silent(f"{self.where} gave no whole answer within {seconds:g} s", "a longer `timeout`") from None
        except httpx2.TimeoutException:
            raise Silent(f"{self.where} gave no whole answer within {seconds:g} s", "a longer `timeout`") from None
        except httpx2.InvalidURL as error:
            raise Unreached(f"{self.where} has an address that can't be used: {error}", "another address") from None
        except (httpx2.HTTPError, OSError) as error:
            raise _unreached(self.where, error) from None
        return await _answer(status, bytes(data), location)


async def _answer(status: int, data: bytes, location: str | None) -> Answer:
    def parsed() -> Any:
        return json.loads(data)

    try:
        value = await in_thread(parsed) if len(data) > _IN_A_THREAD else parsed()
    except (ValueError, RecursionError):
        return Answer(status, None, data[:2000].decode("utf-8", "replace"), location)
    return Answer(status, value, "", location)


def _unreached(where: str, error: BaseException) -> Unreached:
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None:
            break
        if isinstance(cause, PermissionError):
            return Unreached(f"{where} may not be opened by this user", f"permission to read and write {where}")
        if isinstance(cause, FileNotFoundError):
            return Unreached(f"{where} is not there", "a running service that listens there")
        if isinstance(cause, ConnectionRefusedError):
            return Unreached(f"{where} refused the connection", "a running service that listens there")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreached(
                f"{where} has a certificate that is not trusted: {shown(cause.verify_message, 200)}",
                "the authority that has signed its certificate",
            )
        if isinstance(cause, ssl.SSLError):
            return Unreached(f"{where}: no TLS connection could be made: {shown(cause.reason, 200)}", "the right port")
        if isinstance(cause, OSError) and cause.strerror and cause.errno:
            return Unreached(f"{where}: {shown(cause.strerror, 200)}", "a way to it")
        cause = cause.__cause__ or cause.__context__
    said = shown(str(error) or type(error).__name__, 200)
    return Unreached(f"{where} could not be asked: {said}", "a running service that speaks HTTP")
