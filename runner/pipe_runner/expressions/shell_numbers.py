"""Programs that print numbers and nothing else, whatever they are given: no value comes out of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Final

from pipe_runner.expressions.shell_awk import FORMAT, LONGEST, awk_prints_number
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Word

_OPTION_OF_WC: Final = re.compile(r"-[lwcmL]+|--(?:lines|words|bytes|chars|max-line-length)")
_OPTION_OF_GREP: Final = re.compile(r"-[EFGPcivwxsahyo]+|--(?:count|ignore-case|invert-match|text|no-filename)")
_QUIET: Final = re.compile(r"-[EFGPcivwxsahyo]*q[EFGPcivwxsahyo]*|--quiet|--silent")
_DATE: Final = re.compile(r"\+(?:%-?[sYmdHMSjuN])+")
_NUMBER: Final = re.compile(r"-?[0-9]+|-w")
_PRINTED: Final = re.compile(FORMAT)
_DIGITS: Final = r"(?:\[0-9\]|\[\[:digit:\]\]|\\d)(?:\+|\\\+|\*|\{\d+(?:,\d*)?\})"
_FOUND: Final = re.compile(rf"\^?{_DIGITS}\$?")
_FOUND_BY_PERL: Final = re.compile(rf"(?:[^|()]*\\K|\(\?<=[^()]*\)|\\b|\^)?{_DIGITS}(?:\(\?=[^()]*\)|\\b|\$)?")
_OTHERS_OUT: Final = re.compile(r"s(.)\[\^(?:0-9|\[:digit:\])\.?\](?:\*|\\?\+)?\1\1g")
_KEPT: Final = re.compile(r"\[?0-9\]?(?:\.|\\n)?|\[:digit:\](?:\.|\\n)?")
_COUNTED: Final = re.compile(r"(?:^|\|)\s*(?:length|tonumber|floor|ceil|round|fabs)\s*(?://\s*\d+\s*)?\Z")
_OF_JQ: Final = {"--arg": 2, "--argjson": 2, "--slurpfile": 2, "--rawfile": 2, "--indent": 1, "-L": 1}
"""Options of jq, and how many words they take."""
_MADE_ANEW: Final = re.compile(r"\bdef\s+(?:length|tonumber|floor|ceil|round|fabs)\b|#.*\Z")
_ENCLOSED: Final = re.compile(r"\s*\([^()]*\)\s*")
_TEXT: Final = re.compile(r'"(?:\\.|[^"\\])*"')
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
    """`grep -c PATTERN FILE`: of more files it prints the names. `grep -q` prints nothing."""
    if any(_QUIET.fullmatch(word.text) for word in itertools.takewhile(lambda word: word.text != "--", words)):
        return True
    options = [word.text for word in words if _OPTION_OF_GREP.fullmatch(word.text)]
    others = [word.text for word in words if word.text != "--" and not _OPTION_OF_GREP.fullmatch(word.text)]
    if any("o" in text and not text.startswith("--") for text in options):
        pattern = _FOUND_BY_PERL if any("P" in text for text in options) else _FOUND
        alone = len(others) <= 2 and not any(text.startswith("-") for text in others)
        return alone and bool(others) and pattern.fullmatch(others[0]) is not None
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


def _printf(words: Sequence[Word]) -> bool:
    """`printf '%d' VALUE`, which makes 0 of what is no number."""
    return bool(words) and _PRINTED.fullmatch(words[0].text) is not None


def _tr(words: Sequence[Word]) -> bool:
    """`tr -cd 0-9`."""
    texts = [word.text for word in words]
    return texts[:-1] in (["-cd"], ["-dc"], ["-d", "-c"], ["-c", "-d"]) and _KEPT.fullmatch(texts[-1]) is not None


def _sed(words: Sequence[Word]) -> bool:
    """`sed 's/[^0-9]//g'`."""
    texts = [word.text for word in words if word.text not in ("-E", "-r", "-e")]
    return len(texts) == 1 and _OTHERS_OUT.fullmatch(texts[0]) is not None


def _jq(words: Sequence[Word]) -> bool:
    """`jq '.items | length'`: an error where what it is given has no length."""
    texts, program = iter([word.text for word in words]), ""
    for text in texts:
        if text.startswith(("-f", "--from")):
            return False
        if not text.startswith("-"):
            program = program or text
        for _ in range(_OF_JQ.get(text, 0)):
            next(texts, "")
    program = _TEXT.sub('""', program)
    program = program.strip()[1:-1] if _ENCLOSED.fullmatch(program) else program
    counted = len(program) <= LONGEST and _COUNTED.search(program) is not None
    return counted and _MADE_ANEW.search(program) is None


_PRINTERS: Final[dict[str, Callable[[Sequence[Word]], bool]]] = {
    "seq": _seq,
    "wc": _wc,
    "grep": _grep,
    "date": _date,
    "expr": _expr,
    "git": _git,
    "printf": _printf,
    "tr": _tr,
    **dict.fromkeys(("sed", "gsed"), _sed),
    **dict.fromkeys(("jq", "gojq", "jaq"), _jq),
    **dict.fromkeys(("awk", "gawk", "mawk"), awk_prints_number),
}
