"""Follows what `env:` and `stdin:` bring from templates through the command of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipe_runner.expressions.compiled import OPTION, Fault
from pipe_runner.expressions.shell_leading import OPTION_HINT, OPTION_MESSAGE
from pipe_runner.expressions.shell_model import Facts, Hole
from pipe_runner.expressions.shell_variables import holds_code
from pipe_runner.expressions.shelltext import MAX_SHELL, as_word
from pipe_runner.expressions.tokens import Refused
from pipe_runner.expressions.variable_table import CHOICE_VARIABLES

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WAY: Final = "where the file shall decide so, set it in the text itself: {}={{{{ … | trust }}}}"


def code_variable(name: str, setting: str = "") -> Fault | None:
    """The fault of a value in a variable whose text programs run, or by which they find what they run.

    `setting` is the setting of git that a `GIT_CONFIG_VALUE_…` sets.
    """
    way = _WAY.format(name)
    if holds_code(name, setting):
        return Fault("E420", f"the text of ${name} is run, or changes what text means", 0, 1, way)
    if name in CHOICE_VARIABLES:
        return Fault("E421", f"${name} says where programs are found: the value chooses which one runs", 0, 1, way)
    return None


def follow_environment(
    command: str | Sequence[str], names: Iterable[str], where: str = "run"
) -> tuple[Mapping[str, Fault], list[str]]:
    """What becomes of variables with values in a shell text, or a program with its arguments, that stands in `where`.

    Gives faults by name, and names that must hold integers.
    """
    text = command if isinstance(command, str) else "\n".join(command)
    words = set(_WORD.findall(text))
    given = [name for name in names if name in words and code_variable(name) is None]
    if not given:
        return {}, []
    if len(text) > MAX_SHELL:
        message = f"a shell text that reads values from `env:` may have {MAX_SHELL >> 10} KiB"
        hint = "keep it in a file of its own, and give it the values as arguments"
        return {name: Fault("E403", message, 0, 1, hint) for name in given}, []
    holes = {name: Hole(0, 0, (0, 0)) for name in given}
    try:
        _follow(command, holes)
    except Refused as refused:
        return {name: refused.fault._replace(offset=0, length=1) for name in given}, []
    faults: dict[str, Fault] = {}
    for name, hole in holes.items():
        # A file that names a program by a variable of its own, and sets that, says so: E421 isn't meant for it.
        if hole.code is not None and hole.code[0] != "E421":
            code, message, hint = hole.code
            faults[name] = Fault(code, f"in `{where}:`, {message}", 0, 1, f"{hint}; {_WAY.format(name)}")
        elif OPTION in hole.warned:
            faults[name] = Fault(OPTION, f"in `{where}:`, ${name}: {OPTION_MESSAGE}", 0, 1, OPTION_HINT)
    return faults, [name for name, hole in holes.items() if hole.integer and name not in faults]


def follow_input(command: str | Sequence[str]) -> Fault | None:
    """The fault of a value on the standard input of a shell text, or of a program with its arguments."""
    hole = Hole(0, 0, (0, 0))
    if sum(map(len, command)) > MAX_SHELL:
        return None
    try:
        _follow(command, {}, Facts(emits=[hole]))
    except Refused:
        return None
    if hole.code is None or hole.code[0] == "E421":
        return None
    code, message, hint = hole.code
    way = "where the file shall decide so, pipe it: printf '%s' {{ … | trust }} | …"
    return Fault(code, f"by `stdin:`, {message}", 0, 1, f"{hint}; {way}")


def _follow(command: str | Sequence[str], holes: Mapping[str, Hole], given: Facts | None = None) -> None:
    """Mark the holes, which variables of the environment hold, and those in what the command is given to read."""
    from pipe_runner.expressions.shell_grammar import ShellGrammar

    scan = ShellGrammar(command if isinstance(command, str) else "")
    for name, hole in holes.items():
        scan.flows.holding[name] = [hole]
    if isinstance(command, str):
        scan.program(given)
    else:
        scan.command([as_word(text, at)[1] for at, text in enumerate(command)], given)
