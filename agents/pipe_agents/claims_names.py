"""The things that a claim is about: what in it looks like a name, and whether findings name it, too."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from pipe_agents.claims_words import COMMANDS, COMMON, PORTS_OF, SOFTWARE, SUBCOMMANDS, TECHNICAL
from pipe_agents.findings import Finding

ADDRESS: Final = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\w.]*\d)|\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](?::\d+)?"
)
SUBJECT: Final = re.compile(
    r"https?://[^\s,;)\"'`]+"
    r"|(?<![\w/.])/[A-Za-z][\w.-]*(?:/[\w.-]+)*"
    r"|\b[a-zA-Z_][\w@-]*\.(?:service|socket|timer|mount)\b"
    r"|\b(?:[a-zA-Z0-9](?:[\w-]*[a-zA-Z0-9])?\.)+[a-zA-Z]{2,}\b(?::\d+)?"
)
_BARE_IPV6: Final = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")
_PLACE: Final = re.compile(r"(?<![\w.:/@-])(?P<host>[A-Za-z][\w-]*):(?P<port>\d{1,5})(?![\w:.]*\w)")
_DRIVE: Final = re.compile(r"\b[A-Za-z]:\\[\w\\.-]*")
_MIXED: Final = re.compile(r"(?<![\w./:@\\-])(?:[^\W\d][^\W\d_]*(?:[-_][^\W\d_]+)*[-_]?\d[\w-]*(?:\.\d+)*)")
"""With a digit in it, and a letter at its front: `web07`, `kafka-0`, `v2.4.1`."""
_ODD: Final = re.compile(r"(?<![\w.,:/@\\-])\d[\d.]*[A-Za-z_][\w]*")
"""With a digit at its front: `0x61`, `3am`."""
_ODD_FINE: Final = re.compile(
    r"(?:\d+(?:st|nd|rd|th)|[1-5]xx|\d+x|\d+(?:\.\d+)?(?:%|[kmgt]i?b?|b|ns|us|µs|ms|s|secs?|min|mins|h|hrs?|d|bit|mbit|gbit|c)"
    r"|\d+(?:\.\d+)?e\d+)",
    re.I,
)
_UNDERSCORED: Final = re.compile(r"(?<![\w./-])[A-Za-z]+(?:_[A-Za-z0-9]+)+(?![\w/])")
_VERSION: Final = re.compile(
    r"\b(?:TLS|SSL|version|release|kernel|Linux|Python|Java|PHP|RAID|Debian|Ubuntu|OpenSSL|v)\s+v?(?P<n>\d[\w.]*\w|\d)",
    re.I,
)
_KINDS: Final = (
    r"(?:hosts?|servers?|machines?|nodes?|services?|containers?|pods?|process(?:es)?|daemons?|databases?|namespaces?|deployments?|"
    r"units?|instances?|interfaces?)"
)
_AFTER: Final = re.compile(
    rf"\b(?:{_KINDS}|users?|accounts?|gateways?|routers?)\s+(?:named\s+|called\s+)?[\"'“‘]?(?P<name>[A-Za-z][\w-]*)",
    re.I,
)
_BEFORE: Final = re.compile(rf"(?<![\w/.-])(?P<name>[A-Za-z][\w-]*)[\"'”’]?\s+{_KINDS}\b", re.I)
_ROLES: Final = frozenset(("web", "app", "api", "backend", "frontend", "mail", "proxy", "cache"))
"""Names behind `host`, and no names before it."""
_CODE: Final = re.compile(r"`([^`\n]{1,200})`")
_PROTOCOL: Final = re.compile(r"\bHTTP/\d(?:\.\d)?", re.I)
_ROMAN: Final = re.compile(r"\b[IVXLCDM]{2,}\b(?=\s+(?:hours?|days?|weeks?|minutes?|seconds?|times|percent|[KMGT]i?B))")
_WORD: Final = re.compile(r"[A-Za-z][\w-]*")
_SMALL: Final = 4
"""Characters of a subject that is looked for in texts as a word, at least."""


def said_by(cited: Sequence[Finding]) -> str:
    """All texts of findings, their evidence's names and values among them."""
    return "\n".join(
        part
        for one in cited
        for key in ("id", "subject", "summary", "evidence", "suggestion", "why", "needs")
        for part in _texts(one[key])
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


def strange(text: str, cited: Sequence[Finding], findings: Mapping[str, Finding], ports: Collection[int]) -> str | None:
    """The first thing in a text that none of the findings that it names is about. `ports`: those that they name."""
    said = said_by(cited)
    for match in (*ADDRESS.finditer(text), *SUBJECT.finditer(text), *_DRIVE.finditer(text)):
        one = match.group().rstrip(".,:;")
        if not names(one, said) and not _is_place(one, said, ports):
            return one
    for match in _PLACE.finditer(text):
        if not names(match.group(), said) and not _is_place(match.group(), said, ports):
            return match.group()
    for match in _BARE_IPV6.finditer(text):
        if _is_address(match.group()) and not re.search(rf"(?<![\w:]){match.group()}(?![\w:])", said, re.I):
            return match.group()
    for one in _others(cited, findings):
        if names(one, text) and not names(one, said):
            return one
    rest = ADDRESS.sub(" ", SUBJECT.sub(" ", _PLACE.sub(" ", _DRIVE.sub(" ", text))))
    for match in _VERSION.finditer(rest):
        if not names(match["n"], said):
            return match.group()
    for one in _words(rest):
        if not has(one, said):
            return one
    return next((one for one in _software(rest) if not _has_software(one, cited, said, ports)), None)


def without_names(text: str) -> str:
    """The text without what names a thing, so that numbers are left."""
    for form in (_DRIVE, SUBJECT, ADDRESS, _PLACE, _VERSION, _PROTOCOL, _MIXED):
        text = form.sub(" ", text)
    return _BARE_IPV6.sub(lambda match: " " if _is_address(match.group()) else match.group(), text)


def _others(cited: Sequence[Finding], findings: Mapping[str, Finding]) -> Iterator[str]:
    """Subjects of findings that the claim doesn't name."""
    mine = {one["subject"] for one in cited}
    others = {one["subject"] for one in findings.values()} - mine
    yield from sorted(one for one in others if len(one) >= _SMALL)


def names(subject: str, text: str) -> bool:
    """Whether a text has the subject, as a word of its own."""
    return bool(re.search(rf"(?<![\w.-]){re.escape(subject)}(?![\w-]|\.\w)", text, re.IGNORECASE))


def has(word: str, text: str) -> bool:
    """Whether a text has the word, if only as a part of a name: `cart` in `cart-7d9f`."""
    return bool(re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text, re.IGNORECASE))


