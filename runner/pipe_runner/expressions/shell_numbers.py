"""Programs that print numbers and nothing else, whatever they are given: no value comes out of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Final

from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Word

_OPTION_OF_WC: Final = re.compile(r"-[lwcmL]+|--(?:lines|words|bytes|chars|max-line-length)")
_OPTION_OF_GREP: Final = re.compile(r"-[EFGPcivwxsahy]+|--(?:count|ignore-case|invert-match|text|no-filename)")
_DATE: Final = re.compile(r"\+(?:%-?[sYmdHMSjuN])+")
_NUMBER: Final = re.compile(r"-?[0-9]+|-w")
_SIGNS: Final = frozenset({"+", "-", "*", "/", "%"})


def prints_number(name: str, words: Sequence[Word]) -> bool:
    """Whether a program with these arguments can print numbers alone."""
    look = _PRINTERS.get(name)
    return look is not None and not any(word.shifts for word in words) and look(words)


def _seq(words: Sequence[Word]) -> bool:
    """`seq` reads no options behind its first number, and prints nothing if there is but an option."""
    first = words[0].text if words else ""
    return (len(words) == 1 and first[:1] in (HOLE, EXPANSION)) or _NUMBER.fullmatch(first) is not None


def _wc(words: Sequence[Word]) -> bool:
    """`wc` prints the names of files too, where it is given some."""
    return all(_OPTION_OF_WC.fullmatch(word.text) for word in words)


def _grep(words: Sequence[Word]) -> bool:
    """`grep -c PATTERN FILE`: of more files it prints the names."""
    options = [word.text for word in words if _OPTION_OF_GREP.fullmatch(word.text)]
    others = [word.text for word in words if word.text != "--" and not _OPTION_OF_GREP.fullmatch(word.text)]
    counts = any(text == "--count" or (text[1] != "-" and "c" in text) for text in options)
    unprotected = [word.text for word in itertools.takewhile(lambda word: word.text != "--", words)]
    if sum(text.startswith((HOLE, EXPANSION)) for text in unprotected) > 1:
        return False  # two values could be `-He…` and `--label=…`
    return counts and len(others) <= 2 and not any(text.startswith("-") for text in others)


def _date(words: Sequence[Word]) -> bool:
    """`date -d VALUE +%s`."""
    texts = iter([word.text for word in words])
    formats = 0
    for text in texts:
        if text in ("-d", "--date", "-r"):
            next(texts, "")
        elif _DATE.fullmatch(text):
            formats += 1
        elif text not in ("-u", "--utc") and not text.startswith("--date="):
            return False
    return formats == 1


def _expr(words: Sequence[Word]) -> bool:
    """`expr A + B`."""
    return len(words) == 3 and words[1].text in _SIGNS


def _git(words: Sequence[Word]) -> bool:
    """`git rev-list --count A..B`."""
    return len(words) > 2 and words[0].text == "rev-list" and words[1].text == "--count"


_PRINTERS: Final[dict[str, Callable[[Sequence[Word]], bool]]] = {
    "seq": _seq,
    "wc": _wc,
    "grep": _grep,
    "date": _date,
    "expr": _expr,
    "git": _git,
}
