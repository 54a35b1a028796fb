"""What a task names: hosts, addresses, ports, paths, services, times. Each is left out of the words."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from pipe_runner.routing import times
from pipe_runner.routing.names import is_a_host, is_a_version, is_name, is_software

MOST: Final = 64
"""Of one kind."""
LONGEST: Final = 4096
"""Characters of a task that are looked at."""
NO_PORT: Final = "no port"
"""The role of a number that a task calls a port, and that is none."""


class Entity(NamedTuple):
    """Something that a task names. `role` is what an option says that takes it (`x-task`)."""

    role: str
    value: str
    text: str
    """As the task has it."""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FILES: Final = _listed(
    "log out err txt json jsonl yml yaml conf cfg ini gz bz2 xz zst csv py sh js ts rb pl java xml html md pem crt key "
    "sql db service sock pid lock tmp tar zip socket timer mount target slice"
)
_ENDLESS: Final = re.compile(r"\S{256,}")
"""What no host, and no path that somebody says, is as long as."""
_UNITS: Final = "service|socket|timer|mount|target|slice|path|scope"
_URL: Final = re.compile(r"\bhttps?://[^\s<>\"'`]+", re.I)
_PATH: Final = re.compile(
    r"(?<![\w.:/-])(?:~|\.{1,2})?/[\w.@+,%*?\[\]-][\w./@+,%*?\[\]-]*|(?<![\w/.-])[\w*?-][\w.*?-]*\.(?:"
    + "|".join(one for one in _FILES if one not in _UNITS.split("|"))
    + r")(?![\w-]|\.\w)|(?<![\w/])(?:[\w.-]+/)+[\w.*?-]*[.*?][\w.*?-]*"
)
_QUOTED: Final = re.compile(
    r"(?<!\w)[\"'`\u201c\u2018]((?:~|\.{1,2})?/[^\"'`\u201c\u201d\u2018\u2019\n]{1,400}|[\w.-]+(?: [\w.-]+){0,3}\.(?:"
    + "|".join(one for one in _FILES if one not in _UNITS.split("|"))
    + r"))[\"'`\u201d\u2019](?!\w)"
)
_UNIT: Final = re.compile(rf"(?<![\w./-])([A-Za-z0-9@_.\\:-]+\.(?:{_UNITS}))(?![\w.-]*\w)")
_V4: Final = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,6}))?(?:/\d{1,2})?(?![\w.]*\w)")
_V6: Final = re.compile(
    r"(?<![\w:.])\[?([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%[\w.-]+)?)\]?(?::(\d{1,6}))?(?![\w:])"
)
_LABEL: Final = r"\w(?:[\w-]{0,61}\w)?"
_NAME: Final = rf"(?:{_LABEL}\.)+[^\W\d_](?:[^\W_]|-){{0,61}}[^\W_]"
_HOST: Final = re.compile(rf"(?<![\w.@/-])({_NAME})\.?(?::(\d{{1,6}}))?(?![\w@/-])", re.I)
_DOMAINS: Final = (
    re.compile(rf"\bdomains?\s+(?:names?\s+)?({_NAME})(?![\w@/-])", re.I),
    re.compile(rf"(?<![\w.@/-])({_NAME})\s+domain\b", re.I),
)
_LOCAL: Final = re.compile(r"(?<![\w.-])(localhost)(?::(\d{1,6}))?(?![\w.-]*\w)", re.I)
_BEFORE_HOST: Final = re.compile(
    r"(?<![\w.-])(?:to|of|on|from|at|host|server|node|reach|ping|resolve|against|for)\s+\Z", re.I
)
_OTHERS: Final = r"(?:containers?|services?|units?|daemons?|pods?|namespaces?|process(?:es)?|interfaces?|named|called)"
_OTHER_BEFORE: Final = re.compile(rf"\b{_OTHERS}\s+\Z", re.I)
_OTHER_BEHIND: Final = re.compile(rf"\s+{_OTHERS}\b", re.I)
_BARE: Final = re.compile(
    r"(?<![\w.@/:-])((?:[a-z][a-z0-9]*-)+\d{1,4}|(?:[a-z][a-z0-9]*-)*[a-z]+\d{1,4})(?::(\d{1,6}))?(?![\w.-]*\w)", re.I
)
_NAMED: Final = re.compile(r"\b(?:host|server|machine)\s+(?:named|called)\s+([a-z0-9][a-z0-9.-]*[a-z0-9])\b", re.I)
_REGION: Final = re.compile(
    r"\b((?:us|eu|ap|sa|ca|me|af|il|cn|mx)(?:-gov|-iso[a-z]?)?-(?:north|south|east|west|central)+-\d)\b", re.I
)
_PERCENT: Final = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d+)?)\s*(?:%|percent\b|per cent\b)", re.I)
_RANGE: Final = r"\d{1,6}(?:\s*(?:-|\u2013|\.\.|\bto\b|\bthrough\b)\s*\d{1,6})?"
_PORTS: Final = re.compile(
    rf"\b(?:tcp\s+|udp\s+)?ports?\s+(?:numbers?\s+|ranges?\s+)?"
    rf"({_RANGE}(?:\s*(?:,|/|\band\b|\bor\b)\s*(?:and\s+|or\s+)?{_RANGE})*)(?![\w%])",
    re.I,
)
_PORT: Final = re.compile(
    r"(?:\b(?:on|at|via)\s+|(?<!\S):)(\d{2,5})(?![\w:.%-]*\w)(?!\s*%)|\b(\d{1,5})/(?:tcp|udp)\b", re.I
)
_NAMESPACES: Final = (
    re.compile(r"(?:\bnamespaces?\s+|(?<!\S)-n\s+)([a-z0-9][a-z0-9-]*)", re.I),
    re.compile(r"\b([a-z0-9][a-z0-9-]*)\s+namespace\b", re.I),
)
_PODS: Final = re.compile(r"\b(?:pods?|deployments?|replicas?|statefulsets?|daemonsets?)\b(.*)", re.I | re.S)
_IN: Final = re.compile(r"\bin\s+(?!the\b|an?\b|namespaces?\b|all\b)([a-z][a-z0-9-]*)", re.I)
_PROCESS: Final = re.compile(r"\b(?:process(?:es)?\s+(?:named|called)\s+|pid\s+|process\s+(?=\d))([\w.-]*\w)", re.I)
_KINDS: Final = (("services", r"services?|units?|daemons?"), ("containers", r"containers?"))
_GOES_ON: Final = (
    r"\s*(?:$|[?!.,;])|\s+(?:is|was|has|keeps?|restart\w*|crash\w*|fail\w*|stop\w*|die[sd]?|in|on|up|down|(?:un)?healthy"
    r"|running|and|or)\b"
)
"""What follows the name of a service or a container."""


def entities(task: str) -> tuple[tuple[Entity, ...], str]:
    """What a task names, in order, and its text without that."""
    found: list[tuple[int, Entity]] = []
    rest = _ENDLESS.sub(" ", task[:LONGEST])
    for pattern in _DOMAINS:
        _also(rest, pattern, "domains", found)
    for pattern, make in _RULES:
        rest = _taken(rest, pattern, make, found)
    for role, words in _KINDS:
        _beside(rest, role, words, found)
    for pattern in _NAMESPACES:
        _also(rest, pattern, "namespace", found)
    pods = _PODS.search(rest)
    if pods is not None and not any(one.role == "namespace" for _, one in found):
        _also(" " * pods.start(1) + pods.group(1), _IN, "namespace", found)
    found = _longest(found)
    found.sort(key=lambda one: one[0])
    seen: dict[tuple[str, str], Entity] = {}
    for _, entity in found:
        seen.setdefault((entity.role, entity.value), entity)
    return tuple(seen.values()), rest


def kinds_of(path: str) -> list[str]:
    """What a file's name says of what is in it: `log`, `gz`."""
    return [word for word in path.rpartition("/")[2].lower().split(".")[1:] if word in _FILES]


