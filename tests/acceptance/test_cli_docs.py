"""docs/cli.md says what the command does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipe_runner.cli import table
from pipe_runner.cli.words import Command, Flag

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
SECTIONS = dict(re.findall(r"^## pipe (\w+)([^\n]*\n.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S))
THERE = [command for command in table.COMMANDS if command.target]


def row(flag: Flag) -> str:
    """The flag's row in its command's table."""
    names = ", ".join(f"`{name}`" for name in flag.names)
    value = "\\|".join(flag.choices) if flag.choices else flag.metavar
    return f"| {names}{f' `{value}`' if value else ''} | {flag.help} |"


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert list(SECTIONS) == [command.name for command in THERE]


@pytest.mark.parametrize("command", THERE, ids=lambda command: command.name)
def test_a_section_has_the_command_s_summary_arguments_flags_and_examples(command: Command) -> None:
    section = SECTIONS[command.name]
    heading, _, rest = section.partition("\n")
    arguments = [f"{a.metavar}{'…' if a.many else ''}" if a.required else f"[{a.metavar}]" for a in command.arguments]
    assert heading.split() == arguments
    assert command.summary in rest
    assert re.findall(r"^\| `-.*$", rest, re.M) == [row(flag) for flag in command.flags]
    for example in command.examples:
        assert example in rest


def test_the_page_names_the_commands_that_are_not_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for command in table.COMMANDS:
        if not command.target:
            assert f"`{command.name}`" in text.partition("**Not in this version**")[2]
