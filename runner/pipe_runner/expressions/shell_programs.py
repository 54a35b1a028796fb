"""Programs whose arguments are commands, or that hand text to a shell, each looked at by a function of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.interpreter_table import PROGRAMS, WRAPPERS
from pipe_runner.expressions.shell_files import choose_parts, made
from pipe_runner.expressions.shell_git import inspect_git
from pipe_runner.expressions.shell_interpreted import inspect_interpreter
from pipe_runner.expressions.shell_leading import BEGINS, begins, could_be_options, find_operands, lead
from pipe_runner.expressions.shell_marks import ASSIGNED, SH_HINT, inspect_assignment, mark, mark_choice
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, STANDARD_INPUT, Hole, Word
from pipe_runner.expressions.shell_parallel import inspect_parallel

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command
    from pipe_runner.expressions.shell_lexer import ShellLexer

_ELSEWHERE: Final = re.compile(r"(?<!\$\{)(?<!\$\{#)(?<!-)\b[A-Za-z_]\w*\b(?!\+?=\()")
_MOST: Final = 20
"""Texts of a variable that are looked at for options."""
_HARMLESS: Final = re.compile(
    r"(?!Proxy|Local(?!Forward)|Remote(?!Forward)|Known|Permit|PKCS11|SecurityKey|XAuth|Match)\w+[= ]", re.I
)
"""Settings of ssh of which none is run; ssh takes their names in any case."""
_JUMP: Final = "ssh puts the jump host into a command that it hands to a shell"
_JUMP_HINT: Final = (
    "list the hosts in the input's `enum:`, or hold it to a `pattern:` of plain words, as ^[a-z][a-z0-9.]*$"
)
_SSH: Final = "BbcDEeFIiJLlmOopQRSWw"
"""Options of ssh with values."""
_TAR_RUNS: Final = (
    "to-command checkpoint-action use-compress-program rsh-command rmt-command info-script new-volume-script"
)

_RSYNC_TAKES: Final = frozenset(
    {"--rsh", "--rsync-path", "--exclude", "--include", "--filter", "--exclude-from", "--include-from"}
    | {"--files-from", "--bwlimit"}
)
_ARGUMENTS: Final = ("--args", "-args")
"""What gdb has the program and its arguments behind."""
_TAR_LETTERS: Final = "bCfFgHIKLNTVX"
_MAKE_MESSAGE: Final = "a value that holds `NAME=` would be an assignment, in which make runs `$(shell …)`"
_MAKE_HINT: Final = "write the target, or a `case` over those that may be"


def _environment(command: Command, index: int) -> None:
    options, rest = command.options(index, "uCS", frozenset({"--unset", "--chdir", "--split-string"}))
    for option, value in options:
        if option in ("-S", "--split-string") and value is not None:
            command.code(value, "the value becomes part of a command line", "write the command behind env")
    while rest:
        found = ASSIGNED.match(command.words[rest[0]].text)
        if found is None:
            break
        inspect_assignment(command.scan, found[1], command.words[rest[0]])
        command.scan.flows.assign(command.scan.flows.key(found[1]), command.words[rest[0]])
        rest = rest[1:]
    if rest:
        command.split(range(index + 1, rest[0]))
        command.at(rest[0])


def _xargs(command: Command, index: int) -> None:
    options, rest = command.options(
        index,
        "InPLdDaESsRJ",
        frozenset(
            {"--max-args", "--max-procs", "--max-lines", "--delimiter", "--arg-file", "--max-chars", "--replace"}
        ),
    )
    if not rest:
        command.facts.says = True
        command.facts.hands.append("cat")
        return
    replaced = next((v.text for o, v in options if o in ("-I", "-J", "--replace") and v is not None), None)
    if any(o in ("-i", "--replace") and v is None for o, v in options):
        replaced = "{}"
    command.split(range(index + 1, rest[0]))
    # What arrives on standard input stands in the command as if it were a hole: see where it would be code.
    fed = Hole(0, 0, (0, 0))
    name = f"input of word {command.words[index].start}"
    command.facts.takes.append(name)
    words = list(command.words[rest[0] :])
    if replaced:
        words = [
            replace(w, text=w.text.replace(replaced, HOLE), holes=[*w.holes, fed], variables=[*w.variables, name])
            if replaced in w.text
            else w
            for w in words
        ]
    else:
        single = any(option in ("-0", "--null") for option, _ in options)
        words.append(Word(words[-1].end, HOLE, [fed], variables=[name], several=not single))
    inner = command.inner(words)
    inner.at(0)
    command.facts.emits += inner.facts.emits
    command.facts.says |= inner.facts.says
    command.facts.hands += ["cat"] if inner.facts.says else []
    if fed.code is not None:
        hint = "xargs sh -c '… \"$1\" …' sh, so that each item is an argument"
        command.facts.reads.append(("xargs", hint))
        for option, value in options:
            if option in ("-a", "--arg-file") and value is not None:
                command.chosen(value, "xargs")


def _find(command: Command, index: int) -> None:
    command.split(range(index + 1, len(command.words)))
    for at in range(index + 1, len(command.words)):
        if command.words[at].several:
            mark(command.words[at], "find would run what `-exec` says in several words", "xargs -I{} find ./{} …")
    _side_by_side(command, command.words[index + 1 :])
    find_operands(command, index)
    at = index + 1
    while at < len(command.words):
        if command.words[at].text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = at + 1
            while end < len(command.words) and command.words[end].text not in (";", "+"):
                end += 1
            inner = command.inner(command.words[at + 1 : end])
            inner.at(0)
            command.facts.says |= inner.facts.says
            at = end
        at += 1


def _side_by_side(command: Command, words: list[Word]) -> None:
    """Two values one behind the other: the first could be `-exec`, so the second is a program."""
    ended = any(word.text in (";", "+") for word in words)
    leads = [word.text[:1] in (HOLE, EXPANSION) and not word.several for word in words]
    for at in range(1, len(words)):
        if leads[at - 1] and leads[at] and (ended or leads[at + 1 : at + 2] == [True]):
            for hole in words[at].holes:
                mark_choice(hole, "the value before it could be `-exec`, and this one a program", "write ./ before it")
            command.scan.flows.choose(words[at])


def _is_written_out(scan: ShellLexer, name: str) -> bool:
    """Whether an array has nothing but what `NAME=(…)` and `NAME+=(…)` say: the command is looked at with that, too."""
    return name in scan.flows.lists and name not in scan.flows.read and name not in _elsewhere(scan.text)


@lru_cache(maxsize=4)
def _elsewhere(text: str) -> frozenset[str]:
    """The words of a text but for `${NAME`, `${#NAME`, `NAME=(` and `NAME+=(`."""
    return frozenset(_ELSEWHERE.findall(text))


def _holds_options(command: Command, word: Word) -> bool:
    """Whether a variable holds nothing but options of ssh, each with its value: `o="-p 22 -i $KEY"; ssh $o …`."""
    scan = command.scan
    if not word.loose or word.text != EXPANSION or len(word.variables) != 1 or word.commands:
        return False
    if not 0 < scan.assigned[name := word.variables[0]] < _MOST:
        return False
    held = _written(scan, name)
    if not held or len(held) != scan.assigned[name] or name in scan.bare:
        return False
    for text in held:
        words = [Word(-1, each) for each in (ASSIGNED.sub("", text, count=1)).split()]
        found, operands = command.inner([word, *words]).options(0, _SSH)
        if operands or any(value is None and option[1] in _SSH for option, value in found):
            return False
    return True


def _written(scan: ShellLexer, name: str) -> list[str]:
    """The texts that a variable holds, with a word in them for each other one that holds no value; none where it may
    hold others."""
    flows = scan.flows
    composed = flows.composed.get(name, ())
    inner = [each for word in composed for each in word.variables]
    if not inner:
        return flows.written(name)
    tables = (flows.holding, flows.derived, flows.made, flows.read)
    if any(name in table for table in tables) or flows.copied.get(name) != inner:
        return []
    known = all(_is_one_word(scan, each) for each in set(inner))
    texts = [*flows.literal.get(name, ()), *(word.text.replace(EXPANSION, "x") for word in composed)]
    return texts if known else []


def _is_one_word(scan: ShellLexer, name: str) -> bool:
    """Whether a variable holds one word of the file, or what the environment says of it."""
    held = scan.flows.written(name) if name.isidentifier() else []
    told = len(held) == scan.assigned[name] and name not in scan.bare and name not in scan.flows.copied
    tables = (scan.flows.holding, scan.flows.derived, scan.flows.made, scan.flows.read)
    alone = all(len(ASSIGNED.sub("", text, count=1).split()) == 1 for text in held)
    return name.isidentifier() and told and alone and not any(name in table for table in tables)


def _ssh(command: Command, index: int) -> None:
    options, rest = command.options(index, _SSH, ("--ssh", "--server", "--client"))
    while rest and (
        _is_written_out(command.scan, command.words[rest[0]].listed) or _holds_options(command, command.words[rest[0]])
    ):
        more, rest = command.options(rest[0], _SSH)
        options += more
    for option, value in options:
        if option == "-o" and value is not None and not _HARMLESS.match(value.text):
            command.code(value, "ssh runs what some of its options say", "write the option's name: -o Port={{ x }}")
        elif option == "-J" and value is not None:
            command.shell_code([Word(-1, "ssh"), value], _JUMP, _JUMP_HINT)
        elif option[:2] == "--" and value is not None:  # mosh's
            command.code(value, "mosh runs what this says as a command", "write the command without values")
        elif option == "-F" and value is not None:
            command.chosen(value, "ssh")
        elif option == "-I" and value is not None:
            choose_parts(command.scan, value, "ssh")
    could_be_options(command, rest[:1])
    if len(rest) <= 1:
        command.facts.reads.append(("ssh", "send a fixed script, and values as data it reads"))
    message = "ssh joins its arguments and hands them to a shell on the other side"
    hint = "send the value on standard input: printf '%s' {{ x }} | ssh host 'x=$(cat); … \"$x\" …'"
    behind = rest[1:]
    if behind and command.words[rest[0]].loose and command.words[rest[0]].variables:
        could = "the variable before it may hold the host, and what stands behind that ssh hands to a shell"
        command.code(command.words[behind.pop(0)], could, 'write the options out, or o=(-p 22); ssh "${o[@]}" …')
    if not command.shell_code([command.words[at] for at in behind], message, hint) and len(rest) > 1:
        inner = command.inner([command.words[at] for at in rest[1:]])
        inner.at(0)
        command.facts.reads += inner.facts.reads


def _su(command: Command, index: int) -> None:
    options, rest = command.options(
        index, "cgGswT", frozenset({"--command", "--session-command", "--shell", "--group"}), permute=True
    )
    coded = False
    for option, value in options:
        if option in ("-s", "--shell") and value is not None:
            command.program(value)
        if option in ("-c", "--command", "--session-command") and value is not None:
            coded = True
            command.script(
                [value], "the value becomes part of shell code", "su user -c '… \"$1\" …' sh {{ x }}, or sudo -u user"
            )
    if not coded:
        command.facts.reads.append(("su", SH_HINT))
    if any(option == "-u" for option, _ in options) and rest:
        command.at(rest[-1] if len(rest) == 1 else rest[1])


def _copies(command: Command, index: int) -> None:
    """scp, sftp: options of ssh, and files."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    options, rest = command.options(index, "bBcDFiJloPRsSX", permute=True)
    could_be_options(command, rest)
    for option, value in options:
        if value is not None and (option == "-S" or (option == "-o" and not _HARMLESS.match(value.text))):
            command.code(value, "what this option says is run", "write the option's name: -o Port={{ x }}")
        elif value is not None and option == "-J":
            command.shell_code([Word(-1, "ssh"), value], _JUMP, _JUMP_HINT)
        elif value is not None and (option == "-F" or (option == "-b" and name == "sftp")):
            command.chosen(value, name)
    if name == "sftp":
        batch = next((value.text for option, value in options if option == "-b" and value is not None), "-")
        if batch in STANDARD_INPUT:
            command.facts.reads.append((name, "scp takes files as arguments: scp -- {{ x }} host:dir"))


