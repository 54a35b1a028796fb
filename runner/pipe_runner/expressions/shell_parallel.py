"""GNU parallel: what it hands to a shell, and where in it the values stand that it is given."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_model import EXPANSION, Word

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_SOURCES: Final = (":::", "::::", ":::+", "::::+")
"""What stands before the values that parallel is given."""
_REPLACED: Final = r"\{\+?[0-9]*(?:\.|\.\.|/|//|/\.)?\}|\{=.{0,300}?=\}"
"""What parallel replaces by a value in quotes of its own."""
_TAKING: Final = frozenset(
    {"--jobs", "--joblog", "--results", "--delay", "--timeout", "--retries", "--arg-file", "--halt", "--block"}
    | {"--max-args", "--recstart", "--recend", "--id", "--semaphorename", "--semaphoretimeout", "--st"}
)
_RUN: Final = frozenset({"-S", "-I", "--sshlogin", "--tagstring", "--colsep"})
"""Options whose value is run, or holds Perl."""
_IN_QUOTES: Final = "parallel puts a value in quotes, which do not hold within others"
_HINT: Final = "write the command: parallel cmd {}"


def inspect_parallel(command: Command, index: int) -> None:
    options, rest = command.options(index, "jnaINLdPSs", _TAKING | _RUN)
    replaced = _REPLACED
    for option, value in options:
        if option in _RUN and value is not None:
            command.code(value, "parallel runs what this option says", "write it without values")
            if option == "-I" and value.static and value.text:
                replaced = f"{re.escape(value.text)}|{_REPLACED}"
        elif option in ("-a", "--arg-file") and value is not None and not rest:
            command.chosen(value, "parallel")
    end = next((at for at in rest if command.words[at].text in _SOURCES), len(command.words))
    line = [command.words[at] for at in rest if at < end]
    given = command.words[end:]
    if line and any(option in ("--pipe", "--spreadstdin") for option, _ in options):
        _shown(command, line)
        if all(word.static for word in line):
            command.facts.add(command.scan.script(" ".join(word.text for word in line)))
    elif line:
        values = given[1:] if given and given[0].text in (":::", ":::+") else []
        quoting = any(option in ("-q", "--quote") for option, _ in options)
        _line(command, line, values, re.compile(replaced), told=bool(given), quoting=quoting)
    elif not rest:
        command.facts.reads.append(("parallel", _HINT))
    elif given[0].text == "::::":
        for word in given[1:]:
            command.chosen(word, "parallel")
    else:
        for word in given[1:]:
            command.code(word, "without a command parallel runs what stands behind `:::`", _HINT)


def _shown(command: Command, line: list[Word]) -> None:
    for word in line:
        message = "GNU parallel hands its command to a shell"
        command.code(word, message, "give values behind `:::`: parallel cmd {} ::: {{ x }}")


def _line(
    command: Command, line: list[Word], given: list[Word], replaced: re.Pattern[str], *, told: bool, quoting: bool
) -> None:
    """The text that parallel hands to a shell, with each of the values it is given as one word."""
    _shown(command, line)
    if not all(word.static for word in line):
        return
    one = Word(line[-1].end, EXPANSION, quoted=True)
    for word in given:
        one.take(word)
    if not told:
        name = f"input of word {line[0].start}"
        command.facts.takes.append(name)
        one.variables.append(name)
    text = " ".join(shlex.quote(word.text) if quoting else word.text for word in line)
    placed, within = _placed(text, replaced)
    if within and not quoting:
        hint = "take the quotes around {} off"
        for word in given:
            command.code(word, _IN_QUOTES, hint)
        if not told:
            command.facts.reads.append(("parallel", hint))
    command.scan.script(placed, [one])


def _placed(text: str, replaced: re.Pattern[str]) -> tuple[str, bool]:
    """The text with `$1` where parallel puts a value, at its end if nowhere else; and whether one stands in quotes."""
    made: list[str] = []
    quote, within, at, any_place = "", False, 0, False
    while at < len(text):
        found = replaced.match(text, at)
        if found is not None:
            made.append({"": '"$1"', '"': "$1", "'": "'\"$1\"'"}[quote])
            any_place, within, at = True, within or quote != "", found.end()
            continue
        length = 2 if text[at] == "\\" and quote != "'" else 1
        if text[at] in "\"'" and quote in ("", text[at]):
            quote = "" if quote else text[at]
        made.append(text[at : at + length])
        at += length
    return "".join(made) + ("" if any_place else ' "$1"'), within
