"""Decides for each word of a command whether a value in it would be code, by the table of interpreters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.interpreter_table import CONTAINERS, PROGRAMS, SHELLS, WRAPPERS
from pipe_runner.expressions.shell_builtins import BUILTINS
from pipe_runner.expressions.shell_containers import commands_within, entered, is_name, within_container
from pipe_runner.expressions.shell_files import FILE_PROGRAMS, choose_file, prints, runs
from pipe_runner.expressions.shell_interpreted import inspect_interpreter
from pipe_runner.expressions.shell_invoked import note
from pipe_runner.expressions.shell_managers import managing
from pipe_runner.expressions.shell_marks import (
    ASSIGNED,
    SH_HINT,
    calculate_brackets,
    inspect_assignment,
    mark,
    mark_choice,
)
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, STANDARD_INPUT, Facts, Word
from pipe_runner.expressions.shell_numbers import prints_number
from pipe_runner.expressions.shell_others import OTHERS
from pipe_runner.expressions.shell_printers import BYTES, FILTERS, NETTED, SHOWN, SPEAKERS
from pipe_runner.expressions.shell_programs import SPECIAL_PROGRAMS
from pipe_runner.expressions.shell_shells import inspect_shell
from pipe_runner.expressions.shell_spoken import counts, looked_up, passes, reads_program, says
from pipe_runner.expressions.shell_tools import (
    TOOLS,
    in_full,
    named,
    names_script,
    through_variable,
)

if TYPE_CHECKING:
    from pipe_runner.expressions.shell_lexer import ShellLexer

MAX_WRAPPERS: Final = 20
"""Wrappers around a command (`sudo nice env …`) that are looked through."""
MAX_LOOKED_THROUGH: Final = 1000
"""Words of a command beyond which only its beginning is looked through."""
MAX_WORDS: Final = 200
"""Words that are looked through for an interpreter behind a program that isn't known."""


def inspect_command(words: list[Word], scan: ShellLexer) -> Facts:
    """Mark the holes of a simple command that would be code, and say whether it reads a program from its input."""
    command = Command(words, scan)
    command.at(0)
    return command.facts


