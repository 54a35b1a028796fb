"""What no shell can make anything of, or none but bash: looked for in texts that give a reason to."""

from __future__ import annotations

from typing import Final, NamedTuple

from pipe_runner.expressions.shell_grammar import ShellGrammar
from pipe_runner.expressions.shell_model import Facts, Word
from pipe_runner.expressions.shell_simple import suspicious
from pipe_runner.expressions.tokens import Refused

_LONGEST: Final = 20_000
"""Characters of a text that is read for this alone."""


class Trouble(NamedTuple):
    """A place in a text, and what is wrong there."""

    offset: int
    message: str
    hint: str


def trouble(text: str, shell: str) -> tuple[Trouble | None, int]:
    """What a shell doesn't read in a text, nothing where it isn't sure; and how much there was to look at, in steps of
    some 10 µs."""
    if len(text) > _LONGEST or not suspicious(text, shell):
        return None, 0
    reading = _Reading(text, shell)
    try:
        reading.program()
    except Refused:
        return None, reading.flows.weight(text)
    return next(iter(reading.found), None), reading.flows.weight(text)


class _Reading(ShellGrammar):
    """A scan that notes what is never closed, and what only bash knows."""

    def __init__(self, text: str, shell: str) -> None:
        super().__init__(text)
        self._shell = shell
        self.found: list[Trouble] = []

    def _note(self, position: int, message: str, hint: str) -> None:
        self.found.append(Trouble(self.original(position), message, hint))

    def _single(self, word: Word, pieces: list[str]) -> None:
        start = self.position
        super()._single(word, pieces)
        if self.position > self.limit == len(self.text):
            self._note(start, "a quote `'` that is never closed", "close it; a `'` in text stands in double quotes")

    def double(self, word: Word, pieces: list[str], *, document: bool = False) -> None:
        start = self.position - 1
        super().double(word, pieces, document=document)
        if not document and self.position >= self.limit == len(self.text) and not self.text.endswith('"'):
            self._note(max(start, 0), 'a quote `"` that is never closed', 'close it; a `"` in text is written `\\"`')

    def _expect(self, word: str) -> None:
        before = self.position
        super()._expect(word)
        if self.position == before and not self.text[before:].strip() and self.limit == len(self.text):
            self._note(max(before - 1, 0), f"the text ends where `{word}` is missing", f"write `{word}` behind it")

    def test(self) -> Facts:
        if self._shell == "sh":
            self._note(self.position, "`[[ … ]]` is bash's: `sh` needn't know it", _BASH)
        return super().test()

    def array(self, *, keyed: bool) -> Word:
        if self._shell == "sh":
            self._note(self.position, "arrays are bash's: `sh` needn't know them", _BASH)
        return super().array(keyed=keyed)


_BASH: Final = "say `shell: bash` on the node, or in `defaults:`"
