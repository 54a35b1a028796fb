"""The quick parser agrees with click wherever it answers."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.cli import app, quick, table
from pipe_runner.cli.words import Command, Given


def by_click(command: Command, words: list[str]) -> dict[str, Any] | None:
    """What click makes of the words, None where it refuses them."""
    built = app.command_of(command)
    try:
        context = built.make_context("pipe run", list(words))
    except (click.ClickException, click.exceptions.Exit):
        return None
    return dict(context.params)


def as_lists(given: Given | None) -> dict[str, Any] | None:
    return None if given is None else given.as_dict()


FLAGS = [name for flag in (*table.RUN.flags, *table.CHECK.flags) for name in flag.names]
WORD = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from([f"{name}=x" for name in FLAGS]),
    st.sampled_from(
        [
            "f.yml",
            "g.yml",
            "a=1",
            "json",
            "sarif",
            "text",
            "jsonl",
            "full",
            "4",
            "10s",
            "-",
            "--",
            "-ia=1",
            "--help",
            "-qv",
            "",
        ]
    ),
    st.text(max_size=4),
)


@settings(max_examples=400, deadline=None)
@given(command=st.sampled_from([table.RUN, table.CHECK]), words=st.lists(WORD, max_size=8))
def test_the_quick_parser_gives_what_click_gives(command: Command, words: list[str]) -> None:
    quickly = as_lists(quick.parse(command, words))
    if quickly is not None:
        assert quickly == by_click(command, words)


@pytest.mark.parametrize(
    "words",
    [
        ["f.yml"],
        ["f.yml", "-i", "a=1", "-i", "b=2", "-q"],
        ["--output", "json", "f.yml", "--only=x", "--only", "y"],
        ["f.yml", "--grace=0.5s", "--durability", "os", "-v"],
    ],
)
def test_the_usual_command_lines_need_no_click(words: list[str]) -> None:
    assert as_lists(quick.parse(table.RUN, words)) == by_click(table.RUN, words)


@pytest.mark.parametrize("words", [[], ["-h"], ["f.yml", "--ouput", "json"], ["f.yml", "--output", "xml"], ["a", "b"]])
def test_mistakes_and_help_are_left_to_click(words: list[str]) -> None:
    assert quick.parse(table.RUN, words) is None


def test_every_command_is_defined_once_and_every_one_that_exists_has_a_function() -> None:
    from importlib import import_module

    assert len(table.BY_NAME) == len(table.COMMANDS)
    for command in table.COMMANDS:
        if command.target:
            module, _, function = command.target.partition(":")
            assert callable(getattr(import_module(module), function)), command.name