class Command:
    """One simple command under inspection."""

    special: Mapping[str, Callable[[Command, int], None]] = {}
    """Programs and builtins that take a function of their own to look at."""

    def __init__(self, words: list[Word], scan: ShellLexer, depth: int = 0, *, together: bool = False) -> None:
        self.words = words
        self.scan = scan
        self.facts = Facts(says=False)
        self.depth = depth
        self.together = together
        """Whether it was put together from variables."""
        self._places: dict[int, int] = {}
        self._chained: set[int] = set()
        """Words that are code since those before them may come to nothing."""
        self._seen: set[int] = set()
        """Where a command was looked for already: containers in containers would be looked through again and again."""
        self.protected = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
        """Where a `--` says that no options follow."""

    def inner(self, words: list[Word]) -> Command:
        """The command that these words are, inside of this one."""
        return Command(words, self.scan, self.depth, together=self.together)

    def at(self, index: int) -> None:
        """Inspect the command that begins at a word; wrappers lead on to the command that they run."""
        if index >= len(self.words) or index in self._seen:
            return
        self._seen.add(index)
        self.scan.flows.work += 3 + (len(self.words) - index) // 8
        self.depth += 1
        if self.depth > MAX_WRAPPERS:
            self.all_code(index, "the command is wrapped too often to say what its words are", "write it in a script")
            return
        word = self.words[index]
        self.program(word)
        if word.unstable and word.listed not in self.scan.flows.begun and index + 1 < len(self.words):
            for hole in self.words[index + 1].holes:
                message = "where the word before it expands to nothing, the value chooses which program runs"
                mark_choice(hole, message, 'put the word before it in quotes: "$x"')
            following = self.words[index + 1]
            if following.several or (self.scan.flows.vanishes(word) and following.text.startswith(EXPANSION)):
                self.scan.flows.choose(following)
            if following.static or self.scan.flows.vanishes(word):
                self.again(index + 1)
        if word.holes:
            self.net(index + 1)
            return
        name = named(word)
        note(self, index, name)
        arguments = self.words[index + 1 :]
        rich = [other for other in arguments if other.rich]
        own = name in self.scan.flows.bodies
        self.facts.number = not own and (prints_number(name, arguments) or counts(name, arguments))
        said = not own and says(name, arguments)
        self.facts.says |= said or (not word.static and not name and word.text == EXPANSION)
        self.facts.interprets = name if reads_program(name, arguments) else ""
        self.facts.looked_up += [self.scan.flows.key(each) for each in looked_up(name, arguments)]
        self.facts.arguments += [facts for other in rich for facts in (*other.files, *other.commands)]
        if not self.facts.number:
            self.facts.parts += [facts for other in rich for facts in other.files]
        if (name not in BYTES or said) and not self.facts.number:
            self.facts.emits += [hole for other in rich for hole in other.all_holes]
            self.facts.variables += [name for other in rich for name in other.variables]
            self.facts.parts += [facts for other in rich for facts in other.commands]
        if name in BYTES or name in FILTERS:
            prints(self, arguments)
        if name == "envsubst":
            self.facts.parts.append(self.scan.flows.environment)
        if name in SHOWN:
            self.facts.opened += [other for other in arguments if not other.text.startswith("-")]
        if name in ("echo", "printf") and not any(other.all_holes for other in rich):
            self.facts.said.append([word, *arguments])
        if word.static:
            self.facts.names.append(word.text)
            self.facts.plainly = "" if rich else word.text
            self.facts.quotes = name == "printf" and not own and [each.text for each in arguments[:-1]] == ["%q"]
            self.facts.hands += [] if self.facts.number else [word.text]
            self.facts.hands += ["cat"] if passes(name, arguments) and not self.facts.number else []
        if arguments and word.static:
            self.scan.flows.calls.append((name, arguments))
        special = self.special.get(name)
        if not word.static:
            through_variable(self, index)
        if name in SHELLS:
            inspect_shell(self, index)
        elif special is not None:
            special(self, index)
        elif name in PROGRAMS:
            inspect_interpreter(self, index, name, PROGRAMS[name])
        elif name in WRAPPERS:
            short, long, operands = WRAPPERS[name]
            self.wrapper(index, short, long, operands, assignments=name in ("sudo", "doas"))
        elif name in CONTAINERS:
            within_container(self, index)
            self.split(range(index + 1, min(index + 2, len(self.words))))
            limit = MAX_WORDS if len(self.words) <= MAX_LOOKED_THROUGH else MAX_WRAPPERS
            for later in commands_within(self, index)[:limit]:
                known = self.words[later].text.rsplit("/", 1)[-1]
                if (begin := entered(self, index, later)) is not None:
                    self.again(begin)
                    continue
                if self.words[later - 1].text == "--entrypoint" or is_name(self, later) or names_script(self, later):
                    continue
                begins = known in SHELLS or known in PROGRAMS or known in WRAPPERS
                if begins or (known in self.special and (known not in BUILTINS or known == "eval")):
                    self.again(later)
        elif name not in SPEAKERS:
            self.net(index + 1)

    def again(self, index: int) -> None:
        """Inspect a command that may begin at a word, one of many such words."""
        before = self.depth
        self.at(index)
        self.depth = before

    def program(self, word: Word) -> None:
        """A word that names what runs."""
        for hole in word.all_holes:
            hint = "write the program's name, or a `case` over the names that may be"
            mark_choice(hole, "the value chooses which program runs", hint)
        if word.text.rpartition("/")[2].startswith(EXPANSION):
            self.scan.flows.choose(word)
        if "/" in word.text or EXPANSION in word.text:
            runs(self.scan.flows, word, "the shell")

    def net(self, index: int) -> None:
        """Whatever wraps it: an interpreter with `-c` or `-e` behind it somewhere in the words is seen."""
        if len(self.words) > MAX_LOOKED_THROUGH:
            return
        for at in range(index, min(len(self.words) - 1, index + MAX_WORDS)):
            name = self.words[at].text.rsplit("/", 1)[-1]
            if name in NETTED and self.words[at + 1].text.startswith("-"):
                reads, self.facts.reads = self.facts.reads, []
                if name in SHELLS:
                    inspect_shell(self, at)
                else:
                    inspect_interpreter(self, at, name, PROGRAMS[name])
                self.facts.reads = reads

    def options(
        self,
        index: int,
        short: str,
        long: frozenset[str] | Sequence[str] = (),
        *,
        permute: bool = False,
        single: bool = False,
        glued: str = "",
        numbered: str = "",
    ) -> tuple[list[tuple[str, Word | None]], list[int]]:
        """Options behind the word at `index`, each with its value, and the indexes of the operands.

        The value of a `glued` letter, if it has one, is the rest of its word; that of a `numbered` one are digits.
        """
        found: list[tuple[str, Word | None]] = []
        operands: list[int] = []
        at = index + 1
        while at < len(self.words):
            word = self.words[at]
            text = word.text
            at += 1
            if text == "--":
                operands += range(at, len(self.words))
                break
            if len(text) < 2 or text[0] not in "-" or text[1] in (HOLE, EXPANSION):
                operands.append(at - 1)
                if permute:
                    continue
                operands += range(at, len(self.words))
                break
            name, equals, value = text.partition("=")
            name = in_full(name, long) if name.startswith("--") and name not in long else name
            if text.startswith("--") or single or name in long:
                if equals:
                    found.append((name, word.copy_of(value)))
                elif name in long:
                    found.append((name, self.words[at] if at < len(self.words) else None))
                    at += 1
                else:
                    found.append((name, word if HOLE in name else None))
                continue
            place = 0
            while (place := place + 1) < len(text):
                letter = text[place]
                if letter in numbered:
                    found.append(("-" + letter, None))
                    while text[place + 1 : place + 2].isdigit():
                        place += 1
                    continue
                if letter in glued:
                    found.append(("-" + letter, word.copy_of(text[place + 1 :])))
                    break
                if letter in short:
                    if place + 1 < len(text):
                        found.append(("-" + letter, word.copy_of(text[place + 1 :])))
                    else:
                        found.append(("-" + letter, self.words[at] if at < len(self.words) else None))
                        at += 1
                    break
                found.append(("-" + letter, word if letter == HOLE else None))
        return found, operands

    def is_file(self, word: Word) -> bool:
        """Whether a word is certain to name a file that isn't standard input."""
        return word.text not in STANDARD_INPUT and not word.unstable

    def operands_at(self, at: int) -> list[Word]:
        """The operand at an index, and the next one where the shell may make nothing of it."""
        last = at
        while last + 1 < len(self.words) and self.words[last].unstable:
            last += 1
        return self.words[at : last + 1]

    def code(self, word: Word, message: str, hint: str) -> None:
        """A word that is code; where the shell may make nothing of it, so is the next one."""
        at = self._place(word) if word.unstable else None
        self._code(word, message, hint)
        while at is not None and at + 1 < len(self.words):
            at += 1
            if at in self._chained:
                return
            self._chained.add(at)
            self._code(self.words[at], message, hint)
            if not self.words[at].unstable:
                return

    def _place(self, word: Word) -> int | None:
        if not self._places:
            self._places = {id(each): at for at, each in enumerate(self.words)}
        return self._places.get(id(word))

    def _code(self, word: Word, message: str, hint: str) -> None:
        mark(word, message, hint)
        self.scan.flows.code(word, hint)
        if any(not FILTERS.isdisjoint(facts.hands) for facts in word.commands):
            self.facts.reads.append((self.words[0].text, hint))

    def shell_code(self, words: list[Word], message: str, hint: str) -> bool:
        """Words that a shell elsewhere reads as its text, with a space between each two; whether it may read values
        there."""
        carried = self.scan.carried(words, quotes=False)
        if carried is None:
            for word in words:
                self.code(word, message, hint)
            return False
        self.facts.reads += carried[1].reads
        return True

    def script(
        self, words: list[Word], message: str, hint: str, arguments: list[Word] | None = None, *, quotes: bool = False
    ) -> None:
        """The same of a shell that this one starts, which has its variables; the first argument is its name. `quotes`:
        it knows all that bash writes, `$'\\n'` for a line end among them; dash doesn't."""
        carried = self.scan.carried(words, quotes=quotes)
        if carried is None:
            for word in words:
                self.code(word, message, hint)
        text = carried[0] if carried is not None else " ".join(word.text for word in words)
        if carried is not None or all(word.static for word in words):
            given = arguments or []
            self.facts.add(self.scan.script(text, given[1:] if arguments is not None else None, *given[:1]))

    def chosen(self, word: Word, name: str) -> None:
        choose_file(self.scan.flows, word, name)
        for facts in word.files:
            self.scan.flows.coded.append((facts, f"the value becomes part of what {name} runs", SH_HINT))

    def leads(self, index: int) -> bool:
        """Whether a word begins with a value, and no `--` before it says that it is no option."""
        return self.words[index].text.startswith(HOLE) and index < self.protected

    def split(self, indexes: Iterable[int]) -> None:
        """Words of which the shell may make several, one of which would begin a command."""
        for at in indexes:
            word = self.words[at]
            if word.loose or word.several:
                self.scan.flows.spread(word)
            if word.several and word.text == HOLE:
                mark(
                    word,
                    "one of the words that it becomes may begin a command",
                    "xargs -n1, behind the words before it",
                )

    def wrapper(self, index: int, short: str, long: str, operands: int, *, assignments: bool = False) -> None:
        taking = frozenset(long.split())
        _, rest = self.options(index, short, taking)
        if assignments:
            while rest and (found := ASSIGNED.match(self.words[rest[0]].text)):
                inspect_assignment(self.scan, found[1], self.words[rest[0]])
                self.scan.flows.assign(self.scan.flows.key(found[1]), self.words[rest[0]])
                rest = rest[1:]
        managed = managing(self.words, index, rest)
        if managed is None:
            self.net(rest[0] + 1)
            return
        rest = managed
        behind = rest
        for _ in range(operands):  # `conda run -n base python …`, `uv run -- python …`
            behind = self.options(behind[0], short, taking)[1] if behind else []
        if behind:
            self.split(range(index + 1, behind[0]))
            self.at(behind[0])
            if [self.words[at].text.rsplit("/", 1)[-1] for at in (index, behind[0])] == ["uv", "-"]:
                self.facts.reads.append(("uv run", PROGRAMS["python"].hint))
        else:
            self.split(rest)

    def names(self, word: Word) -> None:
        """A word that is the name of a variable."""
        calculate_brackets(self.scan, word.text)
        self.scan.flows.naming.update(word.variables)
        if not ASSIGNED.match(word.text):
            self.scan.flows.code(word, "write the name")
        for hole in word.holes:
            hole.refuse(
                "E424",
                "a value can't be the name of a variable: the shell would calculate what it finds in its brackets",
                "write the name; values stand behind `=`",
            )

    def all_code(self, index: int, message: str, hint: str) -> None:
        for word in self.words[index + 1 :]:
            self._code(word, message, hint)


Command.special = {**BUILTINS, **FILE_PROGRAMS, **SPECIAL_PROGRAMS, **TOOLS, **OTHERS}
