"""Where values go through variables, functions and pipes of a script, and what becomes of them there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pipe_runner.expressions.interpreter_table import CODE_VARIABLES
from pipe_runner.expressions.shell_marks import ASSIGNED, mark_choice, mark_hole
from pipe_runner.expressions.shell_model import Facts, Hole, Word

Node: TypeAlias = str | Facts
"""A place that text goes through: a variable, by its key, or what a command prints.

`f:1` is what `$1` means inside the function `f` (`:1` outside of all), `f:1+0-2~3` where up to two arguments may have
been shifted away, in the third loop; `f:@` all its arguments. `f=1` is the first argument of calls of `f`, `f=0` one
whose place isn't known, and `f<` the standard input of `f`.
"""
_ALL: Final = "@"
MAX_SHIFT: Final = 10
"""Arguments that a function shifts away, beyond which any argument may have become any other."""
MAX_NAMES: Final = 200
"""Characters of a text, and variables, in which names of other variables are looked for."""
INTEGERS: Final = ("RANDOM", "SRANDOM", "OPTIND", "HISTCMD")
"""Variables of bash that calculate whatever they are given."""
SPEAKING: Final = frozenset(
    {"echo", "printf", "cat", "head", "tail", "tr", "cut", "sort", "uniq", "tac", "rev", "true"}
)
"""Programs whose output is made of the text that they are given, and no number of anything."""
MAX_PLACE: Final = 40
"""Arguments of a function that are told apart."""
_PARAMETER: Final = re.compile(
    r"(?:=(?P<argument>)|:)(?P<place>@|[0-9]+)(?:\+(?P<least>[0-9]+)-(?P<most>[0-9]+)~(?P<loop>[0-9]+))?\Z"
)
_EVERY: Final = re.compile(r":@((?:\+[0-9-]+~[0-9]+)?)\Z")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CODE_VARIABLES: Final = sorted(CODE_VARIABLES)
_CODE: Final = "${} takes the value, and its text becomes code"


@dataclass(slots=True, eq=False)
class Flows:
    """All flows of one script, settled at its end: a loop may use a variable before it is assigned in the text."""

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
    coded: list[tuple[Node, str, str]] = field(default_factory=list)
    """Places whose text becomes code, what is to say of it, and the way that should be taken instead."""
    chosen: list[Node] = field(default_factory=list)
    """Places whose text names a program."""
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
    listed: set[str] = field(default_factory=set)
    """Arrays whose elements, all together, are a command: `"${a[@]}"`."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Names in texts of the file that variables hold: `i=x`, which may mean the variable `x` in turn."""
    pointing: dict[str, list[str]] = field(default_factory=dict)
    """Variables that are others by name, and those in which the names stand."""
    literal: dict[str, list[str]] = field(default_factory=dict)
    """Texts of the file that variables hold."""
    pipes: int = 0
    """Pipes that begin with what passes its input on."""
    scripts: int = 0
    """Scripts that stand in this one as words."""
    beyond: Facts = field(default_factory=Facts)
    """What can be read from descriptors other than standard input."""
    elsewhere: Facts = field(default_factory=Facts)
    """What is printed to descriptors other than standard output."""

    # ------------------------------------------------------------ what the scan tells

    def key(self, name: str) -> str:
        """The key of a variable where it stands."""
        if name != _ALL and name != "*" and (name == "0" or not name.isdecimal()):
            return name
        place = _ALL if name == "*" else name
        least, most = self.shifted.get(self.scope, (0, 0))
        return f"{self.scope}:{place}+{least}-{most}~{self.loop}" if most or self.loops else f"{self.scope}:{place}"

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

    def assign(self, name: str, word: Word) -> None:
        """`NAME=word`; of an array also what its first element is."""
        if word.elements:
            more = "+=" in word.text
            heads = word.elements if not more or name not in self.begun else []
            for element in heads:
                if element.quoted and element.unstable and _EVERY.search(" ".join(element.variables)):
                    first = [_EVERY.sub(r":1\1", variable) for variable in element.variables]
                    self.copied.setdefault(f"{name}[0]", []).extend(first)
                    self.headed.add(name)
                    continue
                self.assign(f"{name}[0]", element)
                if not element.shifts:
                    self.begun.add(name)
                    break
            self.copied.setdefault(name, []).append(f"{name}[]")
            name = f"{name}[]"
        if word.holes:
            self.holding.setdefault(name, []).extend(word.holes)
        if word.nested:
            self.derived.setdefault(name, []).extend(word.nested)
        if word.variables:
            self.copied.setdefault(name, []).extend(word.variables)
        if word.commands:
            self.made.setdefault(name, []).extend(word.commands)
        if word.static and len(word.text) < MAX_NAMES:
            found = ASSIGNED.match(word.text)
            names = _NAME.findall(word.text, found.end() if found else 0)
            self.literal.setdefault(name, []).append(word.text)
            if names:
                self.texts.setdefault(name, []).extend(names)

    @property
    def place(self) -> tuple[str, int, int, int]:
        """Where the scan stands: the function, and what is around the place in it."""
        return self.scope, self.loops, self.loop, self.branches

    @place.setter
    def place(self, place: tuple[str, int, int, int]) -> None:
        self.scope, self.loops, self.loop, self.branches = place

    def begin_script(self) -> None:
        """A script within the script begins, whose arguments are its own."""
        self.scope, self.loops, self.branches = f"script {self.scripts}", 0, 0

    def named_by(self, word: Word) -> str:
        """The key of a variable whose name stands in another: `printf -v "$1" …`."""
        if not word.variables:
            return word.text.partition("[")[0]
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
        self.chosen += [_EVERY.sub(r":1\1", name) for name in word.variables]
        self.chosen += word.commands

    def feed(self, source: Facts, reader: Facts) -> None:
        """A command whose standard input is what others print."""
        if reader.reads:
            program, hint = reader.reads[0]
            self.coded.append((source, f"the value becomes part of what {program} reads as its program", hint))
        for name in reader.takes:
            self.read.setdefault(name, []).append(source)
        for name in reader.hands:
            self.made.setdefault(f"{name}<", []).append(source)

    def arguments(self, function: str, words: list[Word]) -> None:
        """The words that a function is called with."""
        place, known = 0, True
        places = self.places.setdefault(function, set())
        for word in words:
            every = _EVERY.search(word.variables[0]) if len(word.variables) == 1 else None
            if known and word.quoted and word.unstable and every is not None:
                scope = word.variables[0][: every.start()]
                self.passed.setdefault(function, []).append((scope, place, every[1]))
                known = False
                continue
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

    # ------------------------------------------------------------ the end

    def settle(self) -> None:
        """Mark the holes whose values become code, a program or a number on their way."""
        for name, words in self.calls:
            if name in self.bodies:
                self.arguments(name, words)
        for name, sources in self.pointing.items():
            for source in sources:
                for target in self._meant(source):
                    self.copied.setdefault(target, []).append(name)
        for name in self.listed:  # what was assigned to the array otherwise, `a[0]=x`, may be its first element too
            for table in (self.holding, self.derived, self.copied, self.made, self.read):
                each = [node for node in table.get(name, ()) if node != f"{name}[]"]
                table.setdefault(f"{name}[0]", []).extend(each)  # type: ignore[arg-type]
        for name, bodies in self.bodies.items():
            source = f"{name}<"
            for body in bodies:
                if body.reads:
                    program, hint = body.reads[0]
                    message = f"the value becomes part of what {program} reads as its program"
                    self.coded.append((source, message, hint))
                for variable in body.takes:
                    self.read.setdefault(variable, []).append(source)
                for other in body.hands:
                    self.made.setdefault(f"{other}<", []).append(source)
        for name in _CODE_VARIABLES:
            self.coded.append((name, "", f"write ${name} without values"))
        seen: set[Node] = set()
        for start, message, hint in self.coded:
            for hole, name in self._reached(start, seen):
                mark_hole(hole, message if message and not name else _CODE.format(_shown(name)), hint)
        seen = set()
        for start in self.chosen:
            for hole, name in self._reached(start, seen):
                what = f"${_shown(name)} takes the value" if name else "a command prints the value"
                mark_choice(hole, f"{what}, and chooses which program runs", "name the program")
        self._numbers()

    def _numbers(self) -> None:
        """What is calculated holds an integer, or nothing of which that could be known."""
        seen: set[Node] = set()
        found: set[str] = set()
        pending = [*self.calculated, *INTEGERS]
        while pending:
            name = pending.pop()
            if name in found:
                continue
            found.add(name)
            for hole in self.holding.get(name, ()):
                hole.integer = True
            pending += self.copied.get(name, ())
            pending += self.texts.get(name, ())
            pending += self._given(name)
            for made in self.made.get(name, ()):
                if isinstance(made, Facts):
                    self._said(name, made, seen)
            for source in self.read.get(name, ()):
                for hole, _ in self._reached(source, seen):
                    message = f"${_shown(name)} takes the value, and bash runs what it finds in arithmetic"
                    mark_hole(hole, message, "calculate in awk")

    def _said(self, name: str, made: Facts, seen: set[Node]) -> None:
        """What `$(…)` says in the words that it was given is calculated: `x=$(echo {{ x }}); echo $((x))`."""
        whole = made.everything()
        if all(called in SPEAKING for each in whole for called in each.names):
            for hole, _ in self._reached(made, seen):
                message = f"${_shown(name)} takes the value, and bash runs what it finds in arithmetic"
                mark_hole(hole, message, f"assign it alone, as {_shown(name)}={{{{ … }}}}, so that only integers pass")

    def _reached(self, start: Node, seen: set[Node]) -> Iterator[tuple[Hole, str]]:
        """Holes whose values may come to a place, each with the first variable on the way; no place is seen twice."""
        pending: list[tuple[Node, str]] = [(start, "")]
        while pending:
            node, name = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            following: Iterable[Node]
            if isinstance(node, Facts):
                for hole in node.emits:
                    yield hole, name
                following = [*node.variables, *node.parts]
                following += [body for called in node.names for body in self.bodies.get(called, ())]
            else:
                if not node.endswith("<"):
                    name = name or node
                for hole in (*self.holding.get(node, ()), *self.derived.get(node, ())):
                    yield hole, name
                following = [*self.copied.get(node, ()), *self.made.get(node, ()), *self.read.get(node, ())]
                following += self._given(node)
            pending += [(each, name) for each in following if each not in seen]

    def _given(self, name: str) -> list[str]:
        """Where the arguments come from that a positional parameter may be, or that a call passes on."""
        found = _PARAMETER.search(name)
        if found is None:
            return self._meant(name[:-1]) if name.endswith("!") else []
        scope, place = name[: found.start()], found["place"][:4]
        if found["argument"] is not None:
            others = self.passed.get(scope, ()) if place != "0" else ()
            return [f"{other}:{int(place) - before}{more}" for other, before, more in others if int(place) > before]
        if place == _ALL:
            every = [f"{scope}={each}" for each in self.places.get(scope, ())]
            return every + [f"{other}:{_ALL}" for other, _, _ in self.passed.get(scope, ())]
        first, most = int(place), int(found["most"] or 0)
        least = 0 if scope in self.replaced else int(found["least"] or 0)
        if most > MAX_SHIFT or int(found["loop"] or 0) in self.shifting or first + most >= MAX_PLACE:
            return [f"{scope}:{_ALL}"]
        return [f"{scope}=0", *(f"{scope}={each}" for each in range(first + least, first + most + 1))]

    def _meant(self, name: str) -> list[str]:
        """The variables that `${!name}` may mean."""
        found: set[str] = set()
        pending = [name]
        while pending and len(found) < MAX_NAMES:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += [*self.copied.get(name, ()), *self._given(name)]
        return [text for each in found for text in self.texts.get(each, ())]


def _shown(key: str) -> str:
    """A variable as it is written in the script."""
    found = _PARAMETER.search(key)
    return key.rstrip("!").partition("[")[0] if found is None else found["place"]
