"""Programs for developers and operators that take a command or a program's text among their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pipe_runner.expressions.interpreter_table import PROGRAMS, SHELLS, WRAPPERS
from pipe_runner.expressions.shell_files import choose_parts
from pipe_runner.expressions.shell_marks import set_variable
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Word

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_SHELL: Final = "the value becomes part of shell code"
_IN_TMUX: Final = frozenset(
    {"new-session", "new", "new-window", "neww", "split-window", "splitw", "respawn-window", "respawnw"}
    | {"respawn-pane", "respawnp", "run-shell", "run", "if-shell", "if", "pipe-pane", "pipep", "display-popup"}
    | {"popup", "send-keys", "send", "set-hook", "bind-key", "bind", "confirm-before", "command-prompt"}
    | {"set-option", "set", "set-window-option", "setw", "display-message", "display"}
)
_BY_VARIABLE: Final = (SHELLS | frozenset(PROGRAMS)) - {"at", "batch", "ed", "ex", "expect"} | frozenset(
    {"sudo", "doas", "git", "ssh", "make", "tar", "find", "xargs", "docker", "podman", "kubectl"}
)
"""Programs that a variable in capitals is taken for."""
OF_SCRIPT: Final = re.compile(r"-[a-z]*c")
_VALUED: Final = re.compile(r"[-+][a-z]*[oO]")
"""Options of shells that take a value."""
_SCRIPT: Final = re.compile(r"[ \n;|&<>$\"'(]")
"""What a script has, and no number or name."""
_CODE_LETTER: Final = re.compile(r"-[A-Za-z]*[ce]|--(?:eval|execute|exec|command)")
_CODE_EQUALS: Final = re.compile(r"--(?:eval|execute|exec|command)=")
_WHOLE: Final = frozenset({"--", "--checkpoint", "--start"})
"""Options that longer ones begin with."""
_NO_CODE: Final = frozenset({"GREP", "EGREP", "FGREP", "CURL", "PING", "WC", "HEAD", "TAIL", "CC", "CXX", "LD"})
"""Variables whose names say that `-c` and `-e` mean something else to the program."""

_OF_HEROKU: Final = frozenset(["-a", "-e", "-s", "-r", "--app", "--env", "--size", "--remote", "--type", "--dyno"])
"""Options of `heroku run` that take a value."""
_GLUED_OF_HEROKU: Final = tuple(f"{each}=" if each.startswith("--") else each for each in _OF_HEROKU)

_TAKEN_BY_ANSIBLE: Final = """
    --args --background --become-method --become-user --connection --extra-vars --forks --inventory --key-file --limit
    --module-name --module-path --playbook-dir --poll --private-key --scp-extra-args --sftp-extra-args --skip-tags
    --ssh-common-args --ssh-extra-args --start-at-task --tags --timeout --user --vault-id --vault-pass-file
    --vault-password-file
"""
_OF_ANSIBLE: Final = frozenset(_TAKEN_BY_ANSIBLE.split())
"""Options of Ansible's programs that take a value."""
_BY_LOOKUP: Final = "give it by the environment: X={{ x }} ansible-playbook p.yml, and there lookup('env', 'X')"
_HANDING: Final = {
    "sops": {"exec-env": 1, "exec-file": 1},
    "tsh": {"ssh": 1},
    "consul": {"exec": 0, "lock": 1},
    "salt": {"cmd.run": 0, "cmd.shell": 0, "cmd.run_all": 0},
    "cf": {"ssh": 1, "run-task": 1},
}
"""Programs, their subcommands behind which a command for a shell stands, and the operands before that."""
_TAKEN_BY_CONSUL: Final = """
    -node -service -tag -wait -wait-repl -prefix -datacenter -n -name -monitor-retry -timeout -token -token-file
    -http-addr -ca-file -ca-path -client-cert -client-key -namespace
"""
_OF_CONSUL: Final = frozenset(_TAKEN_BY_CONSUL.split())
"""Options of consul's that take a value."""
_NO_COMMAND: Final = re.compile(r"(?:cwd|runas|group|timeout|umask|stdin|bg|output_\w+|hide_output|success_\w+)=")
"""What stands in salt's arguments beside the command."""


class _Console(NamedTuple):
    """What takes code behind an option or a subcommand."""

    what: str
    verbs: str = ""
    """Subcommands of which the first operand is code."""
    code: str = ""
    """Options whose value is code."""
    within: str = ""
    """Subcommands that have these options; all, where none is named."""
    taking: str = ""
    """Other options with a value."""


