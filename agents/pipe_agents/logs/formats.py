"""Formats of lines: how each begins, where its time and level stand, and which one a file has."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pipe_agents.logs.joining import joins
from pipe_agents.logs.times import EAST

_ISO: Final = rb"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|UTC|GMT|" + EAST + rb"))?"
_DAY_FIRST: Final = rb"\d\d[-/ ][A-Z][a-z]{2}[-/ ]\d{4}[ :]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|GMT|[+-]\d{4}))?"
_STAMP: Final = rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
_NO_YEAR: Final = rb"(?![.\d]| (?:[A-Z]{2,5} )?(?:19|20)\d\d\b)"
"""Behind a stamp: where a year follows, none is to be assumed."""
_LEVEL: Final = (
    rb"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRITICAL|CRIT|FATAL|SEVERE|ALERT|EMERG|EMERGENCY|PANIC"
    rb"|trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|severe|alert|emerg|panic"
    rb"|VRB|TRC|DBG|INF|WRN|FTL)"
)
_TAG: Final = rb"[^\s:\[\]]{1,128}"
_HOST: Final = rb"(?!(?:\[" + _LEVEL + rb"\]:?|" + _LEVEL + rb":|(?=[A-Z])" + _LEVEL + rb") )\S{1,255}"
"""Where the name of the machine stands: a level there is that of a program which writes for itself."""


class Format(NamedTuple):
    """One way to write lines. `head` matches at a line's start, up to its message; groups `time`, `level`, `pri`."""

    name: str
    head: re.Pattern[bytes]


def _format(name: str, head: bytes) -> Format:
    return Format(name, re.compile(head))


_QUOTED: Final = rb"\"(?:[^\"\\\n]++|\\.)*+\""
ACCESS: Final = re.compile(
    rb"(?:[^\s:]{1,255}+:\d{1,5} )?(?P<client>\S{1,255}+) \S{1,255}+ [^\[\"\n]{1,255}+\[(?P<time>[^\]\n]{17,40}+)\] "
    rb"\"(?P<request>(?:[^\"\\\n]++|\\.)*+)\" (?P<status>\d{3}) (?P<bytes>\d{1,18}+|-)"
    rb"(?: " + _QUOTED + rb" " + _QUOTED + rb")?+(?P<rest>[^\n]{0,2048}+)"
)
"""Common and combined, of Apache and nginx; possessive, so that no line takes longer than its length."""

FORMATS: Final[tuple[Format, ...]] = (
    _format("json", rb"\s{0,8}\{(?=\s{0,8}[\"}])"),
    _format("rfc5424", rb"<(?P<pri>\d{1,3})>1 (?P<time>" + _ISO + rb"|-) \S{1,255} \S{1,64} \S{1,128} \S{1,64} (?:-"
        rb"|\[.{0,2048}?\])(?= |$) ?"),
    Format("access", ACCESS),
    _format("apache_error", rb"\[(?P<time>[A-Z][a-z]{2} " + _STAMP +
        rb" \d{4})\] \[(?:[\w-]{0,40}:)?(?P<level>[a-z]{2,8})\d?\](?: \[[^\]\n]{1,200}\]){0,4}:? "),
    _format("nginx_error",
        rb"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>[a-z]{2,8})\] \d+#\d+: (?:\*\d+ )?"),
    _format("syslog", rb"(?:<(?P<pri>\d{1,3})>)?(?P<time>" + _STAMP + rb") " + _HOST + rb" " + _TAG +
        rb"(?:\[\d{1,10}\])?: ?"),
    _format("syslog_iso", rb"(?:<(?P<pri>\d{1,3})>)?(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z"
        rb"|[+-]\d\d:?\d\d)) " + _HOST + rb" " + _TAG + rb"(?:\[\d{1,10}\])?: ?"),
    _format("cri", rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] "),
    _format("klog", rb"(?P<time>(?P<level>[IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6}) +\d+ [^\s\]]{1,200}:\d+\] "),
    _format("audit", rb"type=[A-Z0-9_]{1,40} msg=audit\((?P<time>1\d{9}\.\d{3}):\d{1,10}\): ?"),
    _format("logfmt", rb"(?=(?:[a-zA-Z_][\w.]{0,40}=(?:\"[^\"\n]{0,200}\"|[^\s\"]{0,200}) ?){2})"),
    _format("postgresql", rb"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [A-Z]{2,5}"
        rb"| ?[+-]\d\d(?::?\d\d)?)?) \[\d+(?:-\d+)?\] (?:\S{1,128} )?"
        rb"(?P<level>DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC"
        rb"|DETAIL|HINT|STATEMENT|CONTEXT): {1,2}"),
    _format("java", rb"\[?(?P<time>" + _ISO + rb")\]?(?: +\[[^\]\n]{1,200}\])? +\[?(?P<level>" + _LEVEL +
        rb")\]? +(?:\d+ )?(?:--- )?(?:\[[^\]\n]{1,200}\] )?(?:[\w.$/\[\]-]{1,200} ?(?:-|:) )"),
    _format("python", rb"(?P<time>" + _ISO + rb")(?: -|:)? ?[\w.]{0,200}?(?: -|:)? ?\[?(?P<level>" + _LEVEL +
        rb")\]?(?: -|:)? "),
    _format("dpkg", rb"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?=startup |status |install |upgrade |configure "
        rb"|trigproc |remove |purge |conffile |disappear )"),
    _format("dmesg", rb"(?:<(?P<pri>\d{1,3})>)?\[ {0,8}\d{1,8}\.\d{6}\] "),
    _format("iso", rb"(?:[^\s\[]{1,64} )?[\[(]?(?P<time>" + _ISO + rb"|" + _DAY_FIRST + rb"|" + _STAMP + _NO_YEAR +
        rb")(?: [A-Z]\w{2,20}/[\w/+-]{2,40}(?=\]))?[\])]?:?(?: ?[\[(]?(?P<level>" + _LEVEL +
        rb")[\])]?(?=[\s:]))?[:,]? {0,4}"),
    _format("log4j", rb"(?P<time>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (?P<level>" + _LEVEL + rb") {1,2}[\w.$]{1,200}: "),
    _format("epoch", rb"\[?(?P<time>1\d{9}(?:\.\d{1,9}|\d{3})?)\]? "),
)  # fmt: skip
BY_NAME: Final = {one.name: one for one in FORMATS}
PLAIN: Final = _format("plain", rb"")
ALIASES: Final = {"apache": "access", "nginx": "access", "docker": "json", "glog": "klog"}
SAMPLE_LINES: Final = 200
ENOUGH: Final = 0.5
"""The part of a sample's lines that must have a format for it to be taken as the file's."""