def _strace(command: Command, index: int) -> None:
    short, long, operands = WRAPPERS["strace"]
    for option, value in command.options(index, short, frozenset({"--output"}))[0]:
        if option in ("-o", "--output") and value is not None:
            begins(command, value, "|!", "strace runs a file name that begins with `|` or `!`")
    command.wrapper(index, short, long, operands)


def _gdb(command: Command, index: int) -> None:
    inspect_interpreter(command, index, "gdb", PROGRAMS["gdb"])
    at = next((at for at in range(index + 1, len(command.words)) if command.words[at].text in _ARGUMENTS), None)
    if at is not None:
        command.at(at + 1)


def _watch(command: Command, index: int) -> None:
    options, rest = command.options(index, "nq", frozenset({"--interval"}))
    if any(option in ("-x", "--exec") for option, _ in options):
        if rest:
            command.at(rest[0])
        return
    words = [command.words[at] for at in rest]
    command.script(words, "watch hands its arguments to a shell", "watch -x command {{ x }}")


def _flock(command: Command, index: int) -> None:
    options, rest = command.options(
        index, "cwE", frozenset({"--command", "--timeout", "--conflict-exit-code"}), permute=True
    )
    coded = False
    for option, value in options:
        if option in ("-c", "--command") and value is not None:
            coded = True
            command.script([value], "the value becomes part of shell code", "flock FILE command {{ x }}")
    if not coded:
        command.wrapper(index, "wE", "--timeout --conflict-exit-code", 1)
    elif len(rest) > 1:
        command.at(rest[1])