_CONSOLES: Final = {
    "rails": _Console("Ruby", "runner r", taking="-e --environment"),
    "wp": _Console("PHP", "eval", "--exec"),
    "drush": _Console("PHP", "php:eval php-eval ev eval", taking="-l --uri -r --root"),
    "mix": _Console("Elixir", "eval", "-e --eval"),
    "iex": _Console("Elixir", code="-e --eval"),
    "erl": _Console("Erlang", code="-eval"),
    "ghc": _Console("Haskell", code="-e"),
    "kotlin": _Console("Kotlin", code="-e"),
    "artisan": _Console("PHP", code="--execute", within="tinker"),
    "manage.py": _Console("Python", code="-c --command", within="shell shell_plus"),
}
_OF_CONSOLE: Final = "give the value by the environment: X={{ x }} …, and read that in the code"
_OF_UNIT: Final = "systemd runs what this property says"
_SEVERAL: Final = "systemd makes several variables of a value with spaces"
_NAMED: Final = "write the property's name: -p MemoryMax={{ x }}"


def _npx(command: Command, index: int) -> None:
    options, rest = command.options(index, "pcw", frozenset({"--package", "--call", "--workspace", "--shell"}))
    for option, value in options:
        if option in ("-c", "--call") and value is not None:
            command.code(value, _SHELL, "npx program {{ x }}")
    if rest:
        command.at(rest[0])


def _npm(command: Command, index: int) -> None:
    options, rest = command.options(
        index, "w", frozenset({"--workspace", "--prefix", "--dir", "--filter", "--script-shell"})
    )
    for option, value in options:
        if option == "--script-shell" and value is not None:
            command.program(value)
    if rest and command.words[rest[0]].text in ("exec", "x", "dlx"):
        _npx(command, rest[0])


def _nix(command: Command, index: int) -> None:
    shell = command.words[index].text.endswith("nix-shell")
    _, rest = command.options(index, "")
    if len(rest) > 1 and command.words[rest[0]].text == "run":
        _, behind = command.options(rest[0], "")
        for at in behind[:1]:
            command.program(command.words[at])
    for at in range(index + 1, len(command.words)):
        text, following = command.words[at].text, command.words[at + 1 : at + 2]
        if shell and text in ("--run", "--command"):
            for word in following:
                command.code(word, _SHELL, "put the value in the environment: X={{ x }} nix-shell --run '… \"$X\" …'")
        elif shell and text in ("-p", "--packages"):
            for word in _up_to_option(command.words[at + 1 :]):
                command.code(word, "the value becomes part of a Nix expression", "write the package's name")
        elif not shell and text in ("-c", "--command"):
            command.at(at + 1)
            return
        elif text in ("-E", "--expr", "--apply"):
            for word in following:
                command.code(word, "the value becomes part of a Nix expression", "--argstr x {{ x }}")


def _up_to_option(words: list[Word]) -> Iterator[Word]:
    for word in words:
        if word.text.startswith("-"):
            return
        yield word


def _deno(command: Command, index: int) -> None:
    _, rest = command.options(index, "c", frozenset({"--config", "--ext", "--import-map"}), permute=True)
    if not rest:
        command.facts.reads.append(("deno", "deno run script.ts {{ x }}"))
    elif command.words[rest[0]].text == "eval":
        for at in rest[1:]:
            command.code(command.words[at], "the value becomes part of JavaScript code", "deno run script.ts {{ x }}")
    elif command.words[rest[0]].text == "run" and rest[1:]:
        if command.words[rest[1]].text == "-":
            command.facts.reads.append(("deno", "deno run script.ts {{ x }}"))
        command.chosen(command.words[rest[1]], "deno")


def _redis(command: Command, index: int) -> None:
    hint = "give values as arguments behind the number of keys: redis-cli eval '… ARGV[1] …' 0 {{ x }}"
    short = "hpsaunirdDtX"
    long = frozenset({"--user", "--pass", "--eval", "--cacert", "--cert", "--key"})
    options, rest = command.options(index, short, long)
    for option, value in options:
        if option == "--eval" and value is not None:
            command.chosen(value, "redis-cli")
            return
    if not rest:
        command.facts.reads.append(("redis-cli", hint))
        return
    first = command.words[rest[0]].text.lower()
    code = rest[1:2] if first in ("eval", "eval_ro") else rest[2:] if first in ("script", "function") else []
    for at in code:
        command.code(command.words[at], "the value becomes part of Lua code", hint)


def _tmux(command: Command, index: int) -> None:
    options, rest = command.options(index, "LSfcT")
    for option, value in options:
        if option == "-f" and value is not None:
            command.chosen(value, "tmux")
    if rest and command.words[rest[0]].text in ("source-file", "source"):
        for at in rest[1:]:
            command.chosen(command.words[at], "tmux")
    if not rest or command.words[rest[0]].text not in _IN_TMUX:
        return
    _, operands = command.options(rest[0], "ceFfnstxylN", permute=True)
    for at in operands:
        hint = "give the value by the environment: tmux new-session -e X={{ x }} '… \"$X\" …'"
        command.code(command.words[at], "tmux hands this to a shell", hint)


