"""Builds the request that `with:` of `agent: http` describes; pure but for parsing URLs with httpx2."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pipe_agents.http_policy import literal
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

if TYPE_CHECKING:
    import httpx2

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HOST: Final = re.compile(r"[a-z0-9._-]{1,253}\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONNECTION: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CREDENTIAL: Final = re.compile(r"auth|cookie|token|secret|key|passw|session|signature|credential", re.IGNORECASE)
_MANY: Final = 10_000
"""Header fields and query parameters; more is a mistake."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to send."""

    method: str
    url: httpx2.URL
    """Without user name, password and fragment."""
    headers: tuple[tuple[str, str], ...]
    content: bytes | None
    shown: str
    """The URL for messages: no user name, password or query, and no path that holds a secret."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return origin(self.url)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


def build(options: Mapping[str, Any], secrets: Iterable[str], extra: Mapping[str, str]) -> Request:
    """The request of a node. Raises NodeFault (`refused`) for what may not be sent as it stands."""
    method = str(options.get("method", "GET")).upper()
    if not _TOKEN.match(method) or method in ("CONNECT", "TRACE"):
        raise _refused(f"the method {method[:32]!r} is not available")
    text = options["url"]
    url = parse_url(text)
    shown = display(url, text, secrets)
    headers = _headers(options.get("headers") or {})
    names = {name.lower() for name, _ in headers}
    if url.userinfo and "authorization" not in names:
        pair = f"{url.username}:{url.password}".encode()
        headers.append(("Authorization", "Basic " + base64.b64encode(pair).decode()))
    content, content_type = _content(options)
    if content_type and "content-type" not in names:
        headers.append(("Content-Type", content_type))
    for name, value in extra.items():
        if value and name.lower() not in names:
            headers.append((name, value))
    return Request(method, _with_query(url, options.get("query") or {}), tuple(headers), content, shown)


def redirected(request: Request, status: int, location: str, secrets: Iterable[str]) -> Request:
    """The request that follows a redirect: checked like a first one, and without credentials for another origin."""
    try:
        target = _no_userinfo(parse_url(str(_joined(request.url, location))))
    except NodeFault as fault:
        raise _refused(f"{request.shown} redirects, and {fault.message}") from None
    secrets = tuple(secrets)
    headers, content, method = request.headers, request.content, request.method
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", None
        headers = tuple((n, v) for n, v in headers if not n.lower().startswith("content-"))
    if origin(target) != request.origin:
        headers = tuple((n, v) for n, v in headers if not _CREDENTIAL.search(n) and not _holds(v, secrets))
        if content is not None and _holds(content.decode("utf-8", "replace"), secrets):
            raise _refused(
                f"{request.shown} redirects to {display(target, location, secrets)}, which would get a body with a "
                "secret that was meant for the first"
            )
    return replace(
        request,
        method=method,
        url=target,
        headers=headers,
        content=content,
        shown=display(target, location, secrets),
    )


def parse_url(text: Any) -> httpx2.URL:
    """An absolute http or https URL with a host that every program reads in the same way."""
    import httpx2

    if not isinstance(text, str):
        raise _refused("url must be text")
    if _CONTROL.search(text) or "\t" in text:
        raise _refused("the URL holds a control character or a line break")
    if "\\" in text:
        raise _refused("the URL holds a backslash, which programs read differently; write %5C")
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        raise _refused("the URL is not valid") from None
    if url.scheme not in ("http", "https"):
        raise _refused("the URL must begin with http:// or https://")
    host = url.raw_host.decode("ascii", "replace")
    if literal(host) is None and not _HOST.match(host):
        raise _refused("the URL has no host" if not host else f"the URL's host {host[:253]!r} is not valid")
    if url.port is not None and not 0 < url.port < 65536:
        raise _refused(f"the URL's port {url.port} is not between 1 and 65535")
    return url


def origin(url: httpx2.URL) -> tuple[str, str, int]:
    return (url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))


def authority(url: httpx2.URL) -> str:
    """`host[:port]` as it stands in the Host field."""
    host = url.raw_host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    return host if url.port is None else f"{host}:{url.port}"


def display(url: httpx2.URL, text: str, secrets: Iterable[str]) -> str:
    """A URL for messages: never its user name, password, query or fragment, nor a path that a secret is part of."""
    place = f"{url.scheme}://{authority(url)}"
    if _holds(text, secrets) or _holds(str(url), secrets):
        return f"{place}/…"
    path = url.raw_path.partition(b"?")[0].decode("ascii", "replace")
    return place + (path if len(path) <= 200 else path[:200] + "…")


def as_text(value: Any) -> str:
    """A value as text: strings as they are, null as nothing, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _headers(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    if len(given) > _MANY:
        raise _refused(f"more than {_MANY} headers")
    headers: list[tuple[str, str]] = []
    for name, value in given.items():
        if not _TOKEN.match(name):
            raise _refused(f"{name[:64]!r} is not the name of a header")
        if name.lower() in _CONNECTION:
            raise _refused(f"the header {name} is set by the runner: it follows from the URL, the body and the policy")
        if value is None:
            continue
        text = as_text(value).strip(" \t\r\n")
        if _CONTROL.search(text):
            raise _refused(f"the header {name} holds a line break or another control character")
        headers.append((name, text))
    return headers


def _content(options: Mapping[str, Any]) -> tuple[bytes | None, str | None]:
    try:
        if "json" in options:
            text = json.dumps(options["json"], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return text.encode(), "application/json"
        if options.get("body") is not None:
            return as_text(options["body"]).encode(), "text/plain; charset=utf-8"
    except UnicodeEncodeError:
        raise _refused("the body holds text that is not Unicode") from None
    return None, None


def _with_query(url: httpx2.URL, query: Mapping[str, Any]) -> httpx2.URL:
    pairs: list[str] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                pairs.append(f"{quote(name, safe='')}={quote(as_text(item), safe='')}")
    if len(pairs) > _MANY:
        raise _refused(f"more than {_MANY} query parameters")
    url = _no_userinfo(url)
    if not pairs:
        return url
    target = url.raw_path.decode("ascii")
    mark = "" if target.endswith(("?", "&")) else "&" if "?" in target else "?"
    return _copied(url, raw_path=(target + mark + "&".join(pairs)).encode("ascii"))


def _no_userinfo(url: httpx2.URL) -> httpx2.URL:
    return _copied(url, userinfo=b"", fragment=None)


def _copied(url: httpx2.URL, **parts: Any) -> httpx2.URL:
    import httpx2

    try:
        return url.copy_with(**parts)
    except httpx2.InvalidURL:
        raise _refused("the URL is not valid, or too long") from None


def _joined(url: httpx2.URL, location: str) -> httpx2.URL:
    import httpx2

    if "\\" in location or _CONTROL.search(location):
        raise _refused("the URL holds a backslash or a control character")
    try:
        return url.join(location)
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        raise _refused("the URL is not valid") from None


def _holds(text: str, secrets: Iterable[str]) -> bool:
    return any(
        secret in text or quote(secret, safe="") in text or quote(secret) in text for secret in secrets if secret
    )


def _refused(why: str) -> NodeFault:
    return NodeFault(ErrorKind.REFUSED, why)
