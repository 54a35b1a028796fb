"""What the options name: hosts, ports, resolvers, and which addresses no request goes to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from pipe_agents.http_policy import Address, Reach, reach_of, unwrapped
from pipe_agents.network.texts import bounded
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind
from pipe_schemas.hosts import resolver_port

_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}\Z")
METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Where clouds keep credentials, beside the link-local addresses."""


@dataclass(frozen=True)
class Host:
    """A host as it was given, and as it is looked up."""

    given: str
    name: str
    """In ASCII, without brackets and final dot; an address in its usual form."""
    address: Address | None

    @property
    def is_local(self) -> bool:
        return self.name == "localhost" or self.name.endswith(".localhost")


def host_of(text: str) -> Host:
    """A name, an IPv4 address, or an IPv6 one with or without brackets. Raises NodeFault for what is none."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ip_address(bare)
    except ValueError:
        address = None
    if address is not None:
        return Host(text, str(address), address)
    name = "" if ":" in bare else ascii_name(bare)  # only then can it be told from a number
    last = name.rpartition(".")[2]
    if not name or last.isdecimal() or last.startswith("0x"):
        raise refused(
            f"{bounded(text, 100)!r} is neither a name nor an address: write `db.internal`, `10.0.0.5`, `::1`"
        )
    return Host(text, name, None)


def ascii_name(text: str) -> str:
    """A name as DNS has it: IDN in its `xn--` form. Raises NodeFault for what can be no name."""
    name = text.rstrip(".").lower()
    if not name.isascii():
        try:
            import idna

            name = idna.encode(name, uts46=True).decode("ascii")
        except (ImportError, UnicodeError):
            try:
                name = name.encode("idna").decode("ascii").lower()
            except UnicodeError as error:
                raise refused(f"{bounded(text, 100)!r} is no name: {bounded(str(error), 100)}") from None
    labels = name.split(".")
    if len(name) > 253 or any(_LABEL.match(label) is None for label in labels):
        raise refused(
            f"{bounded(text, 100)!r} is no name: its parts have 1 to 63 letters, digits, `-` and `_`, all of it at "
            "most 253 characters"
        )
    return name


def ports_of(given: Iterable[int | str]) -> list[int]:
    """Ports and ranges as a list, each once, in the order in which they are named."""
    found: dict[int, None] = {}
    for entry in given:
        first, _, last = str(entry).partition("-")
        found.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
    return list(found)


@dataclass(frozen=True)
class Resolver:
    """A DNS server."""

    address: str
    port: int
    origin: str

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def resolver_of(text: str, origin: str = "option") -> Resolver:
    """`10.0.0.2`, `127.0.0.1:5353`, `::1`, `[::1]:53`. Raises NodeFault: a resolver is an address, never a name."""
    try:
        address, number = resolver_port(text)
    except ValueError as error:
        raise refused(bounded(str(error), 200)) from None
    return Resolver(address, number, origin)


@dataclass(frozen=True)
class Place:
    """Where a URL leads."""

    url: str
    scheme: str
    host: Host
    port: int
    target: str
    """Path and query."""
    field: str
    """As `Host:` has it."""


def place_of(url: str) -> Place:
    """Raises ValueError with a sentence for what is no http or https URL."""
    from urllib.parse import quote

    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise ValueError(f"the scheme {bounded(scheme, 40)!r} is neither http nor https")
    if not parts.hostname:
        raise ValueError("there is no host in it")
    try:
        host = host_of(parts.hostname)
    except NodeFault as fault:
        raise ValueError(fault.message) from None
    port = parts.port if parts.port is not None else 443 if scheme == "https" else 80
    if port == 0:
        raise ValueError("its port is 0")
    name = f"[{host.name}]" if isinstance(host.address, IPv6Address) else host.name
    usual = port == (443 if scheme == "https" else 80)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    query = f"?{quote(parts.query, safe='/?%:@!$&()*+,;=-._~[]')}" if parts.query else ""
    return Place(url, scheme, host, port, path + query, name if usual else f"{name}:{port}")


def forbidden(address: Any) -> str | None:
    """Why no request goes to an address, as the end of a sentence; None where one may."""
    found = ip_address(str(address).partition("%")[0])
    inner = unwrapped(found)
    if found in METADATA or inner in METADATA:
        return "where clouds keep a machine's credentials"
    if reach_of(found) is Reach.LINK_LOCAL or reach_of(inner) is Reach.LINK_LOCAL:
        return "a link-local address, where clouds keep a machine's credentials"
    return None


def refused(message: str) -> NodeFault:
    return NodeFault(ErrorKind.REFUSED, message)


def subject_of(host: Host, port: int) -> str:
    """A port of a host, as findings name it."""
    return f"[{host.name}]:{port}" if ":" in host.name else f"{host.name}:{port}"
