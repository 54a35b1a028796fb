"""What a scan of shell text finds: holes (where `{{ … }}` stands), words, and what is known of commands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

HOLE: Final = "\x00"
"""Stands for a hole in `Word.text`; a file can't hold it."""
EXPANSION: Final = "\x01"
"""Stands in `Word.text` for what only the shell knows: `$x`, `$(…)`, a glob is left as it is."""

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
    problem: tuple[str, str, str | None] | None = None
    """Code, message and hint of the fault; None where the value arrives."""
    code: tuple[str, str, str] | None = None
    """Code, message and hint where the value would be code; `| trust` accepts it."""

    def refuse(self, code: str, message: str, hint: str | None) -> None:
        """This place can't carry a value at all. The first reason stays."""
        if self.problem is None and not self.raw:
            self.problem = (code, message, hint)


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
    commands: list[Facts] = field(default_factory=list)
    """The commands inside `$(…)` and `<(…)`; they read what the word's command would read."""
    sinks: list[Facts] = field(default_factory=list)
    """The commands inside `>(…)`; they read what the word's command prints."""
    quoted: bool = False
    end: int = 0

    @property
    def unstable(self) -> bool:
        """Whether the shell may make no word of it, or several: `$x` without quotes and alone, `"$@"`."""
        return (not self.quoted or "@" in self.variables) and self.text != "" and not self.text.strip(EXPANSION)

    @property
    def all_holes(self) -> list[Hole]:
        return [*self.holes, *self.nested]

    @property
    def static(self) -> bool:
        return HOLE not in self.text and EXPANSION not in self.text

    def copy_of(self, text: str) -> Word:
        """The same word, read as `text`: `--file=x` as `x`."""
        return replace(self, text=text)


@dataclass(slots=True, eq=False)
class Facts:
    """What is known of a command, simple or compound."""

    emits: list[Hole] = field(default_factory=list)
    """Holes whose values it prints: those of `echo`, `printf` and their kin."""
    documents: list[Hole] = field(default_factory=list)
    """Holes in its here-documents, whose text is read only at the end of the line."""
    variables: list[str] = field(default_factory=list)
    """Variables whose text it prints."""
    documented: list[str] = field(default_factory=list)
    """Variables in its here-documents."""
    parts: list[Facts] = field(default_factory=list)
    reads: list[tuple[str, str]] = field(default_factory=list)
    """What in it reads its program from standard input: name, and the way that should be taken instead."""
    takes: list[str] = field(default_factory=list)
    """Variables that it reads from standard input."""

    awaits: bool = False
    """A here-document of it is still to come."""

    def add(self, part: Facts) -> None:
        """Take in a command that is part of this one; one of which nothing is to say is forgotten."""
        if part.emits or part.documents or part.variables or part.documented or part.parts or part.awaits:
            self.parts.append(part)
        self.reads += part.reads
        self.takes += part.takes

    def everything(self) -> list[Facts]:
        """It and all its parts."""
        found: list[Facts] = []
        pending = [self]
        while pending:
            facts = pending.pop()
            found.append(facts)
            pending += facts.parts
        return found

    def printed(self) -> list[Hole]:
        """All holes whose values may come out of it."""
        return [hole for facts in self.everything() for hole in (*facts.emits, *facts.documents)]

    def printed_variables(self) -> list[str]:
        """All variables whose text may come out of it."""
        return [name for facts in self.everything() for name in (*facts.variables, *facts.documented)]
