"""Programs that run a command elsewhere: which of the words behind docker, kubectl, vagrant, … begin one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pipe_runner.expressions.interpreter_table import SHELLS
from pipe_runner.expressions.shell_leading import could_be_options
from pipe_runner.expressions.shell_marks import ASSIGNED, SH_HINT, set_variable
from pipe_runner.expressions.shell_model import EXPANSION, HOLE, Word
from pipe_runner.expressions.shell_tools import OF_SCRIPT

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SHELL: Final = "the value becomes part of shell code"
_RUN_BY: Final = ("--command", "--scripts")
_BY_OPTION: Final = {
    "az": (*_RUN_BY, "--command-line", "--exec-command", "--script", "--cmd"),
    "aws": ("--command",),
    "gcloud": (*_RUN_BY, "--ssh-flag", "--scp-flag"),
    **dict.fromkeys(("vagrant", "fly", "flyctl"), _RUN_BY),
}
"""Programs that take a command for elsewhere behind an option."""
_START: Final = re.compile(r"(?:^|,)(?:startup|shutdown)-script=|^#!|^#cloud-config")
"""A script in what is told of a new machine."""
_DOCKERS: Final = frozenset({"docker", "podman", "nerdctl", "docker-compose", "podman-compose"})
_OF_SINGULARITY: Final = frozenset({"singularity", "apptainer"})
_EXECUTING: Final = _DOCKERS | {"kubectl", "oc", "crictl", "lxc", "incus", "multipass", "nomad", *_OF_SINGULARITY}
_OF_EXEC: Final = frozenset(
    {"--env", "--env-file", "--user", "--workdir", "--container", "--namespace", "--index", "--context", "--name"}
    | {"--volume", "--publish", "--network", "--entrypoint", "--mount", "--platform", "--label", "--detach-keys"}
    | {"--bind", "--home", "--pwd", "--overlay", "--scratch"}
)
"""Options of `exec` and `run` that take a value."""
_OF_NOMAD: Final = _set("-task -group -e -address -namespace -region -token -ca-cert -client-cert -client-key")
"""The same of nomad's."""


class _Shell(NamedTuple):
    """What runs a command in a machine, beside `exec` and `run`."""

    verb: str
    short: str
    """Letters of its options with a value."""
    long: tuple[str, ...]
    """Long options with a value."""
    named: int
    """Operands before the command; fewer where a `--` stands before it."""


_SHELLS: Final = {
    "machinectl": _Shell("shell", "EHMpno", ("--uid", "--setenv", "--host", "--machine", "--property"), 1),
    "limactl": _Shell("shell", "", ("--workdir", "--shell", "--instance"), 1),
    "distrobox": _Shell("enter", "neac", ("--name", "--additional-flags"), 1),
    "toolbox": _Shell("run", "cdre", ("--container", "--distro", "--release"), 0),
    "oc": _Shell("rsh", "cn", ("--container", "--shell", "--namespace"), 1),
    "colima": _Shell("ssh", "p", ("--profile",), 0),
}
_BY_FILE: Final = "write the script to a file that reads the value as data"
_OF_CLOUDS: Final = frozenset({"az", "aws", "gcloud"})
_HOLDING_KUBECTL: Final = frozenset({"minikube", "k3s", "microk8s"})
_CLUSTERS: Final = frozenset({"kubectl", "k3s", "microk8s"})
_OF_DOCKER: Final = _set(
    "attach build commit config cp diff down events export history image images import info inspect kill load login "
    "logout logs manifest network node pause port ps pull push rename restart rm rmi save search secret stack start "
    "stats stop swarm system tag top unpause up update version volume wait"
)
_OF_CLUSTERS: Final = _set(
    "annotate api-resources api-versions apply auth autoscale certificate cluster-info config cordon cp create delete "
    "describe diff drain edit explain expose get label logs patch port-forward replace rollout scale set taint top "
    "uncordon version wait"
)
_ENTERING: Final = frozenset({"debug", "exec", "rsh", "run"})
"""Where one of these stands, what comes before it may be the value of an option that isn't known."""
_OF_OPENSHIFT: Final = _OF_CLUSTERS | _set("import-image new-app new-build new-project process project start-build tag")
_VERBS: Final = {
    "oc": _OF_OPENSHIFT,
    **dict.fromkeys(_CLUSTERS, _OF_CLUSTERS),
    **dict.fromkeys(_DOCKERS, _OF_DOCKER),
}
"""What these programs may be told to do that runs no command."""
_BEFORE_VERB: Final = frozenset(
    {"--as", "--ansi", "--cluster", "--config", "--context", "--env-file", "--file", "--host", "--kubeconfig"}
    | {"--log-level", "--namespace", "--parallel", "--profile", "--project-directory", "--project-name", "--server"}
    | {"--token", "--user"}
)
"""Options that take a value and stand before what docker or kubectl is told to do."""
_NAMING: Final = frozenset({"--name", "--hostname", "--network", "--network-alias", "--label", "--container", "--tag"})
"""Options whose value is a name: that of a program there begins no command."""


