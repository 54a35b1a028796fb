"""What is known of the variables, functions and pipes of a script."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pipe_runner.expressions.interpreter_table import runs_files
from pipe_runner.expressions.shell_constants import is_composed
from pipe_runner.expressions.shell_leading import stand
from pipe_runner.expressions.shell_marks import ASSIGNED
from pipe_runner.expressions.shell_model import Facts, Hole, Word

Node: TypeAlias = str | Facts
"""A place that text goes through: a variable, by its key, or what a command prints.

`f:1` is what `$1` means inside the function `f` (`:1` outside of all), `f:1+0-2~3` where up to two arguments may have
been shifted away, in the third loop; `f:@` all its arguments. `f=1` is the first argument of calls of `f`, `f=0` one
whose place isn't known, and `f<` the standard input of `f`.
"""
ALL: Final = "@"
MAX_SHIFT: Final = 10
"""Arguments that a function shifts away, beyond which any argument may have become any other."""
MAX_NAMES: Final = 200
"""Characters of a text, and variables, in which names of other variables are looked for."""
ARRAYS: Final = ("BASH_REMATCH", "DIRSTACK", "GROUPS", "FUNCNAME", "PIPESTATUS", "BASH_ARGV", "MAPFILE", "COPROC")
"""Variables that bash makes arrays of."""
MATCHED: Final = ARRAYS[0]
GROUPS: Final = tuple(f"{MATCHED}[{number}]" for number in range(20))
"""What the brackets of a regular expression have found, each by itself, as far as they are told apart."""
MAX_PLACE: Final = 40
"""Arguments of a function that are told apart."""
MAX_KEPT: Final = 50
"""Files under descriptors that one command is taken to read."""
PARAMETER: Final = re.compile(
    r"(?:=(?P<argument>)|:)(?P<place>@|[0-9]+)(?:\+(?P<least>[0-9]+)-(?P<most>[0-9]+)~(?P<loop>[0-9]+))?\Z"
)
EVERY: Final = re.compile(r":@((?:\+[0-9-]+~[0-9]+)?)\Z")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True, eq=False)
class Tables:
    """What the scan of a script tells of its variables, functions and pipes."""

    spaces: tuple[str, ...] = ()
    """The scripts around the place that is read, which have variables of their own."""
    owned: dict[str, None] = field(default_factory=dict)
    """Variables that a script within is certain to set before it reads them: `script 1/x`."""
    used: set[str] = field(default_factory=set)
    """Variables that it reads, or may set."""
    arrays: dict[str, set[str]] = field(default_factory=lambda: {name: {""} for name in ARRAYS})
    """Variables that are arrays, and the functions in which they become some."""
    environment: Facts = field(default_factory=Facts)
    """What prints variables that stand in the text it reads, as `envsubst` does."""
    declared: list[tuple[str, str, bool, Word]] = field(default_factory=list)
    """What `declare x=…` is given where `x` isn't an array so far: variable, function, whether in a loop, word."""
    scope: str = ""
    """The function whose body is read."""
    loops: int = 0
    """Loops around the place that is read, inside of the function."""
    loop: int = 0
    """Number of the outermost of them."""
    numbered: int = 0
    """Loops so far, those inside of loops not counted."""
    shifting: set[int] = field(default_factory=set)
    """Loops that shift arguments away, anywhere in them."""
    holding: dict[str, list[Hole]] = field(default_factory=dict)
    """Variables in which a value stands."""
    derived: dict[str, list[Hole]] = field(default_factory=dict)
    """Variables that hold what a command made of a value."""
    copied: dict[str, list[str]] = field(default_factory=dict)
    """Variables in whose text others stand: `x=$y`."""
    made: dict[str, list[Node]] = field(default_factory=dict)
    """Variables that hold what commands print."""
    read: dict[str, list[Node]] = field(default_factory=dict)
    """Variables that `read` takes from what commands print."""
    calculated: set[str] = field(default_factory=set)
    """Variables whose text the shell reads as arithmetic."""
    figured: list[Facts] = field(default_factory=list)
    """Commands whose output the shell reads as arithmetic."""
    coded: list[tuple[Node, str, str]] = field(default_factory=list)
    """Places whose text becomes code, what is to say of it, and the way that should be taken instead."""
    chosen: list[Node] = field(default_factory=list)
    """Places whose text names a program."""
    led: list[tuple[Node, int, str, str, str]] = field(default_factory=list)
    """Places where the beginning of a text counts: how much of it, and code, message and hint."""
    stands: dict[tuple[str, str | int], int] = field(default_factory=dict)
    """Where in the text of a variable another stands, or a hole, by its identity."""
    bodies: dict[str, list[Facts]] = field(default_factory=dict)
    """The functions of the script."""
    calls: list[tuple[str, list[Word]]] = field(default_factory=list)
    """Commands with values as arguments, of which some are functions."""
    places: dict[str, set[int]] = field(default_factory=dict)
    """Places of the arguments that a function is called with, 0 for those that aren't known."""
    passed: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)
    """Functions that are called with all arguments of others: whose, how many stand before those, what is shifted."""
    shifted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """How many of its arguments a function has shifted away at least, and at most, up to where the scan stands."""
    branches: int = 0
    """Conditions and loops around the place that is read, inside of the function."""
    replaced: set[str] = field(default_factory=set)
    """Functions that give themselves other arguments, with `set`."""
    begun: set[str] = field(default_factory=set)
    """Arrays with a first element that is certain to be one."""
    headed: set[str] = field(default_factory=set)
    """Arrays that begin with the arguments of a function."""
    aliases: dict[str, list[Word]] = field(default_factory=dict)
    """Names that stand for the beginning of a command."""
    lists: dict[str, list[list[Word]]] = field(default_factory=dict)
    """The elements of arrays as they stand in the text, one list for each assignment, and arguments of functions."""
    adding: dict[str, list[Word]] = field(default_factory=dict)
    """What functions, and loops, add to their arguments: `set -- "$@" x`."""
    invoked: list[tuple[list[Word], str]] = field(default_factory=list)
    """Commands whose program or arguments stand in variables, and the functions around them."""
    seen: set[tuple[str | int, ...]] = field(default_factory=set)
    """Commands that were put together from variables."""
    made_up: int = 0
    """Words of them, those of equal ones too."""
    together: int = 0
    """Words of commands that were put together from variables."""
    listed: set[str] = field(default_factory=set)
    """Arrays whose elements, all together, are a command: `"${a[@]}"`."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Names in texts of the file that variables hold: `i=x`, which may mean the variable `x` in turn."""
    naming: set[str] = field(default_factory=set)
    """Variables whose text names another: `${!x}`, `read "$x"`."""
    pointing: dict[str, list[str]] = field(default_factory=dict)
    """Variables that are others by name, and those in which the names stand."""
    literal: dict[str, list[str]] = field(default_factory=dict)
    """Texts of the file that variables hold."""
    composed: dict[str, list[Word]] = field(default_factory=dict)
    """Words that variables hold in which other variables stand, and texts of the file."""
    looked_at: int = 0
    work: int = 0
    """What was looked at, in steps of some 10 µs; the texts of a file may take so many together (R2)."""
    """Words and variables that were looked at for what words come to."""
    pipes: int = 0
    """Pipes that begin with what passes its input on."""
    scripts: int = 0
    """Scripts that stand in this one as words."""
    beyond: Facts = field(default_factory=Facts)
    """What can be read from descriptors other than standard input."""
    locals: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a variable that a function sets is its own, declared by it before it is set there."""
    files: set[str] = field(default_factory=set)
    """Files that commands print into."""
    shown: set[str] = field(default_factory=set)
    """Files that programs print whose names stand in variables."""
    links: list[tuple[str, Word]] = field(default_factory=list)
    """Files that are links, and those that they mean."""
    kept: list[Word] = field(default_factory=list)
    """Files that are open under other descriptors than standard input's."""
    taken: list[tuple[list[Word], list[str]]] = field(default_factory=list)
    """Files of which `read` takes lines, and the variables that hold those."""
    handed: list[tuple[list[Word], list[str]]] = field(default_factory=list)
    """Files that are the standard input of commands, of which some are functions of the script."""
    stated: list[tuple[Node, str, str]] = field(default_factory=list)
    """Places as in `coded`, whose text is the input of a program that reads statements."""
    errors: bool = False
    """Whether errors are printed to standard output somewhere."""
    passing: set[str] = field(default_factory=set)
    """Programs and functions that print of what they read."""
    elsewhere: Facts = field(default_factory=Facts)
    """What is printed to descriptors other than standard output."""

    # ------------------------------------------------------------ what the scan tells

    def key(self, name: str) -> str:
        """The key of a variable where it stands."""
        if name in ("0", "BASH_ARGV0"):
            return f"{self.spaces[-1]}/0" if self.spaces else name
        if name != ALL and name != "*" and not name.isdecimal():
            return self.owner(name)
        place = ALL if name == "*" else name
        least, most = self.shifted.get(self.scope, (0, 0))
        return f"{self.scope}:{place}+{least}-{most}~{self.loop}" if most or self.loops else f"{self.scope}:{place}"

    def owner(self, name: str) -> str:
        """The key of a variable: one that a script within has set itself isn't that of the script around it."""
        for space in reversed(self.spaces):
            if (key := f"{space}/{name}") in self.owned:
                return key
            self.used.add(key)
        return name

    def own(self, name: str) -> None:
        """`NAME=…` stands here: a script within may be certain to set a variable of its own."""
        if self.spaces and self.scope == self.spaces[-1] and not self.branches:
            key = f"{self.scope}/{name}"
            if key not in self.used:
                self.owned[key] = None

    def disown(self, known: int) -> None:
        """What was set since only so many variables were owned was set in another process."""
        while len(self.owned) > known:
            self.used.add(self.owned.popitem()[0])

    def list_arrays(self, names: Iterable[str]) -> None:
        """Variables that are arrays from here on."""
        for name in names:
            self.arrays.setdefault(name, set()).add(self.scope)

    def declares(self, name: str, word: Word, *, everywhere: bool) -> bool:
        """Whether `declare NAME=word` gives a value to an array; what comes later is looked at in the end."""
        scopes = self.arrays.get(name, set())
        where = "" if everywhere else self.scope
        if where in scopes or (not where and scopes):
            return True
        self.declared.append((name, where, bool(self.loops), word))
        return False

    def enter_loop(self) -> None:
        """A loop begins where the scan stands."""
        self.loops += 1
        self.branches += 1
        if self.loops == 1:
            self.numbered += 1
            self.loop = self.numbered

    def leave_loop(self) -> None:
        """The loop ends."""
        self.loops -= 1
        self.branches -= 1

    def weight(self, text: str) -> int:
        """How much there was to look at in a text, in steps of some 10 µs."""
        return self.work + len(text) // 16

    def assign(self, name: str, word: Word) -> None:
        """`NAME=word`; of an array also what its first element is."""
        self.work += 1
        if word.elements:
            more = "+=" in word.text
            lists = self.lists.setdefault(name, [])
            if more and lists:
                lists[-1].extend(word.elements)
            else:
                lists.append(list(word.elements))
            heads = word.elements if not more or name not in self.begun else []
            for element in word.elements:
                self.scatter(name, element)
                if element.static and len(element.text) < MAX_NAMES:
                    self.literal.setdefault(f"{name}[]", []).append(element.text.lstrip("="))
            for element in heads:
                if element.quoted and element.unstable and EVERY.search(" ".join(element.variables)):
                    first = [EVERY.sub(r":1\1", variable) for variable in element.variables]
                    self.copied.setdefault(f"{name}[0]", []).extend(first)
                    self.headed.add(name)
                    continue
                self.assign(f"{name}[0]", element)
                if not element.shifts:
                    self.begun.add(name)
                    break
            self.copied.setdefault(name, []).append(f"{name}[]")
            name = f"{name}[]"
        stand(self, name, word)
        if word.holes:
            self.holding.setdefault(name, []).extend(word.holes)
        if word.nested:
            self.derived.setdefault(name, []).extend(word.nested)
        if word.variables:
            self.copied.setdefault(name, []).extend(word.variables)
        if word.commands:
            self.made.setdefault(name, []).extend(word.commands)
        if is_composed(word) and len(word.text) < MAX_NAMES:
            self.composed.setdefault(name, []).append(word)
        if word.static and len(word.text) < MAX_NAMES:
            found = ASSIGNED.match(word.text)
            names = _NAME.findall(word.text, found.end() if found else 0)
            self.literal.setdefault(name, []).append(word.text)
            if names:
                self.texts.setdefault(name, []).extend(names)
            if names and self.spaces:
                self.texts[name] += [f"{space}/{each}" for space in self.spaces for each in names]

    @property
    def place(self) -> tuple[str, int, int, int, tuple[str, ...]]:
        """Where the scan stands: the function, and what is around the place in it."""
        return self.scope, self.loops, self.loop, self.branches, self.spaces

    @place.setter
    def place(self, place: tuple[str, int, int, int, tuple[str, ...]]) -> None:
        self.scope, self.loops, self.loop, self.branches, self.spaces = place

    def begin_script(self, arguments: list[Word], zero: Word | None) -> None:
        """A script within the script begins, whose arguments and variables are its own."""
        self.scope, self.loops, self.branches = f"script {self.scripts}", 0, 0
        self.spaces = (*self.spaces, self.scope)
        if zero is not None:
            for word in [zero, *arguments] if zero.shifts else [zero]:
                self.assign(f"{self.scope}/0", word)
        self.arguments(self.scope, [zero, *arguments] if zero is not None and zero.shifts else arguments)

    def named_by(self, word: Word) -> str:
        """The key of a variable whose name stands in another: `printf -v "$1" …`."""
        if not word.variables:
            return self.key(word.text.partition("[")[0])
        key = f"named {len(self.pointing)}"
        self.pointing[key] = list(word.variables)
        return key

    def written(self, name: str) -> list[str]:
        """The texts that a variable may hold, as they stand in the file; none where it may hold others."""
        tables = (self.holding, self.derived, self.copied, self.made, self.read)
        return [] if any(name in table for table in tables) else self.literal.get(name, [])

    def code(self, word: Word, hint: str) -> None:
        """What stands in a word becomes code, variables and the output of commands too."""
        self.coded += [(name, "", hint) for name in word.variables]
        self.coded += [(facts, "the value becomes part of what is read as code", hint) for facts in word.commands]

    def choose(self, word: Word) -> None:
        """A word that only the shell knows, `$x`, `"$@"` or `$(…)`, is the name of the program that runs."""
        if word.listed in self.begun or word.listed in self.headed:
            self.chosen.append(f"{word.listed}[0]")
            self.listed.add(word.listed)
            return
        self.chosen += [EVERY.sub(r":1\1", name) for name in word.variables]
        self.chosen += word.commands

    def scatter(self, name: str, word: Word) -> None:
        """A word that becomes several elements of an array, or several arguments."""
        if word.loose:
            self.copied.setdefault(split(name), []).extend(word.variables)
            self.made.setdefault(split(name), []).extend(word.commands)
        elif word.several:
            self.copied.setdefault(split(name), []).extend(map(split, word.variables))

    def joining(self, name: str) -> list[str]:
        """What else becomes part of `$*`."""
        return ["IFS"] if name == "*" else []

    def vanishes(self, word: Word) -> bool:
        """Whether the shell may make nothing of a word: `$x`, or `"$@"` where no arguments are."""
        return word.loose or (word.variables[:1] == [f":{ALL}"] and not self.lists.get(f":{ALL}"))

    def feed(self, source: Facts, reader: Facts) -> None:
        """A command whose standard input is what others print."""
        if reader.reads:
            program, hint = reader.reads[0]
            place = (source, f"the value becomes part of what {program} reads as its program", hint)
            (self.coded if runs_files(program) else self.stated).append(place)
        for name in reader.takes:
            self.read.setdefault(name, []).append(source)
        for name in reader.hands:
            self.made.setdefault(f"{name}<", []).append(source)

    def arguments(self, function: str, words: list[Word]) -> None:
        """The words that a function is called with."""
        place, known = 0, True
        self.work += 1 + len(words) // 8
        self.lists.setdefault(f"{function}:{ALL}", []).append(words)
        places = self.places.setdefault(function, set())
        for word in words:
            if known and place == MAX_PLACE and word.plain:
                continue
            every = EVERY.search(word.variables[0]) if len(word.variables) == 1 else None
            if known and word.quoted and word.unstable and every is not None:
                scope = word.variables[0][: every.start()]
                self.passed.setdefault(function, []).append((scope, place, every[1]))
                known = False
                self.scatter(f"{function}:@", word)
                continue
            self.scatter(f"{function}:@", word)
            known = known and not word.shifts
            if known and place == MAX_PLACE and word.static:
                continue
            place = min(place + 1, MAX_PLACE) if known else 0
            places.add(place)
            self.assign(f"{function}={place}", word)

    def shift(self, count: str) -> None:
        """`shift` where the scan stands."""
        by = int(count) if count.isdecimal() and len(count) < 3 else 0
        least, most = self.shifted.get(self.scope, (0, 0))
        most = MAX_SHIFT + 1 if self.loops or not by else min(most + by, MAX_SHIFT + 1)
        self.shifted[self.scope] = min(least + (0 if self.branches else by), MAX_SHIFT), most
        if self.loops:
            self.shifting.add(self.loop)

    def unshift(self, before: tuple[int, int]) -> None:
        """What was shifted since `before` was so in another process, or isn't certain."""
        _, most = self.shifted.get(self.scope, before)
        self.shifted[self.scope] = before[0], most


def split(key: str) -> str:
    """The key of what the shell splits into the elements of an array, or into arguments."""
    return EVERY.sub(f":{ALL}", key) + " split"