def of_role(found: tuple[Entity, ...], role: str) -> list[str]:
    """The values of one role, a few at most."""
    return [one.value for one in found if one.role == role][:MOST]


Make = Callable[[re.Match[str]], list[tuple[str, str]]]


def _taken(text: str, pattern: re.Pattern[str], make: Make, found: list[tuple[int, Entity]]) -> str:
    def put(match: re.Match[str]) -> str:
        made = make(match)
        found.extend((match.start(), Entity(role, value, match.group(0).strip())) for role, value in made)
        return re.sub(r"\S", "\x00", match.group(0)).replace("\x00", " ") if made else match.group(0)

    return pattern.sub(put, text)


def _longest(found: list[tuple[int, Entity]]) -> list[tuple[int, Entity]]:
    """Of several times the one that goes back farthest: it has the others in it."""
    spans = [one for _, one in found if one.role == "duration"]
    most = max((times.reach(one.value) for one in spans), default=0)
    return [(at, one) for at, one in found if one.role != "duration" or times.reach(one.value) == most]


def _also(text: str, pattern: re.Pattern[str], role: str, found: list[tuple[int, Entity]]) -> None:
    for match in pattern.finditer(text):
        name = next((group for group in match.groups() if group is not None), match.group(0))
        if role == "domains" or is_name(name):
            value = name.lower() if role == "domains" else name
            found.append((match.start(), Entity(role, value, match.group(0).strip())))


