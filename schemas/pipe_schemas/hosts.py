"""Places that policies and options name: networks, hosts, domains, proxies, resolvers. Cheap to import: no pydantic."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_IN_NUMBERS = frozenset("0123456789./")
_IN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def allowed_place(entry: str) -> Network | str:
    """An entry of `policy.http.allow`: a network or address, a host's name, or `.domain` for `*.domain`.

    Raises ValueError with a sentence for anything else.
    """
    text = entry.strip().lower()
    bare = text.removeprefix("[").removesuffix("]")
    try:  # only what looks like one, since there may be very many names
        if ":" in bare:
            return IPv6Network(bare, strict=False)
        if _IN_NUMBERS.issuperset(bare):
            return IPv4Network(bare, strict=False)
    except ValueError:
        pass
    name = text.removeprefix("*").rstrip(".") if text.startswith("*.") else text.rstrip(".")
    if not name.isascii():
        raise ValueError(f"http.allow: write {entry[:100]!r} in its ASCII form (xn--…)")
    wrong = not name.strip(".") or not _IN_NAMES.issuperset(name) or name.rpartition(".")[2].isdecimal()
    if wrong:
        raise ValueError(f"http.allow: {entry[:100]!r} is neither a network (10.0.0.0/8) nor a host name")
    return name


def proxy_url(text: str) -> str:
    """The URL of a proxy; raises ValueError with a sentence for what is none."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(char.isspace() or not char.isprintable() for char in text):
        raise ValueError("http.proxy is true, false, or a URL, as http://proxy.example:3128")
    return text


def host_port(text: str) -> tuple[str, int]:
    """`example.com`, `example.com:8443`, `::1`, `[::1]:8443`; 443 where none is named.

    Raises ValueError with a sentence for anything else.
    """
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if (port and not _is_port(port)) or not host:
        raise ValueError(f"`{text[:300]}` of `hosts` is no HOST or HOST:PORT")
    return host, int(port or 443)


def resolver_port(text: str) -> tuple[str, int]:
    """Of a resolver: `10.0.0.2`, `127.0.0.1:5353`, `::1`, `[::1]:53`; 53 where no port is named.

    Raises ValueError with a sentence for anything else: it is an address, never a name.
    """
    host, port = text.strip(), "53"
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    try:
        address = str(ip_address(host))
    except ValueError:
        address = ""
    if not address or not _is_port(port):
        raise ValueError(f"{text[:100]!r} is no resolver: write its address, as `10.0.0.2` or `127.0.0.1:5353`")
    return address, int(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
