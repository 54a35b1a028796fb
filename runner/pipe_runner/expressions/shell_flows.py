"""Where values go through variables and pipes of a script, and what becomes of them there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipe_runner.expressions.shell_marks import mark_choice, mark_hole
from pipe_runner.expressions.shell_model import Facts, Hole, Word


@dataclass(slots=True, eq=False)
class Flows:
    """All flows of one script, settled at its end: a loop may use a variable before it is assigned in the text."""

    holding: dict[str, list[Hole]] = field(default_factory=dict)
    """Variables that hold a value, by name; `1`, `2`, … are arguments of functions."""
    derived: dict[str, list[Hole]] = field(default_factory=dict)
    """Variables that hold what a command made of a value."""
    read: dict[str, list[Hole]] = field(default_factory=dict)
    """Variables that `read` takes from what prints a value."""
    copied: dict[str, set[str]] = field(default_factory=dict)
    """Variables in whose text others stand: `x=$y`."""
    calculated: set[str] = field(default_factory=set)
    """Variables whose text the shell reads as arithmetic."""
    coded: list[tuple[str, str]] = field(default_factory=list)
    """Variables whose text becomes code, and the way that should be taken instead."""
    chosen: set[str] = field(default_factory=set)
    """Variables that name a program."""
    functions: set[str] = field(default_factory=set)
    calls: list[tuple[str, list[Word]]] = field(default_factory=list)
    """Commands with values as arguments, of which some are functions of the script."""
    programs: list[tuple[list[Facts], list[Facts], tuple[str, str]]] = field(default_factory=list)
    """What reads a program from its input: the commands that print into it, those whose here-documents it reads."""
    reading: list[tuple[list[Facts], list[Facts], list[str]]] = field(default_factory=list)
    """What reads variables from its input, likewise."""

    def assign(self, name: str, word: Word) -> None:
        """`NAME=word`."""
        _add(self.holding, name, word.holes)
        _add(self.derived, name, word.nested)
        self.copied.setdefault(name, set()).update(word.variables)

    def settle(self) -> None:
        """Mark the holes whose values become code, a program or a number on their way."""
        for name, words in self.calls:
            if name in self.functions or name == "set":
                self._arguments(words, skip=name == "set")
        for printing, documented, (program, hint) in self.programs:
            for hole in _printed(printing, documented):
                mark_hole(hole, f"the value becomes part of what {program} reads as its program", hint)
            names = [name for each in printing for name in each.printed_variables()]
            names += [name for each in documented for name in each.documented]
            self.coded += [(name, hint) for name in names]
        for printing, documented, names in self.reading:
            for name in names:
                _add(self.read, name, _printed(printing, documented))
        for name, hint in self.coded:
            for hole in self._of(name):
                mark_hole(hole, f"${name} takes the value, and its text becomes code", hint)
        for name in self.chosen:
            for hole in self._of("1" if name in ("@", "*") else name):
                mark_choice(hole, f"${name} takes the value, and chooses which program runs", "name the program")
        for name in self._sources(self.calculated):
            for hole in self.holding.get(name, ()):
                hole.integer = True
            for hole in self.read.get(name, ()):
                mark_hole(
                    hole, f"${name} takes the value, and bash runs what it finds in arithmetic", "calculate in awk"
                )

    def _of(self, name: str) -> list[Hole]:
        names = {name}
        if name in ("@", "*"):
            names |= {each for each in (*self.holding, *self.derived) if each.isdigit()}
        tables = (self.holding, self.derived, self.read)
        return [hole for each in self._sources(names) for table in tables for hole in table.get(each, ())]

    def _sources(self, names: Iterable[str]) -> set[str]:
        """These variables and all whose text stands in theirs."""
        found: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self.copied.get(name, ())
        return found

    def _arguments(self, words: list[Word], *, skip: bool) -> None:
        position = 0
        for word in words:
            if skip and position == 0 and word.text.startswith("-"):
                continue
            position += 1
            self.assign(str(position), word)


def _printed(printing: Iterable[Facts], documented: Iterable[Facts]) -> list[Hole]:
    holes = [hole for each in printing for hole in each.printed()]
    return holes + [hole for each in documented for hole in each.documents]


def _add(table: dict[str, list[Hole]], name: str, holes: list[Hole]) -> None:
    if holes:
        table.setdefault(name, []).extend(holes)
