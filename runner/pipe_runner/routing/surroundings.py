"""Which names and addresses are those of this machine."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address


def is_here(host: str) -> bool:
    """Whether a host that a task names is this machine. Asks no name server, sends nothing and opens no file: `pipe
    check` asks, too."""
    name = host.strip("[]").rstrip(".").lower()
    own = socket.gethostname().lower()
    if name in ("localhost", own, own.partition(".")[0]) or name.endswith(".localhost"):
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
