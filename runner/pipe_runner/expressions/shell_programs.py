"""Programs whose arguments are commands, or that hand text to a shell, each looked at by a function of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_files import choose_parts, made
from pipe_runner.expressions.shell_leading import BEGINS, NAMES, could_be_options, lead
from pipe_runner.expressions.shell_marks import ASSIGNED, SH_HINT, inspect_assignment, mark, mark_choice
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, STANDARD_INPUT, Hole, Word
from pipe_runner.expressions.shell_others import find_operands
from pipe_runner.expressions.shell_variables import GIT_SETTING

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_HARMLESS: Final = re.compile(r"(?!Proxy|Local|Remote|Known|Permit)\w+[= ]")
"""Settings of ssh of which none is run."""
_GIT_RUNS: Final = {
    "rebase": ("--exec", "-x"),
    "grep": ("--open-files-in-pager", "-O"),
    "difftool": ("--extcmd", "-x"),
    "clone": ("--upload-pack", "-u"),
    "fetch": ("--upload-pack",),
    "pull": ("--upload-pack",),
    "ls-remote": ("--upload-pack", "--exec"),
    "push": ("--receive-pack", "--exec"),
    "archive": ("--exec",),
    "filter-branch": ("--tree-filter", "--env-filter", "--index-filter", "--msg-filter", "--commit-filter"),
}
_GIT_TAKES: Final = {
    "grep": ("efmABC", "--max-count --max-depth --threads --context --after-context --before-context"),
    "difftool": ("tx", "--tool --extcmd"),
    "rebase": ("sXCx", "--onto --strategy --strategy-option --exec --whitespace --empty"),
}
"""Options of subcommands that take a value, where some run code and operands may stand among them."""
_TAR_RUNS: Final = (
    "to-command checkpoint-action use-compress-program rsh-command rmt-command info-script new-volume-script"
)

_MAKE_MESSAGE: Final = "a value that holds `NAME=` would be an assignment, in which make runs `$(shell …)`"
_MAKE_HINT: Final = "write the target, or a `case` over those that may be"
_GIT_MESSAGE: Final = "git runs what some settings say"


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


def _parallel(command: Command, index: int) -> None:
    hint = "write the command: parallel cmd {}"
    taking = frozenset({"--jobs", "--joblog", "--results", "--delay", "--timeout", "--retries", "--arg-file", "--halt"})
    options, rest = command.options(index, "jnaINLdPSs", taking)
    if not rest:
        command.facts.reads.append(("parallel", hint))
        for option, value in options:
            if option in ("-a", "--arg-file") and value is not None:
                command.chosen(value, "parallel")
    elif command.words[rest[0]].text == "::::":
        for at in rest[1:]:
            command.chosen(command.words[at], "parallel")
    elif command.words[rest[0]].text == ":::":
        for at in rest[1:]:
            command.code(command.words[at], "without a command parallel runs what stands behind `:::`", hint)
    for word in command.words[index + 1 :]:
        if word.text in (":::", "::::", ":::+", "::::+"):
            break
        command.code(
            word,
            "GNU parallel hands its command to a shell",
            "give values behind `:::`: parallel cmd {} ::: {{ x }}",
        )


def _ssh(command: Command, index: int) -> None:
    options, rest = command.options(index, "BbcDEeFIiJLlmOopQRSWw")
    for option, value in options:
        if option == "-o" and value is not None and not _HARMLESS.match(value.text):
            command.code(value, "ssh runs what some of its options say", "write the option's name: -o Port={{ x }}")
        elif option == "-F" and value is not None:
            command.chosen(value, "ssh")
        elif option == "-I" and value is not None:
            choose_parts(command.scan, value, "ssh")
    could_be_options(command, rest[:1])
    if len(rest) <= 1:
        command.facts.reads.append(("ssh", "send a fixed script, and values as data it reads"))
    for at in rest[1:]:
        command.code(
            command.words[at],
            "ssh joins its arguments and hands them to a shell on the other side",
            "send the value on standard input: printf '%s' {{ x }} | ssh host 'x=$(cat); … \"$x\" …'",
        )
    if len(rest) > 1:
        inner = command.inner([command.words[at] for at in rest[1:]])
        inner.at(0)
        command.facts.reads += inner.facts.reads


def _su(command: Command, index: int) -> None:
    options, rest = command.options(
        index, "cgGswT", frozenset({"--command", "--session-command", "--shell", "--group"}), permute=True
    )
    coded = False
    for option, value in options:
        if option in ("-c", "--command", "--session-command") and value is not None:
            coded = True
            command.code(
                value, "the value becomes part of shell code", "su user -c '… \"$1\" …' sh {{ x }}, or sudo -u user"
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
        elif value is not None and (option == "-F" or (option == "-b" and name == "sftp")):
            command.chosen(value, name)


def _watch(command: Command, index: int) -> None:
    options, rest = command.options(index, "nq", frozenset({"--interval"}))
    if any(option in ("-x", "--exec") for option, _ in options):
        if rest:
            command.at(rest[0])
        return
    for at in rest:
        command.code(command.words[at], "watch hands its arguments to a shell", "watch -x command {{ x }}")


def _flock(command: Command, index: int) -> None:
    options, rest = command.options(
        index, "cwE", frozenset({"--command", "--timeout", "--conflict-exit-code"}), permute=True
    )
    coded = False
    for option, value in options:
        if option in ("-c", "--command") and value is not None:
            coded = True
            command.code(value, "the value becomes part of shell code", "flock FILE command {{ x }}")
    if not coded:
        command.wrapper(index, "wE", "--timeout --conflict-exit-code", 1)
    elif len(rest) > 1:
        command.at(rest[1])


def _script(command: Command, index: int) -> None:
    options, rest = command.options(index, "cEmIOoBT", frozenset({"--command"}), permute=True)
    could_be_options(command, rest)
    for option, value in options:
        if option in ("-c", "--command") and value is not None:
            command.code(value, "the value becomes part of shell code", SH_HINT)


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


def _git(command: Command, index: int) -> None:
    options, rest = command.options(index, "cC", frozenset({"--git-dir", "--work-tree", "--exec-path", "--config-env"}))
    for option, value in options:
        if option == "-c" and value is not None:
            _git_setting(command, value)
        elif option == "--exec-path" and value is not None:
            choose_parts(command.scan, value, "git")
    command.split(range(index + 1, rest[0] + 1 if rest else index + 1))
    _git_subcommand(command, rest)
    for at in rest:
        text = command.words[at].text
        if text.startswith(("--upload-pack", "--receive-pack", "--exec=")) or "ext::" in text:
            command.code(command.words[at], "git runs what this says as a command", "write the command without values")
    if rest and command.words[rest[0]].text in ("clone", "fetch", "pull", "push", "ls-remote", "archive", "remote"):
        could_be_options(command, rest[1:])
    elif rest and (taking := _GIT_TAKES.get(command.words[rest[0]].text)) is not None:
        short, long = taking
        could_be_options(command, command.options(rest[0], short, frozenset(long.split()), permute=True)[1])


def _git_setting(command: Command, word: Word) -> None:
    """`NAME=VALUE` behind `-c`."""
    name, hint = word.text.partition("=")[0], "write the setting's name: -c user.name={{ x }}"
    if HOLE in name:
        command.code(word, _GIT_MESSAGE, hint)
    elif GIT_SETTING.search(name):
        command.code(word, "git runs this setting as a command", "write the command without values")
    elif EXPANSION in name:
        lead(command, word, NAMES, "E420", _GIT_MESSAGE, hint)


def _git_config(command: Command, rest: list[int]) -> None:
    """`git config NAME VALUE` where a value may be the name: what it is set to may be a command."""
    taking = frozenset({"--file", "--blob", "--type", "--default", "--comment"})
    _, operands = command.options(rest[0], "f", taking, permute=True)
    if operands and command.words[operands[0]].text == "set":
        operands = operands[1:]
    if operands and command.words[operands[0]].text.startswith((HOLE, EXPANSION)):
        for at in operands[1:2]:
            command.code(command.words[at], _GIT_MESSAGE, "write the setting's name: git config user.name {{ x }}")


def _git_subcommand(command: Command, rest: list[int]) -> None:
    """Subcommands that run what stands in their arguments."""
    if not rest:
        return
    name, words = command.words[rest[0]].text, [command.words[at] for at in rest[1:]]
    if name in ("submodule", "bisect") and words and words[0].text in ("foreach", "run"):
        if name == "bisect":
            command.at(rest[2] if rest[2:] else len(command.words))
            return
        for word in words[1:]:
            command.code(word, "git hands this to a shell", "put the value in a variable: X={{ x }} git submodule …")
    if name == "config":
        _git_config(command, rest)
    for at, word in enumerate(words):
        option = next((each for each in _GIT_RUNS.get(name, ()) if word.text.startswith(each)), None)
        if option is not None:
            value = words[at + 1 : at + 2] if word.text == option else [word]
            for each in value:
                command.code(each, "git runs what this says as a command", "write the command without values")
        elif name == "clone" and words[at - 1].text in ("-c", "--config") and at:
            _git_setting(command, word)
        elif name == "config" and GIT_SETTING.search(word.text):
            for each in words[at:]:
                command.code(each, "git runs this setting as a command", "write the command without values")
            return


def _tar(command: Command, index: int) -> None:
    running = frozenset(f"--{name}" for name in _TAR_RUNS.split())
    taking = frozenset({"--file", "--directory", "--exclude", "--files-from", "--strip-components", "--transform"})
    options, rest = command.options(index, "bCfFgHIKLNTVX", running | taking, permute=True)
    could_be_options(command, rest)
    for option, value in options:
        if value is not None and (option in running or option in ("-I", "-F")):
            command.code(value, "tar runs what this says as a command", "write the command without values")
        elif option in ("--transform", "--xform") and value is not None:
            command.code(value, "the value becomes part of sed code", "rename the files afterwards")


def _rsync(command: Command, index: int) -> None:
    options, rest = command.options(index, "eTBM", frozenset({"--rsh", "--rsync-path"}), permute=True)
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
    "parallel": _parallel,
    "ssh": _ssh,
    "autossh": _ssh,
    "mosh": _ssh,
    "scp": _copies,
    "sftp": _copies,
    "su": _su,
    "runuser": _su,
    "watch": _watch,
    "flock": _flock,
    "script": _script,
    "make": _make,
    "gmake": _make,
    "git": _git,
    "tar": _tar,
    "gtar": _tar,
    "bsdtar": _tar,
    "rsync": _rsync,
}
