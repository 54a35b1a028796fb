"""The two pages on expressions name every word that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipe_runner.expressions import interpreter_table as table
from pipe_runner.expressions import vocabulary
from pipe_runner.expressions.shell_others import OTHERS
from pipe_runner.expressions.shell_programs import SPECIAL_PROGRAMS
from pipe_runner.expressions.shell_tools import TOOLS
from pipe_runner.expressions.variable_table import CHOICE_VARIABLES, CODE_VARIABLES

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("words", ["FILTERS", "TESTS", "FUNCTIONS", "METHODS"])
def test_every_word_of_the_language_is_documented(words: str) -> None:
    page = (DOCS / "expressions.md").read_text(encoding="utf-8")
    assert [word for word in sorted(getattr(vocabulary, words)) if f"`{word}`" not in page] == []


def test_every_program_whose_text_is_code_is_documented() -> None:
    page = (DOCS / "shell-text.md").read_text(encoding="utf-8")
    programs = {*table.SHELLS, *table.PROGRAMS, *table.WRAPPERS, *table.CONTAINERS, *OTHERS}
    programs |= CODE_VARIABLES | CHOICE_VARIABLES
    assert [name for name in sorted(programs | set(SPECIAL_PROGRAMS) | set(TOOLS)) if f"`{name}`" not in page] == []