def _beside(text: str, role: str, words: str, found: list[tuple[int, Entity]]) -> None:
    """`service nginx`, `nginx service`, `the web container`."""
    for match in re.finditer(rf"\b([a-z][\w@.-]*\w)\s+(?:{words})\b", text, re.I):
        if is_name(match.group(1)):
            found.append((match.start(), Entity(role, match.group(1), match.group(0))))
    for match in re.finditer(rf"\b(?:{words})\s+([a-z][\w@.-]*\w)(?={_GOES_ON})", text, re.I):
        name = match.group(1)
        if is_name(name) and not name.lower().endswith(("s", "ed", "ing")):
            found.append((match.start(), Entity(role, name, match.group(0))))


def _port(text: str | None) -> list[tuple[str, str]]:
    if not text:
        return []
    first, *last = [int(one) for one in re.findall(r"\d+", text)]
    named = "-".join(map(str, (first, *last)))
    return [("ports" if 0 < first <= (last or [first])[0] < 65536 else NO_PORT, named)]


def _lone(match: re.Match[str]) -> list[tuple[str, str]]:
    """`on 5432` is a port; `on 70000` is some number, and `70000/tcp` a wrong port."""
    found = _port(match.group(1) or match.group(2))
    return found if found[0][0] == "ports" or match.group(2) else []


def _url(match: re.Match[str]) -> list[tuple[str, str]]:
    text = match.group(0).rstrip(".,;:!?)")
    try:
        parts = urlsplit(text)
        host = parts.hostname
        port = re.search(r":(\d{1,6})\Z", parts.netloc)
    except ValueError:
        return []
    return [("urls", text), ("hosts", host), *(_port(port[1]) if port else ())] if host else []


def _address(match: re.Match[str]) -> list[tuple[str, str]]:
    try:
        ip_address(match.group(1).partition("%")[0])
    except ValueError:
        return []
    if is_a_version(match.string, match.start()):
        return []
    return [("hosts", match.group(1)), *_port(match.group(2))]


def _path(match: re.Match[str]) -> list[tuple[str, str]]:
    text = match.group(0).rstrip(".,?")
    return [("paths", text)] if len(match.group(0)) > 1 and not is_software(text) else []


def _host(match: re.Match[str]) -> list[tuple[str, str]]:
    name = match.group(1)
    if len(name) > 253 or is_software(name) or (name.rpartition(".")[2].lower() in _FILES and not match.group(2)):
        return []
    return [("hosts", name.lower()), *_port(match.group(2))]


def _bare(match: re.Match[str]) -> list[tuple[str, str]]:
    before, behind = match.string[max(0, match.start() - 16) : match.start()], match.string[match.end() :]
    if _OTHER_BEFORE.search(before) or _OTHER_BEHIND.match(behind):
        return []
    after = _BEFORE_HOST.search(before) is not None
    return _host(match) if is_a_host(match.group(1), after=after) else []


def _list_of_ports(match: re.Match[str]) -> list[tuple[str, str]]:
    return [one for text in re.findall(_RANGE, match.group(1), re.I) for one in _port(text)]


_RULES: Final[tuple[tuple[re.Pattern[str], Make], ...]] = (
    (_URL, _url),
    (_UNIT, lambda match: [("services", match.group(1))]),
    (_QUOTED, lambda match: [("paths", match.group(1).strip())]),
    (_PATH, _path),
    (_V6, _address),
    (_V4, _address),
    (_LOCAL, _host),
    (_HOST, _host),
    (_REGION, lambda match: [("region", match.group(1).lower())]),
    (_PERCENT, lambda match: [("percent", match.group(1))]),
    (times.UNKNOWN, times.unknown),
    (times.EVENT, times.unknown),
    (times.CLOCK, times.clock),
    (times.LAST, times.duration),
    (times.AGO, times.duration),
    (times.WEEKDAY, times.weekday),
    (times.DAY, times.day),
    (_PORTS, _list_of_ports),
    (_BARE, _bare),
    (_NAMED, lambda match: [("hosts", match.group(1).lower())]),
    (_PORT, _lone),
    (_PROCESS, lambda match: [("processes", match.group(1))]),
)  # fmt: skip
