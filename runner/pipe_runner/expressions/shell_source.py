"""The text of a `run:` under a scan: `{% raw %}` taken out, positions, and the holes in which values stand."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from functools import cached_property
from typing import Final

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.foreign import github_fault, go_fault
from pipe_runner.expressions.segments import END_RAW, RAW
from pipe_runner.expressions.shell_model import Facts, Hole, Quote, Word
from pipe_runner.expressions.tokens import Refused, Token, tokenize, unclosed

_ASSIGNING: Final = re.compile(r"(?<![\w$])([A-Za-z_]\w*)\+?=")
_BARE: Final = re.compile(r"(?<![\w${-])(?<!\$\{#)([A-Za-z_]\w*)\b(?!\+?=)")
MAX_HOLES: Final = 5000
"""Values in one shell text."""


class ShellSource:
    """A text under a scan: the position, the holes that were found outside comments, in order, and the faults."""

    plain: frozenset[str] = frozenset()
    """Expressions of which each value is one word that means itself to any shell, and is no option."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.text, self._map, self._protected, unclosed_raw = _without_raw(text)
        self.limit = len(self.text)
        self.position = 0
        self.holes: list[Hole] = []
        self.faults: list[Fault] = []
        self.inserted: dict[int, str] = {}
        """Text that must stand before a place: `-- `, so that a value isn't an option of an interpreter."""
        if unclosed_raw is not None:
            self.faults.append(unclosed_raw)

    @cached_property
    def assigned(self) -> Counter[str]:
        """How often the text says `NAME=` or `NAME+=`."""
        return Counter(_ASSIGNING.findall(self.text))

    @cached_property
    def bare(self) -> frozenset[str]:
        """The words of the text but for `$NAME`, `${NAME`, `NAME=` and `NAME+=`."""
        return frozenset(_BARE.findall(self.text))

    # ------------------------------------------------------------ places

    def original(self, position: int) -> int:
        """The offset in the text of the file for a position in the text that is scanned."""
        if not self._map:
            return position
        index = bisect_right(self._map, position, key=lambda pair: pair[0]) - 1
        return position if index < 0 else position + self._map[index][1]

    @property
    def shifted(self) -> bool:
        """Whether offsets differ from those in the file's text."""
        return bool(self._map)

    def peek(self, length: int = 1) -> str:
        return self.text[self.position : min(self.position + length, self.limit)]

    def at(self, text: str) -> bool:
        return self.text.startswith(text, self.position, self.limit)

    def fault(self, code: str, message: str, position: int, length: int = 1, hint: str | None = None) -> None:
        self.faults.append(Fault(code, message, self.original(position), length, hint))

    # ------------------------------------------------------------ holes

    def at_hole(self) -> bool:
        return self.at("{{") and not self.is_protected(self.position)

    def is_protected(self, position: int) -> bool:
        """Whether a place stood between `{% raw %}` and `{% endraw %}`."""
        index = bisect_right(self._protected, (position, self.limit)) - 1
        return index >= 0 and self._protected[index][0] <= position < self._protected[index][1]

    def hole(self, quote: Quote) -> Hole:
        """Read the hole that begins here."""
        start = self.position
        if len(self.holes) == MAX_HOLES:
            raise Refused(Fault("E403", f"more than {MAX_HOLES} values in one text", self.original(start), 2))
        before = self.text[start - 1] if start else ""
        hole = Hole(start, start + 2, (start + 2, start + 2), quote)
        self.holes.append(hole)
        foreign = go_fault(self.text, start)
        if before == "$":
            foreign = github_fault(self.text, start - 1, shell=True)
        try:
            tokens, end, dash = tokenize(self.text, start + 2, "}}", self.limit)
            hole.end = end
            hole.inner = (start + 2, end - (3 if dash else 2))
            hole.tokens = tokens
            _read_words(hole, tokens)
            if dash or self.text.startswith("-", start + 2):
                hole.refuse(
                    "E425",
                    "`{{-` and `-}}` strip the space around values; in shell text that space separates words",
                    "write `{{ … }}`" + (" with a space before the sign" if not dash else ""),
                )
        except Refused as refused:
            closing = self.text.find("}}", start + 2, self.limit)
            hole.end = self.limit if closing < 0 else closing + 2
            if foreign is None:
                fault = unclosed(start, "}}") if closing < 0 else refused.fault
                hint = fault.hint or "{% raw %}…{% endraw %} around braces that belong to the shell"
                self.fault(fault.code, fault.message, fault.offset, fault.length, hint)
            hole.inner = (-1, -1)
        if foreign is not None:
            self.fault(foreign.code, foreign.message, foreign.offset, foreign.length, foreign.hint)
            hole.inner = (-1, -1)
        self.position = hole.end
        if self.plain and self.text[start : hole.end] in self.plain:
            hole.plain = self.text[start : hole.end]
        return hole

    def carried(self, words: list[Word], *, quotes: bool) -> tuple[str, Facts] | None:
        """These words as the text of another shell, if it may read them; shell_assignments.py knows how."""
        raise NotImplementedError


def _read_words(hole: Hole, tokens: list[Token]) -> None:
    """Take `| trust` and `| unsafe_raw` off the end of an expression."""
    while len(tokens) > 2 and tokens[-2].type == "pipe" and tokens[-1].value in ("trust", "unsafe_raw"):
        hole.trusted |= tokens[-1].value == "trust"
        hole.raw |= tokens[-1].value == "unsafe_raw"
        hole.inner = (hole.inner[0], tokens[-2].offset)
        del tokens[-2:]


def _without_raw(text: str) -> tuple[str, list[tuple[int, int]], list[tuple[int, int]], Fault | None]:
    """The text without `{% raw %}` tags; where offsets shift, by how much; and which parts stood between the tags."""
    if "{%" not in text or RAW.search(text) is None:
        return text, [], [], None
    pieces: list[str] = []
    shifts: list[tuple[int, int]] = []
    protected: list[tuple[int, int]] = []
    length = position = 0
    fault: Fault | None = None

    def keep(start: int, end: int) -> None:
        nonlocal length
        shifts.append((length, start - length))
        pieces.append(text[start:end])
        length += end - start

    while (opened := RAW.search(text, position)) is not None:
        closed = END_RAW.search(text, opened.end())
        if closed is None:
            fault = Fault("E402", "`{% raw %}` without its `{% endraw %}`", opened.start(), len(opened[0]))
            break
        keep(position, opened.start())
        start = length
        keep(opened.end(), closed.start())
        protected.append((start, length))
        position = closed.end()
    keep(position, len(text))
    return "".join(pieces), shifts, protected, fault
