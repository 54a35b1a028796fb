"""A DNS server on loopback, UDP and TCP on one port, that answers right or wrong as a test wants. Written by hand."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "OPT": 41}
NAMES = {number: name for name, number in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


@dataclass(frozen=True)
class Asked:
    """One question as it arrived."""

    name: str
    type: str
    protocol: str
    edns: bool


def encoded(name: str) -> bytes:
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def rdata(kind: str, value: str) -> bytes:
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        preference, name = value.split()
        return struct.pack("!H", int(preference)) + encoded(name)
    if kind == "TXT":
        data = value.encode()
        return b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data) or 1, 255))
    return encoded(value)


class DnsServer:
    """Serves `zone`: {name: {type: [values]}}. `tricks`: what a name does instead, as `servfail` or `slow:0.2`."""

    def __init__(
        self,
        zone: Mapping[str, Mapping[str, Sequence[str]]],
        tricks: Mapping[str, str] | None = None,
        *,
        recursive: bool = True,
        ttl: int = 300,
    ) -> None:
        self.zone, self.tricks, self.recursive, self.ttl = zone, dict(tricks or {}), recursive, ttl
        self.asked: list[Asked] = []
        self._closed = False
        while True:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self.port = self._udp.getsockname()[1]
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self._udp.close()
                self._tcp.close()
        self._tcp.listen(64)
        self.address = f"127.0.0.1:{self.port}"
        self._udp.settimeout(0.05)
        self._tcp.settimeout(0.05)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closed = True
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                data, client = self._udp.recvfrom(4096)
                threading.Thread(target=self._over_udp, args=(data, client), daemon=True).start()

    def _over_udp(self, data: bytes, client: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            for answer in self._answers(data, "udp"):
                self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._over_tcp, args=(connection,), daemon=True).start()

    def _over_tcp(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(5)
            (length,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
            for answer in self._answers(connection.recv(length, socket.MSG_WAITALL), "tcp"):
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answers(self, data: bytes, protocol: str) -> list[bytes]:
        name, kind, end = _question(data)
        edns = struct.unpack("!H", data[10:12])[0] > 0
        seen = sum(one.name == name and one.type == kind for one in self.asked)
        self.asked.append(Asked(name, kind, protocol, edns))
        trick, _, value = self.tricks.get(f"{name} {kind}", self.tricks.get(name, "")).partition(":")
        question, ident = data[12:end], data[:2]
        if trick == "silent" or (trick == "drop_first" and not seen):
            return []
        if trick == "slow":
            time.sleep(float(value))
        if trick == "garbage":
            return [ident + b"\xff" * 40]
        if trick == "noise":
            return [b"\x00"]
        if trick == "no_tcp" and protocol == "tcp":
            return []
        codes = {"servfail": SERVFAIL, "refused": REFUSED, "notimp": NOTIMP}
        code = codes.get(trick, NOERROR)
        if trick == "no_edns" and edns:
            code = FORMERR
        answers = [] if code else self._records(name, kind)
        if not code and answers is None:
            code, answers = NXDOMAIN, self._aliases(name)
        truncated = trick in ("truncated", "no_tcp") and protocol == "udp"
        whole = _message(
            ident,
            question,
            code,
            [] if truncated else answers or [],
            self.ttl,
            truncated,
            self.recursive,
            not self.recursive,
        )
        if trick == "lame":
            whole = _message(ident, question, NOERROR, [], self.ttl, False, False, False)
        if trick == "wrong_id":
            return [bytes([ident[0] ^ 1, ident[1]]) + whole[2:]]
        if trick == "forged":
            return [bytes([ident[0] ^ 1, ident[1]]) + whole[2:]] * 3 + [whole]
        if trick == "cut":
            return [whole[:-3]]
        return [whole]

    def _aliases(self, name: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        while (to := self.zone.get(name, {}).get("CNAME")) and len(found) < 20:
            found.append((name, "CNAME", to[0]))
            name = to[0]
        return found

    def _records(self, name: str, kind: str) -> list[tuple[str, str, str]] | None:
        """None: there is no such name."""
        aliases = [] if kind == "CNAME" else self._aliases(name)
        last = aliases[-1][2] if aliases else name
        if last not in self.zone and last:
            return None
        return aliases + [(last, kind, value) for value in self.zone.get(last, {}).get(kind, ())]


def _question(data: bytes) -> tuple[str, str, int]:
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    (kind,) = struct.unpack("!H", data[at + 1 : at + 3])
    return ".".join(labels).lower(), NAMES.get(kind, str(kind)), at + 5


def _message(
    ident: bytes,
    question: bytes,
    code: int,
    answers: Sequence[tuple[str, str, str]],
    ttl: int,
    truncated: bool,
    recursive: bool,
    authoritative: bool,
) -> bytes:
    flags = (
        0x8100 | code | (0x0200 if truncated else 0) | (0x0080 if recursive else 0) | (0x0400 if authoritative else 0)
    )
    body = b""
    for name, kind, value in answers:
        data = rdata(kind, value)
        body += encoded(name) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(data)) + data
    return ident + struct.pack("!HHHHH", flags, 1, len(answers), 0, 0) + question + body
