"""Follows values into files of the same script, `echo {{ x }} > f; sh f`, known by their names as they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.interpreter_table import runs_files
from pipe_runner.expressions.shell_marks import mark_choice
from pipe_runner.expressions.shell_model import DESCRIPTOR, EXPANSION, HOLE, STANDARD_INPUT, Facts, Word

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command
    from pipe_runner.expressions.shell_flows import Flows
    from pipe_runner.expressions.shell_lexer import ShellLexer

HINT: Final = "write the file without values: what runs may read them as arguments or from the environment"
WRITING: Final = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_KEY: Final = "file "
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}\Z")
_ARGUMENT: Final = re.compile(r"[:=][0-9@]")
"""In the key of a variable that is an argument of a function."""
_RUN: Final = re.compile(
    r"""
    (?:.*/)? \. (?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|kshrc
                  |cshrc|tcshrc|envrc)
    | (?:.*/)? \.git/hooks/ .*
    | /etc/ (?:profile|bash\.bashrc|crontab|sudoers|cron\.|profile\.d|sudoers\.d) .*
    """,
    re.VERBOSE,
)
"""Files that shells and others run of themselves."""


def file_key(word: Word) -> str:
    """The key of the file that a word names; nothing where the name isn't known, or is a descriptor's."""
    text = word.text
    if HOLE in text or text.count(EXPANSION) != len(word.variables) or text.startswith(("/dev/", "/proc/")):
        return ""
    for name in word.variables:
        text = text.replace(EXPANSION, f"${{{name}}}", 1)
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    return _KEY + text if text else ""


def is_file(key: str) -> bool:
    """Whether a key is that of a file."""
    return key.startswith(_KEY)


def writes(flows: Flows, word: Word, facts: Facts) -> None:
    """A command whose output goes to a file."""
    if key := file_key(word):
        flows.files.add(key)
        flows.made.setdefault(key, []).append(facts)
        facts.writes.append(key)


def reads(flows: Flows, word: Word, facts: Facts) -> None:
    """A command whose input is a file."""
    if (key := file_key(word)) in flows.files:
        facts.input().parts.append(Facts(variables=[key]))


def runs(flows: Flows, word: Word, name: str) -> None:
    """A file that a program reads as its program."""
    if key := file_key(word):
        flows.coded.append((key, f"the value becomes part of a file that {name} runs", HINT))


def choose_file(flows: Flows, word: Word, name: str) -> None:
    """A file that a program runs: a value in its name, or a variable that begins it, chooses the program."""
    for hole in word.all_holes:
        hint = "write the file's name, or a `case` over the names that may be"
        mark_choice(hole, f"the value chooses the program that {name} runs", hint)
    if word.text.rpartition("/")[2].startswith(EXPANSION):
        flows.choose(word)
    runs(flows, word, name)


def open_for(flows: Flows, words: list[Word], reader: Facts) -> None:
    """Files that are the standard input of a command, which may run what it reads, or hand it to a function."""
    if reader.reads and runs_files(reader.reads[0][0]):
        for word in words:
            choose_file(flows, word, reader.reads[0][0])
    if words and reader.takes:
        flows.taken.append((list(words), list(reader.takes)))
    if words and reader.hands:
        flows.handed.append((list(words), list(dict.fromkeys(reader.hands))))


def open_for_functions(flows: Flows) -> None:
    """Files that functions are given to read, when all functions are known."""
    for words, names in flows.handed:
        bodies = [body for name in names for body in flows.bodies.get(name, ())]
        programs = dict.fromkeys(body.reads[0][0] for body in bodies if body.reads)
        for word in words:
            for program in filter(runs_files, programs):
                choose_file(flows, word, program)
        takes = dict.fromkeys(variable for body in bodies for variable in body.takes)
        if takes:
            flows.taken.append((words, list(takes)))


def choose_parts(scan: ShellLexer, word: Word, name: str) -> None:
    """A directory in which a program finds parts of itself, or a library: whatever of its name a value is."""
    for hole in word.all_holes:
        mark_choice(hole, f"the value says where {name} finds what it runs", "write the directory without values")
    scan.flows.chosen += [*word.variables, *word.commands]


def prints(command: Command, words: list[Word]) -> None:
    """A program that prints what stands in the files that it is given."""
    flows = command.scan.flows
    for word in words:
        if key := file_key(word):
            flows.shown.update([key] if word.variables else ())
            command.facts.variables.append(key)
        elif DESCRIPTOR.fullmatch(word.text) and word.text not in STANDARD_INPUT:
            command.facts.parts.append(flows.beyond)


def made(command: Command) -> None:
    """`make` without `-f`."""
    for name in _MAKEFILES:
        runs(command.scan.flows, Word(0, name), "make")


def link_files(flows: Flows) -> None:
    """Names of files that stand in variables, and files that are run of themselves."""
    if not flows.files:
        return
    named = {node for node, _, _ in flows.coded if isinstance(node, str) and is_file(node)} | flows.files | flows.shown
    for key in sorted(named):
        found = _VARIABLE.fullmatch(key[len(_KEY) :])
        for text in flows.literals(found[1]) if found is not None else ():
            other = file_key(Word(0, text))
            if other and other != key:
                flows.copied.setdefault(key, []).append(other)
                flows.copied.setdefault(other, []).append(key)
        if _RUN.fullmatch(key[len(_KEY) :]) is not None:
            flows.coded.append((key, "the value becomes part of a file that is run", HINT))


def _tee(command: Command, index: int) -> None:
    _, rest = command.options(index, "", permute=True)
    for at in rest:
        if key := file_key(command.words[at]):
            command.scan.flows.files.add(key)
            command.facts.takes.append(key)


def _copy(command: Command, index: int) -> None:
    """`cp A B`: what one file holds is in the other."""
    short = "mogSt" if command.words[index].text.rsplit("/", 1)[-1] == "install" else "St"
    _, rest = command.options(index, short, frozenset({"--mode", "--suffix", "--owner", "--group"}), permute=True)
    if len(rest) != 2:
        return
    if command.words[rest[0]].text in STANDARD_INPUT[1:] and (key := file_key(command.words[rest[1]])):
        command.scan.flows.files.add(key)
        command.facts.takes.append(key)
        return
    linked = command.words[index].text.rsplit("/", 1)[-1] == "ln"
    if linked or not any(map(_ARGUMENT.search, command.words[rest[1]].variables)):
        command.scan.flows.links.append((file_key(command.words[rest[1]]), command.words[rest[0]]))
    source, target = (file_key(command.words[at]) for at in rest)
    if source and target:
        command.scan.flows.files.add(target)
        command.scan.flows.copied.setdefault(target, []).append(source)


def _dd(command: Command, index: int) -> None:
    """`dd of=FILE` writes what it reads, `dd if=FILE` prints what stands there."""
    words = {word.text.partition("=")[0]: word for word in command.words[index + 1 :]}
    source, target = (words[name].copy_of(words[name].text[3:]) if name in words else None for name in ("if", "of"))
    flows = command.scan.flows
    if target is not None and (key := file_key(target)):
        flows.files.add(key)
        if source is None:
            command.facts.takes.append(key)
        elif other := file_key(source):
            flows.copied.setdefault(key, []).append(other)
            flows.links.append((key, source))
        else:
            flows.links.append((key, source))
    elif source is not None:
        prints(command, [source])


FILE_PROGRAMS: Final[dict[str, Callable[[Command, int], None]]] = {
    "tee": _tee,
    "sponge": _tee,
    "dd": _dd,
    **dict.fromkeys(("cp", "mv", "ln", "install"), _copy),
}
