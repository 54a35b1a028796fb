"""What words come to that are put together of texts of the file: `a=ev; "${a}al" …` calls `eval`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import translate
from itertools import product
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_marks import ASSIGNED
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Facts, Part, Word

if TYPE_CHECKING:
    from pipe_runner.expressions.shell_flows import Flows

MAX_TEXTS: Final = 64
"""Texts that one word may come to."""
MAX_LENGTH: Final = 200
MAX_STEPS: Final = 1000
"""Words and variables that are looked at for one word."""
_BRACES: Final = re.compile(r"([^{}]*)\{([^{}]*,[^{}]*)\}")
_EXPANDED: Final = re.compile(r"\$(?:\{(!?)(?:\w+|[@*])(\[[^\]]*\])?(.*)\}|(?:\w+|[@*]))", re.DOTALL)
_CUT: Final = re.compile(r":\s*(\d{1,3})\s*(?::\s*(\d{1,3})\s*)?")
_CASES: Final = {"^": str.upper, "^^": str.upper, ",": str.lower, ",,": str.lower}
_DIRECTIVE: Final = re.compile(r"%(?:%|[-0-9.]*[a-zA-Z])")
_OPTION: Final = re.compile(r"-[neE]+")


def is_composed(word: Word) -> bool:
    """Whether a word is made of variables, `$(…)` and texts of the file, and of no value."""
    return EXPANSION in word.text and not word.several and HOLE not in word.text and _is_known(word)


def _is_known(word: Word) -> bool:
    return word.text.count(EXPANSION) == len(word.parts)


def texts(flows: Flows, name: str) -> list[str]:
    """The texts of the file that a variable may hold."""
    return _Reader(flows).variable(name)


def constants(flows: Flows, word: Word) -> list[str]:
    """The texts that a word may come to; nothing where none is known."""
    return _Reader(flows).word(word)


def braced(word: Word) -> list[Word]:
    """The words that bash makes of one with braces, `e{v,}al`; nothing where it has none."""
    found = _BRACES.match(word.text)
    if found is None:
        return []
    made = [f"{found[1]}{each}{word.text[found.end() :]}" for each in found[2].split(",")]
    return [
        replace(
            word,
            text=text,
            holes=word.holes if HOLE in text else [],
            variables=word.variables if EXPANSION in text else [],
            commands=word.commands if EXPANSION in text else [],
            parts=word.parts if text.count(EXPANSION) == len(word.parts) else [],
        )
        for text in made
    ]


class _Reader:
    """Looks up what one word may come to. Loops in variables are followed once, and all of it has a bound."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows
        self._known: dict[str, list[str]] = {}
        self._left = MAX_STEPS

    def variable(self, name: str) -> list[str]:
        if name in self._known:
            return self._known[name]
        found: list[str] = []
        self._known[name] = found
        plain: dict[str, None] = {}
        added: list[str] = []
        sources = self._flows.sources(name)
        for text in [text for each in sources for text in self._flows.literal.get(each, ())]:
            _keep(text, [text], plain, added)
        found += plain  # what it is while words are looked at in which it stands itself
        for each in sources:
            for word in self._flows.composed.get(each, ()):
                _keep(word.text, self.word(word), plain, added)
            for facts in (*self._flows.made.get(each, ()), *self._flows.read.get(each, ())):
                if isinstance(facts, Facts):
                    plain.update(dict.fromkeys(self.printed(facts)))
        for more in added[:MAX_TEXTS]:
            plain.update(dict.fromkeys([f"{text}{more}" for text in list(plain)[:MAX_TEXTS]]))
        found[:] = plain
        return found

    def word(self, word: Word) -> list[str]:
        if not self._step():
            return []
        if word.static:
            return [word.text]
        if HOLE in word.text or not _is_known(word):
            return []
        chunks = word.text.split(EXPANSION)
        ways = [self._part(part) for part in word.parts]
        made = []
        for one in _combined(ways):
            made.append(chunks[0] + "".join(f"{text}{chunk}" for text, chunk in zip(one, chunks[1:], strict=True)))
        self._left -= len(made)
        return [text for text in made if len(text) < MAX_LENGTH]

    def printed(self, facts: Facts) -> list[str]:
        """What `echo` and `printf` say of the file's own text, and here-strings; whole, and each word of it."""
        found: dict[str, None] = {}
        pending = [facts]
        while pending and self._step():
            each = pending.pop()
            pending += each.parts
            said = [text.removesuffix("\\n") for words in each.said for text in self._said(words)]
            for text in (*each.texts, *said):
                if len(text) < MAX_LENGTH:
                    found.update(dict.fromkeys([text.strip(), *text.split()]))
        return list(found)

    def _said(self, words: list[Word]) -> Iterator[str]:
        for name, *given in _combined([self.word(word) for word in words]):
            while given and (given[0] == "--" or (name == "echo" and _OPTION.fullmatch(given[0]))):
                given = given[1:]
            if name == "echo" or not given:
                yield " ".join(given)
            else:
                rest = iter(given[1:])
                yield _DIRECTIVE.sub(lambda found: "%" if found[0] == "%%" else next(rest, ""), given[0])  # noqa: B023

    def _part(self, part: Part) -> list[str]:
        if part.printed is not None:
            return self.printed(part.printed)
        found = _EXPANDED.fullmatch(part.source)
        if found is None or not part.key:
            return []
        held = self.variable(part.key)
        if found[1]:
            held = [text for name in held for text in self.variable(name)]
        elif found[2]:
            held = self._elements(part.key)
        return list(dict.fromkeys(_changed(held, found[3] or "")))[:MAX_TEXTS] if self._step() else []

    def _elements(self, key: str) -> list[str]:
        whole = [words for words in self._flows.lists.get(key, ()) if all(word.static for word in words)]
        joined = [by.join(word.text for word in words[:MAX_TEXTS]) for words in whole for by in ("", " ")]
        return [*self.variable(key), *joined]

    def _step(self) -> bool:
        self._left -= 1
        self._flows.read_through()
        return self._left > 0


