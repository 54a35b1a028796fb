"""What one line says: its message, its level, and whether it goes on with what the line before it began."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from pipe_agents.logs.formats import CAUSE_KEYS, FORMATS, LEVEL_KEYS, MESSAGE_KEYS, TIME_KEYS, Format, parsed
from pipe_agents.logs.joining import JOIN_NO, JOIN_YES, joins
from pipe_agents.logs.locating import priority
from pipe_agents.logs.zeros import speaks, without_empty, without_zeros

LEVELS: Final = ("fatal", "error", "warning", "info", "debug", "none")
FATAL, ERROR, WARNING, INFO, DEBUG, NONE = range(6)
SYSLOG_LEVELS: Final = (FATAL, FATAL, FATAL, ERROR, WARNING, INFO, INFO, DEBUG)
"""Of a priority's severities, 0 to 7."""
_TENS: Final = {10: DEBUG, 20: DEBUG, 30: INFO, 40: WARNING, 50: ERROR, 60: FATAL}
"""As pino and bunyan write."""
LONGEST_MESSAGE: Final = 1000
CARRIERS: Final = frozenset(("cri", "syslog", "syslog_iso", "rfc5424"))
"""Formats whose message may be an object of JSON, as what programs write is carried on."""

NOTHING: Final = frozenset(("", "null", "none", "nil", "<nil>", "false", "undefined", "-"))

_WORDS: Final = {
    **dict.fromkeys(("fatal", "f", "emerg", "emergency", "alert", "crit", "critical", "panic", "ftl", "pnc"), FATAL),
    **dict.fromkeys(("error", "erro", "err", "e", "severe", "exception", "fail", "parse"), ERROR),
    **dict.fromkeys(("warn", "warning", "w", "wrn", "deprecated"), WARNING),
    **dict.fromkeys(("info", "information", "informational", "notice", "note", "i", "inf", "log", "config"), INFO),
    **dict.fromkeys(("debug", "trace", "d", "fine", "finer", "finest", "verbose", "dbg", "trc", "vrb"), DEBUG),
    **dict.fromkeys((f"{word}{number}" for word in ("debug", "d") for number in range(1, 6)), DEBUG),
}
_LETTERS: Final = ("F", "E", "W", "I", "D", "D1", "D2", "D3", "D4", "D5")
_UPPER: Final = re.compile(
    rb"(?<![A-Za-z])(EMERG|EMERGENCY|CRIT|CRITICAL|FATAL|PANIC|SEVERE|ERROR|ERRO|ERR|WARN|WARNING|NOTICE|INFO|DEBUG"
    rb"|TRACE)(?![A-Za-z])"
)
_LOWER: Final = re.compile(
    rb"\[?(?:\w{1,20}: |\w{0,20}\[[\d:]{1,15}\]:? |heroku\[[\w.]{1,40}\]: |PHP )?"
    rb"(fatal|panic|critical|crit|error|warning|warn|info|notice|debug"
    rb"|Error|Warning|Fatal|Notice|Deprecated|Parse(?= error)|fail(?=: [\w.]{1,200}\[))(?: error)?"
    rb"(?:\]|:| -| [HLR]\d\d \()"
)
_BRACKETS: Final = re.compile(rb"\[(fatal|critical|error|warning|warn|info|debug|Error|Warning|Note|Information)\]")
_FIELD: Final = re.compile(
    rb"(?:^|(?<= ))(?:(?:level|lvl|severity)=\"?|at=(?=error |warning |info ))([A-Za-z]{3,13})\b"
)
_KLOG: Final = re.compile(rb"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} ")
_SHORT: Final = re.compile(rb"\[?\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[AP]M)? (VRB|TRC|DBG|INF|WRN|ERR|FTL|PNC)\b")
"""A time of the day and three letters, as loggers write for terminals."""
_STARTED: Final = re.compile(rb"^\([\w.@$\\-]{1,64}\) CMD \(| ; COMMAND=")
"""How cron and sudo tell of a command that they start: words of it are no levels."""
_LOGFMT_LEVEL: Final = re.compile(rb"(?:^|(?<= ))(?:level|lvl|severity)=\"?(\w{1,20})")
_LOGFMT_MESSAGE: Final = re.compile(rb"(?:^|(?<= ))(?:msg|message)=(?:\"((?:[^\"\\]|\\.){0,4000})|(\S{1,2000}))")
_LOGFMT_CAUSE: Final = re.compile(rb"(?:^|(?<= ))(?:error|err)=(?:\"((?:[^\"\\]|\\.){0,4000})|(\S{3,2000}))")
EXCEPTION: Final = re.compile(
    rb"(?:^|Caused by: |Exception in thread \"[^\"\n]{0,200}\" |Uncaught |[:\s])([A-Za-z_$][\w.$]{0,200}(?:Error"
    rb"|Exception|Throwable|Panic))(?=:|\s|$)"
)


