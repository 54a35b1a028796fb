"""systemd-run and bwrap: what they set for the command that they run may be code, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.interpreter_table import WRAPPERS
from pipe_runner.expressions.shell_marks import ASSIGNED, inspect_assignment
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Word

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_RUNS: Final = "systemd runs what this property says"
_SETS: Final = "systemd makes several variables of a value with spaces"
_NAMED: Final = "write the property's name: -p MemoryMax={{ x }}"


def set_variable(command: Command, word: Word) -> None:
    """`NAME=…` behind an option that sets a variable for the command which is run."""
    found = ASSIGNED.match(word.text)
    if found is not None:
        inspect_assignment(command.scan, found[1], word)
        command.scan.flows.assign(command.scan.flows.key(found[1]), word)


def inspect_unit(command: Command, index: int) -> None:
    """`systemd-run -p ExecStartPre=… COMMAND`."""
    short, long, operands = WRAPPERS["systemd-run"]
    for option, value in command.options(index, short, frozenset(long.split()))[0]:
        if value is None:
            continue
        name = value.text.partition("=")[0]
        if option in ("-E", "--setenv"):
            set_variable(command, value)
        elif option not in ("-p", "--property", "--socket-property"):
            continue
        elif name.startswith("Exec"):
            command.code(value, _RUNS, "write the command without values")
        elif name == "Environment":
            command.code(value, _SETS, "--setenv=NAME={{ x }}")
        elif HOLE in name or EXPANSION in name:
            command.code(value, _RUNS, _NAMED)
    command.wrapper(index, short, long, operands)
