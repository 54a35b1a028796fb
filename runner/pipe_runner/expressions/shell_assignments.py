"""Reads assignments: which words are some, and the elements of arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipe_runner.expressions.shell_marks import inspect_assignment
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Facts, Hole, Part, Word
from pipe_runner.expressions.shell_printers import FILTERS
from pipe_runner.expressions.shell_tests import ShellTests
from pipe_runner.expressions.tokens import Refused

ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]]*\])?\+?=")
ARRAY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=\(")
_QUOTED: Final = "{{ env.IN_QUOTES }}"
"""Stands for a word in quotes of the shell's."""
_OPERATOR: Final = re.compile(r"\$\{\w+@Q\}")
_BRACES: Final = "{% raw %}{{{% endraw %}"
_UNQUOTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[|\+?=)")


def _read_again(word: Word, quotes: bool) -> str | None:
    """The text of a word as another shell reads it, with an expression for each value that is a plain word, or in
    `quotes`; nothing where it isn't known."""
    made, holes, parts = "", iter(word.holes), iter(word.parts)
    if word.text.count(HOLE) != len(word.holes) or word.text.count(EXPANSION) != len(word.parts):
        return None
    for piece in re.split(f"([{HOLE}{EXPANSION}])", word.text):
        if piece == HOLE:
            piece = next(holes).plain
        elif piece == EXPANSION:
            piece = _QUOTED if _is_in_quotes(next(parts)) and quotes else ""
        else:
            made += piece.replace("{{", _BRACES)
            continue
        if not piece:
            return None
        made += piece
    return made


def _is_in_quotes(part: Part) -> bool:
    """Whether an expansion is one word in quotes of the shell's: `${x@Q}`, `$(printf %q "$x")`."""
    facts = part.printed
    if facts is None:
        return _OPERATOR.fullmatch(part.source) is not None
    while not facts.quotes and len(facts.parts) == 1 and not facts.names:
        facts = facts.parts[0]
    return facts.quotes


def _is_refused(hole: Hole, text: str) -> bool:
    """Whether a value may not stand there; one that is in quotes already stands in no others."""
    quoted = hole.quote != "bare" and text[hole.start : hole.end] == _QUOTED
    return quoted or bool(hole.code or hole.problem or hole.integer)


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

    def carried(self, words: Sequence[Word], *, quotes: bool) -> tuple[str, Facts] | None:
        """These words as the text of another shell, and what it reads; nothing where it may not read them: unless all
        values in them are plain words, or in `quotes` that it knows, and stand where it takes any value for data."""
        texts = [_read_again(word, quotes) for word in words]
        if not any(word.holes or word.parts for word in words) or None in texts:
            return None
        within = type(self)(" ".join(filter(None, texts)))
        within.plain = self.plain
        try:
            facts = within.program()
        except Refused:
            return None
        self.flows.work += within.flows.weight(within.text)
        errors = any(fault.code.startswith("E") for fault in within.faults)
        refused = errors or any(_is_refused(hole, within.text) for hole in within.holes)
        return None if refused else (within.source, facts)

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
