"""Chooses the proxy for a request: none, unless the policy says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_agents.http_policy import HttpRules, in_url, literal
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

if TYPE_CHECKING:
    import httpx2


def proxy_for(rules: HttpRules, url: httpx2.URL, *, redirected_from_public: bool) -> str | None:
    """The proxy's URL, or None to connect directly.

    Behind a proxy only hosts that are addresses, and `localhost`, can be checked here: names are resolved by the proxy.
    """
    if rules.proxy is False:
        return None
    host = url.raw_host.decode("ascii")
    proxy = _from_environment(url.scheme, host, url.port) if rules.proxy is True else str(rules.proxy)
    if proxy is None:
        return None
    if not proxy.startswith(("http://", "https://")):
        raise NodeFault(ErrorKind.REFUSED, "policy in pipe.yml: a proxy's URL must begin with http:// or https://")
    address = literal(host)
    if address is not None:
        why = rules.refusal(host, address, redirected_from_public=redirected_from_public)
        if why is not None:
            raise NodeFault(ErrorKind.REFUSED, f"{in_url(host)} is {why}, which is not reached")
    if host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback):
        return None
    return proxy


def _from_environment(scheme: str, host: str, port: int | None) -> str | None:
    from urllib import request

    proxies = request.getproxies_environment()
    if request.proxy_bypass_environment(host if port is None else f"{host}:{port}", proxies):  # type: ignore[attr-defined]
        return None
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
