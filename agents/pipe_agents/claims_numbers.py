"""The numbers of a claim: whether findings have them, of the same kind and counting the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from pipe_agents.claims_amounts import WAYS, Amount, amounts, binary
from pipe_agents.claims_names import without_names
from pipe_agents.claims_words import COMMANDS, listed
from pipe_agents.findings import Finding

DATE: Final = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?|\b\d\d:\d\d(?::\d\d)?\b")
_PLACE: Final = re.compile(r"(?<=[\w\]]):(\d{1,5})(?!\d|:|\.\d)")
_SCHEMES: Final = {"https": 443, "http": 80, "wss": 443, "ws": 80}
_MOST: Final = 12
"""Wholes and parts of a finding that are taken together."""
_COMMAND: Final = re.compile(r"`(\w[\w-]*) [^`\n]*`")
_PARTED: Final = re.compile(r"[a-z0-9]+")
_GENERIC: Final = frozenset(
    listed("""finding problem issue thing fault service host server machine node system component check alert alarm
    subject cause item place one sign result area reason critical high medium low info unavailable of""")
)
"""What cited findings may be counted as."""
_OBJECTS: Final = frozenset(
    listed(
        "pod container host server machine node service unit user disk volume filesystem file process processe "
        "certificate"
    )
)
"""Things that are there by themselves: how many there are is said of them alone."""
_ALIKE: Final = [
    frozenset(words.split())
    for words in (
        "time attempt try tries probe connection request packet ping handshake",
        "line message entry entrie event error warning record log occurrence hit match",
        "login password authentication logon attempt",
        "process processe task program",
        "service unit",
        "pod container replica",
        "disk filesystem volume mount device file",
        "host server machine node addresse address",
        "restart crash crashe exit",
        "certificate cert",
        "resolver nameserver",
    )
]


def missing(text: str, cited: Sequence[Finding]) -> str | None:
    """The first number of a text that its findings have not."""
    known = [(amount, words) for one in cited for words in (_vocabulary(one),) for amount in known_of(one)]
    counts = _counts(cited)
    for one in amounts(
        DATE.sub(" ", without_names(_COMMAND.sub(lambda match: " " if match[1] in COMMANDS else match.group(), text)))
    ):
        if not _counted(one, cited, counts) and not any(_fits(one, *other) for other in known):
            return one.text.strip()
    return None


def ports_of(cited: Sequence[Finding]) -> frozenset[int]:
    return frozenset(int(one.value) for finding in cited for one in known_of(finding) if one.kind == "port")


# ---------------------------------------------------------------- what findings have


def known_of(one: Finding) -> list[Amount]:
    found = [
        amount
        for key in ("subject", "summary", "suggestion", "why", "needs")
        for amount in _of_text(str(one[key] or ""))
    ]
    found += _of_value("", one["evidence"])
    return [*found, *_rest_of(found)]


@lru_cache(maxsize=8192)
def _of_text(text: str) -> tuple[Amount, ...]:
    return tuple(_read(text))


def _read(text: str) -> Iterator[Amount]:
    for match in _PLACE.finditer(DATE.sub(" ", text)):
        yield Amount(float(match[1]), "port", 0.0, match[1], float(match[1]))
    for match in re.finditer(r"\b(https?|wss?)://(?!\S*?:\d)", text, re.I):
        port = float(_SCHEMES[match[1].lower()])
        yield Amount(port, "port", 0.0, "", port)
    plain = DATE.sub(" ", text)
    yield from amounts(re.sub(r"[/\[\]]", " ", _PLACE.sub(" ", plain)))


def _of_value(name: str, value: Any) -> Iterator[Amount]:
    """Numbers of evidence, by what their name says."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield from _of_number(name, float(value))
    elif isinstance(value, str):
        yield from _of_text(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).isdecimal():
                kind = "port" if "port" in name else "pid" if "pid" in name else "code"
                yield Amount(float(key), kind, 0.0, "", float(key))
            else:
                yield from _of_text(str(key))
            yield from _of_value(f"{name}_{key}" if not str(key).isdecimal() else name.removesuffix("_code"), item)
    elif isinstance(value, list):
        yield Amount(float(len(value)), "", 0.0, "", float(len(value)), nouns=_parts(name))
        for item in value:
            yield from _of_value(name, item)