def _script(command: Command, index: int) -> None:
    options, rest = command.options(index, "cEmIOoBT", frozenset({"--command"}), permute=True)
    could_be_options(command, rest)
    for option, value in options:
        if option in ("-c", "--command") and value is not None:
            command.script([value], "the value becomes part of shell code", SH_HINT)


def _make(command: Command, index: int) -> None:
    options, rest = command.options(
        index, "CfIoWE", frozenset({"--directory", "--file", "--makefile", "--eval"}), permute=True, glued="jl"
    )
    for option, value in options:
        if option in ("-f", "--file", "--makefile") and value is not None:
            command.chosen(value, "make")
            if value.text in STANDARD_INPUT:
                command.facts.reads.append(("make", "give the value by the environment: X={{ x }} make"))
        if option in ("-E", "--eval") and value is not None:
            command.code(value, "the value becomes part of a makefile", "give it by the environment: X={{ x }} make")
    if not any(option in ("-f", "--file", "--makefile") for option, _ in options):
        made(command)
    for at in rest:
        word = command.words[at]
        before = command.words[at - 1].text
        hint = (
            f"write it in one word: `{before}{{{{ x }}}}`" if before[:1] == "-" and before[-1] in "jl" else _MAKE_HINT
        )
        if word.text.startswith(HOLE):
            command.code(word, _MAKE_MESSAGE, hint)
        elif word.text.startswith(EXPANSION):
            lead(command, word, BEGINS, "E420", _MAKE_MESSAGE, hint)
        elif ASSIGNED.match(command.words[at].text):
            command.code(
                command.words[at],
                "make expands `$(shell …)` in the variables of its command line",
                'give the value by the environment: X={{ x }} make …, with "$$X" in the recipe',
            )


