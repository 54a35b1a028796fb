"""Shells as programs: what they take for code, and for the name of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner.expressions.interpreter_table import CONTAINERS
from pipe_runner.expressions.shell_files import choose_file
from pipe_runner.expressions.shell_marks import SH_HINT
from pipe_runner.expressions.shell_model import DESCRIPTOR, EXPANSION, HOLE, STANDARD_INPUT
from pipe_runner.expressions.shell_tables import MAX_KEPT

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command


def inspect_shell(command: Command, index: int) -> None:
    """`sh -c CODE`, `sh FILE`, and the shell that reads its standard input."""
    code, name = False, command.words[index].text.rsplit("/", 1)[-1]
    at = index + 1
    stdin = False
    while at < len(command.words):
        text = command.words[at].text
        if text in ("-", "--"):
            at += 1
            break
        if len(text) < 2 or text[0] not in "-+" or text[1] in (HOLE, EXPANSION):
            break
        if text.startswith("--"):
            if text in ("--rcfile", "--init-file") and at + 1 < len(command.words):
                command.chosen(command.words[at + 1], "the shell")
            at += 2 if text in ("--rcfile", "--init-file", "--wordexp", "--init-command", "--command") else 1
            if text in ("--command", "--init-command"):
                code = True
                at -= 1
                break
            continue
        letters = text[1:]
        if HOLE in letters:
            command.code(command.words[at], "the value could be the option `-c`", SH_HINT)
        code = code or (text[0] == "-" and "c" in letters)
        stdin = stdin or (text[0] == "-" and "s" in letters)
        at += 2 if letters[-1] in "oO" else 1
    operand = command.words[at] if at < len(command.words) else None
    if code:
        if operand is not None:
            message, bash = "the value becomes part of shell code", name in ("bash", "rbash")
            command.script([operand], message, SH_HINT, command.words[at + 1 :], quotes=bash)
    elif operand is not None and not stdin:
        command.split([at])
        for word in command.operands_at(at):
            command.chosen(word, command.words[index].text)
        if DESCRIPTOR.fullmatch(operand.text):
            for kept in command.scan.flows.kept[-MAX_KEPT:]:
                choose_file(command.scan.flows, kept, "the shell")
            beyond = command.scan.flows.beyond
            command.scan.flows.coded.append((beyond, "the value becomes part of what the shell runs", SH_HINT))
    if not code and stdin and operand is not None and command.leads(at):
        command.scan.inserted[operand.start] = "-- "
    fed = operand is None or stdin or operand.text in STANDARD_INPUT
    if not code and fed and command.words[0].text not in CONTAINERS:
        command.facts.runs = command.words[at + (not stdin) :]
    if not code and (operand is None or stdin or not command.is_file(operand)):
        command.facts.reads.append((name, SH_HINT))