def _is_place(one: str, said: str, ports: Collection[int]) -> bool:
    host, _, port = one.rpartition(":")
    return bool(host) and port.isdecimal() and int(port) in ports and names(host, said)


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False


def _words(text: str) -> Iterator[str]:
    """Words that look like names."""
    for form in (_MIXED, _ODD):
        for match in form.finditer(text):
            one = match.group().rstrip("-_")
            if not TECHNICAL.fullmatch(one) and not (form is _ODD and _ODD_FINE.fullmatch(one)):
                yield one
    for form in (_UNDERSCORED, _ROMAN):
        yield from (match.group() for match in form.finditer(text))
    for match in _CODE.finditer(text):
        yield from _of_code(match.group(1))
    for match in _AFTER.finditer(text):
        if match["name"].lower() in _ROLES or not _is_common(match["name"]):
            yield match["name"]
    yield from (match["name"] for match in _BEFORE.finditer(text) if not _is_common(match["name"]))


def _of_code(code: str) -> Iterator[str]:
    """Of text that is quoted as code: a name, or what a command names."""
    first, *rest = code.split() or [""]
    for index, part in enumerate((first, *rest)):
        for match in _WORD.finditer(part if not part.startswith("-") else ""):
            one = match.group()
            known = COMMANDS if index == 0 else SUBCOMMANDS | COMMANDS
            if one.lower() not in known and not (rest and len(one) < _SMALL - 1):
                yield one


def _is_common(word: str) -> bool:
    low = word.lower()
    return (
        low in COMMON
        or (low.endswith("s") and (low[:-1] in COMMON or low[:-2] in COMMON))
        or low.endswith(("ing", "ed", "ly", "able", "ible", "ful", "ous", "less", "est"))
    )


def _software(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        low = match.group().lower().removesuffix("-server")
        if low in SOFTWARE:
            yield match.group()


def _has_software(word: str, cited: Sequence[Finding], said: str, ports: Collection[int]) -> bool:
    """Whether findings are about it: by its name or another of its names, by its port, or by what was looked at."""
    same = SOFTWARE[word.lower().removesuffix("-server")]
    if any(has(one, said) for one in (word, same, *(name for name, group in SOFTWARE.items() if group == same))):
        return True
    if any(port in ports for port in PORTS_OF.get(same, ())):
        return True
    checks = " ".join(one["check"] for one in cited)
    kinds = {"docker": ("container",), "kubernetes": ("kubernetes", "pod"), "ssh": ("login", "ssh")}
    return any(kind in checks for kind in kinds.get(same, ()))
