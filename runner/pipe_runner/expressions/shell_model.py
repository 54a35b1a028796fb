"""What a scan of shell text finds: holes (where `{{ … }}` stands), words, and what is known of commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from pipe_runner.expressions.tokens import Token

HOLE: Final = "\x00"
"""Stands for a hole in `Word.text`; a file can't hold it."""
EXPANSION: Final = "\x01"
"""Stands in `Word.text` for what only the shell knows: `$x`, `$(…)`, a glob is left as it is."""

STANDARD_INPUT: Final = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
"""Names of files that are standard input."""
DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/[0-9]+")
"""The name of a descriptor as a file."""

Quote = Literal["bare", "double", "single"]


@dataclass(slots=True, eq=False)
class Hole:
    """One `{{ … }}` of a text, and what became of it."""

    start: int
    end: int
    inner: tuple[int, int]
    """Where the expression stands, without braces and `| trust`."""
    quote: Quote = "bare"
    before: str = ""
    """Text that must stand before the variable: a backslash that keeps a backslash, a space between two signs."""
    integer: bool = False
    trusted: bool = False
    raw: bool = False
    warned: set[str] = field(default_factory=set)
    """Codes of warnings that were given."""
    problem: tuple[str, str, str | None] | None = None
    """Code, message and hint of the fault; None where the value arrives."""
    code: tuple[str, str, str] | None = None
    """Code, message and hint where the value would be code; `| trust` accepts it."""
    tokens: Sequence[Token] = ()
    """The expression."""
    plain: str = ""
    """It as it is written, where each of its values is one plain word."""

    def refuse(self, code: str, message: str, hint: str | None) -> None:
        """This place can't carry a value at all. The first reason stays."""
        if self.problem is None and not self.raw:
            self.problem = (code, message, hint)


class Part(NamedTuple):
    """One expansion of a word, in the order in which they stand in its text."""

    source: str
    """As it is written; nothing for `$(…)`."""
    key: str = ""
    """The variable that it expands."""
    printed: Facts | None = None
    """The commands inside `$(…)`."""


@dataclass(slots=True, eq=False)
class Word:
    """One word of a command, quotes removed."""

    start: int
    text: str = ""
    holes: list[Hole] = field(default_factory=list)
    nested: list[Hole] = field(default_factory=list)
    """Holes inside `$(…)` and `<(…)` of this word."""
    variables: list[str] = field(default_factory=list)
    """Names of the variables that it expands."""
    parts: list[Part] = field(default_factory=list)
    """Its expansions, one for each in its text; some more or less where it isn't known what it comes to."""
    several: bool = False
    """Whether it may become any number of words, in quotes too: `"$@"`, `"${a[@]}"`."""
    loose: bool = False
    """Whether an expansion in it stands outside of quotes, where the shell may make several words of it."""
    skipped: int = 0
    """How many of the elements or arguments that it may become it leaves out: one in `"${@:2}"`."""
    listed: str = ""
    """The array of which it is all elements: `"${a[@]}"`."""
    elements: list[Word] = field(default_factory=list)
    """The elements of an array that it assigns."""
    commands: list[Facts] = field(default_factory=list)
    """The commands inside `$(…)` and `<(…)`; they read what the word's command would read."""
    files: list[Facts] = field(default_factory=list)
    """Those of them inside `<(…)`: who opens the word as a file reads what they print."""
    sinks: list[Facts] = field(default_factory=list)
    """The commands inside `>(…)`; they read what the word's command prints."""
    quoted: bool = False
    end: int = 0

    @property
    def unstable(self) -> bool:
        """Whether the shell may make no word of it, or several: `$x` without quotes and alone, `"$@"`."""
        if self.files or self.sinks:  # the name of a descriptor stands in it
            return False
        return (not self.quoted or self.several) and self.text != "" and not self.text.strip(EXPANSION)

    @property
    def shifts(self) -> bool:
        """Whether words behind it may have another place than they have in the text."""
        return self.several or (not self.quoted and EXPANSION in self.text)

    @property
    def all_holes(self) -> list[Hole]:
        return [*self.holes, *self.nested]

    @property
    def static(self) -> bool:
        return HOLE not in self.text and EXPANSION not in self.text

    @property
    def plain(self) -> bool:
        """Whether it is one word whatever happens, and all of it stands in the text."""
        return not (self.variables or self.several or self.loose or HOLE in self.text or EXPANSION in self.text)

    @property
    def rich(self) -> bool:
        """Whether it holds or expands anything."""
        return bool(self.holes or self.variables or self.nested or self.commands or self.files)

    def take(self, inner: Word) -> None:
        """Take in what a part of this word holds and expands."""
        self.holes += inner.holes
        self.nested += inner.nested
        self.variables += inner.variables
        self.several |= inner.several
        self.loose |= inner.loose
        self.commands += inner.commands
        self.files += inner.files
        self.sinks += inner.sinks

    def copy_of(self, text: str) -> Word:
        """The same word, read as `text`: `--file=x` as `x`."""
        return replace(self, text=text)


