"""Places that a policy names: networks, hosts, domains and proxies. Cheap to import: no pydantic here."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
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
