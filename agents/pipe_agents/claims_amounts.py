"""Numbers of a text, in digits or in words, each with its unit and what it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipe_agents.claims_words import listed

_SI: Final = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_BINARY: Final = {"k": 2.0**10, "m": 2.0**20, "g": 2.0**30, "t": 2.0**40}
_TIMES: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "millisecond": 1e-3, "microsecond": 1e-6, "s": 1.0, "sec": 1.0,
    "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0,
    "week": 604800.0, "month": 2592000.0, "year": 31536000.0,
}  # fmt: skip
_UNITS: Final = (
    r"%|percent\b|pct\b|[kmgt]ib?(?:/s|ps)?\b|[kmgt]b(?:/s|ps)?\b|[gt]\b|bytes?\b|b\b|[kmg]?bits?(?:/s)?\b|[kmg]bps\b|"
    r"°\s?c\b|celsius\b|degrees?\b|x\b|×|"
    r"(?:ns|us|µs|ms|s|(?:milli|micro)?seconds?|secs?|min|mins|minutes?|h|hrs?|hours?|d|days?|weeks?|months?|years?)\b"
)
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?(?:e[+-]?\d{1,3}\b)?)(?P<k>[km]\b)?"
    rf"(?:[\s-]?(?P<u>{_UNITS}))?(?![\w]|\.\d)",
    re.IGNORECASE,
)
_DECIMAL_COMMA: Final = re.compile(rf"(?<![\d,])(\d+),(\d{{1,2}})(?=\s?(?:{_UNITS}))", re.IGNORECASE)
_PORTS: Final = re.compile(r"\bports?:?\s+\d+(?:(?:\s*(?:,|/|and|or|&|to|-)\s*)+\d+)+", re.IGNORECASE)
_LISTED: Final = re.compile(r"^\s*\d{1,2}[.)]\s|\b24/7\b")

_SMALL: Final[dict[str, int]] = {
    word: value
    for value, word in enumerate(
        listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen"
        )
    )
}
_SMALL.update(
    (word, 10 * tens) for tens, word in enumerate(listed("twenty thirty forty fifty sixty seventy eighty ninety"), 2)
)
_SCALES: Final = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_WORDS: Final = "|".join((*_SMALL, *_SCALES))
_IN_WORDS: Final = re.compile(
    rf"(?<![\w-])(?:a\s+(?=(?:{'|'.join(_SCALES)})\b))?(?:{_WORDS})(?:(?:\s+and\s+|[\s-]+)(?:{_WORDS}))*\b(?!-(?:way|fold|off|to))",
    re.IGNORECASE,
)
_ONE: Final = re.compile(
    r"\s+(?:(?:single|failed|more)\s+)?(?:time|attempt|tr[iy]|connection|request|restart|error|retr|packet|log-?in|"
    rf"failure|crash|probe|{_UNITS})",
    re.IGNORECASE,
)
_SHARES: Final = (
    (re.compile(r"\bhalf an hour\b", re.I), "30 minutes"),
    (re.compile(r"\b(?:one|a) half\b|\bhalf\b(?![-\w])", re.I), "50 %"),
    (re.compile(r"\btwo[\s-]thirds\b", re.I), "66.7 %"),
    (re.compile(r"\b(?:one[\s-]third|a third of)\b", re.I), "33.3 %"),
    (re.compile(r"\bthree[\s-]quarters\b", re.I), "75 %"),
    (re.compile(r"\b(?:one[\s-]quarter|a quarter of)\b", re.I), "25 %"),
    (re.compile(r"\b(?:twice|doubled|doubles|double)\b(?!-)", re.I), "2 times"),
    (re.compile(r"\b(?:thrice|tripled|triples|triple)\b(?!-)", re.I), "3 times"),
    (re.compile(r"\b(?:a|one) couple of\b", re.I), "2"),
)
_VAGUE: Final = re.compile(r"\b(dozens|scores|hundreds|thousands|millions|billions)\b(?:\s+of)?", re.I)
_ABOUT: Final = {
    "dozens": (24.0, 200.0), "scores": (40.0, 400.0), "hundreds": (150.0, 2000.0), "thousands": (1500.0, 1e6),
    "millions": (1.5e6, 1e9), "billions": (1.5e9, 1e13),
}  # fmt: skip

_WAYS: Final = {
    "used": listed(
        "used full busy usage use uses utilisation utilization occupied taken consumed consumes filled fills"
    ),
    "free": listed("free available avail left remaining remain remains unused idle"),
    "total": listed("total size capacity"),
}
WAYS: Final = {word: way for way, words in _WAYS.items() for word in words}
"""Words that say which part of a whole a number is."""
_PORT: Final = re.compile(r"(?:\bports?(?:\s+(?:number|no\.?|is))?|\b(?:tcp|udp))[\s:=/#]*$", re.I)
_CODE: Final = re.compile(
    r"\b(?:codes?|status(?:es)?|signal|errno|http|error)(?:\s+(?:code|of|is|was))?[\s:=#]*$", re.I
)
_MAYBE_CODE: Final = re.compile(
    r"\b(?:exit\w*|answer\w*|return\w*|respond\w*|end\w*|gave|gives)(?:\s+(?:with|by|an?))*\s*$", re.I
)
_PID: Final = re.compile(r"\b(?:pids?|process|task)[\s:=#]*$", re.I)
_PLACE: Final = re.compile(r"\b(?:on|at|to|from)\s*$", re.I)
_OF: Final = re.compile(r"(?:\b(?:of|from)(?:\s+(?:its|the|all|at most|about|a|total))*|/)\s*$", re.I)
_LESS: Final = re.compile(r"\b(?:(?:less|fewer|lower) than|under|below|at most|almost|nearly|up to)\s*$", re.I)
_MORE: Final = re.compile(
    r"\b(?:(?:more|greater|higher|longer) than|over|above|at least|exceed(?:s|ing|ed)?)\s*$", re.I
)
_LIMIT: Final = re.compile(
    r"\b(?:thresholds?|limits?|above|over|below|under|than|exceed\w*|most|least|allowed|beyond|within)\b", re.I
)
_ENDS: Final = frozenset(
    listed("""in on at to for from with by and or but is are was were has have had be been which that because since when
    while as than within per after before during ago not can could will would may must should so if until by
    via over under against without about around out only just then there this it they we who into""")
)
_SKIPPED: Final = frozenset(listed("of the its these those them all more other such a an our their"))
_NEXT: Final = re.compile(r"[^\W\d_][\w-]*|\d[\d.,]*|[.;:!?()\n]")


class Amount(NamedTuple):
    """A number as a text gives it: `value` in the unit's base, or as it stands where it has none."""

    value: float
    kind: str
    """`%`, `B`, `s`, `bit`, `C`; `port`, `code`, `pid`; a count: nothing."""
    slack: float
    """How far off a number may be that is rounded to this one."""
    text: str
    plain: float
    """As it is written."""
    way: str = ""
    """`used`, `free` or `total`, where it says so."""
    nouns: tuple[str, ...] = ()
    """What stands behind it: the thing that is counted."""
    limit: bool = False
    """It is a threshold, or is said beside one."""
    place: bool = False
    """It stands behind `on` or `at`: it may be a port."""
    bound: str = ""
    """`<` where it is said to be less, `>` where it is said to be more."""
    most: float = 0.0
    """Of `dozens`: the most that it may be; `value` is the least."""