def _keep(written: str, meant: list[str], plain: dict[str, None], added: list[str]) -> None:
    """Take the texts of an assignment without its `NAME=`; `NAME+=` adds to what is there."""
    found = ASSIGNED.match(written)
    if found is None:
        plain.update(dict.fromkeys(meant))
        return
    more = written[: found.end()].endswith("+=")
    for text in meant:
        begin = ASSIGNED.match(text)
        value = text[begin.end() :] if begin is not None else text
        if more:
            added.append(value)
        plain[value] = None


def _combined(ways: list[list[str]]) -> Iterator[tuple[str, ...]]:
    """One of each, as often as that is of use."""
    count = 1
    for way in ways:
        count *= len(way)
    least = ways if count <= MAX_TEXTS else [way[:4] for way in ways[:3]] + [way[:1] for way in ways[3:]]
    return product(*least)


def _changed(held: Iterable[str], operator: str) -> Iterator[str]:
    """The texts that `${x%…}` and its kin make of those that a variable holds."""
    held = list(held)[:MAX_TEXTS]
    bare = operator.removeprefix(":")
    behind = bare[1:].strip("\"'")
    if bare[:1] in ("-", "=", "?", "+") and operator:
        yield from held
        if not set(behind) & {"$", "`"}:
            yield behind
            yield ""
    elif operator[:1] in ("#", "%"):
        yield from _trimmed(held, operator[0], operator.lstrip(operator[0]).strip("\"'"))
    elif operator[:1] == "/":
        pattern, _, other = operator.lstrip("/#%").partition("/")
        yield from held
        yield from (text.replace(pattern, other, 1 if operator[1:2] != "/" else -1) for text in held if pattern)
    elif operator in _CASES:
        whole = len(operator) > 1
        yield from (_CASES[operator](text) if whole else _CASES[operator](text[:1]) + text[1:] for text in held)
    elif (found := _CUT.fullmatch(operator)) is not None:
        begin = int(found[1])
        yield from (text[begin : begin + int(found[2]) if found[2] else None] for text in held)
    else:
        yield from held


def _trimmed(held: Iterable[str], side: str, pattern: str) -> Iterator[str]:
    """The texts without a beginning, or an end, that matches."""
    yield from held
    if pattern.count("*") > 3 or set(pattern) & {"$", "`"}:
        return
    matches = re.compile(translate(pattern)).match
    for text in held:
        for at in range(1, len(text) + 1):
            if side == "#" and matches(text[:at]):
                yield text[at:]
            elif side == "%" and matches(text[-at:]):
                yield text[:-at]
