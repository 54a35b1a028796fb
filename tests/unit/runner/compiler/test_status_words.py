"""A status is one of a closed list: comparing it with another word is told before the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.registry import Registry


def told(tmp_path: Path, when: str) -> list[str]:
    text = f"version: 1\nnodes:\n  a: {{run: echo a}}\n  b:\n    run: echo b\n    when: {when}\n"
    found = compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=Registry.installed())
    return [diagnostic.message for diagnostic in found.diagnostics if diagnostic.code == "W501"]


@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ("nodes.a.status == 'success'", "succeeded"),
        ("nodes.a.status != 'failure'", "failed"),
        ("\"'done' == nodes.a.status\"", "succeeded"),
    ],
)
def test_a_word_that_no_status_is_gets_a_warning_with_what_may_be_meant(tmp_path: Path, when: str, meant: str) -> None:
    (message,) = told(tmp_path, when)
    assert meant in message


@pytest.mark.parametrize("when", ["nodes.a.status == 'succeeded'", "nodes.a.status in ['failed', 'skipped']"])
def test_the_words_that_there_are_pass(tmp_path: Path, when: str) -> None:
    assert told(tmp_path, when) == []


def test_a_text_that_looks_like_a_number_of_the_list_is_shown_with_its_quotes(tmp_path: Path) -> None:
    text = 'version: 1\nnodes:\n  a: {matrix: {x: [1, "2"]}, run: echo, when: matrix.x == "1"}\n'
    found = compile_text(text, path=str(tmp_path / "p.yml"), root=tmp_path, registry=Registry.installed())
    (message,) = [one.message for one in found.diagnostics]
    assert message == '`"1"` is no value that this can have, so comparing by `==` is always false; it may be 1, "2"'