def amounts(text: str) -> Iterator[Amount]:
    text = _in_digits(text)
    taken: set[int] = set()
    for match in _NUMBER.finditer(text):
        yield _amount(match, text, taken)
    for match in _VAGUE.finditer(text):
        low, high = _ABOUT[match[1].lower()]
        yield Amount(low, "", 0.0, match[1], low, nouns=_nouns(text[match.end() :]), most=high)


def _in_digits(text: str) -> str:
    text = _LISTED.sub(" ", text)
    for form, digits in _SHARES:
        text = form.sub(digits, text)
    text = _IN_WORDS.sub(lambda match: _number(match, text), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    return _PORTS.sub(lambda match: " ".join(f"port {one};" for one in re.findall(r"\d+", match.group())), text)


def _number(match: re.Match[str], text: str) -> str:
    """A number in words, in digits; `one` only where it counts."""
    parts = [part for part in re.split(r"[\s-]+", match.group().lower()) if part not in ("and", "a")]
    if parts == ["one"] and not _ONE.match(text[match.end() :]):
        return match.group()
    whole, part = 0, 0
    for word in parts:
        if word in _SMALL:
            part += _SMALL[word]
        elif _SCALES[word] >= 1000:
            whole, part = whole + max(part, 1) * _SCALES[word], 0
        else:
            part = max(part, 1) * _SCALES[word]
    return str(whole + part)


def _amount(match: re.Match[str], text: str, taken: set[int]) -> Amount:
    digits, unit = match["n"].replace(",", "").lower(), (match["u"] or "").lower()
    plain = float(digits) * _SI.get((match["k"] or "").lower(), 1.0)
    decimals = 0 if "e" in digits else len(digits.partition(".")[2])
    zeros = 0 if decimals or "e" in digits else len(digits) - len(digits.rstrip("0")) if plain else 0
    slack = 0.5 * 10.0**-decimals if not zeros else min(0.5 * 10.0**zeros, max(0.5, 0.02 * plain))
    if match["k"]:
        slack *= _SI[match["k"].lower()]
    factor, kind = _unit(unit)
    before, behind = text[max(0, match.start() - 60) : match.start()], text[match.end() : match.end() + 80]
    nouns = ("time",) if unit in ("x", "×") else () if kind else _nouns(behind)
    if not kind and not unit:
        kind = _kind_by(before, behind, nouns)
    return Amount(
        plain * factor, kind, slack * factor, match.group(), plain,
        _way(match, text, taken), nouns, bool(_LIMIT.search(f"{before[-40:]} {behind[:30]}")),
        bool(_PLACE.search(before)),
        "<" if _LESS.search(before) else ">" if _MORE.search(before) else "",
    )  # fmt: skip


def _kind_by(before: str, behind: str, nouns: tuple[str, ...]) -> str:
    """The kind of a number without a unit, by what stands before it."""
    if _PORT.search(before) or re.match(r"/(?:tcp|udp)\b", behind, re.I):
        return "port"
    if _CODE.search(before) or (not nouns and _MAYBE_CODE.search(before)):
        return "code"
    return "pid" if _PID.search(before) else ""


def _way(match: re.Match[str], text: str, taken: set[int]) -> str:
    """Which part of a whole it is, by the words behind it, else by those before."""
    if _OF.search(text[: match.start()]):
        return "total"
    seen_of = False
    for one in _NEXT.finditer(text, match.end(), min(len(text), match.end() + 80)):
        word = one.group().lower()
        if word == "of":
            seen_of = True
        elif word[0].isdigit():
            if not seen_of:
                break
        elif word in ".;:!?(" or word in ("and", "but", "with", "while", "or"):
            break
        elif word in WAYS and WAYS[word] != "total":
            taken.add(one.start())
            return WAYS[word]
    start = max(0, match.start() - 40)
    for one in reversed([*_NEXT.finditer(text, start, match.start())][-4:]):
        word = one.group().lower()
        if word[0].isdigit() or word in ".;!?" or one.start() in taken:
            break
        if word in ("and", "but", "with", "while", "or", "of"):
            break
        if word in WAYS:
            return WAYS[word]
    return ""


def _nouns(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for one in re.finditer(r"[^\W\d_][\w-]*|\d[\d.,]*|\S", text):
        word = one.group().lower()
        if word[0].isdigit() or word in _SKIPPED:
            continue
        if word in _ENDS or not word[0].isalpha() or len(found) == 4:
            break
        if word not in WAYS:
            found.append(word)
    return tuple(found)


def _unit(unit: str) -> tuple[float, str]:
    if not unit or unit in ("x", "×"):
        return 1.0, ""
    if unit in ("%", "percent", "pct"):
        return 1.0, "%"
    if unit[0] == "°" or unit.startswith(("celsius", "degree")):
        return 1.0, "C"
    seconds = _TIMES.get(unit) or _TIMES.get(unit.rstrip("s"))
    if seconds is not None:
        return seconds, "s"
    if "bit" in unit or re.fullmatch(r"[kmg]bps", unit):
        return (_SI.get(unit[0], 1.0) if unit[0] != "b" else 1.0), "bit"
    size = unit.removesuffix("/s")
    return (_BINARY if "i" in size else _SI).get(size[0], 1.0), "B"


def binary(one: Amount) -> float | None:
    """The value where a kB is meant as a KiB."""
    if one.kind != "B" or not one.plain or one.value <= one.plain:
        return None
    scale = one.value / one.plain
    return next((one.plain * _BINARY[key] for key, factor in _SI.items() if factor == scale), None)
