"""Reads assignments: which words are some, and the elements of arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipe_runner.expressions.shell_marks import inspect_assignment
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Facts, Word
from pipe_runner.expressions.shell_printers import FILTERS
from pipe_runner.expressions.shell_tests import ShellTests
from pipe_runner.expressions.tokens import Refused

ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]]*\])?\+?=")
ARRAY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=\(")
_BRACES: Final = "{% raw %}{{{% endraw %}"
_UNQUOTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[|\+?=)")


class ShellAssignments(ShellTests):
    """A scan that knows what is assigned."""

    def plain_start(self, word: Word) -> bool:
        """Whether an assignment is one for the shell too: its name and `=` stand there without quotes."""
        return _UNQUOTED.match(self.text, word.start, self.limit) is not None

    def assign(self, word: Word, facts: Facts, *, alone: bool) -> None:
        found = ASSIGNMENT.match(word.text)
        assert found is not None
        inspect_assignment(self, found[1], word)
        if alone and found[2] is None and not word.text[found.end(1) :].startswith("+"):
            self.flows.own(found[1])
        name = self.flows.key(found[1])
        self.flows.locals.setdefault((self.flows.scope, name), False)
        self.flows.assign(name, word)
        if any(not FILTERS.isdisjoint(inner.hands) for inner in word.commands):
            facts.takes.append(name)

    def carried(self, words: Sequence[Word]) -> Facts | None:
        """What a shell reads from these words as its text; nothing where it may not: unless all values in them are
        plain words, and stand where it takes any value for data."""
        holes = [hole for word in words for hole in word.holes]
        text = " ".join(word.text for word in words)
        inside = any(word.nested or EXPANSION in word.text for word in words)
        if inside or not holes or text.count(HOLE) != len(holes) or not all(hole.plain for hole in holes):
            return None
        first, *pieces = [piece.replace("{{", _BRACES) for piece in text.split(HOLE)]
        within = type(self)(first + "".join(h.plain + piece for h, piece in zip(holes, pieces, strict=True)))
        within.plain = self.plain
        try:
            facts = within.program()
        except Refused:
            return None
        self.flows.work += within.flows.weight(within.text)
        errors = any(fault.code.startswith("E") for fault in within.faults)
        refused = errors or any(hole.code or hole.problem or hole.integer for hole in within.holes)
        return None if refused else facts

    def program(self, given: Facts | None = None) -> Facts:
        """Scan the whole text; shell_grammar.py knows how."""
        raise NotImplementedError

    def array(self, *, keyed: bool) -> Word:
        """`name=( … )`; an element's subscript, `[…]=`, is calculated where it isn't a key."""
        found = ARRAY.match(self.text, self.position, self.limit)
        assert found is not None
        name = found[0].rstrip("+=(")
        self.flows.list_arrays([self.flows.key(name)])
        word = Word(self.position, found[0][:-1] + EXPANSION)
        self.position = found.end()
        while self.position < self.limit:
            self._skip(newlines=True)
            if self.at(")"):
                break
            before = self.position
            if self.at("["):
                self.position += 1
                self.subscript(word, name, "bare", keyed=keyed)
            element = self.word()
            word.elements.append(element)
            word.take(element)
            self.position += self.position == before
        self.position += 1
        word.end = self.position
        return word