@dataclass(slots=True, eq=False)
class Facts:
    """What is known of a command, simple or compound."""

    emits: list[Hole] = field(default_factory=list)
    """Holes whose values it prints: those of `echo`, `printf` and their kin."""
    variables: list[str] = field(default_factory=list)
    """Variables whose text it prints."""
    parts: list[Facts] = field(default_factory=list)
    """Commands that print what it prints."""
    said: list[list[Word]] = field(default_factory=list)
    """`echo` and `printf` in it with their arguments, where no value stands among these."""
    names: list[str] = field(default_factory=list)
    """Commands that it calls, of which some are functions of the script."""
    plainly: str = ""
    """That one of them which it calls with nothing but words of the text."""
    quotes: bool = False
    """Whether it prints one word in quotes of the shell's: `printf %q`."""
    given: Facts | None = None
    """What it reads from here-documents, here-strings and `< <(…)`; it may print that."""
    sinks: list[Facts] = field(default_factory=list)
    """Commands inside the `>(…)` of its redirections, which read what it prints."""
    reads: list[tuple[str, str]] = field(default_factory=list)
    """What in it reads its program from standard input: name, and the way that should be taken instead."""
    takes: list[str] = field(default_factory=list)
    """Variables that it reads from standard input."""
    hands: list[str] = field(default_factory=list)
    """Commands that read what it would read, of which some are functions of the script."""

    runs: list[Word] | None = None
    """The arguments of the shell that it is, if it is one that reads its script from standard input."""
    printed: Facts | None = None
    """What the script prints that stands in this input of a shell."""
    writes: list[str] = field(default_factory=list)
    """Files that it prints into."""
    opened: list[Word] = field(default_factory=list)
    """Files that it is given to read."""
    texts: list[str] = field(default_factory=list)
    """Here-strings that are texts of the file."""
    number: bool = False
    """Whether it prints numbers, and nothing that it is given or reads."""
    says: bool = True
    """Whether what it holds comes out of it as it is; not known of most programs and their arguments."""
    away: Literal["", "file", "errors"] = ""
    """Where it prints instead of to standard output."""
    arguments: list[Facts] = field(default_factory=list)
    """Those of its parts that stand in the arguments of a program."""
    interprets: str = ""
    """The interpreter that it is, if it is one that reads its program from standard input."""
    interpreted: Facts | None = None
    """The interpreter whose program this input is."""
    looked_up: list[str] = field(default_factory=list)
    """Variables of the environment that its code may print."""
    stages: list[Facts] = field(default_factory=list)
    """The commands of a pipeline, each of which reads what the one before it prints."""

    def add(self, part: Facts) -> None:
        """Take in a command that is part of this one; one of which nothing is to say is forgotten."""
        if part.emits or part.variables or part.parts or part.names or part.opened:
            self.parts.append(part)
        self.inherit(part)

    def inherit(self, part: Facts) -> None:
        """Take in what a part reads from standard input."""
        self.reads += part.reads
        self.takes += part.takes
        self.hands += part.hands

    def everything(self) -> list[Facts]:
        """It and all its parts, but for those of one that prints numbers alone."""
        found: list[Facts] = []
        pending = [self]
        while pending:
            facts = pending.pop()
            found.append(facts)
            pending += [] if facts.number else facts.parts
        return found

    def input(self) -> Facts:
        """What it reads from its redirections, to be filled."""
        if self.given is None:
            self.given = Facts()
            self.parts.append(self.given)
        return self.given
