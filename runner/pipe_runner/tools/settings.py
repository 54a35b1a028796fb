"""What pipe.yml says of an MCP server, with its secrets put in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pipe_runner.errors import UsageError
from pipe_runner.plan import NOTHING, SecretSource
from pipe_runner.secrets import resolve
from pipe_runner.types import BASE_ENVIRONMENT, DEFAULT_PATH
from pipe_schemas.credentials import credentials

SHORTEST: Final = 4
"""Letters of a credential that is looked for in what is written."""
_SCHEME: Final = re.compile(r"(?:bearer|basic|token|apikey)\s+(\S{4,})\Z", re.IGNORECASE)


class ServerSettings(NamedTuple):
    """A server, ready to be opened. Secrets stand in it in plain text, so it is never logged, shown or recorded."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    cwd: str = ""
    url: str = ""
    headers: Mapping[str, str] = {}
    proxy: str = ""
    """The address of the proxy on the way to `url`; empty: none is used."""
    secrets: tuple[str, ...] = ()
    """Values that are shown nowhere: what was taken from elsewhere, and credentials that were written out."""
    digest: Any = None
    """What its tools are pinned to: of all, or by name; None: they are not."""
    missing: str | None = None
    """A secret that can't be had, in a sentence."""


def server_settings(
    name: str,
    written: Mapping[str, Any],
    environ: Mapping[str, str],
    root: str,
    policy: Mapping[str, Any] = NOTHING,
) -> ServerSettings:
    """The settings of one server, as pipe.yml has it, whose `policy` says of proxies. Connects nowhere; what is missing
    is said in `missing`."""
    missing: list[str] = []
    secrets: list[str] = []

    def value(key: str, said: Any) -> str:
        if not isinstance(said, Mapping):
            return str(said)
        source = SecretSource(f"{key} of MCP server {name}", said["from"], said["key"])
        try:
            found = resolve([source], environ, root)[0][source.name]
        except UsageError as error:
            missing.append(error.message)
            return ""
        secrets.append(found)
        return found

    headers = {key: value(key, said) for key, said in (written.get("headers") or {}).items()}
    own = {key: value(key, said) for key, said in (written.get("env") or {}).items()}
    secrets += _written_out(written)
    url = written.get("url") or ""
    proxy = _proxy((policy.get("http") or {}).get("proxy", False), url, environ) if url else ""
    secrets += [form for form in _passwords(proxy) if len(form) >= SHORTEST]
    base = {key: environ[key] for key in BASE_ENVIRONMENT if key in environ}
    return ServerSettings(
        name,
        tuple(written.get("command") or ()),
        {"PATH": DEFAULT_PATH, **base, **own},
        os.path.join(root, written.get("cwd") or ""),
        url,
        headers,
        proxy,
        tuple(dict.fromkeys(secrets)),
        written.get("digest"),
        missing[0] if missing else None,
    )


def _proxy(said: Any, url: str, environ: Mapping[str, str]) -> str:
    """As `policy.http.proxy` has it: of the environment where it is true. None is asked for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if said is False or not host or is_loopback(host):
        return ""
    if said is not True:
        return str(said)
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    ending = "_proxy"
    names = sorted(name for name in environ if name.lower().endswith(ending))  # a small one counts more, and comes last
    proxies = {name.lower().removesuffix(ending): environ[name] for name in names if environ[name]}
    if proxy_bypass_environment(host if parts.port is None else f"{host}:{parts.port}", proxies):
        return ""
    found = proxies.get(parts.scheme) or proxies.get("all") or ""
    return found if "://" in found or not found else f"http://{found}"


def is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _passwords(proxy: str) -> set[str]:
    password = urlsplit(proxy).password or ""
    return {form for form in (password, unquote(password)) if form}


def _written_out(written: Mapping[str, Any]) -> Iterator[str]:
    """The credentials that stand in pipe.yml itself: by their name, in an address, or as `Bearer x` in any header."""
    for one in credentials({key: written.get(key) for key in ("headers", "env", "command", "url")}):
        if len(one) >= SHORTEST:
            yield one
    for said in (written.get("headers") or {}).values():
        scheme = _SCHEME.match(said) if isinstance(said, str) else None
        if scheme is not None:
            yield from (scheme[0], scheme[1])
