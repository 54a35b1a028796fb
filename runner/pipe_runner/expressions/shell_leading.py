"""Follows values to places where what they begin with counts: options, settings of git, assignments of make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.compiled import OPTION
from pipe_runner.expressions.shell_files import runs
from pipe_runner.expressions.shell_marks import ASSIGNED, mark_choice, mark_hole
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Facts, Hole, Word
from pipe_runner.expressions.shell_variables import GIT_SETTING

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command
    from pipe_runner.expressions.shell_flows import Flows, Seen
    from pipe_runner.expressions.shell_lexer import ShellLexer
    from pipe_runner.expressions.shell_tables import Node, Tables

ANYWHERE: Final = 0
BEGINS: Final = 1
"""The value is the beginning of the text."""
NAMES: Final = 2
"""It stands in the text before a `=`, or behind the name of a setting that git runs."""
LAST: Final = 4
"""It begins the last part of the text as a path."""
_WHOLE: Final = BEGINS | NAMES | LAST
OPTION_MESSAGE: Final = (
    "a value that begins with `-` would be an option here, and some options of this program run code"
)
OPTION_HINT: Final = "put `--` before it, if the program knows that"
_DELETES: Final = "a value that begins with `-` would be an action of find, and `-delete` is one"
_WITHOUT_ARGUMENT: Final = """
    -- -H -L -P -a -o -and -or -not -print -print0 -ls -delete -prune -quit -depth -d -mount -xdev -daystart -follow
    -empty -true -false -nouser -nogroup -readable -writable -executable -noleaf -ignore_readdir_race -warn -nowarn
"""
_ALONE: Final = frozenset(_WITHOUT_ARGUMENT.split())
"""Words of `find` that take no argument."""
_TAKING: Final = "${} takes the value; {}"
HERE: Final = "write ./ before it"
PATH_HINT: Final = f'{HERE}, or give an input of absolute paths `pattern: "^/"`'


def stand(tables: Tables, name: str, word: Word) -> None:
    """Keep in mind where in the text of a variable the parts of a word stand."""
    found = ASSIGNED.match(word.text)
    text = word.text[found.end() if found else 0 :]
    head = re.split(f"[{HOLE}{EXPANSION}]", text, maxsplit=1)[0]
    place = NAMES if "=" not in head or GIT_SETTING.search(head.partition("=")[0]) else ANYWHERE
    place |= BEGINS if not head else ANYWHERE
    place |= LAST if text.rpartition("/")[2].startswith((HOLE, EXPANSION)) else ANYWHERE
    place = _WHOLE if word.elements else place
    parts: list[str | int] = [*map(id, word.holes), *word.variables]
    for part in parts:
        tables.stands[name, part] = place | tables.stands.get((name, part), ANYWHERE)


def lead(command: Command, word: Word, place: int, code: str, message: str, hint: str) -> None:
    """What a word expands means something if it stands at such a place in its text."""
    if not word.several:
        place = ANYWHERE if word.loose else place
        nodes: list[Node] = [*word.variables, *word.commands]
        command.scan.flows.led += [(node, place, code, message, hint) for node in nodes]


def choose_data(command: Command, word: Word, name: str) -> None:
    """A file of statements: chosen by a value that is its name, not by one that is a directory before it."""
    if not word.text.rpartition("/")[2].startswith(EXPANSION):
        command.chosen(word, name)
        return
    lead(command, word, LAST, "E421", f"the value chooses the program that {name} runs", "write the file's name")
    for hole in word.all_holes:
        mark_choice(hole, f"the value chooses the program that {name} runs", "write the file's name")
    runs(command.scan.flows, word, name)


def begins(command: Command, word: Word, characters: str, message: str, hint: str = HERE) -> None:
    """A word that is a command if it begins with one of these characters."""
    if word.text.startswith((HOLE, *characters)):
        command.code(word, message, hint)
    elif word.text.startswith(EXPANSION):
        lead(command, word, BEGINS, "E420", message, hint)


def could_be_options(command: Command, operands: Sequence[int], *, ends: bool = True) -> None:
    """Operands of a program that has options which hold code: reported where a value begins one. `ends`: the program
    knows `--` as the end of its options."""
    hint = OPTION_HINT if ends else HERE
    for operand in operands:
        word = command.words[operand]
        if operand >= command.protected:
            continue
        if word.text.startswith(HOLE) and not any(hole.code for hole in word.holes):
            warn(command.scan, word.holes[0], OPTION, OPTION_MESSAGE, hint)
        elif word.text.startswith(EXPANSION):
            lead(command, word, BEGINS, OPTION, OPTION_MESSAGE, hint)


def find_operands(command: Command, index: int) -> None:
    """Words of `find` where a value could be `-delete`: paths, and all that is no test's argument."""
    words, at = command.words, index + 1
    while at < len(words):
        text = words[at].text
        if text in ("-exec", "-execdir", "-ok", "-okdir"):
            while at < len(words) and words[at].text not in (";", "+"):
                at += 1
        elif text[:1] == "-" and len(text) > 1 and text not in _ALONE:
            at += 1
        elif text.startswith(HOLE) and not any(hole.code for hole in words[at].holes):
            warn(command.scan, words[at].holes[0], OPTION, _DELETES, PATH_HINT)
        elif text.startswith(EXPANSION):
            lead(command, words[at], BEGINS, OPTION, _DELETES, PATH_HINT)
        at += 1


def warn(scan: ShellLexer, hole: Hole, code: str, message: str, hint: str) -> None:
    """Report a place once, if it is one of the text; one of `env:` keeps what is to say."""
    if code in hole.warned:
        return
    hole.warned.add(code)
    if hole.end:
        scan.fault(code, message, hole.start, hole.end - hole.start, hint)


def settle_led(flows: Flows, scan: ShellLexer) -> None:
    """Mark and report what begins such texts, when all flows of the script are known."""
    seen: dict[tuple[int, str], tuple[set[Node], Seen]] = {}
    for start, place, code, message, hint in sorted(flows.led, key=lambda each: each[2]):
        for hole, name in _reached(flows, start, place, *seen.setdefault((place, code), (set(), set()))):
            said = _TAKING.format(name, message) if name else message
            if code == "E421":
                mark_choice(hole, said, hint)
            elif code != OPTION:
                mark_hole(hole, said, hint)
            elif hole.code is None:
                warn(scan, hole, code, said, hint)


def _reached(flows: Flows, start: Node, place: int, seen: set[Node], whole: Seen) -> Iterator[tuple[Hole, str]]:
    """Holes whose values come to a place there, each with the variable that takes it; no place is seen twice.

    What a command prints counts in `whole`, wherever it stands there.
    """
    from pipe_runner.expressions.shell_flows import shown

    pending: list[Node] = [start]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Facts):
            for hole, name in flows.reached(node, whole):
                yield hole, name and shown(name)
            continue
        for hole in flows.holding.get(node, ()):
            if flows.stands.get((node, id(hole)), _WHOLE) & place == place:
                yield hole, shown(node)
        pending += [
            name for name in flows.copied.get(node, ()) if flows.stands.get((node, name), _WHOLE) & place == place
        ]
        pending += [*flows.made.get(node, ()), *flows.read.get(node, ()), *flows.given(node)]
