"""Reads bash's `[[ … ]]`."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.expressions.shell_documents import ShellDocuments
from pipe_runner.expressions.shell_lexer import META
from pipe_runner.expressions.shell_marks import ARITHMETIC_TESTS, ASSIGNED, calculate_brackets
from pipe_runner.expressions.shell_model import Facts, Word
from pipe_runner.expressions.shell_tables import GROUPS, MATCHED, MAX_KEPT

_PATTERN: Final = re.compile(r"\\.|\[\^?\]?(?:\[:\w+:\]|[^\]])*\]|\{[0-9,]*\}|.", re.DOTALL)
"""A part of a regular expression."""
_LONGEST: Final = 1000
"""Characters of a regular expression that is looked at."""
_QUOTED: Final = re.compile(r"\\.|\$?\"((?:\\.|[^\"\\])*)\"|\$?'([^']*)'", re.DOTALL)
"""What means itself in a regular expression that stands behind `=~`."""
_READ: Final = re.compile(r"(?<!\w)(?:BASH_REMATCH\[1?[0-9]\]|[A-Za-z_]\w*)")
"""A variable in what is calculated."""
_OF_DIGITS: Final = re.compile(r"\[(?:[0-9.-]|\[:digit:\])+\]|\\[.+-]|[0-9()?*+|]|\{[0-9,]*\}")


def _not_digits(pattern: str) -> list[int]:
    """The brackets of a regular expression, from 1, that can hold more than a number or several; 0 is all of it."""
    around, groups = [0], 0
    found_text: set[int] = set()
    for found in _PATTERN.finditer(pattern):
        if found[0] == "(":
            groups += 1
            around.append(groups)
        elif found[0] == ")":
            around = around[:-1] or [0]
        elif not _OF_DIGITS.fullmatch(found[0]) and (len(around) > 1 or found[0] not in "^$"):
            found_text.update(around)
    return sorted(found_text)


def _escaped(found: re.Match[str]) -> str:
    """What stands in quotes, each character with a backslash; what has one is left as it is."""
    return found[0] if found[0][0] == "\\" else re.sub(r"\\?(.)", r"\\\1", found[1] or found[2] or "", flags=re.DOTALL)


class ShellTests(ShellDocuments):
    """A scan that knows which words of a test are calculated, and which are patterns."""

    def test(self) -> Facts:
        """bash's `[[ … ]]`: `-eq` and its kin calculate, so only integers stand beside them; `-v` takes a name."""
        self.position += 2
        words: list[Word] = []
        while self.position < self.limit:
            self._skip(newlines=True)
            if self.at("]]") and self.text[self.position + 2 : self.position + 3] in ("", *META):
                self.position += 2
                break
            matched = bool(words) and words[-1].text == "=~"
            if not matched and self.peek() in "()<>&|;!" and not self.at("<(") and not self.at(">("):
                words.append(Word(self.position, self.peek()))
                self.position += 1
                continue
            before = self.position
            words.append(self._pattern() if matched else self.word())
            self.position += self.position == before
        for index, word in enumerate(words):
            if word.text in ARITHMETIC_TESTS and not word.quoted:
                for neighbour in words[max(0, index - 1) : index + 2]:
                    self._calculate(neighbour)
            elif word.text in ("-v", "-R") and not word.quoted and index + 1 < len(words):
                self.flows.code(words[index + 1], "write the name")
                self.flows.naming.update(words[index + 1].variables)
                calculate_brackets(self, words[index + 1].text)
                for hole in words[index + 1].holes:
                    hole.refuse("E424", f"`{word.text}` takes the name of a variable, which a value can't be", None)
            elif word.text == "=~" and 0 < index < len(words) - 1:
                self._matched(words[index - 1], words[index + 1])
        return Facts()

    def _pattern(self) -> Word:
        """The regular expression behind `=~`, in which brackets and bars stand bare."""
        whole = Word(self.position)
        depth = 0
        while self.position < self.limit and not self.at("\n") and not self.at(" ]]"):
            if depth <= 0 and self.peek() in " \t":
                break
            before = self.position
            if self.peek() in "()":
                classed = self.text.rfind("[", whole.start, before) > self.text.rfind("]", whole.start, before)
                depth += 0 if classed else 1 if self.at("(") else -1
            part = self.word()
            whole.holes += part.holes
            whole.nested += part.nested
            whole.variables += part.variables
            self.position += self.position == before
        whole.text = self.text[whole.start : self.position]
        return whole

    def _matched(self, word: Word, pattern: Word) -> None:
        """What a regular expression finds in a word stands in BASH_REMATCH; where that is digits, it is no code."""
        texts = [_QUOTED.sub(_escaped, pattern.text)]
        if pattern.variables:
            only = len(pattern.variables) == 1 and pattern.text.strip('"${}') == pattern.variables[0]
            texts = self.flows.written(pattern.variables[0]) if only else []
            texts = [] if len(texts) > MAX_KEPT else texts
            begins = [begin[0] if (begin := ASSIGNED.match(text)) else "" for text in texts]
            texts = [text.removeprefix(begin) for text, begin in zip(texts, begins, strict=True)]
            texts = [] if any(begin.endswith("+=") for begin in begins) else texts
        if any(len(text) > _LONGEST for text in texts):
            texts = []
        groups = {group for text in texts for group in _not_digits(text)} if texts else set(range(len(GROUPS)))
        names = [GROUPS[group] for group in groups if group < len(GROUPS)]
        if groups - {0} or not all("(" in text for text in texts):
            names.append(MATCHED)
        found = Facts(word.all_holes, [*word.variables], [*word.commands])
        for name in names:
            self.flows.made.setdefault(name, []).append(found)

    def _calculate(self, word: Word) -> None:
        for hole in word.holes:
            hole.integer = True
        self.flows.calculated.update(word.variables)
        self.flows.figured += word.commands
        self.flows.calculated.update(self.flows.key(found[0]) for found in _READ.finditer(word.text))