class Entry(NamedTuple):
    """A line, taken apart."""

    message: bytes
    level: int
    joined: int
    known: bool
    """Whether it has the file's format."""


def level_of(word: Any) -> int:
    """The level that a word or a number stands for: names, 0 to 7 of syslog, 10 to 60 of pino and Python."""
    if isinstance(word, bool) or word is None:
        return NONE
    if isinstance(word, str) and len(word) < 4 and word.isdigit() and word.isascii():
        word = int(word)
    if isinstance(word, int | float):
        if not 0 <= word <= 60:  # nor is what is no number
            return NONE
        return SYSLOG_LEVELS[int(word)] if word < 8 else _TENS.get(int(word), NONE)
    if isinstance(word, bytes):
        word = word.decode("ascii", "replace")
    return _WORDS.get(str(word).strip().lower()[:20], NONE)


def level_in(value: dict[str, Any], key: str) -> int:
    """The level under a key; under `s`, which is seconds elsewhere, as MongoDB writes it alone."""
    said = value.get(key)
    return NONE if key == "s" and said not in _LETTERS else level_of(said)


def by_words(message: bytes) -> int:
    """The level that a message names itself, near its beginning; `fatal:` is what many tools say for an error. One that
    says there are no errors and speaks of no others informs."""
    if started := _STARTED.search(message, 0, 400):
        message = message[: started.start()]
    rest = without_empty(without_zeros(message))
    if rest != message:
        level = by_words(rest)
        return INFO if level == NONE and not speaks(rest) else level
    found = _FIELD.search(message, 0, 200) or _KLOG.match(message)
    if found and (level := level_of(found[1])) != NONE:
        return level
    if found := _UPPER.search(message, 0, 120):
        return level_of(found[1])
    if found := _BRACKETS.search(message, 0, 60) or _SHORT.match(message):
        return level_of(found[1])
    found = _LOWER.match(message)
    return NONE if found is None else max(level_of(found[1]), ERROR)


def carried(level: int, message: bytes) -> int:
    """The level of a message that has a priority. `info` is what systemd and Docker give to all that a program prints:
    a worse one that the message names counts."""
    return min(level, by_words(message)) if level == INFO else level


def entry_of(one: Format, line: bytes) -> Entry:
    """What the line says, if it has that format; else by the formats that are known."""
    if one.name == "json" and line[:9].lstrip()[:1] == b"{" and isinstance(value := parsed(line), dict):
        return _json(value)
    whole, line = line, line[:8192]
    if one.name not in ("plain", "access", "json") and (found := one.head.match(line)):
        return _logfmt(line) if one.name == "logfmt" else _headed(one, whole, found)
    joined = joins(line)
    if joined == JOIN_NO and one.name != "access" and line[:1] in b"<[0123456789JFMASONDIWE":
        for other in FORMATS:
            if other.name not in ("json", "logfmt", "access", "epoch") and (found := other.head.match(line)):
                return _headed(other, whole, found)._replace(known=False)
    return Entry(line[:LONGEST_MESSAGE], by_words(line), joined, one.name == "plain")


