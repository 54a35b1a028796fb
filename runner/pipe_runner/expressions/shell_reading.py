"""What no shell can make anything of, or none but bash: looked for in texts that give a reason to."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pipe_runner.expressions.shell_assignments import ASSIGNMENT
from pipe_runner.expressions.shell_grammar import ShellGrammar
from pipe_runner.expressions.shell_model import Facts, Quote, Word
from pipe_runner.expressions.shell_simple import suspicious
from pipe_runner.expressions.tokens import Refused

_BASH: Final = "say `shell: bash` on the node, or in `defaults:`"
_LONGEST: Final = 20_000
"""Characters of a text that is read for this alone."""
_SHOWN: Final = 40
"""Characters of a text that stand in a message."""
_COUNTING: Final = re.compile(r"for[ \t]*\(\(")
_COMMAND: Final = re.compile(
    r"""(?:source|shopt|pushd|popd|declare|typeset|mapfile|readarray|let)(?=[ \t])
    | (?P<set>set[ \t]+(?:-[a-z]+[ \t]+)*-[a-z]*o[ \t]+pipefail\b)
    | (?P<test>\[|test)[ \t]+(?:"[^"\n]*"|\$\{\w+\}|[^\s"'({`]+)[ \t]+(?P<equal>==)[ \t]""",
    re.VERBOSE,
)
_EXPANSION: Final = re.compile(r"![A-Za-z_]|[A-Za-z_]\w*(?:\[|//?|\^\^?|,,?|:(?=[\s\w$(]))")
_BRACES: Final = re.compile(
    r"(?<![$@%])\{(?:(?!\d*,\d*\})[\w./*-]*,[\w./,*-]*|(?:-?\d+\.\.-?\d+|[A-Za-z]\.\.[A-Za-z])(?:\.\.-?\d+)?)\}"
)
"""What bash makes several words of: `{a,b}`, `{1..5}`, but not how often something stands in a regular expression."""
_OWN_BRACES: Final = re.compile(r"\A[^\s/]+:|\*\*")
"""Words of URLs and of paths elsewhere, and patterns that are no shell's but those of the tool that gets them."""
_OF_TOOLS: Final = re.compile(
    r"(?:ssh|rg|fd|jq|gojq|eslint|prettier|(?:npx|bunx|pnpm|yarn)[ \t]+(?:exec[ \t]+)?[\w-]+)[ \t]"
)
"""Programs that read such braces themselves, or hand them to a shell elsewhere."""
_KEPT: Final = re.compile(r"\{\{.*?\}\}|'[^']*'|\"[^\"]*\"|\\.", re.DOTALL)
"""Where braces mean themselves."""
_ASKED: Final = re.compile(r"\bSHELLOPTS\b|\bset[ \t]+-o[ \t]*[|)]")
"""Where a text asks the shell for the options that it knows."""


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
        self._seen_to: dict[str, bool] = {}
        self._in_tool = False
        self.found: list[Trouble] = []

    def _note(self, position: int, message: str, hint: str) -> None:
        self.found.append(Trouble(self.original(position), message, hint))

    def word(self, *, assignable: bool = False) -> Word:
        word = super().word(assignable=assignable)
        if self._shell == "sh" and "{" in word.text and not (assignable and ASSIGNMENT.match(word.text)):
            bare = _KEPT.sub(lambda found: " " * len(found[0]), self.text[word.start : word.end])
            theirs = self._in_tool or _OWN_BRACES.search(word.text) is not None
            if not theirs and (found := _BRACES.search(bare)) is not None and _BRACES.search(word.text) is not None:
                self._bash(word.start + found.start(), found[0] if len(found[0]) < _SHOWN else "{…}")
        return word

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
        self._bash(self.position, "[[ … ]]")
        return super().test()

    def array(self, *, keyed: bool) -> Word:
        if self._shell == "sh":
            self._note(self.position, "arrays are bash's: `sh` needn't know them", _BASH)
        return super().array(keyed=keyed)

    def _one(self, keyword: str) -> Facts:
        if keyword == "function":
            self._bash(self.position, keyword)
        elif keyword == "for" and (counting := _COUNTING.match(self.text, self.position, self.limit)) is not None:
            self._bash(counting.end() - 2, "for ((")
        return super()._one(keyword)

    def _simple(self) -> Facts:
        begun = self.position
        if self._shell == "sh" and (found := _COMMAND.match(self.text, begun, self.limit)) is not None:
            self._known_to_bash(begun, found)
        outer, self._in_tool = self._in_tool, _OF_TOOLS.match(self.text, begun, self.limit) is not None
        facts = super()._simple()
        self._in_tool = outer
        return facts

    def _known_to_bash(self, begun: int, found: re.Match[str]) -> None:
        """A command that only bash has, or another shell knows less of; nothing where the text sees to that."""
        if found["equal"]:
            hint = f"write `=`, or {_BASH}"
            self._note(found.start("equal"), f"`==` is bash's: `{found['test']}` of `sh` needn't know it", hint)
            return
        name = "pipefail" if found["set"] else found[0]
        if name not in self._seen_to:
            self._seen_to[name] = _seen_to(name, self.text)
        if not self._seen_to[name]:
            hint = "write `.`, or " + _BASH if name == "source" else _BASH
            self._bash(begun, "set -o pipefail" if found["set"] else name, hint)

    def _redirection(self, facts: Facts) -> str | None:
        for operator in ("<<<", "&>"):
            if self.at(operator):
                self._bash(self.position, operator)
        return super()._redirection(facts)

    def _substitution(self, word: Word, pieces: list[str], length: int) -> None:
        if not self.at("$"):
            self._bash(self.position, self.peek() + "( … )")
        super()._substitution(word, pieces, length)

    def _braces(self, word: Word, quote: Quote) -> None:
        if (found := _EXPANSION.match(self.text, self.position, self.limit)) is not None:
            self._bash(self.position - 2, "${" + found[0] + "…}")
        super()._braces(word, quote)

    def _bash(self, position: int, what: str, hint: str = _BASH) -> None:
        if self._shell == "sh" and "BASH_VERSION" not in self.text:
            self._note(position, f"`{what}` is bash's: `sh` needn't know it", hint)


def _seen_to(name: str, text: str) -> bool:
    """Whether a text may know that the shell needn't have a command or option: some line with its name says where
    errors go, as `(set -o pipefail) 2>/dev/null && …` does, or the text defines it."""
    if name == "pipefail" and _ASKED.search(text) is not None:
        return True
    if re.search(rf"\b{name}[ \t]*\(\)|\balias[ \t]+{name}=", text) is not None:
        return True
    return any("2>" in line and re.search(rf"\b{name}\b", line) for line in text.split("\n") if name in line)
