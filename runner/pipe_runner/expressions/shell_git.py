"""git: settings and subcommands that run what stands in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_files import choose_parts
from pipe_runner.expressions.shell_leading import NAMES, could_be_options, lead
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Word
from pipe_runner.expressions.shell_variables import GIT_SETTING

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_OF_HISTORY: Final = ("blob", "commit", "email", "file-info", "filename", "message", "name", "refname", "reset", "tag")
"""What `git filter-repo` calls Python code for."""
_RUNS: Final = {
    "rebase": ("--exec", "-x"),
    "send-email": ("--smtp-server=", "--sendmail-cmd", "--to-cmd", "--cc-cmd", "--header-cmd"),
    "daemon": ("--access-hook",),
    "instaweb": ("--httpd", "--browser"),
    "grep": ("--open-files-in-pager", "-O"),
    "difftool": ("--extcmd", "-x"),
    "clone": ("--upload-pack", "-u"),
    "fetch": ("--upload-pack",),
    "pull": ("--upload-pack",),
    "ls-remote": ("--upload-pack", "--exec"),
    "push": ("--receive-pack", "--exec"),
    "archive": ("--exec",),
    "filter-repo": tuple(f"--{what}-callback" for what in _OF_HISTORY),
    "filter-branch": (
        *("--tree-filter", "--env-filter", "--index-filter", "--msg-filter", "--commit-filter"),
        *("--parent-filter", "--tag-name-filter", "--setup"),
    ),
}
_TAKES: Final = {
    "grep": ("efmABC", "--max-count --max-depth --threads --context --after-context --before-context"),
    "difftool": ("tx", "--tool --extcmd"),
    "clone": ("boucj", "--branch --depth --origin --reference --config --jobs --upload-pack --shallow-since --filter"),
    "fetch": ("j", "--depth --deepen --shallow-since --upload-pack --jobs --refmap"),
    "pull": ("sX", "--depth --strategy --strategy-option --upload-pack"),
    "push": ("o", "--push-option --receive-pack --exec --repo"),
    "ls-remote": ("o", "--upload-pack --exec --sort"),
    "archive": ("o", "--format --prefix --output --remote --exec"),
    "remote": ("tm", ""),
    "rebase": ("sXCx", "--onto --strategy --strategy-option --exec --whitespace --empty"),
}
"""Options of subcommands that take a value, where some run code and operands may stand among them."""
_MESSAGE: Final = "git runs what some settings say"


def inspect_git(command: Command, index: int) -> None:
    """Settings behind `-c`, and subcommands that run what stands in their arguments."""
    options, rest = command.options(index, "cC", frozenset({"--git-dir", "--work-tree", "--exec-path", "--config-env"}))
    for option, value in options:
        if option == "-c" and value is not None:
            _setting(command, value)
        elif option == "--config-env" and value is not None:
            _by_variable(command, value)
        elif option == "--exec-path" and value is not None:
            choose_parts(command.scan, value, "git")
    command.split(range(index + 1, rest[0] + 1 if rest else index + 1))
    _subcommand(command, rest)
    for at in rest:
        text = command.words[at].text
        if text.startswith(("--upload-pack", "--receive-pack", "--exec=")) or "ext::" in text:
            command.code(command.words[at], "git runs what this says as a command", "write the command without values")
    if rest and (taking := _TAKES.get(command.words[rest[0]].text)) is not None:
        short, long = taking
        could_be_options(command, command.options(rest[0], short, frozenset(long.split()), permute=True)[1])


def _setting(command: Command, word: Word) -> None:
    """`NAME=VALUE` behind `-c`."""
    name, hint = word.text.partition("=")[0], "write the setting's name: -c user.name={{ x }}"
    if HOLE in name:
        command.code(word, _MESSAGE, hint)
    elif GIT_SETTING.search(name):
        command.code(word, "git runs this setting as a command", "write the command without values")
    elif EXPANSION in name:
        lead(command, word, NAMES, "E420", _MESSAGE, hint)


def _by_variable(command: Command, word: Word) -> None:
    """`--config-env=NAME=VARIABLE`: the setting is what stands in the variable."""
    name, _, variable = word.text.rpartition("=")
    if HOLE in name or EXPANSION in name:
        _setting(command, word)
    elif GIT_SETTING.search(name):
        flows = command.scan.flows
        flows.coded.append((flows.key(variable), "", "write the command without values"))


def _config(command: Command, rest: list[int]) -> None:
    """`git config NAME VALUE` where a value may be the name: what it is set to may be a command."""
    taking = frozenset({"--file", "--blob", "--type", "--default", "--comment"})
    _, operands = command.options(rest[0], "f", taking, permute=True)
    if operands and command.words[operands[0]].text == "set":
        operands = operands[1:]
    if operands and command.words[operands[0]].text.startswith((HOLE, EXPANSION)):
        for at in operands[1:2]:
            command.code(command.words[at], _MESSAGE, "write the setting's name: git config user.name {{ x }}")


def _subcommand(command: Command, rest: list[int]) -> None:
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
        _config(command, rest)
    for at, word in enumerate(words):
        option = next((each for each in _RUNS.get(name, ()) if word.text.startswith(each)), None)
        if option is not None:
            value = words[at + 1 : at + 2] if word.text == option else [word]
            for each in value:
                command.code(each, "git runs what this says as a command", "write the command without values")
        elif name == "clone" and words[at - 1].text in ("-c", "--config") and at:
            _setting(command, word)
        elif name == "clone" and (word.text.startswith("--config=") or re.match("-c.", word.text)):
            _setting(command, word.copy_of(word.text[2:] if word.text[1] == "c" else word.text[len("--config=") :]))
        elif name in ("clone", "init") and word.text.startswith("--template"):
            choose_parts(command.scan, word if "=" in word.text else (words[at + 1 :] or [word])[0], "git")
        elif name == "config" and GIT_SETTING.search(word.text):
            for each in words[at:]:
                command.code(each, "git runs this setting as a command", "write the command without values")
            return