def _headed(one: Format, line: bytes, found: re.Match[bytes]) -> Entry:
    groups = found.groupdict()
    message = line[found.end() : found.end() + LONGEST_MESSAGE]
    level = NONE
    if groups.get("pri"):
        level = SYSLOG_LEVELS[priority(line)[1] or 0]
    elif groups.get("level"):
        level = level_of(groups["level"])
    joined = JOIN_NO
    if one.name == "cri":
        inner = _inner(line[found.end() :])
        message, level = inner.message, inner.level
        joined = JOIN_YES if line[found.end() - 2 : found.end()] == b"P " else inner.joined
    elif message[:1] == b"{" and one.name in CARRIERS and isinstance(value := parsed(line[found.end() :]), dict):
        inner = _json(value)
        message, level = inner.message, level if inner.level == NONE else inner.level
    elif groups.get("pri"):
        level = carried(level, message)
    return Entry(message, by_words(message) if level == NONE else level, joined, True)


def _json(value: dict[str, Any]) -> Entry:
    key, level = next(((key, found) for key in LEVEL_KEYS if (found := level_in(value, key)) != NONE), ("", NONE))
    if level == NONE and isinstance(inner := value.get("log"), dict):
        level = level_of(inner.get("level"))
    message = next((text for key in MESSAGE_KEYS if isinstance(text := value.get(key), str) and text), None)
    if message is None:
        rest = {key: item for key, item in value.items() if key not in TIME_KEYS}
        message = " ".join(f"{key}={item}" for key, item in list(rest.items())[:30])
    elif (cause := _cause(value)) not in message:
        message = f"{message[: LONGEST_MESSAGE // 2]}: {cause}"
    raw = message.encode("utf-8", "replace").rstrip(b"\n")
    if "log" in value and "stream" in value:
        inner_entry = _inner(raw)
        return inner_entry if level == NONE else inner_entry._replace(level=level)
    raw = raw[:LONGEST_MESSAGE]
    if key == "PRIORITY":
        level = NONE if level == ERROR and "CONTAINER_NAME" in value else carried(level, raw)
    joined = JOIN_YES if raw[:1] in (b" ", b"\t") and raw.strip() else JOIN_NO
    return Entry(raw, by_words(raw) if level == NONE else level, joined, True)


def says(cause: str) -> bool:
    """Whether a field for an error holds one."""
    return cause.strip().lower() not in NOTHING


def _cause(value: dict[str, Any]) -> str:
    """What an error says that stands beside the message."""
    for key in CAUSE_KEYS:
        said = value.get(key)
        if isinstance(said, dict):
            said = said.get("message") or said.get("msg")
        if isinstance(said, str) and says(said):
            return said
    return ""


def _inner(raw: bytes) -> Entry:
    """A container's line inside that of Docker or of Kubernetes."""
    if raw[:1] == b"{" and isinstance(value := parsed(raw), dict):
        return _json(value)
    for other in FORMATS:
        if other.name not in ("json", "logfmt", "access", "cri") and (found := other.head.match(raw[:8192])):
            return _headed(other, raw, found)
    raw = raw[:LONGEST_MESSAGE]
    return Entry(raw, by_words(raw), joins(raw), True)


def _logfmt(line: bytes) -> Entry:
    level, message = _LOGFMT_LEVEL.search(line), _LOGFMT_MESSAGE.search(line)
    text = (message[1] or message[2] or b"") if message else line
    found = _LOGFMT_CAUSE.search(line) if message else None
    cause = (found[1] or found[2] or b"") if found else b""
    if cause not in text and says(cause.decode("utf-8", "replace")):
        text = text[: LONGEST_MESSAGE // 2] + b": " + cause
    return Entry(text[:LONGEST_MESSAGE], level_of(level[1]) if level else by_words(text), JOIN_NO, True)
