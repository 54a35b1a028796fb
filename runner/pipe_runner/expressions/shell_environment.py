"""Follows what `env:` and `stdin:` bring from templates through the command of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.interpreter_table import CODE_VARIABLES
from pipe_runner.expressions.shell_leading import OPTION, OPTION_HINT, OPTION_MESSAGE
from pipe_runner.expressions.shell_model import Facts, Hole, Word
from pipe_runner.expressions.shelltext import MAX_SHELL
from pipe_runner.expressions.tokens import Refused

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WAY: Final = "where the file shall decide so, set it in the text itself: {}={{{{ … | trust }}}}"


def code_variable(name: str) -> Fault | None:
    """The fault of a value in a variable whose text programs run."""
    if name not in CODE_VARIABLES:
        return None
    return Fault("E420", f"the text of ${name} is run, or changes what text means", 0, 1, _WAY.format(name))


def follow_environment(text: str, names: Iterable[str]) -> tuple[Mapping[str, Fault], list[str]]:
    """What becomes of variables with values in a shell text: faults by name, and names that must hold integers."""
    words = set(_WORD.findall(text))
    given = [name for name in names if name in words and name not in CODE_VARIABLES]
    if not given:
        return {}, []
    if len(text) > MAX_SHELL:
        message = f"a shell text that reads values from `env:` may have {MAX_SHELL >> 10} KiB"
        hint = "keep it in a file of its own, and give it the values as arguments"
        return {name: Fault("E403", message, 0, 1, hint) for name in given}, []
    from pipe_runner.expressions.shell_grammar import ShellGrammar

    scan = ShellGrammar(text)
    holes = {name: Hole(0, 0, (0, 0)) for name in given}
    for name, hole in holes.items():
        scan.flows.holding[name] = [hole]
    try:
        scan.program()
    except Refused as refused:
        return {name: refused.fault._replace(offset=0, length=1) for name in given}, []
    faults: dict[str, Fault] = {}
    for name, hole in holes.items():
        # A file that names a program by a variable of its own, and sets that, says so: E421 isn't meant for it.
        if hole.code is not None and hole.code[0] != "E421":
            code, message, hint = hole.code
            faults[name] = Fault(code, f"in `run:`, {message}", 0, 1, f"{hint}; {_WAY.format(name)}")
        elif OPTION in hole.warned:
            faults[name] = Fault(OPTION, f"in `run:`, ${name}: {OPTION_MESSAGE}", 0, 1, OPTION_HINT)
    return faults, [name for name, hole in holes.items() if hole.integer and name not in faults]


def follow_input(command: str | Sequence[str]) -> Fault | None:
    """The fault of a value on the standard input of a shell text, or of a program with its arguments."""
    from pipe_runner.expressions.shell_grammar import ShellGrammar

    hole = Hole(0, 0, (0, 0))
    source = Facts(emits=[hole])
    if isinstance(command, str):
        if len(command) > MAX_SHELL:
            return None
        scan = ShellGrammar(command)
        try:
            scan.program(source)
        except Refused:
            return None
    else:
        from pipe_runner.expressions.interpreters import inspect_command

        scan = ShellGrammar("")
        words = [Word(at, text, quoted=True) for at, text in enumerate(command)]
        scan.flows.feed(source, inspect_command(words, scan))
        scan.flows.settle()
    if hole.code is None or hole.code[0] == "E421":
        return None
    code, message, hint = hole.code
    way = "where the file shall decide so, pipe it: printf '%s' {{ … | trust }} | …"
    return Fault(code, f"by `stdin:`, {message}", 0, 1, f"{hint}; {way}")