def _ansible(command: Command, index: int) -> None:
    """Variables and arguments that Ansible's programs are given are templates to them, which may run commands."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    options, rest = command.options(index, "aimeutfPlBTcMJ", _OF_ANSIBLE, permute=True)
    for option, value in options:
        if value is None:
            continue
        if option in ("-a", "--args"):
            message = "Ansible reads a module's arguments as a template, or hands them to a shell"
            command.code(value, message, _BY_LOOKUP)
        elif option in ("-e", "--extra-vars"):
            message = "Ansible reads the text of a variable as a template, which may run commands"
            command.code(value, message, _BY_LOOKUP)
        elif option.endswith("-args"):
            command.code(value, "what this option says is run", "write the command without values")
        elif option in ("-M", "--module-path"):
            choose_parts(command.scan, value, name)
        elif option in ("--vault-password-file", "--vault-pass-file"):
            command.chosen(value, name)
    for at in rest if name == "ansible-playbook" else ():
        command.chosen(command.words[at], name)


def _unit(command: Command, index: int) -> None:
    """`systemd-run -p ExecStartPre=… COMMAND`."""
    short, long, operands = WRAPPERS["systemd-run"]
    for option, value in command.options(index, short, frozenset(long.split()))[0]:
        if value is None:
            continue
        name = value.text.partition("=")[0]
        if option in ("-E", "--setenv"):
            set_variable(command.scan, value)
        elif option not in ("-p", "--property", "--socket-property"):
            continue
        elif name.startswith("Exec"):
            command.code(value, _OF_UNIT, "write the command without values")
        elif name == "Environment":
            command.code(value, _SEVERAL, "--setenv=NAME={{ x }}")
        elif HOLE in name or EXPANSION in name:
            command.code(value, _OF_UNIT, _NAMED)
    command.wrapper(index, short, long, operands)


def _systemctl(command: Command, index: int) -> None:
    """`systemctl set-environment NAME=…`: every service gets the variable."""
    _, rest = command.options(index, "HMntpPoC", frozenset({"--host", "--machine"}), permute=True)
    if rest and command.words[rest[0]].text == "set-environment":
        for at in rest[1:]:
            set_variable(command.scan, command.words[at])


def _gh(command: Command, index: int) -> None:
    """`gh api --jq PROGRAM`."""
    hint = "give the value by the environment: X={{ x }} gh api --jq '… env.X …'"
    for option, value in command.options(index, "q", frozenset({"--jq"}), permute=True)[0]:
        if option in ("-q", "--jq") and value is not None:
            command.code(value, "the value becomes part of jq code", hint)


def _handed(command: Command, index: int) -> None:
    """Programs that hand the words behind one of their subcommands, and its operands, to a shell."""
    words, name = command.words, command.words[index].text.rsplit("/", 1)[-1]
    verbs = _HANDING[name]
    at = next((at for at in range(index + 1, len(words)) if words[at].text in verbs), None)
    if at is not None:
        if name == "consul":
            options, rest = command.options(at, "", _OF_CONSUL, single=True)
        else:
            options, rest = command.options(at, "lpLRDoiJc", ("--command", "--login", "--port"), permute=name == "cf")
        told = [value for option, value in options if option in ("-c", "--command") and value is not None]
        running = [words[place] for place in rest[verbs[words[at].text] :]]
        running = [word for word in running if name != "salt" or _NO_COMMAND.match(word.text) is None]
        for each in ([value] for value in told) if name == "cf" else [running]:
            command.shell_code(each, _SHELL, "send it on standard input, or as a variable of the environment")


def _dashed(command: Command, index: int) -> None:
    """A command stands behind `--`."""
    if index < command.protected < len(command.words):
        command.split(range(index + 1, command.protected))
        command.at(command.protected + 1)


def _console(command: Command, index: int) -> None:
    """Consoles of frameworks and languages that take code behind an option or a subcommand."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    console = _CONSOLES[name]
    code, message = console.code.split(), f"the value becomes part of {console.what} code"
    long = frozenset([*code, *console.taking.split()])
    options, operands = command.options(index, "", long, permute=True, single=True)
    rest = [command.words[at] for at in operands if name != "drush" or not command.words[at].text.startswith("@")]
    verb = rest[0].text if rest else ""
    for option, value in options:
        if option in code and value is not None and (not console.within or verb in console.within.split()):
            command.code(value, message, _OF_CONSOLE)
    if len(rest) > 1 and verb in console.verbs.split():
        command.code(rest[1], message, _OF_CONSOLE)


