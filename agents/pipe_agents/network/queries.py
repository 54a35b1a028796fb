"""One question to one DNS server: over UDP, over TCP where that is too short, and what its answer is."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from pipe_agents.network.connecting import PENDING, socket_address
from pipe_agents.network.numbers import ms
from pipe_agents.network.targets import Resolver
from pipe_agents.network.texts import bounded, why_of
from pipe_agents.network.waiting import READ, WRITE, Stop

TRIES: Final = 2
"""Over UDP: one datagram may be lost."""
_PAYLOAD: Final = 1232
_MOST_RECORDS: Final = 100
_MOST_TEXT: Final = 8192
_LONGEST_CHAIN: Final = 16
_MOST_IGNORED: Final = 1000


@dataclass
class Said:
    """What became of a question."""

    type: str
    name: str
    status: str = "timeout"
    seconds: float | None = None
    rcode: str | None = None
    records: list[str] = field(default_factory=list)
    cnames: list[str] = field(default_factory=list)
    ttl: int | None = None
    protocol: str = "udp"
    truncated: bool = False
    tries: int = 0
    lost: int = 0
    """Tries that had no answer."""
    authoritative: bool = False
    ignored: int = 0
    why: str | None = None
    count: int = 0

    @property
    def answered(self) -> bool:
        """Whether the server said something of the name."""
        return self.status in ("ok", "no_data", "nxdomain")

    def measured(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "status": self.status,
            "ms": None if self.seconds is None else ms(self.seconds),
            "name": self.name,
            "rcode": self.rcode,
            "records": self.records,
            "count": self.count,
            "cnames": self.cnames,
            "ttl_s": self.ttl,
            "protocol": self.protocol,
            "truncated": self.truncated,
            "tries": self.tries,
            "authoritative": self.authoritative,
            "ignored": self.ignored,
            "why": self.why,
        }


class _Malformed(Exception):
    pass


def ask(resolver: Resolver, name: str, record: str, seconds: float, stop: Stop) -> Said:
    """Ask, wait at most `seconds` for each try, and read the answer. Needs dnspython."""
    import dns.message
    import dns.rcode

    said = Said(record, name)
    began = monotonic()
    try:
        reply = _asked(
            dns.message.make_query(name, record, use_edns=0, payload=_PAYLOAD), resolver, seconds, said, stop
        )
        if reply.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):  # it may be older than EDNS
            began = monotonic()
            reply = _asked(dns.message.make_query(name, record), resolver, seconds, said, stop)
        said.seconds = monotonic() - began
        _read(reply, said)
    except TimeoutError:
        said.status = "timeout"
        said.why = f"no answer within {seconds:g} s" + (f", asked {said.tries} times" if said.tries > 1 else "")
        if said.ignored:
            said.why += f"; {said.ignored} datagrams came that were no answer to this question"
    except _Malformed as error:
        said.status, said.why, said.seconds = "malformed", str(error), monotonic() - began
    except OSError as error:
        said.status, said.why = "unreachable", why_of(error)
    return said


def _asked(query: Any, resolver: Resolver, seconds: float, said: Said, stop: Stop) -> Any:
    import dns.flags

    wire = query.to_wire()
    for left in reversed(range(TRIES)):
        said.tries += 1
        try:
            reply = _over_udp(query, wire, resolver, monotonic() + seconds, said, stop)
            break
        except TimeoutError:
            said.lost += 1
            if not left:
                raise
    if reply.flags & dns.flags.TC:
        said.truncated = True
        said.protocol = "tcp"
        try:
            return _over_tcp(query, wire, resolver, monotonic() + seconds, stop)
        except (TimeoutError, OSError) as error:
            how = f"no answer within {seconds:g} s" if isinstance(error, TimeoutError) else why_of(error)
            raise _Malformed(f"the answer is too long for UDP, and over TCP there is none: {how}") from None
    return reply


def _over_udp(query: Any, wire: bytes, resolver: Resolver, until: float, said: Said, stop: Stop) -> Any:
    family, place = socket_address(resolver.address, resolver.port)
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.setblocking(False)
        one.connect(place)
        one.send(wire)
        garbage = None
        while True:
            try:
                stop.wait(one, READ, until)
                data = one.recv(65535)
            except BlockingIOError:
                continue
            except TimeoutError:
                if garbage is not None:
                    raise _Malformed(garbage) from None
                raise
            try:
                return _answer(query, data)
            except _Malformed as error:  # somebody else's, or damaged: the right one may still come
                said.ignored += 1
                if data[:2] == wire[:2]:
                    garbage = str(error)
                if said.ignored > _MOST_IGNORED:
                    raise _Malformed(f"{said.ignored} datagrams came that were no answer to this question") from None


def _over_tcp(query: Any, wire: bytes, resolver: Resolver, until: float, stop: Stop) -> Any:
    family, place = socket_address(resolver.address, resolver.port)
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.setblocking(False)
        number = one.connect_ex(place)
        if number and number not in PENDING:
            raise OSError(number, os.strerror(number))
        stop.wait(one, WRITE, until)
        number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))
        one.send(struct.pack("!H", len(wire)) + wire)
        (length,) = struct.unpack("!H", _exactly(one, 2, until, stop))
        return _answer(query, _exactly(one, length, until, stop))


def _exactly(one: socket.socket, count: int, until: float, stop: Stop) -> bytes:
    data = b""
    while len(data) < count:
        stop.wait(one, READ, until)
        try:
            piece = one.recv(count - len(data))
        except BlockingIOError:
            continue
        if not piece:
            raise _Malformed(f"the connection was closed after {len(data)} of {count} bytes of the answer")
        data += piece
    return data


def _answer(query: Any, data: bytes) -> Any:
    """The message, if it is an answer to this query."""
    import dns.exception
    import dns.message

    try:
        reply = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, struct.error, IndexError, KeyError) as error:
        raise _Malformed(f"the answer can't be read: {bounded(type(error).__name__, 60)}") from None
    try:
        right = query.is_response(reply)
    except Exception:  # what a hostile message makes of a library is no fault of ours
        right = False
    if not right:
        raise _Malformed("the answer has another id or question than what was asked")
    return reply


def _read(reply: Any, said: Said) -> None:
    """What the message says of the name."""
    import dns.flags
    import dns.rcode

    said.rcode = dns.rcode.to_text(reply.rcode())
    said.authoritative = bool(reply.flags & dns.flags.AA)
    code = reply.rcode()
    _read_records(reply, said)
    if code == dns.rcode.NOERROR:
        said.status = "ok" if said.records else "no_data"
        if not said.records and not said.authoritative and not said.cnames:
            recursive = bool(reply.flags & dns.flags.RA)
            soa = any(_type(rrset) == "SOA" for rrset in reply.authority)
            if not recursive and not soa:
                said.status = "lame"
                said.why = (
                    "it knows nothing of the name, and asks nobody: it is neither a resolver nor the zone's server"
                )
    elif code == dns.rcode.NXDOMAIN:
        said.status = "nxdomain"
    elif code == dns.rcode.SERVFAIL:
        said.status = "servfail"
    elif code == dns.rcode.REFUSED:
        said.status = "refused"
    else:
        said.status = "error"
        said.why = f"it answers {said.rcode}"


def _read_records(reply: Any, said: Said) -> None:
    names: dict[str, str] = {}
    found: dict[str, list[tuple[str, int]]] = {}
    for rrset in reply.answer:
        owner = _name(rrset.name)
        kind = _type(rrset)
        if kind == "CNAME":
            for record in list(rrset)[:1]:
                names[owner] = _name(record.target)
        if kind == said.type:
            found.setdefault(owner, []).extend((_text(record, kind), rrset.ttl) for record in rrset)
    owner = said.name.rstrip(".").lower() or "."
    while said.type != "CNAME" and owner in names and len(said.cnames) < _LONGEST_CHAIN:
        owner = names[owner]
        if owner in said.cnames:
            said.why = "its aliases lead in a circle"
            break
        said.cnames.append(owner)
    records = found.get(owner, [])
    said.count = len(records)
    said.records = _some(sorted({text for text, _ in records}))
    said.ttl = min((ttl for _, ttl in records), default=None)


def _some(texts: list[str]) -> list[str]:
    """As many as an output may hold: a hostile answer is 64 KiB, and there may be thousands."""
    kept, size = [], 0
    for text in texts[:_MOST_RECORDS]:
        size += len(text)
        if size > _MOST_TEXT:
            break
        kept.append(text)
    return kept


def _type(rrset: Any) -> str:
    import dns.rdatatype

    return dns.rdatatype.to_text(rrset.rdtype)


def _name(name: Any) -> str:
    return bounded(str(name).rstrip(".").lower() or ".", 300)


def _text(record: Any, kind: str) -> str:
    if kind == "TXT":
        return bounded(b"".join(record.strings).decode("utf-8", "backslashreplace"))
    if kind == "MX":
        return f"{record.preference} {_name(record.exchange)}"
    if kind in ("CNAME", "NS"):
        return _name(record.target)
    return bounded(record.to_text())