def _of_number(name: str, value: float) -> Iterator[Amount]:
    parts = _parts(name)
    factor, kind = _kind_of(parts)
    if kind == "" and isinstance(value, float) and 0 < value < 1 and {"share", "ratio", "fraction"} & set(parts):
        yield Amount(100 * value, "%", 0.0, "", 100 * value, _way_of(parts), parts)
    limit = any(part in ("threshold", "limit", "max") for part in parts)
    yield Amount(value * factor, kind, 0.0, "", value, _way_of(parts), parts, limit)
    if "ports" in parts:
        yield Amount(value, "", 0.0, "", value, "", parts)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(_PARTED.findall(name.lower()))


def _way_of(parts: Sequence[str]) -> str:
    way = next((WAYS[part] for part in parts if part in WAYS), "")
    return way or ("used" if "percent" in parts and {"cpu", "memory"} & set(parts) else "")


def _kind_of(parts: Sequence[str]) -> tuple[float, str]:
    plain = [*parts]
    if len(plain) > 2 and plain[-2] == "per":
        del plain[-2:]
    last = plain[-1] if plain else ""
    if "percent" in plain:
        return 1.0, "%"
    if "bytes" in plain:
        return 1.0, "B"
    for names, factor, kind in (
        (("ms",), 1e-3, "s"), (("us",), 1e-6, "s"), (("s", "seconds"), 1.0, "s"), (("min", "minutes"), 60.0, "s"),
        (("h", "hours"), 3600.0, "s"), (("days",), 86400.0, "s"), (("celsius",), 1.0, "C"), (("bits",), 1.0, "bit"),
        (("mbit",), 1e6, "bit"), (("port", "ports"), 1.0, "port"), (("pid", "pids", "ppid"), 1.0, "pid"),
        (("code", "codes", "status", "statuses", "signal", "errno", "rcode"), 1.0, "code"),
    ):  # fmt: skip
        if last in names:
            return factor, kind
    hit = {"seconds": 1.0, "days": 86400.0, "hours": 3600.0, "ms": 1e-3}
    return next(((hit[part], "s") for part in plain if part in hit), (1.0, ""))


def _rest_of(known: Sequence[Amount]) -> Iterator[Amount]:
    """What is used, of what is there and what is free, and the other way round."""
    wholes = [one for one in known if one.way == "total"][:_MOST]
    parts = [one for one in known if one.way in ("used", "free")][:_MOST]
    for whole in wholes:
        for part in parts:
            alike = part.kind == "B" or bool(set(part.nouns) & set(whole.nouns) - set(WAYS))
            if alike and part.kind == whole.kind and 0 <= part.value <= whole.value:
                rest, way = whole.value - part.value, "free" if part.way == "used" else "used"
                yield Amount(rest, part.kind, 0.0, "", rest, way, part.nouns)


def _vocabulary(one: Finding) -> frozenset[str]:
    """What a finding speaks of: words of its texts and of its evidence's names."""
    texts = f"{one['check']} {one['subject']} {one['summary']} {' '.join(_keys(one['evidence']))}"
    return frozenset(_stem(word) for word in re.findall(r"[^\W\d_]{2,}", texts.lower()))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _counts(cited: Sequence[Finding]) -> frozenset[float]:
    """How many findings there are: in all, of a severity, of a kind of check."""
    kinds = Counter("unavailable" if one["status"] == "unavailable" else str(one["severity"]) for one in cited)
    checks = Counter(str(one["check"]).partition(".")[0] for one in cited)
    return frozenset(map(float, (len(cited), *kinds.values(), *checks.values())))


# ---------------------------------------------------------------- whether they fit


def _stem(word: str) -> str:
    return word.lower().rstrip("s")


