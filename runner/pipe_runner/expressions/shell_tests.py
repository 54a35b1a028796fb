"""Reads bash's `[[ … ]]`."""

from __future__ import annotations

from typing import Final

from pipe_runner.expressions.shell_documents import ShellDocuments
from pipe_runner.expressions.shell_lexer import META, NAME
from pipe_runner.expressions.shell_model import Facts, Word

_ARITHMETIC_TESTS: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


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
            if self.peek() in "()<>&|;!" and not self.at("<(") and not self.at(">("):
                words.append(Word(self.position, self.peek()))
                self.position += 1
                continue
            before = self.position
            words.append(self._pattern() if words and words[-1].text == "=~" else self.word())
            self.position += self.position == before
        for index, word in enumerate(words):
            if word.text in _ARITHMETIC_TESTS and not word.quoted:
                for neighbour in words[max(0, index - 1) : index + 2]:
                    self._calculate(neighbour)
            elif word.text in ("-v", "-R") and not word.quoted and index + 1 < len(words):
                self.flows.code(words[index + 1], "write the name")
                for hole in words[index + 1].holes:
                    hole.refuse("E424", f"`{word.text}` takes the name of a variable, which a value can't be", None)
        return Facts()

    def _pattern(self) -> Word:
        """The regular expression behind `=~`, in which brackets and bars stand bare."""
        whole = Word(self.position)
        while self.position < self.limit and self.peek() not in " \t\n":
            before = self.position
            part = self.word()
            whole.holes += part.holes
            whole.nested += part.nested
            self.position += self.position == before
        return whole

    def _calculate(self, word: Word) -> None:
        for hole in word.holes:
            hole.integer = True
        self.flows.calculated.update(word.variables)
        if word.static and NAME.fullmatch(word.text):
            self.flows.calculated.add(word.text)