def _heroku(command: Command, index: int) -> None:
    """`heroku run COMMAND [OPTION]…`: what is none of its options, wherever those stand, is joined for a shell."""
    _, rest = command.options(index, "", _OF_HEROKU)
    if not rest or command.words[rest[0]].text not in ("run", "run:detached", "ps:exec"):
        return
    hint = "set it as a variable of the application: heroku config:set X={{ x }}"
    at = rest[0] + 1
    while at < len(command.words):
        text, own = command.words[at].text, at < command.protected
        if not own or not text.startswith(_GLUED_OF_HEROKU):
            command.code(command.words[at], "heroku joins its arguments and hands them to a shell", hint)
        at += 2 if own and text in _OF_HEROKU else 1


def _screen(command: Command, index: int) -> None:
    options, rest = command.options(index, "SchpesTtuX")
    for option, value in options:
        if option == "-c" and value is not None:
            command.chosen(value, "screen")
    if rest:
        command.at(rest[0])


def names_script(command: Command, at: int) -> bool:
    """Whether a word is what a script calls itself: `sh` at the end of `sh -c 'ls "$1"' sh`."""
    words = [word.text for word in command.words[max(at - 8, 0) : at]]
    if len(words) < 3 or OF_SCRIPT.fullmatch(words[-2]) is None or _SCRIPT.search(words[-1]) is None:
        return False
    begin = len(words) - 3
    while begin > 0 and (words[begin][:1] in ("-", "+") or _VALUED.fullmatch(words[begin - 1])):
        begin -= 1
    return words[begin].rsplit("/", 1)[-1] in SHELLS


def named(word: Word) -> str:
    """The program that a word names, as far as its text says so: also that of `$venv/bin/python` and `$PYTHON`."""
    name = word.text.rsplit("/", 1)[-1]
    if word.text == EXPANSION and len(word.variables) == 1 and word.variables[0].isupper():
        name = word.variables[0].lower()
        name = "sh" if name == "shell" else name if name in _BY_VARIABLE else ""
    elif EXPANSION in name or HOLE in name:
        return ""
    if re.fullmatch(r"python[23]?\.\d+|pypy3\.\d+", name):
        return "python3"
    return name.rstrip("0123456789.-") if re.fullmatch(r"(?:perl|ruby|lua|php|tclsh)-?[\d.]+", name) else name


def jq_operands(command: Command, index: int, operands: list[int]) -> list[int]:
    """jq's operands without those that belong to --arg, --argjson, --slurpfile and --rawfile."""
    taken: set[int] = set()
    for at in range(index + 1, len(command.words)):
        if command.words[at].text in ("--arg", "--argjson", "--slurpfile", "--rawfile"):
            taken.update((at + 1, at + 2))
        elif command.words[at].text in ("--args", "--jsonargs"):
            rest = [o for o in operands if o not in taken]
            return rest[:1]
    return [operand for operand in operands if operand not in taken]


def in_full(name: str, known: Collection[str]) -> str:
    """A long option that is written with its beginning alone: `--expr` for `--expression`."""
    meant = [each for each in known if each.startswith(name)] if name not in _WHOLE else []
    return meant[0] if len(meant) == 1 else name


def through_variable(command: Command, index: int) -> None:
    """A program named by a variable: what stands behind its `-c` or `-e` is code."""
    if any(name.upper() in _NO_CODE for name in command.words[index].variables):
        return
    for at in range(index + 1, len(command.words)):
        text = command.words[at].text
        if text[:1] != "-" or text == "--" or text[1:2] in ("", HOLE, EXPANSION):
            return
        hint = "write the program's name, if it reads no code there"
        if _CODE_EQUALS.match(text):
            command.code(command.words[at], "the program that the variable names may read this as code", hint)
        elif _CODE_LETTER.fullmatch(text) and at + 1 < len(command.words):
            command.code(command.words[at + 1], "the program that the variable names may read this as code", hint)
            return


TOOLS: Final[dict[str, Callable[[Command, int], None]]] = {
    **dict.fromkeys(("npx", "pnpx", "bunx"), _npx),
    **dict.fromkeys(("npm", "pnpm", "yarn"), _npm),
    **dict.fromkeys(("nix", "nix-shell", "nix-build", "nix-instantiate"), _nix),
    "deno": _deno,
    "redis-cli": _redis,
    "valkey-cli": _redis,
    "tmux": _tmux,
    **dict.fromkeys(("ansible", "ansible-playbook", "ansible-console"), _ansible),
    "screen": _screen,
    "heroku": _heroku,
    "gh": _gh,
    **dict.fromkeys(_HANDING, _handed),
    "systemctl": _systemctl,
    **dict.fromkeys(("chamber", "infisical", "teller", "saml2aws", "dotenvx"), _dashed),
    **dict.fromkeys(_CONSOLES, _console),
    "systemd-run": _unit,
}