def commands_within(command: Command, index: int) -> range:
    """The words behind docker, kubectl, … that may begin a command: behind `--` alone where it is told to run none."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    at = next((at for at in range(index + 1, command.protected) if command.words[at].text == "kubectl"), 0)
    if at and name in _HOLDING_KUBECTL:
        own = command.inner([word for place, word in enumerate(command.words[at:]) if place != command.protected - at])
        own.at(0)
        command.facts.add(own.facts)
        return range(0)
    if name in _OF_CLOUDS:
        quiet = all(word.text not in ("exec", "scp", "ssh") for word in command.words)
    else:
        quiet = _verb(command, index) in _VERBS.get(name, ()) and all(
            word.text not in _ENTERING for word in command.words
        )
    return range(command.protected if quiet else index + 1, len(command.words))


def _verb(command: Command, index: int) -> str:
    """What it is told to do: `rm` in `docker compose -f a.yml rm`; nothing where that isn't known."""
    while True:
        _, rest = command.options(index, "cfHlnps", _BEFORE_VERB)
        if not rest:
            return ""
        index = rest[0]
        if command.words[index].text not in ("compose", "container"):
            return command.words[index].text


def is_name(command: Command, at: int) -> bool:
    """Whether a word is the value of an option that gives a name: `docker run --name mysql`."""
    return command.words[at - 1].text in _NAMING


def within_container(command: Command, index: int) -> None:
    """What of the words behind docker, kubectl, vagrant, … is code without an interpreter's name before it."""
    words = command.words
    name = words[index].text.rsplit("/", 1)[-1]
    entry, connected = "", False
    _builds(command, index)
    for at in range(index + 1, len(words)):
        option, equals, _ = words[at].text.partition("=")
        connected = connected or option in ("ssh", "invoke")
        following = words[at + 1] if at + 1 < len(words) else None
        value = words[at] if equals else following
        if option in _BY_OPTION.get(name, ()) and value is not None:
            _run(command, words[at], value)
        elif option in ("--metadata", "--user-data") and value is not None and _START.search(_of_option(value)):
            command.code(value, "the value becomes part of a script that the machine runs", _BY_FILE)
        elif option == "--parameters" and name == "aws" and value is not None and _runs_commands(command, value):
            command.code(value, _SHELL, _BY_FILE)
        elif name in _BY_OPTION and option in ("-c", "-C") and following is not None and connected:
            command.shell_code([following], _SHELL, SH_HINT)
        elif (
            option in ("-e", "--env") and name in _EXECUTING and value is not None and ASSIGNED.match(_of_option(value))
        ):
            set_variable(command.scan, value.copy_of(_of_option(value)))
        elif option == "--health-cmd" and value is not None:
            _run(command, words[at], value)
        elif option == "--entrypoint" and value is not None:
            command.program(value.copy_of(value.text.partition("=")[2]) if equals else value)
            entry = (words[at].text.partition("=")[2] if equals else value.text).rsplit("/", 1)[-1]
        elif entry and following is not None and not equals and _takes_code(entry, option, following):
            command.code(following, f"the value becomes part of {entry} code", SH_HINT)


