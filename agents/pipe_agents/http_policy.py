"""Decides which addresses the http agent may reach; pure: no network, no clock, no environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, TypeAlias

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind
from pipe_schemas.hosts import Network, allowed_place

Address: TypeAlias = IPv4Address | IPv6Address


class Reach(StrEnum):
    """What kind of place an address is."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    """Refused unless policy allows the host or the network."""
    LINK_LOCAL = "link-local"
    """Refused unless policy allows the network: the credentials of cloud machines live here."""
    NEVER = "no unicast address"


# The IANA special-purpose registries; `ipaddress.is_global` differs between patch releases of Python.
_V4: Final[tuple[tuple[IPv4Network, Reach], ...]] = tuple(
    (IPv4Network(network), reach)
    for network, reach in (
        ("0.0.0.0/8", Reach.NEVER),
        ("10.0.0.0/8", Reach.PRIVATE),
        ("100.64.0.0/10", Reach.PRIVATE),
        ("127.0.0.0/8", Reach.LOOPBACK),
        ("168.63.129.16/32", Reach.LINK_LOCAL),
        ("169.254.0.0/16", Reach.LINK_LOCAL),
        ("172.16.0.0/12", Reach.PRIVATE),
        ("192.0.0.0/24", Reach.PRIVATE),
        ("192.0.2.0/24", Reach.PRIVATE),
        ("192.88.99.0/24", Reach.PRIVATE),
        ("192.168.0.0/16", Reach.PRIVATE),
        ("198.18.0.0/15", Reach.PRIVATE),
        ("198.51.100.0/24", Reach.PRIVATE),
        ("203.0.113.0/24", Reach.PRIVATE),
        ("224.0.0.0/4", Reach.NEVER),
        ("240.0.0.0/4", Reach.NEVER),
    )
)
_V6_GLOBAL: Final = IPv6Network("2000::/3")
_V6: Final[tuple[tuple[IPv6Network, Reach], ...]] = tuple(
    (IPv6Network(network), reach)
    for network, reach in (
        ("::1/128", Reach.LOOPBACK),
        ("::/128", Reach.NEVER),
        ("64:ff9b:1::/48", Reach.PRIVATE),
        ("2001::/23", Reach.PRIVATE),
        ("2001:db8::/32", Reach.PRIVATE),
        ("3fff::/20", Reach.PRIVATE),
        ("fc00::/7", Reach.PRIVATE),
        ("fe80::/10", Reach.LINK_LOCAL),
        ("ff00::/8", Reach.NEVER),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE: Final = IPv6Network("::/96")


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, translated, compatible, NAT64, 6to4, ISATAP), or itself."""
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    if address in _SIX_TO_FOUR:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    if number > 1 and any(address in network for network in (_MAPPED, _TRANSLATED, _COMPATIBLE, _NAT64)):
        return IPv4Address(number & 0xFFFFFFFF)
    if (number >> 32) & 0xFDFFFFFF == 0x00005EFE:
        return IPv4Address(number & 0xFFFFFFFF)
    return address


def reach_of(address: Address) -> Reach:
    """What kind of place an address is. A tunnel's prefix counts as what it leads to, but never as loopback."""
    inner = unwrapped(address)
    if inner is not address and isinstance(address, IPv6Address):
        reach = reach_of(inner)
        if address in _MAPPED:
            return reach
        outer = _listed(address)
        if outer is not Reach.PUBLIC and not any(address in n for n in (_NAT64, _TRANSLATED, _COMPATIBLE)):
            return outer
        return Reach.PRIVATE if reach is Reach.LOOPBACK else reach
    return _listed(address)


def _listed(address: Address) -> Reach:
    if isinstance(address, IPv4Address):
        return next((reach for network, reach in _V4 if address in network), Reach.PUBLIC)
    reach = next((reach for network, reach in _V6 if address in network), None)
    if reach is not None:
        return reach
    return Reach.PUBLIC if address in _V6_GLOBAL else Reach.NEVER


@dataclass(frozen=True, slots=True)
class HttpRules:
    """`policy.http` of pipe.yml: networks and names that may be reached although they are not public, and the proxy."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()
    proxy: bool | str = False

    @classmethod
    def parse(cls, policy: Mapping[str, Any]) -> HttpRules:
        """From plain data. Raises NodeFault (`refused`) on data of another shape: a policy is never guessed."""
        http = policy.get("http")
        if http is None:
            return cls()
        if not isinstance(http, Mapping):
            raise _wrong("http must be a map")
        unknown = set(http) - {"allow", "proxy"}
        if unknown:
            raise _wrong(f"http has an unknown key {sorted(map(str, unknown))[0]!r}")
        allow = http.get("allow") or []
        if not isinstance(allow, list) or not all(isinstance(entry, str) for entry in allow):
            raise _wrong("http.allow must be a list of networks and host names")
        proxy = http.get("proxy", False)
        if not isinstance(proxy, bool | str):
            raise _wrong("http.proxy must be true, false or a URL")
        networks: list[Network] = []
        hosts: set[str] = set()
        domains: list[str] = []
        for entry in allow:
            try:
                place = allowed_place(entry)
            except ValueError as error:
                raise _wrong(str(error)) from None
            if not isinstance(place, str):
                networks.append(place)
            elif place.startswith("."):
                domains.append(place)
            else:
                hosts.add(place)
        return cls(tuple(networks), frozenset(hosts), tuple(domains), proxy)

    def refusal(self, host: str, address: Address, *, redirected_from_public: bool = False) -> str | None:
        """Why an address may not be connected to, as the end of a sentence; None when it may."""
        reach = reach_of(address)
        inner = unwrapped(address)
        if reach is Reach.PUBLIC:
            return None
        if reach is Reach.LOOPBACK:
            return "a loopback address, and a public address redirected there" if redirected_from_public else None
        if reach is Reach.NEVER:
            return f"{reach}"
        if any(inner in network or address in network for network in self.networks):
            return None
        if reach is Reach.PRIVATE and self._named(host):
            return None
        return f"a {reach} address"

    def _named(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return name in self.hosts or any(name.endswith(domain) for domain in self.domains)


def in_url(host: str) -> str:
    """The host as URLs have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def literal(host: str) -> Address | None:
    """The address that a URL's host is, if it is one in its usual form.

    Raises NodeFault (`refused`) for other spellings of addresses (`2130706433`, `0x7f.1`, `010.0.0.1`, zones), which
    programs read differently.
    """
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise NodeFault(ErrorKind.REFUSED, f"the host {host!r} names a zone of an IPv6 address")
        return address
    last = host.rstrip(".").rpartition(".")[2].lower()
    if last.isdecimal() or (last.startswith("0x") and all(c in "0123456789abcdef" for c in last[2:])):
        raise NodeFault(ErrorKind.REFUSED, f"the host {host!r} is a number, but no address in its usual form (a.b.c.d)")
    return None


def _wrong(why: str) -> NodeFault:
    return NodeFault(ErrorKind.REFUSED, f"policy in pipe.yml: {why}")
