"""What `pipe check` says of wrong files, to the letter: each `err/NAME.yml` has its output in `err/NAME.txt`.

`UPDATE_GOLDEN=1 pytest …` writes the outputs anew; the difference is then for a person to read.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.cases import SUFFIXES
from pipe_runner.cases.reading import Reader
from pipe_runner.cli.unpriced import tell_unpriced
from pipe_runner.codes import CODES
from pipe_runner.compiler import compile_file
from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.registry import Registry
from pipe_runner.reports.diagnostics import render

DATA = Path(__file__).parents[3] / "data"
WRONG = sorted((DATA / "err").glob("*.yml"))
RIGHT = sorted((DATA / "ok").glob("*.yml"))


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_a_wrong_file_gives_its_golden_output(file: Path, registry: Registry) -> None:
    diagnostics, usable = told(file, registry)
    found = render(diagnostics, "text")
    golden = file.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert diagnostics
    assert usable != any(d.is_error for d in diagnostics)


def told(file: Path, registry: Registry) -> tuple[list[Diagnostic], bool]:
    """What is said of a file, and whether it can be used all the same."""
    if file.name.endswith(SUFFIXES):
        reading = Reader(registry).read(str(file), shown_as=file.name, root=file.parent)
        return reading.diagnostics, reading.suite is not None
    compilation = compile_file(file, root=file.parent, registry=registry, shown_as=file.name)
    plan = compilation.plan
    more = [] if plan is None else tell_unpriced(plan, compilation.document, registry)
    return in_order([*compilation.diagnostics, *more]), plan is not None


@pytest.mark.parametrize("file", RIGHT, ids=lambda file: file.stem)
def test_a_right_file_gives_a_plan_and_no_word(file: Path, registry: Registry) -> None:
    compilation = compile_file(file, root=file.parent, registry=registry, shown_as=file.name)
    assert render(compilation.diagnostics, "text") == ""
    assert compilation.plan is not None


def test_there_are_at_least_60_wrong_files() -> None:
    assert len(WRONG) >= 60


def test_every_code_of_a_golden_output_is_registered() -> None:
    for file in WRONG:
        for line in file.with_suffix(".txt").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{file.name}:"):
                code = line.split(": ", 1)[1].split(" ", 1)[0]
                assert code in CODES, f"{file.name}: {code}"


def test_no_golden_output_names_a_place_of_this_machine() -> None:
    for file in WRONG:
        assert str(DATA) not in file.with_suffix(".txt").read_text(encoding="utf-8"), file.name