def _tar(command: Command, index: int) -> None:
    running = frozenset(f"--{name}" for name in _TAR_RUNS.split())
    taking = frozenset({"--file", "--directory", "--exclude", "--files-from", "--strip-components", "--transform"})
    options, rest = command.options(index, _TAR_LETTERS, running | taking, permute=True)
    if rest[:1] == [index + 1]:  # `tar xzf FILE`: the letters of the first word take the words behind it
        first, *rest = rest
        for letter in filter(_TAR_LETTERS.__contains__, command.words[first].text):
            options += [("-" + letter, command.words[at]) for at in rest[:1]]
            rest = rest[1:] if rest and not command.words[rest[0]].shifts else rest
        rest = [first, *rest]
    could_be_options(command, rest)
    for option, value in options:
        if value is not None and (option in running or option in ("-I", "-F")):
            command.code(value, "tar runs what this says as a command", "write the command without values")
        elif option in ("--transform", "--xform") and value is not None:
            command.code(value, "the value becomes part of sed code", "rename the files afterwards")


def _rsync(command: Command, index: int) -> None:
    options, rest = command.options(index, "efTBM", _RSYNC_TAKES, permute=True)
    could_be_options(command, rest)
    for option, value in options:
        if option in ("-e", "--rsh", "--rsync-path") and value is not None:
            command.code(value, "rsync runs what this says as a command", "write the command without values")


SPECIAL_PROGRAMS: Final[dict[str, Callable[[Command, int], None]]] = {
    "env": _environment,
    "xargs": _xargs,
    "gxargs": _xargs,
    "find": _find,
    "gfind": _find,
    "parallel": inspect_parallel,
    "sem": inspect_parallel,
    "ssh": _ssh,
    "autossh": _ssh,
    "mosh": _ssh,
    "scp": _copies,
    "sftp": _copies,
    "strace": _strace,
    "gdb": _gdb,
    "su": _su,
    "runuser": _su,
    "watch": _watch,
    "flock": _flock,
    "script": _script,
    "make": _make,
    "gmake": _make,
    "git": inspect_git,
    "tar": _tar,
    "gtar": _tar,
    "bsdtar": _tar,
    "rsync": _rsync,
}
