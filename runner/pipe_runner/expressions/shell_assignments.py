"""Reads assignments: which words are some, and the elements of arrays."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.expressions.shell_marks import inspect_assignment
from pipe_runner.expressions.shell_model import EXPANSION, Facts, Word
from pipe_runner.expressions.shell_printers import FILTERS
from pipe_runner.expressions.shell_tests import ShellTests

ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]]*\])?\+?=")
ARRAY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=\(")
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
        self.flows.assign(name, word)
        if any(not FILTERS.isdisjoint(inner.hands) for inner in word.commands):
            facts.takes.append(name)

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
