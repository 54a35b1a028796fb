"""Ansible's programs: variables and arguments that they are given are templates to them, which may run commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipe_runner.expressions.shell_files import choose_parts

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command

_TAKING: Final = """
    --args --background --become-method --become-user --connection --extra-vars --forks --inventory --key-file --limit
    --module-name --module-path --playbook-dir --poll --private-key --scp-extra-args --sftp-extra-args --skip-tags
    --ssh-common-args --ssh-extra-args --start-at-task --tags --timeout --user --vault-id --vault-pass-file
    --vault-password-file
"""
_LONG: Final = frozenset(_TAKING.split())
"""Options that take a value."""
_HINT: Final = "give it by the environment: X={{ x }} ansible-playbook p.yml, and there lookup('env', 'X')"


def inspect_ansible(command: Command, index: int) -> None:
    """ansible, ansible-playbook, ansible-console."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    options, rest = command.options(index, "aimeutfPlBTcMJ", _LONG, permute=True)
    for option, value in options:
        if value is None:
            continue
        if option in ("-a", "--args"):
            message = "Ansible reads a module's arguments as a template, or hands them to a shell"
            command.code(value, message, _HINT)
        elif option in ("-e", "--extra-vars"):
            message = "Ansible reads the text of a variable as a template, which may run commands"
            command.code(value, message, _HINT)
        elif option.endswith("-args"):
            command.code(value, "what this option says is run", "write the command without values")
        elif option in ("-M", "--module-path"):
            choose_parts(command.scan, value, name)
        elif option in ("--vault-password-file", "--vault-pass-file"):
            command.chosen(value, name)
    for at in rest if name == "ansible-playbook" else ():
        command.chosen(command.words[at], name)
