"""Marks the holes in which a value would be code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_model import Hole, Word
from pipe_runner.expressions.shell_variables import holds_code, is_run, setting_in
from pipe_runner.expressions.variable_table import CHOICE_VARIABLES

if TYPE_CHECKING:
    from pipe_runner.expressions.shell_lexer import ShellLexer

SH_HINT: Final = "give the value as an argument: sh -c '… \"$1\" …' sh {{ x }}"
ASSIGNED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]]*\])?\+?=", re.DOTALL)
"""`NAME=`, `NAME+=` or `NAME[…]=` at the start of a word."""
ARITHMETIC_TESTS: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
ARRAY_MESSAGE: Final = "bash reads a value that begins with a bracket as the text of a whole array"
ARRAY_HINT: Final = 'write {}=("$x"), with x={{{{ … }}}} before it'
_NAME: Final = re.compile(r"(?<!\w)[A-Za-z_]\w*")
KEYED: Final = re.compile(r"-[A-Za-z]*A")
"""The option that declares an associative array."""


def mark_hole(hole: Hole, message: str, hint: str) -> None:
    """The value would be part of a program. The first reason stays."""
    hole.code = hole.code or ("E420", message, hint)


def mark_choice(hole: Hole, message: str, hint: str) -> None:
    """The value would choose a program."""
    hole.code = hole.code or ("E421", message, f"{hint}; `| trust` lets the value choose")


def mark(word: Word, message: str, hint: str) -> None:
    """A word whose text is code: no value may stand in it, nor in a `$(…)` of it."""
    for hole in word.all_holes:
        mark_hole(hole, message, hint)


def inspect_assignment(scan: ShellLexer, name: str, word: Word) -> None:
    """A value in `NAME=…`: refused for the variables whose text is run."""
    if name == "PS4" and set(word.text) & {"$", "`"}:  # bash expands it again for each line that it shows
        scan.script(f"cat <<END_OF_PS4\n{word.text.partition('=')[2]}\nEND_OF_PS4\n")
    if holds_code(name, setting_in(scan.text, name)) and is_run(name, scan.text):
        from pipe_runner.expressions.shell_files import runs

        runs(scan.flows, word.copy_of(word.text.partition("=")[2]), f"${name}")
        hint = f"write ${name} without values"
        mark(word, f"the text of ${name} is run, or changes what text means", hint)
        scan.flows.code(word, hint)
    elif name in CHOICE_VARIABLES:
        for hole in word.all_holes:
            mark_choice(hole, f"${name} says where programs are found", "write the directories without values")


def set_variable(scan: ShellLexer, word: Word) -> None:
    """`NAME=…` behind an option that sets a variable for the command which is run."""
    found = ASSIGNED.match(word.text)
    if found is not None:
        inspect_assignment(scan, found[1], word)
        scan.flows.assign(scan.flows.key(found[1]), word)


def calculate_named(scan: ShellLexer) -> None:
    """What stands in the brackets of texts of the file that variables hold as names of others: `v='a[x]'; ${!v}`."""
    flows, seen, pending = scan.flows, set[str](), [*scan.flows.naming]
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        pending += [*flows.copied.get(name, ()), *flows.given(name)]
        for text in flows.literal.get(name, ()):
            found = ASSIGNED.match(text)
            calculate_brackets(scan, text[found.end() :] if found else text)


def calculate_brackets(scan: ShellLexer, text: str) -> None:
    """A variable's name as the shell's builtins take it: what stands in its brackets is calculated, quoted or not."""
    name, bracket, inside = text.partition("[")
    if bracket and not scan.keyed.get((scan.function, name), scan.keyed.get(("", name), False)):
        scan.flows.calculated.update(scan.flows.key(each) for each in _NAME.findall(inside))
