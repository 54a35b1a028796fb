"""Interpreters, editors and clients of databases: which of their words are code, by the table of them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.compiled import BACKSLASHES
from pipe_runner.expressions.interpreter_table import Interpreter
from pipe_runner.expressions.shell_files import choose_parts
from pipe_runner.expressions.shell_leading import begins, choose_data, could_be_options, warn
from pipe_runner.expressions.shell_marks import ASSIGNED
from pipe_runner.expressions.shell_model import HOLE, STANDARD_INPUT, Word
from pipe_runner.expressions.shell_others import as_commands
from pipe_runner.expressions.shell_running import handed_on, runs_values
from pipe_runner.expressions.shell_spoken import awk_says, code_of, looked_up, passes
from pipe_runner.expressions.shell_tools import jq_operands

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_APART: Final = "run the command with the value as an argument of its own: a list in Python, xargs or a loop behind awk"
_SETTING: Final = {"psql": ("-v", "--set", "--variable"), "sqlcmd": ("-v",)}
"""Options of clients that set a variable."""
_AS_TEXT: Final = {
    "psql": "write :'NAME' in the statement, with quotes behind the colon, so that psql quotes the value",
    "sqlcmd": "read it in Python, with parameters",
}
_SCRIPTS: Final = frozenset({"-f", "--file", "--from-file"})
"""Options whose value is a file of code where the first operand is code otherwise."""
_RUNNING: Final = {
    "cProfile": "osm",
    "profile": "osm",
    "pdb": "cm",
    "trace": "fC",
    "runpy": "",
    "code": "",
    "asyncio": "",
}
"""Modules of Python that run the file which they are given, or what they read, and the letters that take a value."""


def inspect_interpreter(command: Command, index: int, name: str, program: Interpreter) -> None:
    """Options that hold code, the program among the operands, and the one that stands on standard input."""
    message = f"the value becomes part of {program.what} code"
    options, operands = command.options(
        index,
        program.short,
        program.long | program.code,
        permute=program.permute,
        single=program.single_dash,
        glued=program.glued,
        numbered=program.numbered,
    )
    coded = False
    for option, value in options:
        if HOLE in option and value is not None:
            command.code(value, f"the value could be an option that holds {program.what} code", program.hint)
        elif option in program.code:
            coded = coded or option not in program.modules
            if value is not None:
                command.code(value, message, program.hint)
        elif program.first == "code" and option in (program.scripts or _SCRIPTS):
            coded = True
            if value is not None:
                command.chosen(value, name)
                if value.text in STANDARD_INPUT:
                    command.facts.reads.append((name, program.hint))
        elif option == "-m" and program.what == "Python" and value is not None:
            coded = True
            command.chosen(value, name)
            if value.text == "timeit":
                command.all_code(index, message, program.hint)
            elif value.text in _RUNNING:
                _run_by_module(command, index, value.text, program)
        elif value is not None and option in (program.files if program.files else _files_of(name)):
            choose_data(command, value, name)
        elif option == "-I" and program.what in ("Perl", "Ruby") and value is not None:
            choose_parts(command.scan, value, name)
        elif option in ("-v", "--assign") and program.what == "awk" and value is not None:
            _escapes(command, value)
        elif option in _SETTING.get(name, ()) and value is not None and _pastes(command, name, value):
            command.code(value, f"{name} puts the text of a variable into a statement as it is", _AS_TEXT[name])
        elif option in program.piped and value is not None:
            begins(command, value, "|", f"a value that begins with `|` would be a command that {name} runs")
    if program.what == "jq":
        operands = jq_operands(command, index, operands)
    elif name == "yq" and operands and command.words[operands[0]].text in ("e", "eval", "ea", "eval-all"):
        del operands[0]
    else:
        as_commands(command, program.what, operands)
    first = operands[0] if operands else None
    if not coded and first is not None:
        if program.first == "code":
            command.code(command.words[first], message, program.hint)
            if not command.words[first].text and operands[1:]:  # `sed -i '' CODE`, as on macOS
                command.code(command.words[operands[1]], message, program.hint)
        elif program.first == "script" and command.words[first].text != "-":
            for word in command.operands_at(first):
                command.chosen(word, name)
            if command.words[first].text.rsplit("/", 1)[-1] in ("manage.py", "artisan"):
                command.at(first)
    if coded and first is not None and program.goes_on and command.leads(first):
        command.scan.inserted[command.words[first].start] = "-- "
    if program.permute and program.code:
        could_be_options(command, operands, ends=not program.single_dash)
    _run_values(command, index, name, program)
    letters = {option for option, _ in options}
    if program.what == "Perl" and not letters.isdisjoint({"-n", "-p"}) and "-i" not in letters:
        for operand in operands:
            hint = "perl -ne '…' < {{ x }}"
            command.code(command.words[operand], "perl -n and -p run a file name that begins or ends with `|`", hint)
    if program.rest == "code":
        for operand in operands[1:]:
            command.code(command.words[operand], message, program.hint)
        coded = coded or len(operands) > 1
    scripted = program.first == "script" and first is not None and command.is_file(command.words[first])
    if program.stdin and not coded and not scripted:
        command.facts.reads.append((name, f"keep {program.what} code free of values; {program.hint}"))


def _pastes(command: Command, name: str, value: Word) -> bool:
    """Whether a statement of the text holds the variable without quotes, as `:NAME`; sqlcmd knows no others."""
    found = ASSIGNED.match(value.text)
    return name == "sqlcmd" or (found is not None and found[1] in _pasted(command.scan.text))


@lru_cache(maxsize=4)
def _pasted(text: str) -> frozenset[str]:
    """The variables that stand in a text as `:NAME`."""
    return frozenset(re.findall(r"(?<![:\w]):([A-Za-z_]\w*)", text))


def _run_values(command: Command, index: int, name: str, program: Interpreter) -> None:
    """Code that stands there and runs what it makes of its arguments, of what it reads, or of the environment."""
    words = command.words[index + 1 :]
    if (begin := handed_on(name, words)) is not None:
        command.again(index + 1 + begin)
    running, given = runs_values(name, words)
    if not running:
        return
    message = f"the {program.what} code runs text that it makes of the value"
    for word in words if given else ():
        if word.rich and (program.what != "awk" or _is_used(name, word, words)):
            command.code(word, message, _APART)
    if program.what in ("awk", "sed") or passes(name, words):
        command.facts.reads.append((f"the code within {name}", _APART))
    for variable in looked_up(name, words):
        command.scan.flows.coded.append((command.scan.flows.key(variable), "", _APART))


def _is_used(name: str, word: Word, words: list[Word]) -> bool:
    """Whether awk's code does more than compare with a variable that is set there."""
    found, code = ASSIGNED.match(word.text.removeprefix("-v")), code_of(name, words) or ""
    return found is not None and (f"[{found[1]}" in code.replace(" ", "") or awk_says(found[1], code))


def _run_by_module(command: Command, index: int, module: str, program: Interpreter) -> None:
    """`python -m cProfile FILE`, `python -m code`."""
    at = next((at for at in range(index + 1, len(command.words)) if command.words[at].text.endswith(module)), index)
    options, operands = command.options(at, _RUNNING[module])
    if module in ("code", "asyncio"):
        command.facts.reads.append((f"python -m {module}", program.hint))
    modules = [value for option, value in options if option == "-m"]
    running = modules or [word for operand in operands[:1] for word in command.operands_at(operand)]
    for word in running:
        if word is not None:
            command.chosen(word, f"python -m {module}")


def _files_of(name: str) -> tuple[str, ...]:
    """Options of a client that take a file of statements."""
    return ("-f", "--file", "-init") if name != "clickhouse-client" else ()


def _escapes(command: Command, value: Word) -> None:
    message = "awk reads backslashes in `-v`: a value with one arrives changed"
    for hole in value.holes:
        warn(command.scan, hole, BACKSLASHES, message, "X={{ … }} awk '… ENVIRON[\"X\"] …' takes it as it is")