def _counted(claimed: Amount, cited: Sequence[Finding], counts: frozenset[float]) -> bool:
    """Whether it is a number of the findings themselves."""
    if claimed.kind or claimed.most or claimed.plain not in counts:
        return False
    if not claimed.nouns:
        return claimed.plain >= 2 and not claimed.place
    stems = [_stem(noun) for noun in claimed.nouns]
    if any(stem in _GENERIC for stem in stems):
        return True
    of_it = sum(any(_speaks_of(stem, _vocabulary(one)) for stem in stems) for one in cited)
    return claimed.plain == of_it and stems[0] not in _ALIKE[0] | _ALIKE[1]


def _speaks_of(stem: str, vocabulary: frozenset[str]) -> bool:
    return any(_same_word(stem, word) for word in vocabulary) or any(
        stem in alike and alike & vocabulary for alike in _ALIKE
    )


def _same_word(one: str, other: str) -> bool:
    return one == other or (min(len(one), len(other)) >= 5 and one[:5] == other[:5])


def _fits(claimed: Amount, known: Amount, vocabulary: frozenset[str]) -> bool:
    """Whether a known number is the claimed one: near enough, of its kind, and of what it counts."""
    if known.limit and not claimed.limit:
        return False
    if claimed.most:
        inside = not known.kind and claimed.value <= known.value <= claimed.most
        return inside and _counts_that(claimed, known, vocabulary)
    if claimed.kind == known.kind:
        if claimed.bound and _is_beyond(claimed, known) and (claimed.kind or _counts_that(claimed, known, vocabulary)):
            return True
        if claimed.kind:
            return _near(claimed, known)
        return _is(known.value, claimed.value, claimed.slack) and _counts_that(claimed, known, vocabulary)
    if claimed.kind or claimed.nouns:
        return False
    if known.kind == "port":
        return claimed.place and known.plain == claimed.plain
    if known.kind == "pid" or not _same_way(claimed, known):
        return False
    return _is(known.plain, claimed.plain, 0.0 if known.kind == "code" else claimed.slack)


def _is_beyond(claimed: Amount, known: Amount) -> bool:
    """Whether it is less, or more, as the claim says, and not by far."""
    value = known.value
    if claimed.kind not in ("%", "B", "s", ""):
        return False
    if claimed.kind == "%" and _is_opposite(claimed, known):
        value = 100 - value
    elif not _same_way(claimed, known):
        return False
    low, high = (0.5, 1.0) if claimed.bound == "<" else (1.0, 1.5)
    return low * claimed.value <= value <= high * claimed.value


def _is_opposite(claimed: Amount, known: Amount) -> bool:
    return {claimed.way, known.way} == {"used", "free"}


def _near(claimed: Amount, known: Amount) -> bool:
    if claimed.kind in ("port", "code", "pid"):
        return claimed.plain == known.plain
    if claimed.kind == "%" and _is_opposite(claimed, known):
        return _is(100 - known.value, claimed.value, claimed.slack)
    if not _same_way(claimed, known):
        return False
    if _is(known.value, claimed.value, claimed.slack):
        return True
    value = binary(claimed)
    return value is not None and _is(known.value, value, claimed.slack * value / claimed.value)


def _same_way(claimed: Amount, known: Amount) -> bool:
    """What is free is not what is used, and neither is the whole."""
    if not claimed.way or not known.way or claimed.kind not in ("%", "B", "") or claimed.way == "total":
        return True
    return claimed.way == known.way


def _counts_that(claimed: Amount, known: Amount, vocabulary: frozenset[str]) -> bool:
    stems = [_stem(noun) for noun in claimed.nouns]
    if stems and stems[0] in _OBJECTS:
        return any(_speaks_of(stems[0], frozenset({_stem(noun)})) for noun in known.nouns)
    return not stems or "time" in stems[:2] or any(_speaks_of(stem, vocabulary | {*known.nouns}) for stem in stems)


def _is(known: float, claimed: float, slack: float) -> bool:
    return abs(abs(known) - abs(claimed)) <= slack * (1 + 1e-9) + 1e-9 * abs(claimed) + 1e-12
