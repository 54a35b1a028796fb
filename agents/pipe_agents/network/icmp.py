"""Echo requests: their bytes, and sockets that may send them, with or without rights."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
from typing import Final

LINUX: Final = sys.platform.startswith("linux")
ERROR_QUEUE: Final = getattr(socket, "MSG_ERRQUEUE", 0x2000)
RECVERR: Final = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (getattr(socket, "IPPROTO_IPV6", 41), 25)}
"""IP_RECVERR and IPV6_RECVERR, which Python doesn't name."""
SO_TIMESTAMPNS: Final = 35
_ECHO: Final = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_PROTOCOL: Final = {
    socket.AF_INET: socket.IPPROTO_ICMP,
    socket.AF_INET6: getattr(socket, "IPPROTO_ICMPV6", 58),
}


class NotAllowed(Exception):
    """This process may send no echo requests; says why."""


def opened(family: int) -> socket.socket:
    """A socket for echo requests. Raises NotAllowed."""
    if not hasattr(socket.socket, "recvmsg"):
        raise NotAllowed(f"Python on {sys.platform} can't receive what belongs to a datagram")
    why = ""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            one = socket.socket(family, kind, _PROTOCOL[socket.AddressFamily(family)])
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
                raise
            why = error.strerror or str(error)
            continue
        one.setblocking(False)
        if LINUX:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            with contextlib.suppress(OSError):
                one.setsockopt(*RECVERR[socket.AddressFamily(family)], 1)
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return one
    raise NotAllowed(why)


def request(family: int, ident: int, sequence: int, payload: bytes) -> bytes:
    """An echo request. The kernel writes the id of unprivileged ones, and the checksum of IPv6."""
    kind = _ECHO[socket.AddressFamily(family)][0]
    packet = struct.pack("!BBHHH", kind, 0, 0, ident, sequence) + payload
    if family == socket.AF_INET:
        packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
    return packet


def reply(family: int, data: bytes, payload: bytes) -> int | None:
    """The number of the request that this answers; None for any other packet."""
    if family == socket.AF_INET and data[:1] and data[0] >> 4 == 4:  # raw sockets give the header of IP as well
        data = data[(data[0] & 0x0F) * 4 :]
    if len(data) < 8 + len(payload):
        return None
    kind, code, _, _, sequence = struct.unpack("!BBHHH", data[:8])
    number: int = sequence
    right = kind == _ECHO[socket.AddressFamily(family)][1] and code == 0 and data[8 : 8 + len(payload)] == payload
    return number if right else None


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\x00"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def arrived(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """When the kernel took the packet in: nanoseconds of the wall clock."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack("@qq", data[:16])
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None
