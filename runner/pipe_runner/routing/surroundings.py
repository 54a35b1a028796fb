"""Which names and addresses are those of this machine."""

from __future__ import annotations

import socket
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import Final

_HOSTS: Final = "/etc/hosts"
_MOST: Final = 65_536
"""Bytes of it that are read."""


def is_here(host: str) -> bool:
    """Whether a host that a task names is this machine. Asks no name server, and sends nothing."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost") or name in _names():
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:
        return True
    return not address.is_multicast and _is_ours(str(address), address.version)


def _is_ours(address: str, version: int) -> bool:
    """Only an address of one's own can be bound to."""
    try:
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind((address, 0))
    except OSError:
        return False
    return True


@cache
def _names() -> frozenset[str]:
    """The machine's own name, with and without its domain, and what /etc/hosts calls it beside that."""
    own = socket.gethostname().lower()
    found = {own, own.partition(".")[0]}
    try:
        with open(_HOSTS, encoding="utf-8", errors="replace") as file:
            lines = file.read(_MOST).lower().splitlines()
    except OSError:
        lines = []
    for line in lines:
        names = line.partition("#")[0].split()[1:]
        if found & set(names):
            found.update(names)
    return frozenset(found - {""})
