"""Text to words that can be compared: lower case, without those that say nothing, cut to their stems."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_VOWEL: Final = re.compile(r"[aeiouy]")


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


SILENT: Final = _listed(
    "a about after again against all also always am an and another any anybody anyone anything are as at be because "
    "been before being but by can cannot cant check compare could did didn do does doesn doesnt doing don dont during "
    "each either else ever every everything few find for from further get gets give given go goes going got had has "
    "have having he her here him his how i if in into is isn isnt it its itself just keep keeps let like look looks "
    "make makes many may me might more most much must my myself near nearly need needs neither no nobody not nothing "
    "now of off often on once one only or other ought our ours out over own per perhaps please proper quite rather "
    "really s same say says see she should show shows since so some somebody someone something somehow still such t "
    "take takes tell than that the their theirs them then there these they thing things this those through till to "
    "too under until up upon us very want was wasn we were what whatever when where whether which while who whom whose "
    "why will with within without won would yes yet you your yours"
)
"""Words that fit every task."""
GENERAL: Final = _listed(
    "available bad broken down fail failed fast happen happens happy healthy high last long low machine new nice "
    "ok okay old problem problems problematic reason run runs running server servers site slow slowly sluggish state "
    "status system take time times today use used user users using work working works wrong yesterday box current "
    "currently host hosts issue issues trouble weird strange stuck"
)
"""Words that fit many tasks: they count for less."""
_ENDINGS: Final = (
    ("ations", 4), ("ation", 4), ("ements", 4), ("ement", 4), ("ities", 3), ("ivity", 4), ("ures", 4), ("ure", 4),
    ("ions", 4), ("ion", 4), ("ings", 3), ("ing", 3), ("ers", 4), ("ies", 3), ("ie", 3), ("ed", 3),
    ("er", 4), ("es", 3), ("ly", 4), ("s", 2), ("e", 3), ("y", 3),
)  # fmt: skip


def plain(text: str) -> str:
    """The text as it is compared: composed, lower case, apostrophes made one."""
    return unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")


def words(text: str) -> list[str]:
    """The words of a text, with those that say nothing."""
    return [word.replace("'", "") for word in _WORD.findall(plain(text))]


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its ending: `crashes`, `crashed` and `crashing` are one. Only has to be the same on both sides."""
    if len(word) <= 3 or not word.isascii() or any(letter.isdigit() for letter in word):
        return word[:-1] if len(word) == 4 and word.endswith("s") and not word.endswith("ss") else word
    if word.endswith("ss"):
        return word
    found = word
    for _ in range(3):
        cut = _without_ending(found)
        if cut == found:
            break
        found = cut
    return found


def _without_ending(word: str) -> str:
    for ending, least in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss"):
            kept = word[: -len(ending)]
            if len(kept) >= least and _VOWEL.search(kept):
                doubled = len(kept) > 3 and kept[-1] == kept[-2] and kept[-1] not in "lsz"
                return kept[:-1] if doubled else kept
    return word


def stems(text: str) -> list[str]:
    """The stems of the words that say something, in order."""
    return [stem(word) for word in words(text) if word not in SILENT]


GENERAL_STEMS: Final = frozenset(stem(word) for word in GENERAL)