def _run(command: Command, option: Word, value: Word) -> None:
    """`--command=…`, `--command …`."""
    command.shell_code([value.copy_of(_of_option(value)) if value is option else value], _SHELL, SH_HINT)


def _of_option(word: Word) -> str:
    """The value of an option that stands in one word with it, or the word."""
    return word.text.partition("=")[2] if word.text.startswith("--") else word.text


def _runs_commands(command: Command, value: Word) -> bool:
    """Whether `--parameters` holds commands: `aws ssm send-command --parameters commands=ls`."""
    text = _of_option(value)
    asked = any(word.text in ("send-command", "start-session") for word in command.words[:8])
    return asked and ("command" in text or text.startswith((HOLE, EXPANSION)))


def _behind(command: Command, at: int, shell: _Shell) -> int:
    """Where the command begins behind `machinectl shell HOST`, `distrobox enter BOX --` and their kin."""
    options, rest = command.options(at, shell.short, shell.long)
    for option, value in options:
        if option in ("-E", "--setenv") and value is not None:
            set_variable(command.scan, value)
    if at < command.protected < len(command.words):
        return command.protected + 1
    return rest[shell.named] if rest[shell.named :] else len(command.words)


def _joined(command: Command, at: int) -> int:
    """`fly machine exec ID 'ls X'`, with options anywhere; gives where the words end, which are all seen to."""
    _, operands = command.options(at, "ac", ("--app", "--config", "--timeout"), permute=True)
    command.shell_code([command.words[place] for place in operands[1:]], _SHELL, SH_HINT)
    return len(command.words)


def _builds(command: Command, index: int) -> None:
    """`docker build -`, `docker build -f - .`: a Dockerfile on standard input."""
    words = [word.text for word in command.words[index + 1 :]]
    name = command.words[index].text.rsplit("/", 1)[-1]
    if "build" not in words[:3] or name not in ("docker", "podman", "nerdctl"):
        return
    if any(text in ("-", "-f-", "--file=-") for text in words):
        hint = "declare `ARG X` in the Dockerfile, and give it by --build-arg X={{ x }}"
        command.facts.reads.append((f"{name} build", hint))


def entered(command: Command, index: int, at: int) -> int | None:
    """Where the command begins behind `docker exec BOX` or `kubectl exec BOX --`; at the end if there is none."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    if command.words[at].text in ("ssh", "scp") and name in _BY_OPTION:
        could_be_options(command, range(at + 1, min(at + 2, len(command.words))))
        command.shell_code(command.words[command.protected + 1 :], _SHELL, SH_HINT)
        return len(command.words)
    if command.words[at].text == "debug" and name in ("kubectl", "oc"):
        return command.protected + 1
    if command.words[at].text == "exec" and name in ("fly", "flyctl"):
        return _joined(command, at)
    if (shell := _SHELLS.get(name)) is not None and command.words[at].text == shell.verb:
        return _behind(command, at, shell)
    if command.words[at].text not in ("exec", "run") or name not in _EXECUTING:
        return None
    if name == "nomad":
        _, rest = command.options(at, "", _OF_NOMAD, single=True)
    else:
        _, rest = command.options(at, "BHW" if name in _OF_SINGULARITY else "euwcnvp", _OF_EXEC)
    command.split(range(at + 1, rest[0] + 1 if rest else at + 1))
    told = [word.text for word in command.words[at : command.protected]]
    if told[0] == "run" and "--command" not in told:
        return None
    if name not in _DOCKERS and at < command.protected < len(command.words):
        return command.protected + 1
    begin = rest[1] if rest[1:] else len(command.words)
    return begin + (begin == command.protected < len(command.words))


def _takes_code(program: str, option: str, following: Word) -> bool:
    if program in SHELLS or program.startswith(("python", "pypy")):
        return OF_SCRIPT.fullmatch(option) is not None
    return option in ("-e", "-r", "--eval") and re.match(r"[A-Za-z_]\w*=", following.text) is None