MESSAGE_KEYS: Final = (
    "message",
    "msg",
    "MESSAGE",
    "short_message",
    "textPayload",
    "@m",
    "@mt",
    "log",
    "event",
    "text",
    "error",
    "body",
)
CAUSE_KEYS: Final = ("error", "err", "error.message", "exception")
TIME_KEYS: Final = (
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "datetime",
    "date",
    "asctime",
    "t",
    "@t",
    "eventTime",
    "__REALTIME_TIMESTAMP",
)
LEVEL_KEYS: Final = (
    "level",
    "severity",
    "levelname",
    "lvl",
    "log.level",
    "loglevel",
    "log_level",
    "PRIORITY",
    "severity_text",
    "severityText",
    "@l",
    "s",
)


class Detected(NamedTuple):
    """A file's format, and the part of the sampled lines that have it."""

    format: Format
    coverage: float


_ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-9;?:]{0,64}[ -/]{0,4}[@-~]|\][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\)|[@-_])?")


def cleaned(piece: bytes) -> bytes:
    """Without what terminals and editors leave: marks of byte order, zero bytes, CRLF, escape sequences."""
    if b"\0" in piece:
        piece = (piece[2:] if piece[:2] in (b"\xff\xfe", b"\xfe\xff") else piece).replace(b"\0", b"")
    if b"\xef\xbb\xbf" in piece:
        piece = piece.replace(b"\xef\xbb\xbf", b"")
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n")
        if piece.endswith(b"\r"):
            piece = piece[:-1]
    if b"\x1b" in piece:
        piece = _ESCAPES.sub(b"", piece)
    return piece


def sample_of(piece: bytes) -> list[bytes]:
    """The first lines that can tell a format: none that are empty, or that go on with the line before them."""
    lines = [
        line for line in cleaned(piece[: 1 << 17]).split(b"\n")[: 10 * SAMPLE_LINES] if line.strip() and not joins(line)
    ]
    return lines[:SAMPLE_LINES]


def detect(lines: Sequence[bytes], asked: str = "auto") -> Detected:
    """The format of most lines; the first in the table where two fit as many. `asked` names one instead."""
    asked = ALIASES.get(asked, asked)
    if asked == "plain" or not lines:
        return Detected(PLAIN, 1.0)
    choices = FORMATS if asked == "auto" else (BY_NAME[asked],)
    best, most = PLAIN, 0
    for one in choices:
        count = sum(1 for line in lines if _fits(one, line))
        if count > most:
            best, most = one, count
    if asked == "auto" and most < ENOUGH * len(lines):
        return Detected(PLAIN, 1.0)
    return Detected(best if asked == "auto" else choices[0], most / len(lines))


def _fits(one: Format, line: bytes) -> bool:
    if one.name == "json":
        return isinstance(parsed(line), dict)
    return one.head.match(line[:4096]) is not None


def parsed(line: bytes) -> Any:
    """The JSON value of a line; None where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
