"""Commands and options of other programs are answered with ours, which exist."""

from __future__ import annotations

import re

import pytest

from pipe_runner.cli import main, others, table

RUN = {name for flag in table.BY_NAME["run"].flags for name in flag.names}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["validate", "."], "that is `pipe check` here"),
        (["lint"], "that is `pipe check` here"),
        (["ls"], "that is `pipe runs` here"),
        (["retry", "latest"], "that is `pipe resume` here"),
        (["run", "p.yml", "--var", "stage=dev"], "an input is given as `-i NAME=VALUE`"),
        (["run", "p.yml", "stage=dev"], "an input is given as `-i NAME=VALUE`"),
        (["run", "p.yml", "build"], "a node to run as `--only NODE`"),
        (["run", "p.yml", "--json"], "write `--output json`"),
        (["check", "p.yml", "--json"], "write `--format json`"),
        (["run", "-f", "p.yml"], "`pipe run FILE`"),
        (["run", "p.yml", "-j4"], "write `--concurrency N`"),
        (["run", "p.yml", "--no-cache"], "`pipe cache prune --all`"),
        (["run", "p.yml", "--select", "build"], "write `--only NODE`"),
    ],
)
def test_habits_of_other_programs_are_answered_with_what_to_write(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert hint in capsys.readouterr().err


def test_every_command_and_option_that_a_hint_names_is_there() -> None:
    hints = [*others.COMMANDS.values(), *others._OF_RUN.values()]
    for command in re.findall(r"`pipe ([a-z]+)", " ".join(hints)):
        assert command in table.BY_NAME
    assert not others.COMMANDS.keys() & table.BY_NAME.keys()
    assert not others._OF_RUN.keys() & RUN
    for option in re.findall(r"write `(--?[a-z-]+)", " ".join(others._OF_RUN.values())):
        assert option in RUN
