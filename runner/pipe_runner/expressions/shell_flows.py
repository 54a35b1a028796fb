"""Where values go through variables, functions and pipes of a script, and what becomes of them there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.shell_constants import texts
from pipe_runner.expressions.shell_files import is_file, link_files, open_for_functions
from pipe_runner.expressions.shell_marks import ARRAY_HINT, ARRAY_MESSAGE, mark, mark_choice, mark_hole
from pipe_runner.expressions.shell_model import EXPANSION, Facts, Hole, Word
from pipe_runner.expressions.shell_spoken import PASSING, WRITING
from pipe_runner.expressions.shell_tables import (
    ALL,
    GROUPS,
    MATCHED,
    MAX_NAMES,
    MAX_PLACE,
    MAX_SHIFT,
    PARAMETER,
    Node,
    Tables,
    split,
)
from pipe_runner.expressions.shell_variables import is_run
from pipe_runner.expressions.tokens import Refused
from pipe_runner.expressions.variable_table import CHOICE_VARIABLES, CODE_VARIABLES

INTEGERS: Final = ("RANDOM", "SRANDOM", "OPTIND", "HISTCMD")
"""Variables of bash that calculate whatever they are given."""
MAX_LOOKED_AT: Final = 300_000
MAX_ALONE: Final = 20_000
"""Places that are looked at for one function alone, beyond which all its calls are taken for one."""
_NAMES: Final = frozenset({*CODE_VARIABLES, *CHOICE_VARIABLES})
_CODE_NAMES: Final = frozenset(CODE_VARIABLES)
_FIGURE_HINT: Final = "compare it with `[ … ]`, or make a number of it under another name: n=$(printf '%d' \"$x\")"
_READ: Final = "the value becomes part of what is read as code"
_IN_QUOTES: Final = 'put it in quotes: "$x"'
Seen: TypeAlias = set[Node | tuple[Node, str]]
"""Places that were seen, each within a function that is called with words of the text alone, or anywhere."""
_CODE: Final = "{} takes the value, and its text becomes code"


@dataclass(slots=True, eq=False)
class Flows(Tables):
    """All flows of one script, settled at its end: a loop may use a variable before it is assigned in the text."""

    alone: int = 0
    """Places that were looked at for one function alone."""

    spreading: list[Node] = field(default_factory=list)
    """Places of whose text the shell makes several words where code may stand."""

    def spread(self, word: Word) -> None:
        """A word of which the shell makes several where code may stand: `find . $x`."""
        if word.loose:
            self.spreading += [*word.variables, *word.commands]
        else:
            self.spreading += [split(name) for name in word.variables]

    # ------------------------------------------------------------ the end

    def settle(self, text: str) -> None:
        """Mark the holes whose values become code, a program or a number on their way; `text` is the whole script."""
        for name, sources in self.pointing.items():
            for source in sources:
                for target in self._meant(source):
                    self.copied.setdefault(target, []).append(name)
        for name in self.listed:  # what was assigned to the array otherwise, `a[0]=x`, may be its first element too
            for table in (self.holding, self.derived, self.copied, self.made, self.read):
                each = [node for node in table.get(name, ()) if node != f"{name}[]"]
                table.setdefault(f"{name}[0]", []).extend(each)  # type: ignore[arg-type]
        if any(MATCHED in table for table in (self.holding, self.derived, self.copied, self.read)):
            for group in GROUPS:
                self.copied.setdefault(group, []).append(MATCHED)
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
        self.environment.variables = list(self.holding)
        open_for_functions(self)
        own, own_chosen = len(self.coded), len(self.chosen)
        self.coded += [(name, "", _without_values(name)) for name in self._owned(CODE_VARIABLES)]
        self.chosen += self._owned(CHOICE_VARIABLES)
        self._arrays()
        link_files(self)
        tables = (self.holding, self.derived, self.copied, self.made, self.read)
        known = {name for table in tables for name in _NAMES.intersection(table)}
        seen: Seen = set()
        self._become_code(self.coded[:own], known, seen)
        seen |= _CODE_NAMES - known
        coded = [each for each in _CODED if each[0] in known and is_run(each[0], text)] if known else []
        self._become_code(coded, known, seen)
        self._become_code(self.coded[own:], known, seen)
        run = [node for node in map(_place, seen) if isinstance(node, Facts)]
        self._become_code(self.stated, known, seen)
        self._opened(set(map(_place, seen)), run)
        self._find_passing()
        seen = set()
        for node in self.spreading:
            for hole, name in self.reached(node, seen, spoken=True):
                mark_hole(hole, _CODE.format(_taking(name)) if name else _READ, _IN_QUOTES)
        seen = set()
        chosen = [name for name in _CHOSEN if name in known] if known else []
        for start in (*self.chosen[:own_chosen], *chosen, *self.chosen[own_chosen:]):
            if start in _NAMES and start not in known:
                continue
            for hole, name in self.reached(start, seen):
                what = f"{_taking(name)} takes the value" if name else "a command prints the value"
                mark_choice(hole, f"{what}, and chooses which program runs", "name the program")
        self._numbers()

    def _become_code(self, places: Iterable[tuple[Node, str, str]], known: set[str], seen: Seen) -> None:
        """Mark what comes to such places. Of nearly all variables that shells take code from nothing is `known`."""
        for start, message, hint in places:
            if start in _NAMES and start not in known:
                seen.add(start)
                continue
            for hole, name in self.reached(start, seen):
                mark_hole(hole, message if message and not name else _CODE.format(_taking(name)), hint)

    def _opened(self, coded: set[Node], run: list[Facts]) -> None:
        """Files that a value names, of which lines become code, and links by which such a file is run."""
        words = [word for key, word in self.links if key in coded]
        words += [word for some, names in self.taken if not coded.isdisjoint(names) for word in some]
        words += [word for facts in run for word in facts.opened]
        for word in words:
            for hole in word.all_holes:
                mark_choice(hole, "the value chooses a file whose text is run", "write the file's name")
            if word.text.rpartition("/")[2].startswith(EXPANSION):
                self.choose(word)

    def _owned(self, names: Collection[str]) -> list[str]:
        """The keys of such variables in scripts within this one."""
        return sorted(key for key in self.owned if key.rpartition("/")[2] in names)

    def _arrays(self) -> None:
        """What `declare x=…` gives to variables that are arrays by what stands elsewhere."""
        for name, scope, looped, word in self.declared:
            scopes = self.arrays.get(name, set())
            if (looped and scope in scopes) or (not scope and (looped or scopes != {""}) and scopes):
                mark(word, ARRAY_MESSAGE, ARRAY_HINT.format(shown(name)))
                self.code(word, ARRAY_HINT.format(shown(name)))

    def _numbers(self) -> None:
        """What is calculated holds an integer, or nothing of which that could be known."""
        seen: Seen = set()
        found: set[str] = set()
        for facts in self.figured:
            self._said("", facts, seen)
        pending = [*sorted(self.calculated), *sorted(INTEGERS), *self._owned(INTEGERS)]
        while pending:
            name = pending.pop()
            if name in found:
                continue
            found.add(name)
            for hole in self.holding.get(name, ()):
                hole.integer = True
            pending += self.copied.get(name, ())
            pending += self.texts.get(name, ())
            pending += self.given(name)
            for made in self.made.get(name, ()):
                if isinstance(made, Facts):
                    self._said(name, made, seen)
            for source in self.read.get(name, ()):
                for hole, _ in self.reached(source, seen, spoken=True):
                    message = f"{_taking(name)} takes the value, and bash runs what it finds in arithmetic"
                    mark_hole(hole, message, _FIGURE_HINT)

    def _said(self, name: str, made: Facts, seen: Seen) -> None:
        """What `$(…)` says in the words that it was given is calculated: `x=$(echo {{ x }}); echo $((x))`."""
        written = all(WRITING.issuperset(each.names) for each in made.everything())
        for hole, _ in self.reached(made, seen, spoken=True):
            what = f"{_taking(name)} takes the value" if name else "a command prints the value"
            message = f"{what}, and bash runs what it finds in arithmetic"
            hint = f"assign it alone, as {shown(name)}={{{{ … }}}}, so that only integers pass"
            hint = "let these brackets find digits alone, as ([0-9]+)" if shown(name) == MATCHED else hint
            hint = hint if name else "calculate with {{ … }} itself, so that only integers pass"
            mark_hole(hole, message, hint if written else _FIGURE_HINT)

    def _spoken(self, facts: Facts) -> tuple[list[Hole], list[Node]]:
        """The holes that a command is known to print as they are, and what else comes out of it."""
        if facts.number or facts.away == "file" or (facts.away == "errors" and not self.errors):
            return [], []
        if facts.stages:
            last = len(facts.stages) - 1
            while last > 0 and not self.passing.isdisjoint(facts.stages[last].hands):
                last -= 1
            return [], [*facts.stages[last:]]
        left = set() if facts.says or not PASSING.isdisjoint(facts.names) else set(facts.arguments)
        if facts.given is not None and self.passing.isdisjoint(facts.given.hands):
            left.add(facts.given)
        following: list[Node] = [part for part in facts.parts if part not in left]
        following += [name for name in facts.variables if facts.says or is_file(name)]
        following += facts.looked_up
        return facts.emits if facts.says else [], following

    def _find_passing(self) -> None:
        """The programs and functions that print of what they read."""
        calling: dict[str, list[str]] = {}
        for name, bodies in self.bodies.items():
            for body in bodies:
                for other in body.hands:
                    calling.setdefault(other, []).append(name)
        pending = [*PASSING]
        while pending:
            name = pending.pop()
            if name not in self.passing:
                self.passing.add(name)
                pending += calling.get(name, ())

    def reached(self, start: Node, seen: Seen, *, spoken: bool = False) -> Iterator[tuple[Hole, str]]:
        """Holes whose values may come to a place, each with the first variable on the way; no place is seen twice.

        Only what commands are known to print as it is, if `spoken`. What a function prints that is called with words of
        the text alone doesn't come from the arguments of its other calls.
        """
        pending: list[tuple[Node, str, str]] = [(start, "", "")]
        while pending:
            node, name, plain = pending.pop()
            if node in seen or (node, plain) in seen:
                continue
            plain = plain if self.alone < MAX_ALONE else ""
            self.alone += plain != ""
            seen.add((node, plain) if plain else node)
            self.work += 1
            following: list[Node]
            if isinstance(node, Facts):
                emits, following = node.emits, [*node.variables, *node.parts]
                if spoken:
                    emits, following = self._spoken(node)
                for hole in emits:
                    yield hole, name
                for called in node.names:
                    alone = called if called == node.plainly and called not in self.replaced else plain
                    alone = "" if alone == called != node.plainly else alone
                    pending += [(body, name, alone) for body in self.bodies.get(called, ())]
            else:
                if plain and (found := PARAMETER.search(node)) is not None:
                    if found["argument"] is None and node[: found.start()] == plain:
                        continue
                elif plain and not self.locals.get((plain, node), False):
                    plain = ""
                    if node in seen:
                        continue
                    seen.add(node)
                if not node.endswith("<") and not is_file(node):
                    name = name or node
                for hole in (*self.holding.get(node, ()), *(() if spoken else self.derived.get(node, ()))):
                    yield hole, name
                made: list[Node] = [*self.made.get(node, ())]
                if spoken and is_file(node):  # it was printed into the file
                    made = [part for facts in made if isinstance(facts, Facts) for part in facts.parts]
                following = [*self.copied.get(node, ()), *made, *self.read.get(node, ())]
                following += self.given(node)
            pending += [(each, name, plain) for each in following if each not in seen]

    def given(self, name: str) -> list[str]:
        """Where the arguments come from that a positional parameter may be, or that a call passes on."""
        found = PARAMETER.search(name)
        if found is None:
            return self._meant(name[:-1]) if name.endswith("!") else []
        scope, place = name[: found.start()], found["place"][:4]
        if found["argument"] is not None:
            others = self.passed.get(scope, ()) if place != "0" else ()
            return [f"{other}:{int(place) - before}{more}" for other, before, more in others if int(place) > before]
        if place == ALL:
            every = [f"{scope}={each}" for each in self.places.get(scope, ())]
            return every + [f"{other}:{ALL}" for other, _, _ in self.passed.get(scope, ())]
        first, most = int(place), int(found["most"] or 0)
        least = 0 if scope in self.replaced else int(found["least"] or 0)
        if most > MAX_SHIFT or int(found["loop"] or 0) in self.shifting or first + most >= MAX_PLACE:
            return [f"{scope}:{ALL}"]
        return [f"{scope}=0", *(f"{scope}={each}" for each in range(first + least, first + most + 1))]

    def literals(self, name: str) -> list[str]:
        """The texts of the file that a variable may hold."""
        return texts(self, name)

    def sources(self, name: str) -> list[str]:
        """The variables, and it, whose text may be its text."""
        found: set[str] = set()
        pending = [name]
        while pending and len(found) < MAX_NAMES:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += [*self.copied.get(name, ()), *self.given(name)]
        return sorted(found)

    def read_through(self) -> None:
        """One step on the way to what a word comes to."""
        self.looked_at += 1
        if self.looked_at > MAX_LOOKED_AT:
            message = f"what stands in variables is put together in more than {MAX_LOOKED_AT:,} steps"
            raise Refused(Fault("E403", message, 0))

    def _meant(self, name: str) -> list[str]:
        """The variables that `${!name}` may mean."""
        found: set[str] = set()
        pending = [name]
        while pending and len(found) < MAX_NAMES:
            name = pending.pop()
            if name in found:
                continue
            found.add(name)
            pending += self.copied.get(name, ())
            if name.endswith("!"):  # a name that stands in what another name means
                pending += [name[:-1], *self.texts.get(name[:-1], ())]
            else:
                pending += self.given(name)
        return [text for each in sorted(found) for text in self.texts.get(each, ())]


def _place(seen: Node | tuple[Node, str]) -> Node:
    """A place that was seen, also within a function that is called with words of the text alone."""
    return seen[0] if isinstance(seen, tuple) else seen


def _taking(key: str) -> str:
    """What takes a value, as a message says it."""
    return "xargs" if key.startswith("input of word") else f"${shown(key)}"


def shown(key: str) -> str:
    """A variable as it is written in the script."""
    key = key.removesuffix(" split").rpartition("/")[2]
    found = PARAMETER.search(key)
    return key.rstrip("!").partition("[")[0] if found is None else found["place"]


def _without_values(key: str) -> str:
    return f"write ${shown(key)} without values"


_CODED: Final = tuple((name, "", _without_values(name)) for name in sorted(CODE_VARIABLES))
_CHOSEN: Final = tuple(sorted(CHOICE_VARIABLES))
