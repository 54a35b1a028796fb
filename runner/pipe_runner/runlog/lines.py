"""One line of the log: an event to bytes, and bytes back to an event, with every reason why they may not be one."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
from math import isinf
from typing import Any, Final, TypeAlias
from zlib import crc32

from pipe_runner.ports import Event
from pipe_schemas.encoding import json_encoder

VERSION: Final = 1
MAX_LINE: Final = 64 * 2**20
"""Bytes of the longest line, its newline included; what is larger belongs into a blob."""

RESERVED: Final = frozenset({"v", "seq", "ts", "run", "event", "node", "attempt", "crc"})
_LARGEST: Final = sys.float_info.max
_TIME: Final = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}\.[0-9]{6}Z"
).fullmatch
CRC_LENGTH: Final = len(b',"crc":"00000000"}')

_encode: Final = json_encoder(allow_nan=False, separators=(",", ":"))


def _number(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


_decode = json.JSONDecoder(parse_float=_number, parse_constant=_no_number).decode


@lru_cache(256)
def _named(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"data names fields of every event: {name}")
    return f",{quote(name)}:"


_shortest = lru_cache(1024)(repr)
"""Durations in microseconds: quick nodes take as long as one another, and to format one takes four times as long as to
find it."""


def _fields(data: Mapping[str, Any]) -> str:
    """The fields of an event's data, each with a comma before it. Most are plain, and take half the encoder's time."""
    text = ""
    for name, value in data.items():
        if value is None:
            text += f"{_named(name)}null"
        elif type(value) is float and 0.0 < value <= _LARGEST:
            text += _named(name) + _shortest(value)
        elif type(value) is int:
            text += f"{_named(name)}{value}"
        else:
            text += _named(name) + (quote(value) if type(value) is str else _encode(value))
    return text


class BadLine(Exception):
    """The bytes are not a line of a log. `checksum_ok`: somebody did write them so, they are not merely damaged."""

    def __init__(self, why: str, *, checksum_ok: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.checksum_ok = checksum_ok


Heads: TypeAlias = dict[str, str]
"""By kind of event: what stands between the time and the node, the same in all lines of a run."""


def encode_line(event: Event, heads: Heads | None = None) -> bytes:
    """The event's line, newline included. Raises ValueError or TypeError for data that is no JSON, which is our bug.

    `heads` is kept between the lines of one run, by whoever writes many.
    """
    seq, ts, run, kind, node, attempt, data = event
    if heads is None:
        heads = {}
    head = heads.get(kind) or heads.setdefault(kind, f'","run":{quote(run)},"event":{quote(kind)}')
    fields = _fields(data) if data else ""
    if attempt is not None:
        fields = f',"attempt":{attempt}{fields}'
    if node is not None:
        fields = f',"node":{quote(node)}{fields}'
    raw = f'{{"v":1,"seq":{seq},"ts":"{ts}{head}{fields}'.encode("ascii")
    line = b'%b,"crc":"%08x"}\n' % (raw, crc32(raw))
    if len(line) > MAX_LINE:
        raise ValueError(f"{kind}: a line of {len(line)} bytes; {MAX_LINE} are the most")
    return line


def checksum_ok(line: bytes) -> bool:
    """True when the line (without its newline) ends with the right crc; cheap, and tells a line from damage."""
    return line[:1] == b"{" and line[-CRC_LENGTH:] == b',"crc":"%08x"}' % crc32(memoryview(line)[:-CRC_LENGTH])


def decode_line(line: bytes, run: str | None = None, seq: int | None = None) -> Event:
    """The event that a line (without its newline) tells; raises BadLine.

    `run` and `seq` are what the line must say, where they are known.
    """
    if not checksum_ok(line):
        raise BadLine(_why_unreadable(line))
    try:
        data: dict[str, Any] = _decode(line.decode("ascii"))
    except RecursionError:
        raise BadLine("the line is nested too deeply to be read", checksum_ok=True) from None
    except ValueError as error:
        raise BadLine(f"the line is no ASCII JSON ({error})", checksum_ok=True) from None
    try:
        version = data.pop("v")
        if version != VERSION:
            raise BadLine(_why_version(version), checksum_ok=True)
        event = Event(
            data.pop("seq"),
            data.pop("ts"),
            data.pop("run"),
            data.pop("event"),
            data.pop("node", None),
            data.pop("attempt", None),
            data,
        )
        del data["crc"]
    except (KeyError, AttributeError, TypeError) as error:
        raise BadLine(f"the line lacks the fields of an event ({error})", checksum_ok=True) from None
    _check(event, run, seq)
    return event


def _check(event: Event, run: str | None, seq: int | None) -> None:
    if type(event.seq) is not int or type(event.ts) is not str or type(event.event) is not str:
        raise BadLine("a field has the wrong type", checksum_ok=True)
    if not _TIME(event.ts) or not _is_day(event.ts[:10]):
        raise BadLine("`ts` is no time", checksum_ok=True)
    if event.node is not None and type(event.node) is not str:
        raise BadLine("`node` is no text", checksum_ok=True)
    if event.attempt is not None and (type(event.attempt) is not int or event.attempt < 1):
        raise BadLine("`attempt` is no whole number from 1", checksum_ok=True)
    if run is not None and event.run != run:
        raise BadLine(f"the line belongs to run {event.run!r}, not to {run!r}", checksum_ok=True)
    if seq is not None and event.seq != seq:
        what = "lines are missing" if event.seq > seq else "a line stands twice, or in the wrong place"
        raise BadLine(f"seq is {event.seq} where {seq} is next: {what}", checksum_ok=True)


@lru_cache(16)
def _is_day(text: str) -> bool:
    from datetime import date  # a run that begins reads no log

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _why_unreadable(line: bytes) -> str:
    if not line:
        return "an empty line"
    if line.startswith(b"\0"):
        return "zero bytes where a line should begin"
    if line[-CRC_LENGTH:-10] != b',"crc":"' or line[-2:] != b'"}':
        return "the line does not end with a crc"
    return "the line's crc does not fit its bytes"


def _why_version(version: object) -> str:
    if isinstance(version, int) and version > VERSION:
        return f"the line is of format v{version}, written by a newer version of pipe-runner; this one reads v{VERSION}"
    return f"the line's format is {version!r}; this version reads v{VERSION}"
